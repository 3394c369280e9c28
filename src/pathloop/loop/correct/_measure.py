"""Objects after some pixels have changed: reckoned from what changed, looked at again only where they may shrink."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, TileGrid
from pathloop.objects import Measurer
from pathloop.store import ObjectRow, PixelChange, Project

__all__ = ["Extent", "extents", "measured", "tiles_of"]

CELL_PX = 512
"""Side of what is read at once: the label pyramid's chunks."""

Bounds = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """Some pixels: their number, the sums of y and x, and their box (top, left, bottom, right)."""

    n: int
    sum_y: int
    sum_x: int
    box: Bounds


def extents(patches: Sequence[PixelChange], side: Callable[[PixelChange], NDArray[np.int32]]) -> dict[int, Extent]:
    """Pixels that differ, by their id on one side of the change."""
    parts = []
    for one in patches:
        rows, columns = np.nonzero((one.before != one.after) & (side(one) != 0))
        parts.append((side(one)[rows, columns], rows + one.rect.y, columns + one.rect.x))
    if not parts:
        return {}
    labels, rows, columns = (np.concatenate(found) for found in zip(*parts, strict=True))
    if labels.size == 0:
        return {}
    order = np.argsort(labels, kind="stable")
    labels, rows, columns = labels[order], rows[order], columns[order]
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    counts = np.diff(np.append(starts, labels.size))
    table = [np.add.reduceat(rows, starts), np.add.reduceat(columns, starts)]
    table += [np.minimum.reduceat(rows, starts), np.minimum.reduceat(columns, starts)]
    table += [np.maximum.reduceat(rows, starts) + 1, np.maximum.reduceat(columns, starts) + 1]
    values = np.stack([labels[starts].astype(np.int64), counts, *table], axis=1).tolist()
    return {number: Extent(n, y, x, (top, left, bottom, right)) for number, n, y, x, top, left, bottom, right in values}


def measured(
    project: Project, slide_id: str, task: str, patches: Sequence[PixelChange], rows: Mapping[int, ObjectRow]
) -> dict[int, Extent]:
    """Every object of which a pixel changes, as it is afterwards; those that lose their last one are left out.

    Parameters
    ----------
    patches
        Of this task.
    rows
        The objects' rows before the change; pixels of ids without a row count for nothing.
    """
    lost, won = extents(patches, lambda one: one.before), extents(patches, lambda one: one.after)
    found: dict[int, Extent] = {}
    unsure: dict[int, Bounds] = {}
    for number in sorted(lost.keys() | won.keys()):
        row, minus, plus = rows.get(number), lost.get(number), won.get(number)
        if row is None:
            if plus is not None:
                found[number] = plus
            continue
        extent = _reckoned(row, minus, plus)
        if extent.n and minus is not None and _is_at_edge(minus.box, row.box):
            unsure[number] = extent.box
        elif extent.n:
            found[number] = extent
    return found | _looked_at(project, slide_id, task, patches, unsure)


def _reckoned(row: ObjectRow, minus: Extent | None, plus: Extent | None) -> Extent:
    """Exact, for sums of pixels are whole numbers; the box may be too large."""
    n, box = row.area_px, row.box
    sum_y, sum_x = (round(value * n) for value in row.centroid)
    if plus is not None:
        n, sum_y, sum_x, box = n + plus.n, sum_y + plus.sum_y, sum_x + plus.sum_x, _hull(box, plus.box)
    if minus is not None:
        n, sum_y, sum_x = n - minus.n, sum_y - minus.sum_y, sum_x - minus.sum_x
    return Extent(n, sum_y, sum_x, box)


def _is_at_edge(inner: Bounds, outer: Bounds) -> bool:
    return any(one == other for one, other in zip(inner, outer, strict=True))


def _hull(one: Bounds, other: Bounds) -> Bounds:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def tiles_of(boxes: Mapping[int, Bounds]) -> list[tuple[Rect, list[int]]]:
    """What to read to see some boxes: disjoint rectangles of at most 512 x 512, each with the ids that it shows."""
    cells: dict[tuple[int, int], tuple[Bounds, list[int]]] = {}
    for number, (top, left, bottom, right) in boxes.items():
        for row in range(top // CELL_PX, -(-bottom // CELL_PX)):
            for col in range(left // CELL_PX, -(-right // CELL_PX)):
                y, x = row * CELL_PX, col * CELL_PX
                core = max(top, y), max(left, x), min(bottom, y + CELL_PX), min(right, x + CELL_PX)
                bounds, ids = cells.setdefault((row, col), (core, []))
                ids.append(number)
                cells[row, col] = _hull(bounds, core), ids
    return [(Rect.from_bounds(*bounds), ids) for _, (bounds, ids) in sorted(cells.items())]


def _looked_at(
    project: Project, slide_id: str, task: str, patches: Sequence[PixelChange], boxes: Mapping[int, Bounds]
) -> dict[int, Extent]:
    """Objects measured in their boxes, as they are after the change."""
    if not boxes:
        return {}
    by_cell: dict[tuple[int, int], list[PixelChange]] = {}
    for one in patches:
        for tile in TileGrid(one.rect, CELL_PX):
            by_cell.setdefault((tile.row, tile.col), []).append(one)
    measurer = Measurer()
    for rect, ids in tiles_of(boxes):
        labels = project.read_labels(slide_id, task, rect)
        for one in by_cell.get((rect.y // CELL_PX, rect.x // CELL_PX), ()):
            common = rect.intersect(one.rect)
            inside, there = common.relative_to(one.rect).slices, common.relative_to(rect).slices
            np.copyto(labels[there], one.after[inside], where=one.before[inside] != one.after[inside])
        measurer.add(np.where(np.isin(labels, ids), labels, 0), y=rect.y, x=rect.x)
    instances = measurer.instances()
    sums = np.rint(instances.centroids * instances.areas_px[:, None]).astype(np.int64)
    values = zip(
        instances.ids.tolist(), instances.areas_px.tolist(), sums.tolist(), instances.boxes.tolist(), strict=True
    )
    return {number: Extent(n, y, x, (box[0], box[1], box[2], box[3])) for number, n, (y, x), box in values}
