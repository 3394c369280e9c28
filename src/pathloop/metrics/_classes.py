"""Metrics of objects that have classes: mPQ, mPQ+, average precision, F1 per class.

Definitions as in Graham et al. 2023, *One model is all you need*, section on evaluation metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._objects import DetectionCounts, PanopticCounts, match_objects
from pathloop.metrics._ratios import mean_defined
from pathloop.rasters import OverlapTable

__all__ = [
    "MultiClassPanoptic",
    "average_precision",
    "class_average_precision",
    "class_f1",
    "class_panoptic",
    "multi_class_panoptic",
]


@dataclass(frozen=True, slots=True)
class MultiClassPanoptic:
    """Panoptic quality over classes.

    Parameters
    ----------
    mpq
        Per image and class, then mean over the images whose truth holds the class, then mean over classes.
    mpq_plus
        Counts and IoU pooled over all images per class, then mean over classes.
    per_class
        PQ of each class as in ``mpq``; NaN where no image's truth holds the class.
    per_class_plus
        PQ of each class as in ``mpq_plus``; NaN where neither predictions nor truths hold the class.
    """

    mpq: float
    mpq_plus: float
    per_class: tuple[float, ...]
    per_class_plus: tuple[float, ...]


def class_panoptic(
    table: OverlapTable, pred_classes: NDArray[Any], truth_classes: NDArray[Any], *, n_classes: int
) -> tuple[PanopticCounts, ...]:
    """Panoptic counts of one image for each class: pairs match where IoU > 0.5 and the classes agree.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    pred_classes, truth_classes
        (N,), (M,) integer class codes in the order of the table's ids: 1 .. n_classes; 0 = no class, left out.
    n_classes
        Number of classes.
    """
    pred_classes, truth_classes = np.asarray(pred_classes), np.asarray(truth_classes)
    if pred_classes.shape != table.first_ids.shape or truth_classes.shape != table.second_ids.shape:
        raise ValueError(
            f"one class an object is needed: {len(table.first_ids)} and {len(table.second_ids)} objects, "
            f"{len(pred_classes)} and {len(truth_classes)} classes"
        )
    matches = match_objects(table)
    matched = pred_classes[matches.pred_index]
    agree = matched == truth_classes[matches.truth_index]
    tp = _per_class(matched[agree], n_classes)
    iou_sum = np.bincount(_checked(matched[agree], n_classes), matches.ious[agree], minlength=n_classes + 1)[1:]
    fp = _per_class(pred_classes, n_classes) - tp
    fn = _per_class(truth_classes, n_classes) - tp
    return tuple(
        PanopticCounts(DetectionCounts(int(tp[at]), int(fp[at]), int(fn[at])), float(iou_sum[at]))
        for at in range(n_classes)
    )


def multi_class_panoptic(images: Sequence[Sequence[PanopticCounts]]) -> MultiClassPanoptic:
    """Mean panoptic quality over classes, mPQ and mPQ+, of a set of images.

    Parameters
    ----------
    images
        ``class_panoptic`` of each image.

    Raises
    ------
    ValueError
        If there are no images or they differ in their number of classes.
    """
    if not images or len({len(image) for image in images}) != 1:
        raise ValueError("mPQ needs at least one image, and the same classes in all of them")
    per_class, per_class_plus = [], []
    for counts in zip(*images, strict=True):
        held = [part.pq for part in counts if part.detection.tp + part.detection.fn > 0]
        per_class.append(mean_defined(held))
        per_class_plus.append(sum(counts[1:], counts[0]).pq)
    return MultiClassPanoptic(
        mpq=mean_defined(per_class),
        mpq_plus=mean_defined(per_class_plus),
        per_class=tuple(per_class),
        per_class_plus=tuple(per_class_plus),
    )


def class_f1(pred_classes: NDArray[Any], truth_classes: NDArray[Any], *, n_classes: int) -> tuple[float, ...]:
    """F1 of each class, one against the rest.

    Parameters
    ----------
    pred_classes, truth_classes
        (N,) integer codes 1 .. n_classes of the same elements.
    n_classes
        Number of classes.

    Returns
    -------
    f1
        One value a class, 0..1; NaN where neither holds the class.
    """
    pred_classes, truth_classes = np.asarray(pred_classes), np.asarray(truth_classes)
    if pred_classes.shape != truth_classes.shape:
        raise ValueError(f"shapes differ: {pred_classes.shape} and {truth_classes.shape}")
    tp = _per_class(pred_classes[pred_classes == truth_classes], n_classes)
    fp = _per_class(pred_classes, n_classes) - tp
    fn = _per_class(truth_classes, n_classes) - tp
    return tuple(DetectionCounts(int(a), int(b), int(c)).f1 for a, b, c in zip(tp, fp, fn, strict=True))


def average_precision(scores: NDArray[Any], positive: NDArray[Any], *, n_positive: int | None = None) -> float:
    """AP = sum over thresholds of (Re_n - Re_{n-1}) Pr_n, without interpolation; equal scores share a threshold.

    Parameters
    ----------
    scores
        (N,) confidence that an element is of the class.
    positive
        (N,) bool: whether it is.
    n_positive
        What recall is a share of, where positives may be missing from the elements (true objects that no detection
        found); None = the positive elements.

    Returns
    -------
    ap
        0..1; NaN where nothing is positive.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if scores.shape != positive.shape or scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"one finite score an element is needed: {scores.shape} and {positive.shape}")
    n_positive = int(positive.sum()) if n_positive is None else n_positive
    if n_positive < positive.sum():
        raise ValueError(f"{int(positive.sum())} elements are positive, more than all {n_positive}")
    if n_positive == 0 or len(scores) == 0:
        return 0.0 if n_positive else float("nan")
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    tp = np.cumsum(positive[order])[last_of_ties]
    precision = tp / (last_of_ties + 1)
    recall = tp / n_positive
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def class_average_precision(probabilities: NDArray[Any], truth_classes: NDArray[Any]) -> tuple[float, ...]:
    """AP of each class, one against the rest; mAP is the mean of those that are defined.

    Parameters
    ----------
    probabilities
        (N, C) score of every element for each class.
    truth_classes
        (N,) integer codes 1 .. C of the same elements; 0 = not known, left out.

    Returns
    -------
    ap
        One value a class, 0..1; NaN where the truth does not hold the class.
    """
    scores, truth = np.asarray(probabilities, np.float64), np.asarray(truth_classes)
    if scores.ndim != 2 or truth.shape != scores.shape[:1]:
        raise ValueError(f"one row of scores an element is needed: {scores.shape} and {truth.shape}")
    n_classes = scores.shape[1]
    known = _checked(truth, n_classes) > 0
    scores, truth = scores[known], truth[known]
    return tuple(average_precision(scores[:, code - 1], truth == code) for code in range(1, n_classes + 1))


def _checked(codes: NDArray[Any], n_classes: int) -> NDArray[Any]:
    if codes.size and (codes.min() < 0 or codes.max() > n_classes):
        raise ValueError(f"class codes must lie in 0 .. {n_classes}, got {codes.min()} .. {codes.max()}")
    return codes.astype(np.int64)


def _per_class(codes: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    return np.bincount(_checked(codes, n_classes), minlength=n_classes + 1)[1:]
