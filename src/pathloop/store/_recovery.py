"""What is done when a project is opened that was not closed: after a kill, or after the computer went down."""

from datetime import datetime, timedelta

import psutil

from pathloop.store._database import Database
from pathloop.store._landings import tidy, undo_pending
from pathloop.store._layers import all_layers

__all__ = ["is_half_done", "recover"]

UNSURE = timedelta(minutes=10)
"""Before the last entry: systems write files to disk within a minute or so."""

SAME_BOOT_S = 60.0
"""Boot times are reckoned from a clock that is set now and then."""


def is_half_done(database: Database) -> bool:
    """Whether pyramids may not be as the rows say: a writer is at work, was killed, or the computer went down."""
    sql = (
        "SELECT 1 FROM pending UNION ALL SELECT 1 FROM journal j JOIN journal_pixels p"
        " ON p.entry = ifnull(j.target, j.entry) JOIN layers l ON l.layer = p.layer"
        " WHERE j.entry > l.applied AND j.entry > (SELECT min(applied) FROM layers) LIMIT 1"
    )
    return bool(database.rows(sql)) or (
        _has_restarted(database) and bool(database.rows("SELECT 1 FROM journal LIMIT 1"))
    )


def recover(database: Database) -> None:
    """Undo what is half done, remove what nothing needs, and note which pixels must be written (again).

    The journal is on disk when a commit returns, but not the chunk files: if the computer was started anew since, the
    pixels of the last ten minutes of the journal count as not written. Pixels from before a run came in, or was undone,
    do not: that changed the same chunks.

    Raises
    ------
    ProjectError
        If chunks cannot be written.
    """
    layers = all_layers(database)
    undo_pending(database, layers)
    tidy(database, layers)
    if not _has_restarted(database):
        return
    [(last,)] = database.rows("SELECT max(at) FROM journal")
    with database.transaction():
        if last is not None:
            since = (datetime.fromisoformat(last) - UNSURE).isoformat("T", "seconds")
            swapped = (
                "(SELECT ifnull(max(j.entry), 0) FROM journal j"
                " JOIN journal_runs r ON r.entry = ifnull(j.target, j.entry) WHERE r.layer = layers.layer)"
            )
            sure = "(SELECT ifnull(max(entry), 0) FROM journal WHERE at < ?)"
            database.rows(f"UPDATE layers SET applied = min(applied, max({swapped}, {sure}))", (since,))
        database.rows("INSERT OR REPLACE INTO meta VALUES ('booted', ?)", (repr(psutil.boot_time()),))


def _has_restarted(database: Database) -> bool:
    """Whether the computer was started since the project was last open for writing, or it is another one."""
    found = database.rows("SELECT value FROM meta WHERE key = 'booted'")
    return not found or abs(float(found[0][0]) - psutil.boot_time()) > SAME_BOOT_S
