"""Colour codes of one task in levels: what napari draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.gui.display._array_key import read_key
from pathloop.gui.display._chunk_cache import CHUNK, ChunkCache, ChunkKey
from pathloop.gui.display._id_levels import IdPyramid
from pathloop.gui.display._lookup import Lookup
from pathloop.gui.display._patterns import PATTERN_PIXELS

__all__ = ["RIM", "SELECTED", "SELECTED_RIM", "CodeLevel", "CodePyramid", "Look", "Style", "rims"]

Style = Literal["fill", "outline"]

RIM = 126
"""An object's edge has its code plus this, so that edges may be opaque over translucent insides."""
SELECTED_RIM, SELECTED = 254, 255
MAX_RIM_PX = 2
CACHE_BYTES = 64 * 2**20

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_RIM_OF = np.minimum(np.arange(256) + RIM, SELECTED_RIM).astype(np.uint8)
_RIM_OF[0] = 0


@dataclass(frozen=True, eq=False)
class Look:
    """How a task's objects are drawn; never changed, only replaced, so that a thread that draws sees one of them.

    Parameters
    ----------
    lookup
        Ids to codes 0 .. 126 and 255 (selected).
    style
        ``outline`` leaves all but edges and selected objects empty.
    patterns
        (256,) uint8: the bit of `PATTERN_PIXELS` that thins the inside of a code; None: all solid.
    rim_px
        Width of edges by level, 0 .. 2 pixels of the level; they lie inside the objects.
    """

    lookup: Lookup = field(default_factory=Lookup)
    style: Style = "fill"
    patterns: NDArray[np.uint8] | None = None
    rim_px: tuple[int, ...] = ()

    def rim_at(self, level: int) -> int:
        """Width of edges in a level."""
        wanted = self.rim_px[level] if level < len(self.rim_px) else 1
        return max(1, wanted) if self.style == "outline" else wanted


def rims(ids: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Pixels that have another id within ``width`` steps up, down, left or right.

    Parameters
    ----------
    ids
        (H + 2 width, W + 2 width): the pixels and a frame around them.
    width
        1 or more.

    Returns
    -------
    (H, W) bool.
    """
    differs = np.zeros(ids.shape, np.uint8)
    rows, cols = ids[1:] != ids[:-1], ids[:, 1:] != ids[:, :-1]
    differs[1:] |= rows
    differs[:-1] |= rows
    differs[:, 1:] |= cols
    differs[:, :-1] |= cols
    if width > 1:
        differs = np.asarray(cv2.dilate(differs, _CROSS, iterations=width - 1), np.uint8)
    return differs[width:-width, width:-width].view(np.bool_)


class CodePyramid:
    """Colour codes of a task, kept chunk by chunk until ids or look change. Reading is right from any thread.

    Parameters
    ----------
    ids
        The task's ids.
    cache
        Shared with other tasks; None: an own one.
    """

    def __init__(self, ids: IdPyramid, *, cache: ChunkCache | None = None) -> None:
        self.ids = ids
        self._cache = ChunkCache(CACHE_BYTES) if cache is None else cache
        self._look = Look()
        tiny = np.zeros(ids.level_shape(len(ids.factors) - 1), np.uint8)
        last = len(ids.factors) - 1
        self.levels = [CodeLevel(self, level, tiny if level == last else None) for level in range(len(ids.factors))]
        self._tiny = tiny
        ids.changed.connect(self.invalidate)

    @property
    def look(self) -> Look:
        """How objects are drawn now."""
        return self._look

    def set_ids(self, ids: IdPyramid) -> None:
        """Take other ids of an image of the same size; the levels stay the same objects."""
        if ids is self.ids:
            return
        if ids.shape != self.ids.shape:
            raise UsageError(f"ids of {ids.shape} pixels do not fit an image of {self.ids.shape}")
        self.ids.changed.disconnect(self.invalidate)
        self.ids = ids
        ids.changed.connect(self.invalidate)
        self._cache.drop(lambda key: key.owner is self)

    def set_look(self, look: Look) -> None:
        """Draw differently from now on."""
        self._look = look
        self._cache.drop(lambda key: key.owner is self)

    def invalidate(self, rects: Sequence[Rect]) -> None:
        """Forget the codes of level-0 rectangles: their ids have changed."""
        stale = self.ids.stale_chunks(rects, margin=MAX_RIM_PX)
        self._cache.drop(lambda key: key.owner is self and stale(key))

    def update_tiny(self) -> None:
        """Bring the coarsest level up to date, in place: napari keeps the array that it was once given."""
        self._tiny[...] = self.read(Rect(0, 0, *self._tiny.shape), len(self.levels) - 1)

    def read(self, rect: Rect, level: int) -> NDArray[np.uint8]:
        """Codes of a rectangle that lies in the level. A new array."""
        out = np.zeros(rect.shape, np.uint8)
        if rect.area == 0:
            return out
        for row in range(rect.y // CHUNK, (rect.bottom - 1) // CHUNK + 1):
            for col in range(rect.x // CHUNK, (rect.right - 1) // CHUNK + 1):
                chunk = self._cache.get(ChunkKey(self, level, row, col), self._load)
                if chunk is not None:
                    own = Rect(row * CHUNK, col * CHUNK, *chunk.shape)
                    part = own.intersect(rect)
                    out[part.relative_to(rect).slices] = chunk[part.relative_to(own).slices]
        return out

    def _load(self, key: ChunkKey) -> NDArray[np.uint8] | None:
        look = self._look
        if self.ids.chunk(key.level, key.row, key.col) is None:
            return None
        height, width = self.ids.level_shape(key.level)
        rect = Rect(key.row * CHUNK, key.col * CHUNK, CHUNK, CHUNK).intersect(Rect(0, 0, height, width))
        rim = look.rim_at(key.level)
        ids = look.lookup.rooted(self.ids.read(rect.expand(rim), key.level))
        inner = ids[rim : rim + rect.height, rim : rim + rect.width]
        codes = look.lookup.codes(inner)
        if not codes.any():
            return None
        if look.style == "outline":
            inside = np.where(codes == SELECTED, codes, np.uint8(0))
        elif look.patterns is not None:
            bits = np.asarray(cv2.LUT(codes, look.patterns), np.uint8)
            kept = bits & PATTERN_PIXELS[: rect.height, : rect.width]
            inside = np.where(kept, codes, np.uint8(0))
        else:
            inside = codes
        if rim == 0:
            return inside
        edges = rims(ids, rim)
        if rim > 1:  # the bright inside of small selected objects must stay visible
            edges &= rims(ids[rim - 1 : 1 - rim, rim - 1 : 1 - rim], 1) | (codes != SELECTED)
        return np.where(edges, np.asarray(cv2.LUT(codes, _RIM_OF), np.uint8), inside)


class CodeLevel:
    """One level as napari wants it: shape, dtype uint8, chunks, slicing."""

    ndim = 2
    dtype = np.dtype(np.uint8)
    chunks = (CHUNK, CHUNK)

    def __init__(self, pyramid: CodePyramid, level: int, kept: NDArray[np.uint8] | None = None) -> None:
        self._pyramid, self._level, self._kept = pyramid, level, kept
        self.shape = pyramid.ids.level_shape(level)

    @property
    def size(self) -> int:
        """Pixels."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return np.asarray(read_key(self.shape, key, lambda rect: self._pyramid.read(rect, self._level)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 (numpy's)
        if self._kept is not None:
            return np.array(self._kept, dtype) if copy else np.asarray(self._kept, dtype)
        return np.asarray(self[:], dtype)
