"""What people did to a slide since two copies of a project parted, and how everything was before."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pathloop.core import Rect, TileGrid
from pathloop.store import Change, Flag, JournalEntry, ObjectRow, Project, Region, TissueCell

__all__ = ["BLOCK_PX", "Objects", "Place", "Since", "blocks_of", "last_common_entry", "read_since"]

BLOCK_PX = 1024
"""Side of the blocks in which labels are looked at."""
KEPT_CHANGES = 32
"""Entries of the journal whose pixels are kept at hand."""
RANKING = "rank"
"""Regions that a ranking put up or took away are nobody's opinion."""

Place = tuple[int, int]
Extent = tuple[tuple[int, int, int, int], int]
"""Box and area of an object: as good as its pixels where histories are compared."""


def last_common_entry(mine: Project, theirs: Project) -> int:
    """The last entry of the journal that both have; 0 where they have none, or are not copies of one project."""
    if mine.uuid != theirs.uuid:
        return 0
    common = []
    for one, other in zip(mine.journal(), theirs.journal(), strict=False):
        if one != other:
            break
        common.append(one.number)
    # times are whole seconds: two readers may have begun at the same one, by the same name
    while common and not _is_same(mine.journal_change(common[-1]), theirs.journal_change(common[-1])):
        common.pop()
    return common[-1] if common else 0


def _is_same(one: Change, other: Change) -> bool:
    if _rows(one) != _rows(other):
        return False
    return len(one.pixels) == len(other.pixels) and all(
        (a.task, a.rect) == (b.task, b.rect) and np.array_equal(a.before, b.before) and np.array_equal(a.after, b.after)
        for a, b in zip(one.pixels, other.pixels, strict=True)
    )


def _rows(change: Change) -> tuple[object, ...]:
    return change.objects, change.cells, change.regions, change.flags


def blocks_of(boxes: ArrayLike, side_px: int = BLOCK_PX) -> set[Place]:
    """Places, in the grid of blocks, that boxes meet; (N, 4) integers: top, left, bottom, right, half-open."""
    corners = np.asarray(boxes, np.int64).reshape(-1, 4)
    ranges = np.concatenate([corners[:, :2] // side_px, (corners[:, 2:] - 1) // side_px], axis=1)
    return {
        (row, col)
        for top, left, bottom, right in np.unique(ranges, axis=0).tolist()
        for row in range(top, bottom + 1)
        for col in range(left, right + 1)
    }


@dataclass(slots=True)
class Objects:
    """Objects of a task that people changed.

    Parameters
    ----------
    before
        Rows by id, as they were; None = there was no such object.
    history
        What became of each, change by change, None = deleted.
    merged
        What merging another copy made of each; None = deleted.
    entries
        Entries that changed pixels, oldest first, by block.
    """

    before: dict[int, ObjectRow | None] = field(default_factory=dict)
    history: dict[int, list[Extent | None]] = field(default_factory=dict)
    merged: dict[int, list[ObjectRow | None]] = field(default_factory=dict)
    entries: dict[Place, list[int]] = field(default_factory=dict)


class Since:
    """What people did to a slide after an entry of the journal; `read_since` reads it.

    Pixels stay in the journal until they are asked for.

    Parameters
    ----------
    project
        Whose journal.

    Attributes
    ----------
    objects : dict[str, Objects]
        By task.
    cells, regions, flags
        What was changed, as it was before; None = nothing.
    cell_history, flag_history
        What became of each, change by change.
    merged_cells
        What merging another copy made of cells.
    people
        Who worked, by name.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._changes: dict[int, Change] = {}
        self.objects: dict[str, Objects] = {}
        self.cells: dict[Place, TissueCell | None] = {}
        self.cell_history: dict[Place, list[TissueCell | None]] = {}
        self.merged_cells: dict[Place, list[TissueCell | None]] = {}
        self.people: set[str] = set()
        self.regions: dict[int, Region | None] = {}
        self.flags: dict[tuple[str, int], Flag | None] = {}
        self.flag_history: dict[tuple[str, int], list[str | None]] = {}

    def of(self, task: str) -> Objects:
        """Objects of a task; none where nothing was changed."""
        return self.objects.get(task, Objects())

    def before(self, task: str, rect: Rect, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Labels of a rectangle as they were; those that runs brought since are left as they are.

        Parameters
        ----------
        labels
            As they are now, ``rect.shape`` int32.
        """
        found = self.of(task).entries
        numbers = {number for tile in TileGrid(rect, BLOCK_PX) for number in found.get((tile.row, tile.col), ())}
        out = labels.copy()
        for number in sorted(numbers, reverse=True):
            for one in self._change(number).pixels:
                common = rect.intersect(one.rect)
                if one.task == task and common.area:
                    inside, there = common.relative_to(one.rect).slices, common.relative_to(rect).slices
                    before, after = one.before[inside], one.after[inside]
                    np.copyto(out[there], before, where=before != after)
        return out

    def take(self, entry: JournalEntry, change: Change) -> None:
        """Add an entry; in their order."""
        is_merge = entry.kind == "merge"
        self.people.add(entry.who)
        for one in change.objects:
            objects = self.objects.setdefault(one.task, Objects())
            objects.before.setdefault(one.id, one.before)
            extent = None if one.after is None else (one.after.box, one.after.area_px)
            objects.history.setdefault(one.id, []).append(extent)
            if is_merge:
                objects.merged.setdefault(one.id, []).append(one.after)
        for patch in change.pixels:
            objects = self.objects.setdefault(patch.task, Objects())
            for tile in TileGrid(patch.rect, BLOCK_PX):
                numbers = objects.entries.setdefault((tile.row, tile.col), [])
                if not numbers or numbers[-1] != entry.number:
                    numbers.append(entry.number)
        for cell in change.cells:
            place = (cell.row, cell.col)
            self.cells.setdefault(place, cell.before)
            self.cell_history.setdefault(place, []).append(cell.after)
            if is_merge:
                self.merged_cells.setdefault(place, []).append(cell.after)
        for region in change.regions if entry.tool != RANKING else ():
            self.regions.setdefault(region.id, region.before)
        for flag in change.flags:
            self.flags.setdefault((flag.task, flag.id), flag.before)
            comment = None if flag.after is None else flag.after.comment
            self.flag_history.setdefault((flag.task, flag.id), []).append(comment)

    def _change(self, number: int) -> Change:
        if number not in self._changes:
            if len(self._changes) >= KEPT_CHANGES:
                del self._changes[next(iter(self._changes))]
            self._changes[number] = self._project.journal_change(number)
        return self._changes[number]


def read_since(project: Project, slide_id: str, last_common: int) -> Since:
    """Everything that people did to a slide after an entry of the journal.

    Parameters
    ----------
    last_common
        0 = from the beginning.
    """
    since = Since(project)
    for entry in _by_people(project.journal(slide_id)):
        if entry.number > last_common:
            since.take(entry, project.journal_change(entry.number))
    return since


def _by_people(entries: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """Entries without the predictions of runs; taking one back is as little anybody's opinion."""
    runs: set[int] = set()
    for entry in entries:
        if entry.kind == "run" or entry.target in runs:
            runs.add(entry.number)
        else:
            yield entry
