"""First pass: interior components of all tiles become the seeds of objects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, PostProcessing
from pathloop.objects._mosaic import Mosaic, Place
from pathloop.objects._seams import Edges, seam_pairs
from pathloop.rasters import first_pixels, is_sure, link

__all__ = ["Seeds", "unite_seeds"]


@dataclass(frozen=True, slots=True)
class Seeds:
    """Interior components over all tiles; seed i + 1 is row i, ranked by first interior pixel.

    Parameters
    ----------
    of_tile
        Per tile that was run: (n + 1,) int64, seed of each of the tile's components, 0 = dropped; entry 0 is 0.
    sizes, score_sums
        (m,) int64: pixels, and sum of the quantised interior probability.
    class_counts
        (m, C) int64.
    """

    of_tile: dict[Place, NDArray[np.int64]]
    sizes: NDArray[np.int64]
    score_sums: NDArray[np.int64]
    class_counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)


def unite_seeds(mosaic: Mosaic, post: PostProcessing) -> Seeds:
    """Load every tile once and unite its interior components with those of its neighbours, 4-connected.

    Small components, and those that the network is not sure enough of, are dropped.

    Raises
    ------
    DataError
        If the tiles hold different numbers of classes.
    """
    places: list[Place] = []
    tables: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    firsts: list[NDArray[np.int64]] = []
    edges: dict[Place, Edges] = {}
    total = 0
    for place, core in mosaic.walk():
        part = mosaic.part(place)
        if part is None:
            continue
        n = len(part.sizes)
        edges[place] = Edges.of(part.interior, total)
        firsts.append(mosaic.raster_index(core, first_pixels(part.interior, n)))
        places.append(place)
        tables.append((part.sizes, part.score_sums, part.class_counts))
        total += n
    if len({counts.shape[1] for _, _, counts in tables}) > 1:
        raise DataError("the tiles were cut with different numbers of classes: segment them again with one model")
    groups, count = link(total, seam_pairs(mosaic, edges, diagonal=False))
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, groups, np.concatenate([np.zeros(0, np.int64), *firsts]))
    sizes, score_sums, class_counts = (_sum_by(groups, count, [row[i] for row in tables]) for i in range(3))
    kept = np.flatnonzero((sizes >= post.min_interior_px) & is_sure(score_sums, sizes, post.min_confidence))
    kept = kept[np.argsort(first[kept])]
    rank = np.zeros(count, np.int64)
    rank[kept] = np.arange(1, len(kept) + 1)
    stops = np.cumsum([len(row[0]) for row in tables])
    per_tile = np.split(rank[groups], stops)[: len(places)]
    return Seeds(
        of_tile={place: np.concatenate([[0], own]) for place, own in zip(places, per_tile, strict=True)},
        sizes=sizes[kept],
        score_sums=score_sums[kept],
        class_counts=class_counts[kept] if tables else np.zeros((0, 0), np.int64),
    )


def _sum_by(groups: NDArray[np.int64], count: int, tables: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sums of stacked rows by group."""
    if not tables:
        return np.zeros((count,), np.int64)
    rows = np.concatenate(tables)
    sums = np.zeros((count, *rows.shape[1:]), np.int64)
    np.add.at(sums, groups, rows)
    return sums
