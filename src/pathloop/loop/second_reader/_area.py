"""Where two readers can be compared: what both have looked at."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.second_reader._sides import Copies, Side
from pathloop.loop.second_reader._since import Place, blocks_of

__all__ = ["Area", "compared_area"]

EDITED_CELL_PX = 256
"""Places where somebody edited are rounded up to squares of this side."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a slide.

    Parameters
    ----------
    rects
        Level-0 pixels; they do not overlap.
    compared_on
        ``regions``, ``edited`` or ``everything``.
    note
        What must be said about it; "" = nothing.
    """

    rects: tuple[Rect, ...]
    compared_on: str
    note: str = ""

    @property
    def area_px(self) -> int:
        """Pixels in it."""
        return sum(rect.area for rect in self.rects)

    def holds(self, centres: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N,) bool: whether the pixel of each centre, (N, 2) float (y, x), lies in it."""
        pixels = np.floor(centres + 0.5)
        inside = np.zeros(len(centres), bool)
        for rect in self.rects:
            y, x = pixels[:, 0], pixels[:, 1]
            inside |= (y >= rect.y) & (y < rect.bottom) & (x >= rect.x) & (x < rect.right)
        return inside


def compared_area(copies: Copies, task: str) -> Area:
    """Regions that are done for a task in both copies; without one, where either reader edited; else everything."""
    mine, theirs = copies.mine.regions(task), copies.theirs.regions(task)
    common = [one.rect.intersect(other.rect) for one in mine for other in theirs]
    rects = _disjoint(rect for rect in common if rect.area)
    if rects:
        return Area(rects, "regions", _done_before(copies, task))
    places = _edited(copies.mine, task) | _edited(copies.theirs, task)
    if places:
        rects = _as_rects(places, copies.mine.whole)
        words = "no region is done in both copies: compared where either reader edited, which says nothing of the rest"
        return Area(rects, "edited", f"{copies.mine.slide_id}, {task}: {words}")
    words = (
        "no region is done in both copies and neither reader has edited anything: compared everything, reviewed or not"
    )
    return Area((copies.mine.whole,), "everything", f"{copies.mine.slide_id}, {task}: {words}")


def _done_before(copies: Copies, task: str) -> str:
    """Regions that were done before the copies parted show how much was changed, not how two readers differ."""
    fresh = [set(side.done_since(task)) for side in (copies.mine, copies.theirs)]
    both = {one.rect for one in copies.mine.regions(task)} & {one.rect for one in copies.theirs.regions(task)}
    n = len(both - fresh[0] - fresh[1])
    if not n:
        return ""
    regions = "1 region was" if n == 1 else f"{n} regions were"
    return (
        f"{copies.mine.slide_id}, {task}: {regions} done before the copies parted, so the readers did not read"
        " independently of each other there"
    )


def _disjoint(rects: Iterable[Rect]) -> tuple[Rect, ...]:
    found: list[Rect] = []
    for rect in rects:
        pieces = [rect]
        for other in found:
            pieces = [part for piece in pieces for part in piece.minus(other)]
        found += pieces
    return tuple(found)


def _edited(side: Side, task: str) -> set[Place]:
    boxes = [row.box for pair in side.changed(task).values() for row in pair if row is not None]
    return blocks_of(boxes, EDITED_CELL_PX)


def _as_rects(places: set[Place], whole: Rect) -> tuple[Rect, ...]:
    """Squares, those side by side in one rectangle."""
    found: list[Rect] = []
    for row, col in sorted(places):
        y, x = row * EDITED_CELL_PX, col * EDITED_CELL_PX
        if found and (found[-1].y, found[-1].right) == (y, x):
            found[-1] = Rect(y, found[-1].x, EDITED_CELL_PX, found[-1].width + EDITED_CELL_PX)
        else:
            found.append(Rect(y, x, EDITED_CELL_PX, EDITED_CELL_PX))
    return tuple(rect.intersect(whole) for rect in found)
