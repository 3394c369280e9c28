"""Matching the objects of two copies, block by block: memory grows with the objects, not with the slide."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances, Rect
from pathloop.loop.second_reader._area import Area
from pathloop.loop.second_reader._sides import Copies, Side
from pathloop.loop.second_reader._since import Place, blocks_of
from pathloop.metrics import PixelCounts
from pathloop.rasters import OverlapTable, overlap_table

__all__ = ["Matching", "match_copies"]


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Objects of two copies in an area.

    Parameters
    ----------
    table
        Overlaps of (first, second), whole objects: those with their centre in the area, and their partners.
    first, second
        The objects, row by row with the table's ids.
    pixels
        Foreground pixels of the area itself.
    """

    table: OverlapTable
    first: Instances
    second: Instances
    pixels: PixelCounts


def match_copies(copies: Copies, task: str, area: Area) -> Matching:
    """Overlaps of the objects of an area.

    Objects count where their centre lies in the area; one that is matched to such an object counts too, so that a
    border through a pair makes no disagreement.
    """
    first, second = _meeting(copies.mine, task, area), _meeting(copies.theirs, task, area)
    pieces = _pieces(copies, area)
    places = blocks_of(first.boxes) | blocks_of(second.boxes)
    pairs: list[NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
    counted = PixelCounts(0, 0, 0, 0)
    for place in sorted(places):
        block = copies.mine.block(place)
        one, other = copies.mine.now(task, block), copies.theirs.now(task, block)
        table = overlap_table(one, other)
        ids = table.first_ids[table.first_index], table.second_ids[table.second_index]
        pairs.append(np.stack([*ids, table.overlaps_px], axis=1))
        for rect in pieces.get(place, ()):
            inside = rect.relative_to(block).slices
            counted += PixelCounts.of_table(overlap_table(one[inside] != 0, other[inside] != 0))
    counted += PixelCounts(0, 0, 0, area.area_px - counted.tp - counted.fp - counted.fn - counted.tn)
    return _selected(_summed(np.concatenate(pairs)), area, first, second, counted)


def _meeting(side: Side, task: str, area: Area) -> Instances:
    """Objects whose box meets the area."""
    parts = [part for rect in area.rects for part in side.project.iter_objects(side.slide_id, task, area=rect)]
    every = Instances.concatenate(parts)
    return every.take(np.unique(every.ids, return_index=True)[1])


def _pieces(copies: Copies, area: Area) -> dict[Place, list[Rect]]:
    """The area, cut along the blocks."""
    found: dict[Place, list[Rect]] = {}
    for rect in area.rects:
        for place in blocks_of([(rect.y, rect.x, rect.bottom, rect.right)]):
            found.setdefault(place, []).append(rect.intersect(copies.mine.block(place)))
    return found


def _summed(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each pair of ids once, with the sum of its pixels."""
    keys, index = np.unique(pairs[:, :2], axis=0, return_inverse=True)
    sums = np.zeros(len(keys), np.int64)
    np.add.at(sums, index.ravel(), pairs[:, 2])
    return np.concatenate([keys, sums[:, None]], axis=1)


def _selected(
    pairs: NDArray[np.int64], area: Area, first: Instances, second: Instances, pixels: PixelCounts
) -> Matching:
    # pixels without a row (left by a power cut) are nobody's object
    pairs = pairs[np.isin(pairs[:, 0], first.ids) & np.isin(pairs[:, 1], second.ids)]
    rows, columns = np.searchsorted(first.ids, pairs[:, 0]), np.searchsorted(second.ids, pairs[:, 1])
    in_first, in_second = area.holds(first.centroids), area.holds(second.centroids)
    unions = first.areas_px[rows] + second.areas_px[columns] - pairs[:, 2]
    matched = (2 * pairs[:, 2] > unions) & (in_first[rows] | in_second[columns])
    in_first[rows[matched]] = True
    in_second[columns[matched]] = True
    kept = in_first[rows] & in_second[columns]
    new_rows, new_columns = np.cumsum(in_first) - 1, np.cumsum(in_second) - 1
    first, second = first.take(in_first), second.take(in_second)
    table = OverlapTable(
        first_ids=first.ids,
        first_areas_px=first.areas_px,
        second_ids=second.ids,
        second_areas_px=second.areas_px,
        first_index=new_rows[rows[kept]],
        second_index=new_columns[columns[kept]],
        overlaps_px=pairs[kept, 2],
        n_pixels=area.area_px,
    )
    return Matching(table, first, second, pixels)
