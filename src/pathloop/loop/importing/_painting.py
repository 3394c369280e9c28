"""Outlines of a file painted over a task's labels, block by block.

Who gets a pixel that several claim: objects that a person has accepted or locked keep theirs, and so do all objects
inside regions that are done, and those whose own outline in the file claims it. Else the smallest outline of the file
gets it. Whatever the file does not name gives way. So the result depends neither on the order of the file nor on how
often it is imported.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, TileGrid
from pathloop.loop.importing._items import NOWHERE, Item
from pathloop.loop.importing._present import BLOCK_PX, Present
from pathloop.store import PixelChange

__all__ = ["Painted", "paint_items"]

Place = tuple[int, int]
Labels = NDArray[np.int32]
SMALL_PX = 128
"""Patches are cut to this grid where that saves memory."""


@dataclass(slots=True)
class Painted:
    """What painting came to.

    Parameters
    ----------
    patches
        What differs, by block; those of a block do not overlap and lie in it.
    touched
        Ids that lost or won pixels.
    pixels
        Pixels that each outline has in the end, by its number in the file.
    under
        Objects whose pixels a new outline took, by its number; 0 = none.
    """

    patches: dict[Place, list[PixelChange]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    pixels: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    under: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def twin_of(self, item: Item, table: Present) -> int:
        """The object whose place a new outline takes pixel by pixel; 0 = none."""
        found = self.under[item.number]
        row = table.row(next(iter(found))) if len(found) == 1 else None
        if row is None or table.areas_px[row] != self.pixels[item.number]:
            return 0
        return int(table.ids[row])


def paint_items(table: Present, items: Iterable[Item], deleted: Collection[int], seen: Collection[int]) -> Painted:
    """Paint outlines over a task's labels.

    Parameters
    ----------
    table
        The labels; not changed.
    items
        Outlines with ids; objects among them lose the pixels that they have now.
    deleted
        Objects that lose all pixels.
    seen
        Ids of the objects that the file names.
    """
    ordered = sorted(items, key=lambda item: (-item.area_px, item.number))
    by_block: dict[Place, list[Item]] = defaultdict(list)
    erased: dict[Place, list[tuple[int, Rect]]] = defaultdict(list)
    moving = {item.id for item in ordered} | set(deleted)
    for item in ordered:
        for place in _places(item.window):
            by_block[place].append(item)
    for number in sorted(moving):
        row = table.row(number)
        box = NOWHERE if row is None else table.box(row)
        for place in _places(box):
            erased[place].append((number, box))
    painted = Painted()
    for place in sorted({*by_block, *erased}):
        block = Rect(place[0] * BLOCK_PX, place[1] * BLOCK_PX, BLOCK_PX, BLOCK_PX).intersect(table.whole)
        canvas = _Canvas(table, block, moving, seen)
        for number, box in erased.get(place, ()):
            canvas.erase(number, box)
        for item in by_block.get(place, ()):
            canvas.paint(item)
        for item in by_block.get(place, ()):
            canvas.count(item, painted)
        patches = list(_cut(PixelChange(table.task, block, canvas.before, canvas.after)))
        if patches:
            painted.patches[place] = patches
            painted.touched |= canvas.touched()
    return painted


def _places(rect: Rect) -> list[Place]:
    """Rows and columns of the blocks that a rectangle meets."""
    if rect.area == 0:
        return []
    rows = range(rect.y // BLOCK_PX, (rect.bottom - 1) // BLOCK_PX + 1)
    cols = range(rect.x // BLOCK_PX, (rect.right - 1) // BLOCK_PX + 1)
    return [(row, col) for row in rows for col in cols]


class _Canvas:
    """One block while it is painted."""

    def __init__(self, table: Present, block: Rect, moving: Collection[int], seen: Collection[int]) -> None:
        self.before = table.labels(block)
        self.after = self.before.copy()
        self._table, self._block, self._moving, self._seen = table, block, moving, seen
        self._held = np.zeros(block.shape, np.bool_)
        self._done = np.zeros(block.shape, np.bool_)
        for region in table.done:
            self._done[region.intersect(block).relative_to(block).slices] = True

    def erase(self, number: int, box: Rect) -> None:
        """Take an object's pixels away."""
        place = box.intersect(self._block).relative_to(self._block).slices
        self.after[place][self.before[place] == number] = 0

    def paint(self, item: Item) -> None:
        """Put an outline's pixels in, where nobody else keeps them."""
        window = item.window.intersect(self._block)
        if window.area == 0:
            return
        mask, place = item.cover(window), window.relative_to(self._block).slices
        before, after, held = self.before[place], self.after[place], self._held[place]
        claimed = mask & ~held
        under = before[claimed]
        for other in np.unique(under[(under != 0) & (under != item.id)]).tolist():
            if other in self._moving:
                continue
            theirs = before == other
            claimed &= ~(theirs if self._keeps(other) else theirs & self._done[place])
        after[claimed] = item.id
        own = mask & (before == item.id)
        after[own] = item.id
        held |= own

    def _keeps(self, number: int) -> bool:
        if number in self._seen:
            return True
        row = self._table.row(number)
        return row is not None and self._table.is_kept(row)

    def count(self, item: Item, painted: Painted) -> None:
        """Record what an outline has got in this block."""
        place = item.window.intersect(self._block).relative_to(self._block).slices
        mine = self.after[place] == item.id
        painted.pixels[item.number] += int(np.count_nonzero(mine))
        if self._table.row(item.id) is None:
            painted.under[item.number] |= set(np.unique(self.before[place][mine]).tolist())

    def touched(self) -> set[int]:
        """Ids that lost or won pixels here."""
        differs = self.before != self.after
        return ({*np.unique(self.before[differs]).tolist(), *np.unique(self.after[differs]).tolist()}) - {0}


def _cut(change: PixelChange) -> Iterator[PixelChange]:
    """What differs in a block: one box, or the boxes on a finer grid where those hold half as much or less."""
    whole = _tight(change, change.rect)
    if whole is None:
        return
    small = [found for tile in TileGrid(whole.rect, SMALL_PX) if (found := _tight(change, tile.core)) is not None]
    if 2 * sum(one.rect.area for one in small) <= whole.rect.area:
        yield from small
    else:
        yield whole


def _tight(change: PixelChange, rect: Rect) -> PixelChange | None:
    inside = rect.relative_to(change.rect).slices
    before, after = change.before[inside], change.after[inside]
    differs = before != after
    rows, cols = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if rows.size == 0:
        return None
    box = Rect.from_bounds(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    # copies, so that the block can be forgotten
    return PixelChange(change.task, box.shift(rect.y, rect.x), before[box.slices].copy(), after[box.slices].copy())
