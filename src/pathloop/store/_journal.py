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
from pathloop.store._patches import changed_tiles, pack, unpack
from pathloop.store._review_records import JournalEntry

__all__ = ["add_entry", "read_change", "read_entries", "read_entry", "undo_stacks"]

_ENTRY = "entry, slide_id, kind, tool, target, summary, who, at, models"


def add_entry(database: Database, entry: JournalEntry, change: Change, layers: dict[str, int]) -> JournalEntry:
    """Write an entry and what it changes; the caller's transaction.

    Parameters
    ----------
    entry
        ``number`` and ``at`` are given here.
    change
        Not written for undo and redo: they point at another entry.
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
        rows = (
            (number, layers[tile.task], tile.rect.y, tile.rect.x, tile.rect.bottom, tile.rect.right, pack(tile))
            for pixels in change.pixels
            for tile in changed_tiles(pixels)
        )
        database.many("INSERT INTO journal_pixels VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        text = change_to_json(change)
        if text != "{}":
            database.rows("INSERT INTO journal_rows VALUES (?, ?)", (number, _packed(text)))
    return replace(entry, number=number)


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
    return replace(_read_rows(database, entry.number), pixels=read_pixels(database, entry.number))


def read_pixels(database: Database, number: int, layer: int | None = None) -> tuple[PixelChange, ...]:
    """The pixels of an entry that is neither undo nor redo, of one layer or all."""
    sql = (
        'SELECT task, top, "left", bottom, "right", ids FROM journal_pixels JOIN layers USING (layer)'
        ' WHERE entry = ?1 AND (?2 IS NULL OR layer = ?2) ORDER BY layer, top, "left"'
    )
    return tuple(
        unpack(task, Rect.from_bounds(*bounds), blob) for task, *bounds, blob in database.rows(sql, (number, layer))
    )


def _read_rows(database: Database, number: int) -> Change:
    found = database.rows("SELECT changes FROM journal_rows WHERE entry = ?", (number,))
    return change_from_json(_unpacked(found[0][0])) if found else Change()


def undo_stacks(database: Database, slide_id: str) -> tuple[list[int], list[int]]:
    """Entries that can be undone and those that can be done again, the next one last."""
    undoable: list[int] = []
    redoable: list[int] = []
    sql = "SELECT entry, kind FROM journal WHERE slide_id = ? ORDER BY entry"
    for number, kind in database.rows(sql, (slide_id,)):
        if kind == "undo":
            redoable.append(undoable.pop())
        elif kind == "redo":
            undoable.append(redoable.pop())
        else:
            undoable.append(number)
            redoable.clear()
    return undoable, redoable
