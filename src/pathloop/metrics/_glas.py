"""The GlaS challenge's own definitions, under their own names.

Sirinukunwattana et al. 2017, *Gland segmentation in colon histology images: the GlaS challenge contest*, Medical
Image Analysis 35, section 5. The challenge pools: F1 from counts over all images, object Dice and object Hausdorff
with weights = an object's share of the area of all objects of all images. Add the parts to pool them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from pathloop.metrics._objects import DetectionCounts, ObjectDiceSums, object_dice
from pathloop.metrics._ratios import ratio
from pathloop.rasters import OverlapTable, overlap_table

__all__ = ["ObjectHausdorffSums", "glas_f1", "glas_object_dice", "glas_object_hausdorff"]


def glas_f1(table: OverlapTable) -> DetectionCounts:
    """Detection counts by the challenge's rule.

    The partner of a segmented object is the true object that it overlaps most. It is a true positive if it covers
    at least 50 % of its partner, else a false positive. True objects that no true positive covers are false
    negatives. Where two segmented objects cover exactly one half each, one of them counts (the challenge's own
    program, unlike its text, asks for more than one half, so that it counts neither).

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    partners, overlaps = table.best_partners()
    met = partners >= 0
    covered = 2 * overlaps[met] >= table.second_areas_px[partners[met]]
    tp = len(np.unique(partners[met][covered]))
    return DetectionCounts(tp, len(table.first_ids) - tp, len(table.second_ids) - tp)


def glas_object_dice(table: OverlapTable) -> ObjectDiceSums:
    """Object-level Dice; one image's value is ``object_dice``, the challenge's is that of the sum over images.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    return object_dice(table)


@dataclass(frozen=True, slots=True)
class ObjectHausdorffSums:
    """Area-weighted sums of the Hausdorff distance of each object to its partner. Add sums to pool images.

    Parameters
    ----------
    pred_sum, truth_sum
        Sum over the predicted (true) objects of area x distance in pixels.
    pred_px, truth_px
        Area of the objects that had a partner.
    without_partner
        Objects of images whose other side is empty: they have no partner at any distance, the challenge gives no
        rule for them, and they are counted here instead of being averaged.
    """

    pred_sum: float
    truth_sum: float
    pred_px: int
    truth_px: int
    without_partner: int

    def __add__(self, other: "ObjectHausdorffSums") -> "ObjectHausdorffSums":
        return ObjectHausdorffSums(
            self.pred_sum + other.pred_sum,
            self.truth_sum + other.truth_sum,
            self.pred_px + other.pred_px,
            self.truth_px + other.truth_px,
            self.without_partner + other.without_partner,
        )

    @property
    def value_px(self) -> float:
        """Mean of both directions in pixels, >= 0, lower is better; NaN where no object has a partner."""
        return 0.5 * (ratio(self.pred_sum, self.pred_px) + ratio(self.truth_sum, self.truth_px))


def glas_object_hausdorff(
    pred: NDArray[Any], truth: NDArray[Any], *, table: OverlapTable | None = None
) -> ObjectHausdorffSums:
    """Object-level Hausdorff distance.

    The partner of an object is the object of the other image that overlaps it most; where none does, the one at
    the smallest Hausdorff distance. Distances are Euclidean, between pixel centres, over all pixels of an object.

    Parameters
    ----------
    pred, truth
        (H, W) integer label images of one shape.
    table
        Their overlaps, if at hand.
    """
    table = overlap_table(pred, truth) if table is None else table
    n_pred, n_truth = len(table.first_ids), len(table.second_ids)
    if n_pred == 0 or n_truth == 0:
        return ObjectHausdorffSums(0.0, 0.0, 0, 0, n_pred + n_truth)
    distances = _Distances(_Shapes(pred, table.first_ids), _Shapes(truth, table.second_ids))
    from_pred = distances.of_partners(table.best_partners()[0])
    from_truth = distances.transposed().of_partners(table.transposed().best_partners()[0])
    return ObjectHausdorffSums(
        pred_sum=float((table.first_areas_px * from_pred).sum()),
        truth_sum=float((table.second_areas_px * from_truth).sum()),
        pred_px=int(table.first_areas_px.sum()),
        truth_px=int(table.second_areas_px.sum()),
        without_partner=0,
    )


class _Shapes:
    """The objects of one label image: their rows, boxes, pixels and outlines."""

    def __init__(self, labels: NDArray[Any], ids: NDArray[np.int64]) -> None:
        rows = np.searchsorted(ids, labels).astype(np.int32) + 1
        rows[labels == 0] = 0
        self.rows = rows
        self._slices = ndimage.find_objects(rows)
        # (N, 4): first row, first column, last row, last column
        self.boxes = np.array([[y.start, x.start, y.stop - 1, x.stop - 1] for y, x in self._slices], np.float64)
        self._trees: dict[int, KDTree] = {}

    def pixels(self, row: int) -> NDArray[np.int64]:
        """(P, 2) (y, x) of all pixels of an object."""
        mask, origin = self._mask(row)
        return np.argwhere(mask) + origin

    def outline(self, row: int) -> KDTree:
        """The pixels with a 4-neighbour outside the object: the nearest pixel from outside is one of them."""
        if row not in self._trees:
            mask, origin = self._mask(row)
            inner = ndimage.binary_erosion(mask)
            self._trees[row] = KDTree(np.argwhere(mask & ~inner) + origin)
        return self._trees[row]

    def _mask(self, row: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        y, x = self._slices[row]
        return self.rows[y, x] == row + 1, np.array([y.start, x.start])


class _Distances:
    """Hausdorff distances from the objects of one image to those of another."""

    def __init__(self, own: _Shapes, other: _Shapes, known: dict[tuple[int, int], float] | None = None) -> None:
        self.own = own
        self.other = other
        self._known = {} if known is None else known
        self._boxes = KDTree(other.boxes)

    def transposed(self) -> "_Distances":
        return _Distances(self.other, self.own, {(b, a): value for (a, b), value in self._known.items()})

    def of_partners(self, partners: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distance of each object to the partner given by row, or to the nearest object where that is -1."""
        values = [
            self.between(row, int(partner)) if partner >= 0 else self.smallest(row)
            for row, partner in enumerate(partners)
        ]
        return np.array(values, np.float64)

    def between(self, a: int, b: int) -> float:
        if (a, b) not in self._known:
            there, back = _directed(self.own, a, self.other, b), _directed(self.other, b, self.own, a)
            self._known[a, b] = max(there, back)
        return self._known[a, b]

    def smallest(self, a: int) -> float:
        """Smallest distance to any object of the other image.

        Two objects are at least as far apart as the same sides of their boxes, so candidates come in that order
        and the search ends at the first one that cannot win.
        """
        best, seen, k = np.inf, 0, 4
        while seen < len(self.other.boxes):
            k = min(k, len(self.other.boxes))
            bounds, rows = (np.atleast_1d(found) for found in self._boxes.query(self.own.boxes[a], k=k, p=np.inf))
            for bound, row in zip(bounds[seen:], rows[seen:], strict=True):
                if bound >= best:
                    return best
                best = min(best, self.between(a, int(row)))
            seen, k = k, 4 * k
        return best


def _directed(own: _Shapes, a: int, other: _Shapes, b: int) -> float:
    """Largest distance from a pixel of ``a`` to the nearest pixel of ``b``."""
    pixels = own.pixels(a)
    outside = pixels[other.rows[pixels[:, 0], pixels[:, 1]] != b + 1]
    if len(outside) == 0:
        return 0.0
    return float(other.outline(b).query(outside)[0].max())
