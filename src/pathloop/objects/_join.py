"""Objects of a slide from its tiles: exactly those of ``decode_instances`` on the mosaic of the maps.

Nothing slide-sized is in memory: tables of objects, the edges of the tiles, a few tiles, and what was worked out of
others, compressed and up to a limit.

1. Interior components are united over the seams of the tile cores; small and faint ones are dropped; the rest are
   seeds.
2. Tile by tile, with strips of the neighbours: growth, closing, areas, first pixels; background regions, united
   over the seams, show the holes that one object encloses.
3. Small objects are dropped, then objects are clipped; those left are numbered by first pixel.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PostProcessing, Rect, Tile
from pathloop.objects._mosaic import Load, Mosaic, Place
from pathloop.objects._seams import Edges, seam_pairs
from pathloop.objects._seeds import Seeds, unite_seeds
from pathloop.objects._windows import PackedWindows, closed_window
from pathloop.rasters import Background, background_regions, first_pixels, label_components, link

__all__ = ["Clip", "Joined", "join"]

Clip = Callable[[Rect], NDArray[np.bool_]]

_NEVER = int(np.iinfo(np.int64).max)
_CACHED_LABELS = 8


def join(
    tiles: Iterable[Tile],
    load: Load,
    post: PostProcessing,
    *,
    area: Rect,
    clip: Clip | None = None,
    cache_parts: int = 16,
) -> "Joined":
    """Join the tiles of one task.

    Parameters
    ----------
    tiles
        The run's tiles (a ``TileGrid``), in any order; their cores form a grid. Margins are not looked at.
    load
        ``load(row, col)``: the tile's part, or None where it was not run. What was not run counts as outside: it
        bounds objects and holes like the area's edge. Called a few times a tile; must answer the same.
    post
        The task's constants, in pixels at the model's scale.
    area
        The run's area at the model's scale; all cores lie in it. Objects rank by first pixel in its raster order.
    clip
        ``clip(rect)``: (h, w) bool, the pixels that objects may keep (lumina: those of glands). None = all.
    cache_parts
        Tiles kept in memory (5 bytes a pixel each).

    Returns
    -------
    Joined

    Raises
    ------
    UsageError
        If the cores do not form a grid in the area.
    DataError
        If a part does not fit its tile.
    """
    mosaic = Mosaic(tiles, load, area=area, cache_parts=cache_parts)
    return Joined(mosaic, unite_seeds(mosaic, post), post, clip)


class _Extents:
    """Area and first pixel of objects 1..n, gathered tile by tile."""

    def __init__(self, n: int) -> None:
        self.areas = np.zeros(n + 1, np.int64)
        self.firsts = np.full(n + 1, _NEVER)

    def add(self, labels: NDArray[np.int32], ids: NDArray[np.int64], mosaic: Mosaic, core: Rect) -> None:
        """Count one tile's labels, whose local numbers stand for ``ids``."""
        self.areas[ids] += np.bincount(labels.ravel(), minlength=len(ids))
        first = first_pixels(labels, len(ids) - 1)
        there = first < core.area
        seen = ids[1:][there]
        self.firsts[seen] = np.minimum(self.firsts[seen], mosaic.raster_index(core, first[there]))


