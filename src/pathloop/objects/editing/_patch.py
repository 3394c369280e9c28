"""New content of a rectangle of a label window, and finding what has changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import Rect, UsageError

__all__ = ["LabelPatch", "apply", "bounding_rect", "boxes_of", "changed_rects", "filled", "object_box", "tight_patch"]

SEARCHED_PX = 64
"""Half side of the first square that an object is looked for in."""

Labels = NDArray[np.int32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class LabelPatch:
    """New content of a rectangle.

    Parameters
    ----------
    rect
        Pixels of the window.
    labels
        Shape ``rect.shape``, int32.
    """

    rect: Rect
    labels: Labels


def apply(labels: Labels, patch: LabelPatch) -> None:
    """Put a patch into a window, in place."""
    labels[patch.rect.slices] = patch.labels


def bounding_rect(mask: NDArray[np.bool_]) -> Rect | None:
    """The smallest rectangle that holds all true pixels; None where there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return Rect.from_bounds(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without holes: background counts as a hole where no 4-connected path leads out of the array."""
    return np.asarray(ndimage.binary_fill_holes(mask), np.bool_)


def tight_patch(labels: Labels, rect: Rect, new: NDArray[Any]) -> LabelPatch | None:
    """A patch of what differs in a rectangle; None where nothing does."""
    found = bounding_rect(labels[rect.slices] != new)
    if found is None:
        return None
    place = found.shift(rect.y, rect.x)
    return LabelPatch(place, np.ascontiguousarray(new[found.slices], np.int32))


FEW = 8
"""Objects that are quicker looked for one by one."""


def object_box(labels: Labels, object_id: int, near: Point | None = None) -> Rect:
    """The box of an object.

    Parameters
    ----------
    labels
        (H, W) int32.
    object_id
        Its id.
    near
        (y, x) of one of its pixels, if known: then only its surroundings are searched. An object in several pieces
        is found whole as long as each square that is searched has a margin free of it.

    Raises
    ------
    UsageError
        If it is not there.
    """
    whole = Rect(0, 0, *labels.shape)
    half = SEARCHED_PX
    while near is not None and half < max(labels.shape):
        area = Rect(round(near[0]) - half, round(near[1]) - half, 2 * half, 2 * half).intersect(whole)
        found = bounding_rect(labels[area.slices] == object_id)
        if found is not None and _has_margin(found.shift(area.y, area.x), area, whole):
            return found.shift(area.y, area.x)
        half *= 2
    found = bounding_rect(labels == object_id)
    if found is None:
        raise UsageError(f"there is no object {object_id} here")
    return found


def _has_margin(box: Rect, area: Rect, whole: Rect) -> bool:
    margin = max(8, max(box.shape) // 2)
    inner = Rect.from_bounds(
        area.y + margin if area.y > whole.y else area.y,
        area.x + margin if area.x > whole.x else area.x,
        area.bottom - margin if area.bottom < whole.bottom else area.bottom,
        area.right - margin if area.right < whole.right else area.right,
    )
    return box.intersect(inner) == box


def boxes_of(labels: Labels, ids: Sequence[int]) -> dict[int, Rect]:
    """Boxes of some objects; ids that are not there are left out."""
    wanted = np.unique(np.asarray(ids, np.int64))
    if wanted.size <= FEW:
        boxes = {number: bounding_rect(labels == number) for number in wanted.tolist()}
        return {number: box for number, box in boxes.items() if box is not None}
    rows, columns = np.nonzero(np.isin(labels, wanted))
    found, index = np.unique(labels[rows, columns], return_inverse=True)
    low = np.full((2, found.size), np.iinfo(np.int64).max)
    high = np.full((2, found.size), -1)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[axis], index, places)
        np.maximum.at(high[axis], index, places)
    return {
        int(number): Rect.from_bounds(int(low[0, i]), int(low[1, i]), int(high[0, i]) + 1, int(high[1, i]) + 1)
        for i, number in enumerate(found)
    }


def changed_rects(before: Labels, after: Labels, tile: int = 256) -> list[Rect]:
    """Rectangles that cover all pixels that differ, one a tile, each as small as can be.

    Parameters
    ----------
    before, after
        (H, W) int32.
    tile
        Side of a tile, pixels.
    """
    rects = []
    height, width = before.shape
    for y in range(0, height, tile):
        # rows at once: comparing is as quick as memory
        differs = before[y : y + tile] != after[y : y + tile]
        if not differs.any():
            continue
        for x in range(0, width, tile):
            found = bounding_rect(differs[:, x : x + tile])
            if found is not None:
                rects.append(found.shift(y, x))
    return rects
