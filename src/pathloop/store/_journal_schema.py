"""The tables of what people do, which format 2 added. The journal only grows: an undo is an entry too."""

__all__ = ["JOURNAL"]

JOURNAL = (
    # the last entry whose pixels are in the layer's pyramid
    "ALTER TABLE layers ADD COLUMN applied INTEGER NOT NULL DEFAULT 0",
    """
    CREATE TABLE journal (
        entry    INTEGER PRIMARY KEY AUTOINCREMENT,
        slide_id TEXT NOT NULL REFERENCES slides,
        kind     TEXT NOT NULL CHECK (kind IN ('edit', 'run', 'import', 'merge', 'undo', 'redo')),
        tool     TEXT NOT NULL,
        target   INTEGER REFERENCES journal,
        summary  TEXT NOT NULL,
        who      TEXT NOT NULL,
        at       TEXT NOT NULL,
        models   TEXT NOT NULL
    )
    """,
    "CREATE INDEX journal_by_slide ON journal (slide_id, entry)",
    # ids of a rectangle, before and after; zstd
    """
    CREATE TABLE journal_pixels (
        entry  INTEGER NOT NULL REFERENCES journal,
        layer  INTEGER NOT NULL REFERENCES layers,
        top    INTEGER NOT NULL,
        left   INTEGER NOT NULL,
        bottom INTEGER NOT NULL,
        right  INTEGER NOT NULL,
        ids    BLOB NOT NULL,
        PRIMARY KEY (entry, layer, top, left)
    ) WITHOUT ROWID
    """,
    # everything else that an entry changes; zlib of JSON
    "CREATE TABLE journal_rows (entry INTEGER PRIMARY KEY REFERENCES journal, changes BLOB NOT NULL)",
    # what undoing or redoing a run's landing needs; the chunks that are not in the pyramid lie in
    # slides/<id>/journal/<folder>/<side>, and folder is NULL once the landing can neither be undone nor redone
    """
    CREATE TABLE journal_runs (
        entry     INTEGER NOT NULL REFERENCES journal,
        layer     INTEGER NOT NULL REFERENCES layers,
        run       INTEGER NOT NULL REFERENCES runs,
        top       INTEGER NOT NULL,
        left      INTEGER NOT NULL,
        bottom    INTEGER NOT NULL,
        right     INTEGER NOT NULL,
        first_id  INTEGER NOT NULL,
        last_id   INTEGER NOT NULL,
        n_objects INTEGER NOT NULL,
        flags     TEXT NOT NULL,
        folder    TEXT,
        side      TEXT NOT NULL CHECK (side IN ('before', 'after')),
        PRIMARY KEY (entry, layer)
    ) WITHOUT ROWID
    """,
    # rows of objects on either side of a landing, with the columns of objects
    """
    CREATE TABLE run_objects (
        entry             INTEGER NOT NULL REFERENCES journal,
        side              TEXT NOT NULL,
        object            INTEGER NOT NULL,
        layer             INTEGER NOT NULL,
        id                INTEGER NOT NULL,
        class_code        INTEGER NOT NULL,
        class_probability REAL,
        confidence        REAL NOT NULL,
        state             TEXT NOT NULL,
        locked            INTEGER NOT NULL,
        area_px           INTEGER NOT NULL,
        centroid_y        REAL NOT NULL,
        centroid_x        REAL NOT NULL,
        top               INTEGER NOT NULL,
        left              INTEGER NOT NULL,
        bottom            INTEGER NOT NULL,
        right             INTEGER NOT NULL,
        run               INTEGER,
        PRIMARY KEY (entry, side, object)
    ) WITHOUT ROWID
    """,
    # where the chunks lie that a pending layer gets back, below slides/<id>; NULL = before/<task>
    "ALTER TABLE pending ADD COLUMN saved TEXT",
    # predicted objects that a person deleted, and the entry that did: what a later run finds there does not come in
    """
    CREATE TABLE deleted (
        layer  INTEGER NOT NULL REFERENCES layers,
        id     INTEGER NOT NULL,
        entry  INTEGER NOT NULL REFERENCES journal,
        top    INTEGER NOT NULL,
        left   INTEGER NOT NULL,
        bottom INTEGER NOT NULL,
        right  INTEGER NOT NULL,
        mask   BLOB NOT NULL,
        PRIMARY KEY (layer, id, entry)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX deleted_by_entry ON deleted (entry)",
    """
    CREATE TABLE regions (
        region   INTEGER PRIMARY KEY,
        slide_id TEXT NOT NULL REFERENCES slides,
        top      INTEGER NOT NULL,
        left     INTEGER NOT NULL,
        bottom   INTEGER NOT NULL,
        right    INTEGER NOT NULL,
        origin   TEXT NOT NULL,
        rank     INTEGER,
        score    REAL NOT NULL,
        reasons  TEXT NOT NULL,
        holdout  INTEGER NOT NULL CHECK (holdout IN (0, 1)),
        states   TEXT NOT NULL,
        assigned TEXT NOT NULL,
        flag     TEXT
    )
    """,
    """
    CREATE TABLE flags (
        layer   INTEGER NOT NULL REFERENCES layers,
        id      INTEGER NOT NULL,
        comment TEXT NOT NULL,
        who     TEXT NOT NULL,
        at      TEXT NOT NULL,
        PRIMARY KEY (layer, id)
    ) WITHOUT ROWID
    """,
    # what people said of cells of the tissue map, and the grid that they saw: fixed once it is used
    """
    CREATE TABLE tissue_cells (
        slide_id   TEXT NOT NULL REFERENCES slides,
        row        INTEGER NOT NULL,
        col        INTEGER NOT NULL,
        class_name TEXT NOT NULL,
        state      TEXT NOT NULL CHECK (state IN ('edited', 'accepted')),
        PRIMARY KEY (slide_id, row, col)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tissue_grids (
        slide_id TEXT PRIMARY KEY REFERENCES slides,
        cell_y   REAL NOT NULL,
        cell_x   REAL NOT NULL,
        origin_y REAL NOT NULL,
        origin_x REAL NOT NULL,
        is_used  INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
)
