"""The journal: entries in, entries out, and which of them an undo or a redo means. It only grows."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pathloop.core import ProjectError, Rect
from pathloop.store._changes_json import change_from_json, change_to_json
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._edits import Change, PixelChange
from pathloop.store._patches import pack, unpack
from pathloop.store._review_records import JournalEntry

__all__ = ["UndoStacks", "add_entry", "read_areas", "read_change", "read_entries", "read_entry"]

_ENTRY = "entry, slide_id, kind, tool, target, summary, who, at, models"


def add_entry(database: Database, entry: JournalEntry, change: Change, layers: dict[str, int]) -> JournalEntry:
    """Write an entry and what it changes; the caller's transaction.

    Parameters
    ----------
    entry
        ``number`` and ``at`` are given here.
    change
        Its pixels as `changed_tiles` cuts them. Not written for undo and redo: they point at another entry.
    layers
        Layer numbers by task.
    """
    entry = replace(entry, at=now())
    values = (entry.slide_id, entry.kind, entry.tool, entry.target, entry.summary, entry.who, entry.at)
    columns = "slide_id, kind, tool, target, summary, who, at, models"
    cursor = database.rows(
        f"INSERT INTO journal ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING entry",
        (*values, json.dumps(entry.models, ensure_ascii=False)),
    )
    number = int(cursor[0][0])
    if entry.target is None:
        _drop_undone_landings(database, entry.slide_id)
        rows = (
            (number, layers[tile.task], tile.rect.y, tile.rect.x, tile.rect.bottom, tile.rect.right, pack(tile))
            for tile in change.pixels
        )
        database.many("INSERT INTO journal_pixels VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        text = change_to_json(change)
        if text != "{}":
            database.rows("INSERT INTO journal_rows VALUES (?, ?)", (number, _packed(text)))
    return replace(entry, number=number)


def _drop_undone_landings(database: Database, slide_id: str) -> None:
    """Landings that were taken back cannot be done again once something else was done."""
    undone = "SELECT entry FROM journal_runs JOIN journal USING (entry) WHERE side = 'after' AND slide_id = ?"
    database.rows(f"DELETE FROM run_objects WHERE entry IN ({undone})", (slide_id,))
    database.rows(f"UPDATE journal_runs SET folder = NULL WHERE entry IN ({undone})", (slide_id,))


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode(), 1)


def _unpacked(blob: bytes) -> str:
    return zlib.decompress(blob).decode()


def read_entries(database: Database, slide_id: str | None = None) -> Iterator[JournalEntry]:
    """Entries, oldest first."""
    sql = f"SELECT {_ENTRY} FROM journal WHERE ?1 IS NULL OR slide_id = ?1 ORDER BY entry"
    for batch in database.batches(sql, (slide_id,)):
        yield from map(_entry, batch)


def read_entry(database: Database, number: int) -> JournalEntry:
    """One entry; ProjectError if there is none."""
    found = database.rows(f"SELECT {_ENTRY} FROM journal WHERE entry = ?", (number,))
    if not found:
        raise ProjectError(f"{database.path.parent}: the journal has no entry {number}")
    return _entry(found[0])


def _entry(row: Sequence[Any]) -> JournalEntry:
    number, slide_id, kind, tool, target, summary, who, at, models = row
    return JournalEntry(number, slide_id, kind, tool, target, summary, who, at, tuple(json.loads(models)))


def read_change(database: Database, entry: JournalEntry) -> Change:
    """What an entry changed, as it was applied: an undo's change is the reverse of its target's."""
    if entry.target is not None:
        done = read_change(database, read_entry(database, entry.target))
        return done.reversed if entry.kind == "undo" else done
    return replace(_read_rows(database, entry.number), pixels=_read_pixels(database, entry.number))


def read_areas(database: Database, number: int) -> list[tuple[str, Rect]]:
    """Where an entry changed pixels: task and level-0 rectangle."""
    columns = 'SELECT task, top, "left", bottom, "right" FROM'
    chosen = "JOIN layers USING (layer) WHERE entry = (SELECT ifnull(target, entry) FROM journal WHERE entry = ?1)"
    rows = database.rows(f"{columns} journal_pixels {chosen} UNION ALL {columns} journal_runs {chosen}", (number,))
    return [(task, Rect.from_bounds(*bounds)) for task, *bounds in rows]


def _read_pixels(database: Database, number: int) -> tuple[PixelChange, ...]:
    sql = (
        'SELECT task, top, "left", bottom, "right", ids FROM journal_pixels JOIN layers USING (layer)'
        ' WHERE entry = ? ORDER BY layer, top, "left"'
    )
    return tuple(unpack(task, Rect.from_bounds(*bounds), blob) for task, *bounds, blob in database.rows(sql, (number,)))


def _read_rows(database: Database, number: int) -> Change:
    found = database.rows("SELECT changes FROM journal_rows WHERE entry = ?", (number,))
    return change_from_json(_unpacked(found[0][0])) if found else Change()


class UndoStacks:
    """What can be undone and done again on each slide; reads only the entries that are new."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, list[int], list[int]]] = {}

    def read(self, database: Database, slide_id: str) -> tuple[list[int], list[int]]:
        """Entries that can be undone and those that can be done again, the next one last."""
        last, undoable, redoable = self._known.get(slide_id, (0, [], []))
        sql = "SELECT entry, kind FROM journal WHERE slide_id = ? AND entry > ? ORDER BY entry"
        for number, kind in database.rows(sql, (slide_id, last)):
            last = number
            if kind == "undo":
                redoable.append(undoable.pop())
            elif kind == "redo":
                undoable.append(redoable.pop())
            else:
                undoable.append(number)
                redoable.clear()
        self._known[slide_id] = last, undoable, redoable
        return undoable, redoable