class Joined:
    """The objects of one task over all tiles, numbered 1..n by first pixel; made by ``join``.

    Row i of every table is object i + 1. Not for several threads at a time.

    Attributes
    ----------
    n : int
        Number of objects.
    areas : (n,) int64
        Pixels, after clipping.
    first_pixels : (n, 2) int64
        (y, x) of the first pixel in raster order, after clipping; absolute, at the model's scale.
    confidences : (n,) float32
        Mean interior probability over the object's interior pixels, 0..1.
    class_codes : (n,) int16
        Class with most votes among the interior pixels, 1-based (the smaller of equals); 0 where none voted.
    class_probabilities : (n,) float32
        Share of the interior pixels that voted for it; NaN without a type head.
    """

    def __init__(self, mosaic: Mosaic, seeds: Seeds, post: PostProcessing, clip: Clip | None) -> None:
        self._mosaic, self._seeds, self._post = mosaic, seeds, post
        self._clip: Clip | None = None
        self._recent: OrderedDict[Place, NDArray[np.int32]] = OrderedDict()
        self._windows = PackedWindows()
        # Per tile: seed that fills each background region, where any is filled.
        self._fillers: dict[Place, NDArray[np.int64]] = {}
        extents = self._measure_seeds()
        kept = extents.areas >= max(post.min_size_px, 1)
        kept[0] = False
        self._number(extents, kept)
        if clip is not None:
            self._clip = clip
            self._number_clipped()

    def labels(self, rect: Rect) -> NDArray[np.int32]:
        """Object ids of a rectangle at the model's scale; 0 = none, not run, or outside the area.

        Worked out from the parts tile by tile, so reading core by core is cheapest.

        Parameters
        ----------
        rect
            Absolute pixels.

        Returns
        -------
        (h, w) int32.
        """
        out = np.zeros(rect.shape, np.int32)
        for place, core, common in self._mosaic.touching(rect):
            if place in self._seeds.of_tile:
                there = common.relative_to(core).slices
                out[common.relative_to(rect).slices] = self._tile_labels(place, core)[there]
        return out

    def _tile_labels(self, place: Place, core: Rect) -> NDArray[np.int32]:
        if place not in self._recent:
            seeds, ids = self._windows.get(place) or self._grown(core)
            labels = self._final[ids][seeds]
            if place in self._fillers:
                regions, _ = label_components(seeds == 0, connectivity=8)
                labels += self._final[self._fillers[place]][regions]
            if self._clip is not None:
                labels[~np.asarray(self._clip(core), bool)] = 0
            self._recent[place] = labels
            if len(self._recent) > _CACHED_LABELS:
                self._recent.popitem(last=False)
        return self._recent[place]

    def _grown(self, core: Rect) -> tuple[NDArray[Any], NDArray[np.int64]]:
        window = closed_window(self._mosaic, self._seeds, self._post, core)
        return window.labels, window.ids

    def _measure_seeds(self) -> _Extents:
        extents = _Extents(len(self._seeds))
        holes = _Holes(self._mosaic)
        for place, core in self._mosaic.walk():
            if place not in self._seeds.of_tile:
                continue
            framed = closed_window(self._mosaic, self._seeds, self._post, core.expand(1))
            labels = framed.labels[1:-1, 1:-1]
            self._windows.put(place, labels, framed.ids)
            extents.add(labels, framed.ids, self._mosaic, core)
            if self._post.fill_holes:
                holes.add(place, background_regions(framed.labels, framed.valid), framed.ids)
        self._fillers = holes.fill(extents)
        return extents

    def _number(self, extents: _Extents, kept: NDArray[np.bool_]) -> None:
        """Number the kept seeds by first pixel and set the tables."""
        seeds = np.flatnonzero(kept)
        seeds = seeds[np.argsort(extents.firsts[seeds])]
        self._final = np.zeros(len(kept), np.int32)
        self._final[seeds] = np.arange(1, len(seeds) + 1)
        self._recent.clear()
        self.n = len(seeds)
        self.areas = extents.areas[seeds]
        area = self._mosaic.area
        rows, cols = np.divmod(extents.firsts[seeds], max(area.width, 1))
        self.first_pixels = np.stack([rows + area.y, cols + area.x], axis=1)
        rows_of = seeds - 1
        sizes = self._seeds.sizes[rows_of]
        self.confidences = (self._seeds.score_sums[rows_of] / (sizes * 255.0)).astype(np.float32)
        self.class_codes, self.class_probabilities = _vote(self._seeds.class_counts[rows_of], sizes)

    def _number_clipped(self) -> None:
        """Drop what the clip leaves nothing of; number the rest anew."""
        seeds = np.concatenate([[0], np.flatnonzero(self._final)[np.argsort(self._final[self._final > 0])]])
        extents = _Extents(len(self._seeds))
        for place, core in self._mosaic.walk():
            if place not in self._seeds.of_tile:
                continue
            labels = self._tile_labels(place, core)
            rank = np.zeros(self.n + 1, np.int32)
            rank[labels.ravel()] = 1
            rank[0] = 1
            used = np.flatnonzero(rank)
            rank[used] = np.arange(len(used))
            extents.add(rank[labels], seeds[used], self._mosaic, core)
        kept = extents.areas > 0
        kept[0] = False
        self._number(extents, kept)


class _Holes:
    """Background regions over all tiles, and what each touches."""

    def __init__(self, mosaic: Mosaic) -> None:
        self._mosaic = mosaic
        self._places: list[Place] = []
        self._found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]] = []
        self._edges: dict[Place, Edges] = {}
        self._total = 0

    def add(self, place: Place, found: Background, ids: NDArray[np.int64]) -> None:
        """Take over one tile's regions; ``ids`` are the seeds of the local labels that they touch."""
        lowest = np.where(found.highest > 0, ids[np.minimum(found.lowest, len(ids) - 1)], _NEVER)
        self._places.append(place)
        self._found.append((lowest, ids[found.highest], found.is_open, found.areas))
        self._edges[place] = Edges.of(found.regions, self._total)
        self._total += len(found.areas)

    def fill(self, extents: _Extents) -> dict[Place, NDArray[np.int64]]:
        """Give enclosed regions to their objects; per tile that has any: (regions + 1,) int64 seed or 0."""
        if not self._total:
            return {}
        groups, count = link(self._total, seam_pairs(self._mosaic, self._edges, diagonal=True))
        lowest, highest, is_open, areas = (np.concatenate(column) for column in zip(*self._found, strict=True))
        low, high, opened = np.full(count, _NEVER), np.zeros(count, np.int64), np.zeros(count, bool)
        np.minimum.at(low, groups, lowest)
        np.maximum.at(high, groups, highest)
        opened[groups[is_open]] = True
        fillers = np.where((low == high) & ~opened, high, 0)[groups]
        # A hole's first pixel comes after its object's, so first pixels stay.
        np.add.at(extents.areas, fillers, areas)
        stops = np.cumsum([len(row[0]) for row in self._found])
        per_tile = zip(self._places, np.split(fillers, stops), strict=False)
        return {place: np.concatenate([[0], own]) for place, own in per_tile if own.any()}


def _vote(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Class of most votes and its share of the interior pixels."""
    if counts.shape[1] == 0:
        return np.zeros(len(sizes), np.int16), np.full(len(sizes), np.nan, np.float32)
    winner = counts.argmax(axis=1)
    votes = counts[np.arange(len(sizes)), winner]
    return np.where(votes > 0, winner + 1, 0).astype(np.int16), (votes / sizes).astype(np.float32)
