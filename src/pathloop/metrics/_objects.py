"""Object metrics that follow from one overlap table: matches, panoptic quality, object Dice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._ratios import ratio
from pathloop.rasters import OverlapTable

__all__ = [
    "DetectionCounts",
    "ObjectDiceSums",
    "ObjectMatches",
    "PanopticCounts",
    "match_objects",
    "object_dice",
    "panoptic_counts",
]

# Above one half a match is unique by construction (Kirillov et al. 2019, Panoptic Segmentation, section 4.1).
MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Objects found, invented and missed. Add counts to pool images; a ratio without a value is NaN.

    Parameters
    ----------
    tp, fp, fn
        Matched pairs, predicted objects without a match, true objects without a match.
    """

    tp: int
    fp: int
    fn: int

    def __add__(self, other: "DetectionCounts") -> "DetectionCounts":
        return DetectionCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); NaN where nothing was predicted."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); NaN where the truth is empty."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN where both are empty, 0 where one is."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, slots=True)
class PanopticCounts:
    """What panoptic quality is made of. Add counts to pool images; a ratio without a value is NaN.

    Parameters
    ----------
    detection
        Counts at IoU > 0.5.
    iou_sum
        Sum of the IoU of the matched pairs.
    """

    detection: DetectionCounts
    iou_sum: float

    def __add__(self, other: "PanopticCounts") -> "PanopticCounts":
        return PanopticCounts(self.detection + other.detection, self.iou_sum + other.iou_sum)

    @property
    def dq(self) -> float:
        """Detection quality: TP / (TP + FP/2 + FN/2), the same number as F1."""
        return self.detection.f1

    @property
    def sq(self) -> float:
        """Segmentation quality: mean IoU of the matched pairs; NaN where there is none."""
        return ratio(self.iou_sum, self.detection.tp)

    @property
    def pq(self) -> float:
        """DQ x SQ = sum of IoU / (TP + FP/2 + FN/2); NaN where both are empty, 0 where nothing matches."""
        counts = self.detection
        return ratio(2 * self.iou_sum, 2 * counts.tp + counts.fp + counts.fn)


@dataclass(frozen=True, slots=True)
class ObjectMatches:
    """Pairs of objects with IoU > 0.5.

    Parameters
    ----------
    pred_index, truth_index
        (K,) int64: rows of the table's ``first_ids`` and ``second_ids``; each row occurs at most once.
    ious
        (K,) float64, 0.5..1.
    """

    pred_index: NDArray[np.int64]
    truth_index: NDArray[np.int64]
    ious: NDArray[np.float64]


def match_objects(table: OverlapTable) -> ObjectMatches:
    """Match predicted and true objects whose IoU exceeds 0.5 (exactly 0.5 is no match).

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    # in whole numbers, so that rounding cannot decide a match
    matched = 2 * table.overlaps_px > table.unions_px
    return ObjectMatches(table.first_index[matched], table.second_index[matched], table.ious[matched])


def panoptic_counts(table: OverlapTable) -> PanopticCounts:
    """Counts for PQ, DQ, SQ, and for F1, precision and recall of detection from the same matches.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    matches = match_objects(table)
    tp = len(matches.ious)
    counts = DetectionCounts(tp, len(table.first_ids) - tp, len(table.second_ids) - tp)
    return PanopticCounts(counts, float(matches.ious.sum()))


@dataclass(frozen=True, slots=True)
class ObjectDiceSums:
    """Area-weighted sums of the Dice of each object with its partner. Add sums to pool images.

    Parameters
    ----------
    pred_sum, truth_sum
        Sum over the predicted (true) objects of area x Dice with the object of the other image that overlaps
        it most (0 without overlap), in pixels.
    pred_px, truth_px
        Area of all predicted (true) objects.
    """

    pred_sum: float
    truth_sum: float
    pred_px: int
    truth_px: int

    def __add__(self, other: "ObjectDiceSums") -> "ObjectDiceSums":
        return ObjectDiceSums(
            self.pred_sum + other.pred_sum,
            self.truth_sum + other.truth_sum,
            self.pred_px + other.pred_px,
            self.truth_px + other.truth_px,
        )

    @property
    def value(self) -> float:
        """Mean of both directions, 0..1; NaN where both are empty, 0 where one is."""
        if self.pred_px == 0 or self.truth_px == 0:
            return ratio(0.0, self.pred_px + self.truth_px)
        return 0.5 * (self.pred_sum / self.pred_px + self.truth_sum / self.truth_px)


def object_dice(table: OverlapTable) -> ObjectDiceSums:
    """Object-level Dice (Sirinukunwattana et al. 2017, *Gland segmentation in colon histology images*, eq. 4).

    Every object counts with its area and with its Dice to the object of the other image that overlaps it most,
    once seen from the prediction and once from the truth.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    return ObjectDiceSums(
        pred_sum=_weighted_dice(table),
        truth_sum=_weighted_dice(table.transposed()),
        pred_px=int(table.first_areas_px.sum()),
        truth_px=int(table.second_areas_px.sum()),
    )


def _weighted_dice(table: OverlapTable) -> float:
    partners, overlaps = table.best_partners()
    met = partners >= 0
    areas, partner_areas = table.first_areas_px[met], table.second_areas_px[partners[met]]
    return float((areas * (2 * overlaps[met] / (areas + partner_areas))).sum())
