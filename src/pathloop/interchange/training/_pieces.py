"""Rectangles of a region that were reviewed everywhere, for formats that cannot say "ignore this"."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect

__all__ = ["reviewed_rects"]

GRID = 256
MAX_PIECES = 16


def reviewed_rects(reviewed: NDArray[np.bool_], *, min_side_px: int) -> list[Rect]:
    """Cut a region into rectangles without an unreviewed pixel, largest first.

    A region that was reviewed everywhere stays whole, whatever its size. Otherwise the largest rectangle is taken,
    then the largest of what is left, and so on while both sides are at least ``min_side_px``, at most 16. Inner
    edges lie on a grid of ``ceil(longest side / 256)`` pixels, so up to that much is lost along each.

    Parameters
    ----------
    reviewed
        (H, W) bool.
    min_side_px
        Smaller rectangles are not worth training on.

    Returns
    -------
    list of Rect
        In pixels of the region; they do not overlap. Empty where nothing is large enough.
    """
    if reviewed.all():
        return [Rect(0, 0, *reviewed.shape)]
    step = -(-max(reviewed.shape) // GRID)
    free = _coarse(reviewed, step)
    found: list[Rect] = []
    while len(found) < MAX_PIECES:
        best = Rect(0, 0, 0, 0)
        for top, left, bottom, right in _free_rects(free):
            height, width = min(bottom * step, reviewed.shape[0]), min(right * step, reviewed.shape[1])
            height, width = height - top * step, width - left * step
            if min(height, width) >= min_side_px and height * width > best.area:
                best = Rect(top * step, left * step, height, width)
        if not best.area:
            break
        found.append(best)
        free[best.y // step : -(-best.bottom // step), best.x // step : -(-best.right // step)] = False
    return found


def _coarse(reviewed: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Cells of ``step`` x ``step`` pixels all of which were reviewed; those at the far edges may be smaller."""
    rows, cols = (-(-side // step) for side in reviewed.shape)
    padded = np.ones((rows * step, cols * step), bool)
    padded[: reviewed.shape[0], : reviewed.shape[1]] = reviewed
    return np.asarray(padded.reshape(rows, step, cols, step).all(axis=(1, 3)))


def _free_rects(free: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """Top, left, bottom and right of every free rectangle that cannot grow upwards or sideways."""
    heights = np.zeros(free.shape[1], np.int64)
    for row in range(free.shape[0]):
        heights = np.where(free[row], heights + 1, 0)
        waiting: list[tuple[int, int]] = []  # first column and height, heights growing
        for col, height in enumerate([*heights.tolist(), 0]):
            start = col
            while waiting and waiting[-1][1] >= height:
                start, high = waiting.pop()
                if high:
                    yield row - high + 1, start, row + 1, col
            waiting.append((start, height))
