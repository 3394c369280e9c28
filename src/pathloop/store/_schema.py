"""The tables of project.db, and how older versions become newer ones. Specified in docs/reference/project-format.md."""

import sqlite3
from collections.abc import Mapping

from pathloop.store._journal_schema import JOURNAL

__all__ = ["MIGRATIONS", "OBJECT_STATES", "SCHEMA_VERSION", "create_tables", "migrate"]

OBJECT_STATES = ("predicted", "edited", "accepted")

_TABLES = """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE slides (
    slide_id    TEXT PRIMARY KEY,
    path        TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL UNIQUE,
    height      INTEGER NOT NULL CHECK (height > 0),
    width       INTEGER NOT NULL CHECK (width > 0),
    um_per_px_y REAL NOT NULL,
    um_per_px_x REAL NOT NULL,
    reader      TEXT NOT NULL,
    added       TEXT NOT NULL
);

-- Object classes by task. A code means the same for the whole project and for ever.
CREATE TABLE classes (
    task  TEXT NOT NULL,
    code  INTEGER NOT NULL CHECK (code > 0),
    name  TEXT NOT NULL,
    red   INTEGER NOT NULL,
    green INTEGER NOT NULL,
    blue  INTEGER NOT NULL,
    PRIMARY KEY (task, code),
    UNIQUE (task, name)
) WITHOUT ROWID;

-- One row a slide and task. next_id only grows: ids are never used twice.
CREATE TABLE layers (
    layer    INTEGER PRIMARY KEY,
    slide_id TEXT NOT NULL REFERENCES slides,
    task     TEXT NOT NULL,
    next_id  INTEGER NOT NULL DEFAULT 1,
    UNIQUE (slide_id, task)
);

CREATE TABLE runs (
    run        INTEGER PRIMARY KEY,
    slide_id   TEXT NOT NULL REFERENCES slides,
    run_key    TEXT NOT NULL,
    parameters TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('running', 'finished')),
    started    TEXT NOT NULL,
    finished   TEXT,
    UNIQUE (slide_id, run_key)
);

-- What a run does to a layer. The area is NULL until the layer holds the run's objects; replaced is 1 once another
-- run put its own objects into a part of that area.
CREATE TABLE run_layers (
    run      INTEGER NOT NULL REFERENCES runs,
    layer    INTEGER NOT NULL REFERENCES layers,
    first_id INTEGER NOT NULL,
    top      INTEGER,
    left     INTEGER,
    bottom   INTEGER,
    right    INTEGER,
    replaced INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, layer)
) WITHOUT ROWID;

-- Replacements that began and neither ended nor were undone; the old chunks lie in slides/<id>/before/<task>.
CREATE TABLE pending (
    layer   INTEGER PRIMARY KEY REFERENCES layers,
    run     INTEGER NOT NULL REFERENCES runs,
    top     INTEGER NOT NULL,
    left    INTEGER NOT NULL,
    bottom  INTEGER NOT NULL,
    right   INTEGER NOT NULL,
    started TEXT NOT NULL
);

CREATE TABLE objects (
    object            INTEGER PRIMARY KEY CHECK (object = layer * 4294967296 + id),
    layer             INTEGER NOT NULL REFERENCES layers,
    id                INTEGER NOT NULL CHECK (id BETWEEN 1 AND 2147483647),
    class_code        INTEGER NOT NULL,
    class_probability REAL,
    confidence        REAL NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('predicted', 'edited', 'accepted')),
    locked            INTEGER NOT NULL CHECK (locked IN (0, 1)),
    area_px           INTEGER NOT NULL,
    centroid_y        REAL NOT NULL,
    centroid_x        REAL NOT NULL,
    top               INTEGER NOT NULL,
    left              INTEGER NOT NULL,
    bottom            INTEGER NOT NULL,
    right             INTEGER NOT NULL,
    run               INTEGER REFERENCES runs
);

-- Reviewed objects are few: a question about them must not read all rows.
CREATE INDEX reviewed_objects ON objects (layer) WHERE state <> 'predicted' OR locked = 1;
"""

# the same box as in objects, inclusive and with the layer as a dimension, so that one look-up serves any area
_BOX_TREE = "CREATE VIRTUAL TABLE boxes USING rtree_i32(object, layer_min, layer_max, top, bottom, left, right)"
_BOX_TABLE = """
CREATE TABLE boxes (
    object INTEGER PRIMARY KEY, layer_min INTEGER, layer_max INTEGER,
    top INTEGER, bottom INTEGER, left INTEGER, right INTEGER
)
"""

# version -> the statements that make it from the version before; a row a past change of the tables
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: JOURNAL,
    3: ("ALTER TABLE regions ADD COLUMN verified_by TEXT NOT NULL DEFAULT ''",),
}
SCHEMA_VERSION = 3


def create_tables(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Make all tables of the present version.

    The caller commits.

    Parameters
    ----------
    connection
        An empty database.
    values
        Rows of ``meta`` beside ``schema_version``.
    """
    connection.executescript(f"BEGIN; {_TABLES}")
    try:
        connection.execute(_BOX_TREE)
    except sqlite3.OperationalError:  # this SQLite was built without R-trees
        connection.execute(_BOX_TABLE)
        connection.execute("CREATE INDEX boxes_by_row ON boxes (layer_min, top)")
    for number in sorted(MIGRATIONS):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
    rows = {"schema_version": str(SCHEMA_VERSION), **values}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows.items())


def migrate(
    connection: sqlite3.Connection, version: int, migrations: Mapping[int, tuple[str, ...]] = MIGRATIONS
) -> int:
    """Bring older tables up to date, all steps in one transaction.

    Parameters
    ----------
    connection
        In autocommit mode.
    version
        What the tables are now.
    migrations
        Version -> statements that make it from the version before.

    Returns
    -------
    int
        The version that the tables have now.
    """
    steps = [number for number in sorted(migrations) if number > version]
    if not steps:
        return version
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in steps:
            for statement in migrations[number]:
                connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(steps[-1]),))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return steps[-1]
