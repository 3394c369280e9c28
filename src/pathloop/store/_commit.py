"""A change on its way into the journal: what is checked, and how it is written down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.store import _reviewing
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._deleted import forget_deleted, remember_deleted
from pathloop.store._edits import Change, FlagChange, PixelChange
from pathloop.store._journal import add_entry
from pathloop.store._layers import Layer
from pathloop.store._object_rows import change_objects, read_object_rows
from pathloop.store._patches import TILE_PX, changed_tiles
from pathloop.store._pixels import CommittedLabels
from pathloop.store._records import SlideRecord
from pathloop.store._review_records import JournalEntry
from pathloop.store._words import named

__all__ = ["ID_LIMIT", "check_pixels", "prepared", "tasks_reviewed", "write_change"]

ID_LIMIT = 2**30
"""Ids from here on are provisional: those of runs that are not finished."""


def prepared(record: SlideRecord, change: Change, who: str) -> Change:
    """A change as the journal holds it: pixels cut to what differs, flags with name and time.

    Raises
    ------
    UsageError
        If pixels lie outside the slide or twice in the change, or a region lies on another slide.
    """
    whole = Rect(0, 0, *record.shape)
    for one in change.pixels:
        if one.rect.intersect(whole) != one.rect:
            raise UsageError(f"{one.rect} reaches beyond slide {record.slide_id!r}")
    tiles = tuple(tile for one in change.pixels for tile in changed_tiles(one))
    _check_disjoint(tiles)
    for region in (found for one in change.regions for found in (one.before, one.after) if found):
        if region.slide_id != record.slide_id:
            raise UsageError(f"region {region.id} lies on slide {region.slide_id!r}, not on {record.slide_id!r}")
    return replace(change, pixels=tiles, flags=tuple(_signed(one, who) for one in change.flags))


def _check_disjoint(tiles: Iterable[PixelChange]) -> None:
    cells: dict[tuple[str, int, int], list[Rect]] = {}
    for one in tiles:  # each lies within one cell of the grid that patches are cut along
        there = cells.setdefault((one.task, one.rect.y // TILE_PX, one.rect.x // TILE_PX), [])
        if any(rect.intersect(one.rect).area for rect in there):
            raise UsageError(f"two patches of {one.task} change the pixels at {one.rect}")
        there.append(one.rect)


def _signed(change: FlagChange, who: str) -> FlagChange:
    if change.after is None or (change.after.who and change.after.at):
        return change
    flag = replace(change.after, who=change.after.who or who, at=change.after.at or now())
    return replace(change, after=flag)


def check_pixels(
    database: Database, layers: Mapping[str, Layer], change: Change, labels: Mapping[str, CommittedLabels]
) -> None:
    """Refuse pixels whose ``before`` is not what the journal says, and those of objects whose rows do not change.

    Parameters
    ----------
    change
        Prepared.
    labels
        By task.
    """
    touched: dict[str, tuple[set[int], set[int]]] = {}
    for one in sorted(change.pixels, key=lambda tile: (tile.task, tile.rect.y // 512, tile.rect.x // 512)):
        differs = one.before != one.after
        if (labels[one.task].read(one.rect)[differs] != one.before[differs]).any():
            raise ProjectError(
                f"{database.path.parent}: the {one.task} labels here were changed by something else meanwhile; open the"
                " region again"
            )
        lost, won = touched.setdefault(one.task, (set(), set()))
        lost |= _ids(one.before[differs])
        won |= _ids(one.after[differs])
    for task, (lost, won) in touched.items():
        if won and (min(won) < 0 or max(won) >= ID_LIMIT):
            raise UsageError(f"ids of edited objects must lie in 1 .. {ID_LIMIT - 1}")
        mine = [one for one in change.objects if one.task == task]
        rowless = won - {one.id for one in mine if one.after is not None}
        # pixels without a row (left by a power cut) may go
        rowless |= read_object_rows(database, layers[task].number, lost - {one.id for one in mine}).keys()
        if rowless:
            raise UsageError(f"pixels of {named(task, min(rowless))} change, but not its row")


def _ids(labels: NDArray[np.int32]) -> set[int]:
    found: set[int] = set(np.unique(labels).tolist())
    return found - {0}


def tasks_reviewed(change: Change) -> set[str]:
    """Tasks of whose objects, or regions, a change says something."""
    regions = [found for one in change.regions for found in (one.before, one.after) if found]
    return {*change.tasks, *(task for region in regions for task in region.states)}


def write_change(database: Database, layers: Mapping[str, Layer], entry: JournalEntry, change: Change) -> JournalEntry:
    """The journal and all rows; the caller's transaction."""
    for task in dict.fromkeys(one.task for one in change.objects):
        mine = [one for one in change.objects if one.task == task]
        change_objects(database, layers[task].number, mine, is_free=entry.target is not None)
    for task in dict.fromkeys(one.task for one in change.flags):
        _reviewing.change_flags(database, layers[task].number, [one for one in change.flags if one.task == task])
    _reviewing.change_cells(database, entry.slide_id, change.cells)
    _reviewing.change_regions(database, change.regions)
    for task, number in _highest_ids(change):
        sql = "UPDATE layers SET next_id = max(next_id, ?) WHERE layer = ?"
        database.rows(sql, (number + 1, layers[task].number))
    entry = add_entry(database, entry, change, {task: layer.number for task, layer in layers.items()})
    if entry.kind == "undo":
        forget_deleted(database, entry.target or 0)
    for task in change.tasks if entry.kind != "undo" else ():
        remember_deleted(database, layers[task], change, entry.target or entry.number)
    return entry


def _highest_ids(change: Change) -> Sequence[tuple[str, int]]:
    highest: dict[str, int] = {}
    for one in change.pixels:
        highest[one.task] = max(highest.get(one.task, 0), int(one.after.max(initial=0)))
    for row in change.objects:
        highest[row.task] = max(highest.get(row.task, 0), row.id)
    return list(highest.items())
