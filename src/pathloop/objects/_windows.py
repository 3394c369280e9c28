"""Second pass, one window: growth and closing with strips of the neighbouring tiles."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numcodecs import Blosc
from numpy.typing import NDArray

from pathloop.core import PostProcessing, Rect
from pathloop.objects._mosaic import Mosaic, Place
from pathloop.objects._seeds import Seeds
from pathloop.rasters import close_each, grow

__all__ = ["PackedWindows", "Window", "closed_window"]

PACKED_BYTES = 256 << 20
"""What the packed windows of one task take at most; about 5,000 tiles of 768 px."""


@dataclass(frozen=True, slots=True)
class Window:
    """Objects of a rectangle before holes are filled.

    Parameters
    ----------
    labels
        (h, w) int32: 0 = background, else a row of ``ids``.
    valid
        (h, w) bool: False = outside (beyond the area, or a tile that was not run).
    ids
        (k + 1,) int64, ascending: seed of each local label; ``ids[0]`` is 0.
    """

    labels: NDArray[np.int32]
    valid: NDArray[np.bool_]
    ids: NDArray[np.int64]


def closed_window(mosaic: Mosaic, seeds: Seeds, post: PostProcessing, rect: Rect) -> Window:
    """Grown and closed objects of a rectangle, equal to those on the whole mosaic.

    A grown pixel depends on what lies within ``grow_px``, a closed one on grown pixels within twice
    ``closing_px``; so the tiles are read that much wider, from as many neighbours as it takes.
    """
    reach = post.grow_px + 2 * post.closing_px
    wide = rect.expand(reach)
    found = [hit for hit in mosaic.touching(wide) if hit[0] in seeds.of_tile]
    ids = np.unique(np.concatenate([np.zeros(1, np.int64), *(seeds.of_tile[place] for place, _, _ in found)]))
    labels = np.zeros(wide.shape, np.int32)
    mask, valid = np.zeros(wide.shape, bool), np.zeros(wide.shape, bool)
    for place, core, common in found:
        part = mosaic.part(place)
        if part is None:
            continue
        there, here = common.relative_to(core).slices, common.relative_to(wide).slices
        local = np.searchsorted(ids, seeds.of_tile[place]).astype(np.int32)
        labels[here] = local[part.interior[there]]
        mask[here] = part.mask[there]
        valid[here] = True
    labels = close_each(grow(labels, mask, post.grow_px), post.closing_px, allowed=valid)
    inner = rect.relative_to(wide).slices
    return Window(labels[inner], valid[inner], ids)


class PackedWindows:
    """Labels of windows that were worked out, compressed: unpacking takes a fraction of the time of growing again.

    Once they take ``limit`` bytes no more come in: every pass goes over all tiles, so that giving up the oldest instead
    would leave each pass without those that it needs next.
    """

    def __init__(self, limit: int = PACKED_BYTES) -> None:
        self._limit, self._used, self._is_full = limit, 0, False
        self._packed: dict[Place, tuple[bytes, tuple[int, ...], np.dtype[Any], NDArray[np.int64]]] = {}
        self._codec = Blosc("zstd", clevel=1, shuffle=Blosc.SHUFFLE)

    def put(self, place: Place, labels: NDArray[np.int32], ids: NDArray[np.int64]) -> None:
        """Keep a window's labels and the seeds that they stand for, if there is room."""
        if self._is_full:
            return
        narrow: np.dtype[Any] = np.dtype(np.uint16 if len(ids) <= 1 << 16 else np.uint32)
        packed = bytes(self._codec.encode(np.ascontiguousarray(labels, narrow)))
        size = len(packed) + ids.nbytes
        self._is_full = self._used + size > self._limit
        if not self._is_full:
            self._used += size
            self._packed[place] = packed, labels.shape, narrow, ids

    def get(self, place: Place) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
        """Labels and seeds of a window; None if it is not kept."""
        if place not in self._packed:
            return None
        packed, shape, narrow, ids = self._packed[place]
        return np.frombuffer(self._codec.decode(packed), narrow).reshape(shape), ids
