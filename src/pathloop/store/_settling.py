"""New objects that lost pixels to what stays: measured anew, or dropped."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances, Rect, TileGrid
from pathloop.rasters import LabelPyramid

__all__ = ["Losses", "settled"]

CELL_PX = 512
KEPT_SHARE = 0.5
"""A new object that loses more than this share of its pixels to what stays is dropped."""


@dataclass(slots=True)
class Losses:
    """How many pixels new objects lost, and how many lie on deleted ones; by id."""

    lost: dict[int, int] = field(default_factory=dict)
    on_deleted: dict[int, int] = field(default_factory=dict)

    def take(self, labels: NDArray[np.int32], blocked: NDArray[np.bool_] | None) -> NDArray[np.int32]:
        """Labels without the blocked pixels, which are counted."""
        if blocked is None or not blocked.any():
            return labels
        _count(self.lost, labels[blocked])
        return np.where(blocked, np.int32(0), labels)

    def note_deleted(self, labels: NDArray[np.int32], deleted: NDArray[np.bool_] | None) -> None:
        """Count pixels on deleted objects."""
        if deleted is not None:
            _count(self.on_deleted, labels[deleted])


def _count(counts: dict[int, int], labels: NDArray[np.int32]) -> None:
    ids, n = np.unique(labels[labels != 0], return_counts=True)
    for number, more in zip(ids.tolist(), n.tolist(), strict=True):
        counts[number] = counts.get(number, 0) + more


def settled(instances: Instances, losses: Losses, pyramid: LabelPyramid) -> Instances:
    """The objects as they lie in the pyramid: clipped ones measured, those that lost too much left out and erased.

    Parameters
    ----------
    instances
        By ascending id or not, measured as if nothing had been lost.
    losses
        Theirs.
    pyramid
        Holds what is left of them.
    """
    lost = np.array([losses.lost.get(number, 0) for number in instances.ids.tolist()], np.int64)
    on_deleted = np.array([losses.on_deleted.get(number, 0) for number in instances.ids.tolist()], np.int64)
    areas = instances.areas_px
    keep = (lost <= KEPT_SHARE * areas) & (on_deleted <= KEPT_SHARE * areas)
    clipped, left_over = np.flatnonzero(keep & (lost > 0)), np.flatnonzero(~keep & (lost < areas))
    if clipped.size or left_over.size:
        instances = _measured(instances, clipped, left_over, pyramid)
    return instances if keep.all() else instances.take(keep)


def _measured(
    instances: Instances, clipped: NDArray[np.intp], doomed: NDArray[np.intp], pyramid: LabelPyramid
) -> Instances:
    """Measure some rows anew and erase others; every block of the pyramid is read once."""
    order = clipped[np.argsort(instances.ids[clipped])]
    ids = instances.ids[order]
    sums = np.zeros((len(ids), 3), np.int64)  # pixels, y, x
    low, high = np.full((len(ids), 2), np.iinfo(np.int64).max), np.zeros((len(ids), 2), np.int64)
    for rect, rows in _blocks(instances.boxes, np.concatenate([order, doomed])):
        labels = pyramid.read(rect)
        gone = np.isin(labels, instances.ids[np.intersect1d(rows, doomed)])
        if gone.any():
            pyramid.write(rect, np.where(gone, np.int32(0), labels))
        y, x = np.nonzero(np.isin(labels, ids))
        place = np.searchsorted(ids, labels[y, x])
        y, x = y + rect.y, x + rect.x
        for column, values in enumerate((np.ones_like(y), y, x)):
            np.add.at(sums[:, column], place, values)
        for axis, values in enumerate((y, x)):
            np.minimum.at(low[:, axis], place, values)
            np.maximum.at(high[:, axis], place, values + 1)
    boxes, centroids, areas = instances.boxes.copy(), instances.centroids.copy(), instances.areas_px.copy()
    boxes[order], areas[order] = np.concatenate([low, high], axis=1), sums[:, 0]
    centroids[order] = sums[:, 1:] / sums[:, :1]
    return replace(instances, boxes=boxes, centroids=centroids, areas_px=areas)


def _blocks(boxes: NDArray[np.int64], rows: NDArray[np.intp]) -> Iterator[tuple[Rect, NDArray[np.intp]]]:
    """Cells of the chunk grid that some boxes meet, cut to them, and whose boxes those are."""
    cells: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        for tile in TileGrid(Rect.from_bounds(*boxes[row].tolist()), CELL_PX):
            cells.setdefault((tile.row, tile.col), []).append(row)
    for (row, col), found in sorted(cells.items()):
        low, high = boxes[found, :2].min(axis=0), boxes[found, 2:].max(axis=0)
        hull = Rect.from_bounds(*low.tolist(), *high.tolist())
        yield hull.intersect(Rect(row * CELL_PX, col * CELL_PX, CELL_PX, CELL_PX)), np.array(found, np.intp)
