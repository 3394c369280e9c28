"""A level of a slide as a dask array."""

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.slides._levels import LevelLayout

if TYPE_CHECKING:
    from pathloop.slides._slide import Slide

__all__ = ["lazy_level"]

CHUNK_PX = 512


def lazy_level(slide: "Slide", level: int, layout: LevelLayout) -> da.Array:
    """(height, width, 3) uint8, read on demand; chunks are whole file tiles."""
    chunks = tuple(
        min(tile * max(1, round(CHUNK_PX / tile)), size) for tile, size in zip(layout.tile, layout.shape, strict=True)
    )
    pixels: da.Array = da.from_array(  # type: ignore[no-untyped-call]
        _LevelPixels(slide, level, layout.shape),
        chunks=(*chunks, 3),
        name=f"slide-{slide.fingerprint[:32]}-{level}{'-srgb' if slide.is_srgb else ''}",
        asarray=False,
        # each block's task holds the level itself: a slice needs no look-up in a graph of the whole slide
        inline_array=True,
        meta=np.empty((0, 0, 0), np.uint8),
    )
    return pixels


class _LevelPixels:
    """A level as the array-like that dask slices."""

    def __init__(self, slide: "Slide", level: int, shape: tuple[int, int]) -> None:
        self._slide = slide
        self._level = level
        self.shape = (*shape, 3)
        self.dtype = np.dtype(np.uint8)
        self.ndim = 3

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        (top, bottom, _), (left, right, _) = key[0].indices(self.shape[0]), key[1].indices(self.shape[1])
        rect = Rect.from_bounds(top, left, bottom, right)
        return self._slide.read_level(self._level, rect)[:: key[0].step, :: key[1].step, key[2]]
