"""Finished tiles as one mosaic, read window by window, a few tiles in memory."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect, Tile, UsageError
from pathloop.objects._parts import TilePart

__all__ = ["Load", "Mosaic", "Place"]

Place = tuple[int, int]
Load = Callable[[int, int], TilePart | None]


@dataclass(frozen=True, slots=True)
class _Span:
    """One grid row or column: its number, first pixel and end."""

    start: int
    stop: int
    number: int


class Mosaic:
    """The tiles of one run and what they hold.

    Parameters
    ----------
    tiles
        In any order; cores form full rows and columns of a grid.
    load
        Gives a tile's part by (row, col), None where the tile was not run. Called again for a tile that has left
        the cache; must answer the same.
    area
        The run's area; every core lies in it.
    cache_parts
        Tiles kept in memory.

    Raises
    ------
    UsageError
        If a core lies outside the area, or the cores do not form a grid.
    """

    def __init__(self, tiles: Iterable[Tile], load: Load, *, area: Rect, cache_parts: int) -> None:
        self.area = area
        self.cores: dict[Place, Rect] = {(tile.row, tile.col): tile.core for tile in tiles if tile.core.area}
        self._load, self._cache_parts = load, max(cache_parts, 1)
        self._cache: OrderedDict[Place, TilePart | None] = OrderedDict()
        self._rows = _spans({(core.y, core.bottom, place[0]) for place, core in self.cores.items()})
        self._cols = _spans({(core.x, core.right, place[1]) for place, core in self.cores.items()})
        for core in self.cores.values():
            if core.intersect(area) != core:
                raise UsageError(f"tile core {core} lies outside the area {area} to join")

    def part(self, place: Place) -> TilePart | None:
        """A tile's part, from the cache or loaded."""
        if place in self._cache:
            self._cache.move_to_end(place)
            return self._cache[place]
        part = self._load(*place)
        if part is not None and part.core != self.cores[place]:
            raise DataError(f"tile {place} holds core {part.core}, its grid says {self.cores[place]}: segment it again")
        self._cache[place] = part
        if len(self._cache) > self._cache_parts:
            self._cache.popitem(last=False)
        return part

    def walk(self) -> Iterator[tuple[Place, Rect]]:
        """All places in bands of columns, so that a tile's neighbours are mostly still in the cache."""
        band = max(self._cache_parts // 3 - 2, 1)
        for row, col in sorted(self.cores, key=lambda place: (place[1] // band, place[0], place[1])):
            yield (row, col), self.cores[row, col]

    def touching(self, rect: Rect) -> Iterator[tuple[Place, Rect, Rect]]:
        """``(place, core, common part)`` of every tile that shares pixels with a rectangle."""
        if not rect.area:
            return
        for row in _overlapping(self._rows, rect.y, rect.bottom):
            for col in _overlapping(self._cols, rect.x, rect.right):
                core = self.cores.get((row, col))
                if core is not None:
                    yield (row, col), core, core.intersect(rect)

    def raster_index(self, rect: Rect, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices in a rectangle as raster positions in the area."""
        rows, cols = np.divmod(first, rect.width)
        return (rows + rect.y - self.area.y) * self.area.width + cols + rect.x - self.area.x


def _spans(found: set[tuple[int, int, int]]) -> list[_Span]:
    spans = [_Span(*bounds) for bounds in sorted(found)]
    for before, after in pairwise(spans):
        if after.start < before.stop or after.number <= before.number:
            raise UsageError("tile cores must form the rows and columns of one grid")
    return spans


def _overlapping(spans: list[_Span], start: int, stop: int) -> Iterator[int]:
    first = bisect_right(spans, start, key=lambda span: span.stop)
    last = bisect_left(spans, stop, key=lambda span: span.start)
    return (span.number for span in spans[first:last])
