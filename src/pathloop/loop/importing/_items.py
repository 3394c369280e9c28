"""Outlines of a file beside the pixels that the project holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.importing._identity import Key
from pathloop.loop.importing._present import BLOCK_PX, Present
from pathloop.loop.importing._shapes import SMALL_SIDE, cover, covers, mended, pieces, pixel_bounds
from pathloop.rasters import Outline

__all__ = ["NOWHERE", "Item", "NewClass", "is_same", "place_items", "twin_of"]

NewClass = tuple[str, tuple[int, int, int] | None]
"""Name and colour of a class."""
NOWHERE = Rect(0, 0, 0, 0)
"""The window of what covers no pixel."""


@dataclass(slots=True, eq=False)
class Item:
    """An outline of the file whose pixels are to become an object.

    Parameters
    ----------
    number
        Place in the file, from 1.
    task, id
        The object; id 0 = a new one.
    outline
        As in the file, or mended.
    class_name, color, is_locked
        As in the file.
    window
        All its pixels lie in it; level-0 pixels inside the slide. Set by `place_items`.
    area_px
        Pixels that it covers, once it is `settled`.
    """

    number: int
    task: str
    id: int
    outline: Outline
    class_name: str | None
    color: tuple[int, int, int] | None
    is_locked: bool
    window: Rect = NOWHERE
    area_px: int = 0
    _mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    _bits: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def key(self) -> Key:
        """The object."""
        return self.task, self.id

    def place(self, window: Rect, mask: NDArray[np.bool_] | None = None) -> None:
        """Set the window, and which of its pixels are covered where that is known already."""
        self.window, self._mask, self._bits = window, mask, None

    def cover(self, rect: Rect) -> NDArray[np.bool_]:
        """Which pixels of a part of the window are covered."""
        mask = self._mask
        if mask is None and self._bits is not None:
            mask = np.unpackbits(self._bits, count=self.window.area).reshape(self.window.shape).view(np.bool_)
        if mask is None:
            return cover(self.outline, rect)
        return mask if rect == self.window else mask[rect.relative_to(self.window).slices]

    def settle(self) -> int:
        """Count the pixels; small outlines are kept as bits from then on."""
        self.area_px = sum(int(np.count_nonzero(self.cover(piece))) for piece in pieces(self.window))
        if self._mask is not None:
            self._bits, self._mask, self.outline = np.packbits(self._mask), None, ()
        return self.area_px

    def mend(self, whole: Rect) -> bool:
        """Make the outline valid polygons; False where it is already."""
        outline = mended(self.outline)
        if outline is None:
            return False
        self.outline = outline
        self.place(pixel_bounds([outline])[0].intersect(whole) if outline else NOWHERE)
        return True


def place_items(items: Sequence[Item], whole: Rect) -> Iterator[Item]:
    """Find where outlines lie on the slide, and paint the small ones, many at once; in an order that reads little."""
    boxes = pixel_bounds([item.outline for item in items])
    order = sorted(range(len(items)), key=lambda n: (items[n].task, boxes[n].y // BLOCK_PX, boxes[n].x // BLOCK_PX))
    small = [n for n in order if max(boxes[n].shape) <= SMALL_SIDE]
    masks = covers([items[n].outline for n in small], [boxes[n] for n in small])
    for n, mask in zip(small, masks, strict=True):
        window = boxes[n].intersect(whole)
        items[n].place(window, mask[window.relative_to(boxes[n]).slices])
        yield items[n]
    for n in order:
        if max(boxes[n].shape) > SMALL_SIDE:
            items[n].place(boxes[n].intersect(whole))
            yield items[n]


def is_same(table: Present, item: Item, box: Rect) -> bool:
    """Whether an outline covers exactly the pixels that its object has."""
    # boxes are tight, so the object has pixels beyond a window that does not hold all of its box
    if item.window.intersect(box) != box:
        return False
    return all(bool((item.cover(one) == (table.labels(one) == item.id)).all()) for one in pieces(item.window))


def twin_of(table: Present, item: Item) -> int:
    """The object that has exactly the pixels of a new outline; 0 = none."""
    found = 0
    for piece in pieces(item.window):
        under = table.labels(piece)[item.cover(piece)]
        if under.size == 0:
            continue
        found = found or int(under[0])
        if found == 0 or (under != found).any():
            return 0
    row = table.row(found)
    return found if row is not None and table.areas_px[row] == item.area_px else 0
