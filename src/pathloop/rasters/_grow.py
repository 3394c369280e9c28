"""Growth: pixels of a mask join the nearest seed pixel."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["disc", "grow"]

# OpenCV's exact distance keeps squares in float32: blocks far below 4,096 px keep them whole numbers.
_BLOCK_PX = 1024


@lru_cache(maxsize=32)
def disc(radius_px: int) -> NDArray[np.uint8]:
    """The Euclidean disc: (2 r + 1, 2 r + 1) uint8, 1 where dy^2 + dx^2 <= r^2."""
    steps = np.arange(-radius_px, radius_px + 1)
    disc_ = ((steps[:, None] ** 2 + steps[None, :] ** 2) <= radius_px**2).astype(np.uint8)
    disc_.flags.writeable = False
    return disc_


def grow(seeds: NDArray[np.int32], mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.int32]:
    """Every mask pixel takes the id of the nearest seed pixel within a radius.

    Nearest by Euclidean distance between pixel centres, exactly; of equally near seed pixels the first in raster
    order, smaller (y, x), wins. A pixel's result depends only on what lies within ``radius_px`` of it.

    Parameters
    ----------
    seeds
        (H, W) int32: ids > 0 of seed pixels, 0 elsewhere. Seed pixels keep their id.
    mask
        (H, W) bool: pixels that may join.
    radius_px
        Largest distance, pixels, >= 0.

    Returns
    -------
    (H, W) int32.
    """
    grown = seeds.copy()
    if radius_px == 0 or seeds.size == 0:
        return grown
    padded = np.pad(seeds, radius_px)
    height, width = seeds.shape
    for top in range(0, height, _BLOCK_PX):
        for left in range(0, width, _BLOCK_PX):
            bottom, right = min(top + _BLOCK_PX, height), min(left + _BLOCK_PX, width)
            window = padded[top : bottom + 2 * radius_px, left : right + 2 * radius_px]
            block = np.s_[top:bottom, left:right]
            _grow_block(np.ascontiguousarray(window), mask[block], radius_px, grown[block])
    return grown


def _grow_block(window: NDArray[np.int32], mask: NDArray[np.bool_], radius_px: int, out: NDArray[np.int32]) -> None:
    """Fill ``out`` (a view, already holding the seeds) from a window padded by the radius."""
    if not window.any():
        return
    distance = cv2.distanceTransform((window == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inner = np.s_[radius_px:-radius_px, radius_px:-radius_px]
    # flat places: NumPy finds those of two axes several times as slowly
    rows, cols = np.divmod(np.flatnonzero(mask & (distance[inner] < radius_px + 0.5) & (out == 0)), out.shape[1])
    squared = np.rint(distance[inner][rows, cols] ** 2).astype(np.int64)
    order = np.argsort(squared, kind="stable")
    rows, cols, squared = rows[order], cols[order], squared[order]
    width = window.shape[1]
    places = (rows + radius_px) * width + cols + radius_px
    flat = window.ravel()
    ids = np.zeros(len(rows), np.int32)
    for square, offsets in _rings(radius_px):
        start, stop = np.searchsorted(squared, [square, square + 1])
        open_ = np.arange(start, stop)
        for dy, dx in offsets:
            if len(open_) == 0:
                break
            found = flat[places[open_] + dy * width + dx]
            ids[open_] = found
            open_ = open_[found == 0]
    out[rows, cols] = ids


def _rings(radius_px: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """(d^2, offsets of that length in raster order) for all d^2 in 1..r^2."""
    rows, cols = np.nonzero(disc(radius_px))
    offsets = np.stack([rows, cols], axis=1) - radius_px
    squared = (offsets**2).sum(axis=1)
    for square in np.unique(squared[squared > 0]):
        yield int(square), [(int(dy), int(dx)) for dy, dx in offsets[squared == square]]
