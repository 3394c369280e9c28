"""Ids of one task as they are shown: landed labels, and in finished tiles of unfinished runs their provisional ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from pathloop.core import Rect, UsageError
from pathloop.gui.display._array_key import read_key
from pathloop.gui.display._chunk_cache import CHUNK, ChunkCache, ChunkKey
from pathloop.rasters import LabelPyramid, pyramid_factors

__all__ = ["IdLevel", "IdPyramid"]

CACHE_BYTES = 96 * 2**20
MANY_RECTS = 16


@dataclass(frozen=True, eq=False)
class _Shown:
    """A preview and where it is shown: tiles, and the same area in few rectangles, (N, 4) y, x, bottom, right."""

    pyramid: LabelPyramid
    tiles: frozenset[Rect]
    bounds: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Sources:
    landed: LabelPyramid | None
    previews: tuple[_Shown, ...] = ()


class IdPyramid:
    """Ids in levels, composed on reading. Reading is right from any thread, changing is for the main thread.

    Levels are those of a label pyramid of the slide, pixel for pixel: each holds every ``factors[k]``-th pixel of
    level 0.

    Parameters
    ----------
    shape
        (height, width) of level 0.
    landed
        Labels in the project; None where nothing has landed yet.
    cache
        Shared with other tasks; None: an own one.
    """

    changed = Signal(tuple)
    """Level-0 rectangles (a tuple of `Rect`) in which ids may be others now."""

    def __init__(
        self, shape: tuple[int, int], landed: LabelPyramid | None = None, *, cache: ChunkCache | None = None
    ) -> None:
        self.shape = shape
        self.factors = pyramid_factors(shape)
        self._cache = ChunkCache(CACHE_BYTES) if cache is None else cache
        self._sources = _Sources(self._checked(landed))
        self.levels = tuple(IdLevel(self, level) for level in range(len(self.factors)))

    @property
    def bounds(self) -> Rect:
        """The whole image."""
        return Rect(0, 0, *self.shape)

    def level_shape(self, level: int) -> tuple[int, int]:
        """(height, width) of a level."""
        factor = self.factors[level]
        return -(-self.shape[0] // factor), -(-self.shape[1] // factor)

    def set_landed(self, landed: LabelPyramid | None) -> None:
        """Take other landed labels; everything is read again."""
        self._sources = _Sources(self._checked(landed), self._sources.previews)
        self.invalidate((self.bounds,))

    def set_previews(self, previews: Iterable[tuple[LabelPyramid, Iterable[Rect]]]) -> None:
        """Say which previews are shown where; only what differs from before is read again.

        Parameters
        ----------
        previews
            Pyramid of provisional ids, and the level-0 rectangles of its finished tiles. There they replace the
            landed ids; where two previews are shown, the later one wins.
        """
        new = []
        for pyramid, rects in previews:
            tiles = frozenset(rects)
            known = next(
                (one for one in self._sources.previews if one.pyramid.path == pyramid.path and one.tiles == tiles), None
            )
            new.append(known or _Shown(self._checked(pyramid), tiles, _few(tiles)))
        before, after = _tiles(self._sources.previews), _tiles(new)
        changed: set[Rect] = set()
        for path in before.keys() | after.keys():
            changed |= before.get(path, frozenset()) ^ after.get(path, frozenset())
        if [path for path in before if path in after] != [path for path in after if path in before]:
            changed |= {self.bounds}
        self._sources = _Sources(self._sources.landed, tuple(new))
        if changed:
            self.invalidate(tuple(changed))

    def invalidate(self, rects: Sequence[Rect]) -> None:
        """Forget what was read of level-0 rectangles: their files have changed."""
        stale = self.stale_chunks(rects, margin=0)
        self._cache.drop(lambda key: key.owner is self and stale(key))
        self.changed.emit(tuple(rects))

    def stale_chunks(self, rects: Sequence[Rect], *, margin: int) -> Callable[[ChunkKey], bool]:
        """A function of chunk keys: may the chunk, grown by ``margin`` of its pixels, meet one of the rectangles."""
        if len(rects) > MANY_RECTS:
            tops, lefts, bottoms, rights = zip(*((one.y, one.x, one.bottom, one.right) for one in rects), strict=True)
            rects = (Rect.from_bounds(min(tops), min(lefts), max(bottoms), max(rights)),)
        spans: list[list[tuple[int, int, int, int]]] = []
        for factor in self.factors:
            spans.append([])
            for rect in rects:
                top, left, bottom, right = (-(-value // factor) for value in (rect.y, rect.x, rect.bottom, rect.right))
                first, last = (top - margin) // CHUNK, (bottom - 1 + margin) // CHUNK
                spans[-1].append((first, last, (left - margin) // CHUNK, (right - 1 + margin) // CHUNK))

        def stale(key: ChunkKey) -> bool:
            return any(
                first <= key.row <= last and left <= key.col <= right for first, last, left, right in spans[key.level]
            )

        return stale

    def chunk(self, level: int, row: int, col: int) -> NDArray[np.int32] | None:
        """A chunk's ids, cut to the image, read-only; None where all are 0."""
        return self._cache.get(ChunkKey(self, level, row, col), self._load)

    def read(self, rect: Rect, level: int = 0) -> NDArray[np.int32]:
        """Ids of a rectangle, in pixels of ``level``; 0 beyond the image. A new array of shape ``rect.shape``."""
        out = np.zeros(rect.shape, np.int32)
        inside = rect.intersect(Rect(0, 0, *self.level_shape(level)))
        if inside.area == 0:
            return out
        for row in range(inside.y // CHUNK, (inside.bottom - 1) // CHUNK + 1):
            for col in range(inside.x // CHUNK, (inside.right - 1) // CHUNK + 1):
                chunk = self.chunk(level, row, col)
                if chunk is None:
                    continue
                own = Rect(row * CHUNK, col * CHUNK, *chunk.shape)
                part = own.intersect(inside)
                out[part.relative_to(rect).slices] = chunk[part.relative_to(own).slices]
        return out

    def at(self, y: float, x: float, *, shown_level: int = 0) -> int:
        """The id at a level-0 position; 0 beyond the image.

        Parameters
        ----------
        y, x
            Level-0 pixels, pixel centres at integers.
        shown_level
            The level on the screen: taken where it is in memory and level 0 is not, so that following the mouse in
            an overview reads nothing.
        """
        row, col = round(y), round(x)
        if not (0 <= row < self.shape[0] and 0 <= col < self.shape[1]):
            return 0
        for level in (0, shown_level, 0):
            place = row // self.factors[level], col // self.factors[level]
            key = ChunkKey(self, level, place[0] // CHUNK, place[1] // CHUNK)
            if key in self._cache:
                break
        chunk = self.chunk(key.level, key.row, key.col)
        return 0 if chunk is None else int(chunk[place[0] % CHUNK, place[1] % CHUNK])

    def _load(self, key: ChunkKey) -> NDArray[np.int32] | None:
        height, width = self.level_shape(key.level)
        rect = Rect(key.row * CHUNK, key.col * CHUNK, CHUNK, CHUNK).intersect(Rect(0, 0, height, width))
        sources = self._sources
        out = np.zeros(rect.shape, np.int32) if sources.landed is None else sources.landed.read(rect, level=key.level)
        for preview in sources.previews:
            bounds = -(-preview.bounds // self.factors[key.level])
            meeting = bounds[_meeting(bounds, rect)]
            if len(meeting) == 0:
                continue
            ids = preview.pyramid.read(rect, level=key.level)
            for corners in meeting.tolist():
                part = Rect.from_bounds(*corners).intersect(rect).relative_to(rect).slices
                out[part] = ids[part]
        return out if out.any() else None

    def _checked(self, pyramid: Any) -> Any:
        if pyramid is not None and (pyramid.shape != self.shape or pyramid.factors != self.factors):
            raise UsageError(f"{pyramid.path}: labels of {pyramid.shape} pixels do not fit an image of {self.shape}")
        return pyramid


class IdLevel:
    """One level as an array: shape, dtype int32, slicing."""

    ndim = 2
    dtype = np.dtype(np.int32)
    chunks = (CHUNK, CHUNK)

    def __init__(self, pyramid: IdPyramid, level: int) -> None:
        self._pyramid, self._level = pyramid, level
        self.shape = pyramid.level_shape(level)

    @property
    def size(self) -> int:
        """Pixels."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> NDArray[np.int32]:
        return np.asarray(read_key(self.shape, key, lambda rect: self._pyramid.read(rect, self._level)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 (numpy's)
        return np.asarray(self[:], dtype)


def _tiles(previews: Iterable[_Shown]) -> dict[Path, frozenset[Rect]]:
    return {one.pyramid.path: one.tiles for one in previews}


def _meeting(bounds: NDArray[np.int64], rect: Rect) -> NDArray[np.bool_]:
    """Which half-open boxes (N, 4) share a pixel with a rectangle."""
    top, left = np.maximum(bounds[:, 0], rect.y), np.maximum(bounds[:, 1], rect.x)
    bottom, right = np.minimum(bounds[:, 2], rect.bottom), np.minimum(bounds[:, 3], rect.right)
    return np.asarray((top < bottom) & (left < right))


def _few(tiles: Iterable[Rect]) -> NDArray[np.int64]:
    """The tiles with neighbours of one row joined, for coarse levels where a chunk holds thousands of them."""
    joined: list[list[int]] = []
    for tile in sorted(tiles, key=lambda one: (one.y, one.bottom, one.x)):
        last = joined[-1] if joined else None
        if last is not None and (last[0], last[2]) == (tile.y, tile.bottom) and last[3] == tile.x:
            last[3] = tile.right
        else:
            joined.append([tile.y, tile.x, tile.bottom, tile.right])
    return np.array(joined, np.int64).reshape(-1, 4)
