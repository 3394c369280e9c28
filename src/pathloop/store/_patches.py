"""Pixel changes as blobs of the journal, cut to the tiles that differ: a pair of inverse functions."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect, TileGrid
from pathloop.store._edits import PixelChange

__all__ = ["TILE_PX", "changed_tiles", "pack", "unpack"]

TILE_PX = 256
ZSTD_LEVEL = 1


def changed_tiles(change: PixelChange) -> Iterator[PixelChange]:
    """The parts of a change that differ, cut along the 256 px grid and to what differs in each cell of it."""
    differs = change.before != change.after
    hull = _tight(differs)
    for tile in TileGrid(hull.shift(change.rect.y, change.rect.x), TILE_PX):
        inside = tile.core.relative_to(change.rect)
        tight = _tight(differs[inside.slices]).shift(inside.y, inside.x)
        if tight.area:
            rect = tight.shift(change.rect.y, change.rect.x)
            yield PixelChange(change.task, rect, change.before[tight.slices], change.after[tight.slices])


def _tight(differs: NDArray[np.bool_]) -> Rect:
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if rows.size == 0:
        return Rect(0, 0, 0, 0)
    return Rect.from_bounds(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def pack(change: PixelChange) -> bytes:
    """Both sides of a change: zstd of little-endian int32, ``before`` row by row, then ``after``."""
    both = np.stack([change.before, change.after]).astype("<i4")
    packed: bytes = _zstd().zstd_encode(both.tobytes(), level=ZSTD_LEVEL)
    return packed


def unpack(task: str, rect: Rect, blob: bytes) -> PixelChange:
    """The change that `pack` packed.

    Raises
    ------
    DataError
        If the blob is damaged.
    """
    try:
        both = np.frombuffer(_zstd().zstd_decode(blob), "<i4").reshape(2, *rect.shape).astype(np.int32)
    except (ValueError, RuntimeError) as error:
        raise DataError(
            f"the journal's pixels at {rect} are damaged ({error}); restore the project from a copy"
        ) from error
    return PixelChange(task, rect, both[0], both[1])


@lru_cache
def _zstd() -> Any:
    # 0.2 s to import, and only writers and undo need it
    import imagecodecs

    return imagecodecs
