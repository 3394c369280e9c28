"""Objects and points with a class: what is counted per image, and what it comes to over images.

The class of an element is a name; "" = not known. Every class is scored alone: a match needs the class too. A
predicted element that is matched with a true one of unknown class is in no number here, since nobody knows its class;
neither are elements of unknown class themselves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._classes import MultiClassPanoptic, class_f1, class_panoptic, multi_class_panoptic
from pathloop.metrics._objects import DetectionCounts, PanopticCounts, match_objects
from pathloop.metrics._pixels import ClassConfusion
from pathloop.metrics._points import match_points
from pathloop.metrics._ranked import RankedDetections, rank_objects, rank_points
from pathloop.metrics._ratios import mean_defined
from pathloop.rasters import OverlapTable

__all__ = [
    "TypeSummary",
    "TypedScores",
    "score_typed_objects",
    "score_typed_points",
    "summarise_types",
]

_NO_OBJECTS = PanopticCounts(DetectionCounts(0, 0, 0), 0.0)


@dataclass(frozen=True, slots=True)
class TypedScores:
    """One image of elements that have classes.

    Parameters
    ----------
    detection
        By class: elements found, invented and missed.
    panoptic
        By class; empty for points.
    pairs
        By (true, predicted) class: elements that are matched whatever their classes are.
    n_unknown
        True elements of unknown class.
    ranked
        By class; empty without scores.
    """

    detection: Mapping[str, DetectionCounts]
    panoptic: Mapping[str, PanopticCounts]
    pairs: Mapping[tuple[str, str], int]
    n_unknown: int
    ranked: Mapping[str, RankedDetections] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TypeSummary:
    """What a set of images of elements with classes comes to.

    Parameters
    ----------
    classes
        Names; everything below that goes by class is in their order.
    detection
        Counts pooled over images.
    panoptic
        mPQ and mPQ+; None for points.
    panoptic_pooled
        Counts of mPQ+ by class; empty for points.
    confusion
        Matched elements by true and predicted class; code k is ``classes[k - 1]``.
    matched_f1
        F1 of each class among the matched elements, one against the rest; NaN where neither side holds it.
    average_precision
        AP of detection by class; empty where an image has no scores.
    n_unknown
        True elements of unknown class.
    """

    classes: tuple[str, ...]
    detection: tuple[DetectionCounts, ...]
    panoptic: MultiClassPanoptic | None
    panoptic_pooled: tuple[PanopticCounts, ...]
    confusion: ClassConfusion
    matched_f1: tuple[float, ...]
    average_precision: tuple[float, ...]
    n_unknown: int

    @property
    def mean_f1(self) -> float:
        """mF1: mean over classes of the F1 of detection, where a match needs the class too."""
        return mean_defined(counts.f1 for counts in self.detection)

    @property
    def mean_matched_f1(self) -> float:
        """Mean over classes of the F1 of classification among matched elements."""
        return mean_defined(self.matched_f1)

    @property
    def mean_average_precision(self) -> float:
        """mAP: mean over the classes that the truth holds; NaN without scores."""
        return mean_defined(self.average_precision)


def score_typed_objects(
    table: OverlapTable,
    pred_classes: Sequence[str],
    truth_classes: Sequence[str],
    *,
    scores: NDArray[Any] | None = None,
) -> TypedScores:
    """Score one label image whose objects have classes; pairs match where IoU > 0.5.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    pred_classes, truth_classes
        A name for each of the table's ids; "" = not known.
    scores
        (N,) finite confidence of each predicted object, for AP.
    """
    matches = match_objects(table)
    pred, truth = _names(pred_classes), _names(truth_classes)
    if pred.shape != table.first_ids.shape or truth.shape != table.second_ids.shape:
        raise ValueError("one class an object is needed")
    pairs = np.stack([matches.pred_index, matches.truth_index])
    pred = _without_verdict(pred, truth, pairs)
    classes = _held(pred, truth)
    codes = _codes(pred, classes), _codes(truth, classes)
    panoptic = class_panoptic(table, *codes, n_classes=len(classes))
    ranked = {}
    if scores is not None:
        right = np.zeros(len(pred), bool)
        right[pairs[0]] = pred[pairs[0]] == truth[pairs[1]]
        for name in classes:
            own = pred == name
            ranked[name] = rank_objects(np.flatnonzero(right[own]), np.asarray(scores)[own], int((truth == name).sum()))
    return TypedScores(
        detection={name: counts.detection for name, counts in zip(classes, panoptic, strict=True)},
        panoptic=dict(zip(classes, panoptic, strict=True)),
        pairs=_pair_counts(pred, truth, pairs),
        n_unknown=int((truth == "").sum()),
        ranked=ranked,
    )


def score_typed_points(
    pred: NDArray[Any],
    truth: NDArray[Any],
    pred_classes: Sequence[str],
    truth_classes: Sequence[str],
    *,
    radius_px: float,
    scores: NDArray[Any] | None = None,
) -> TypedScores:
    """Score points that have classes: the points of every class are matched by themselves.

    Parameters
    ----------
    pred, truth
        (N, 2), (M, 2): (y, x) in pixels.
    pred_classes, truth_classes
        A name for each; "" = not known.
    radius_px
        Largest distance of a pair, inclusive.
    scores
        (N,) finite confidence of each predicted point, for AP.
    """
    names, true_names = _names(pred_classes), _names(truth_classes)
    matches = match_points(pred, truth, radius_px=radius_px)
    pairs = np.stack([matches.pred_index, matches.truth_index])
    names = _without_verdict(names, true_names, pairs)
    detection, ranked = {}, {}
    for name in _held(names, true_names):
        own, true = np.asarray(pred)[names == name], np.asarray(truth)[true_names == name]
        detection[name] = match_points(own, true, radius_px=radius_px).counts
        if scores is not None:
            ranked[name] = rank_points(own, true, np.asarray(scores)[names == name], radius_px=radius_px)
    return TypedScores(detection, {}, _pair_counts(names, true_names, pairs), int((true_names == "").sum()), ranked)


def summarise_types(images: Sequence[TypedScores], *, order: Sequence[str] = ()) -> TypeSummary:
    """Sum up rows.

    Parameters
    ----------
    images
        All of objects, or all of points.
    order
        Classes that come first, in this order, as far as they occur; the others follow by name.
    """
    held = {name for row in images for name in row.detection} | {
        n for row in images for pair in row.pairs for n in pair
    }
    classes = (*(name for name in dict.fromkeys(order) if name in held), *sorted(held - set(order)))
    counts = [[row.panoptic.get(name, _NO_OBJECTS) for name in classes] for row in images]
    of_objects = any(row.panoptic for row in images)
    confusion = _confusion(images, classes)
    # part of a ranking would be no ranking
    with_scores = all(row.ranked.keys() == row.detection.keys() for row in images)
    n = len(classes)
    true, found = (np.repeat(codes, confusion.matrix.ravel()) for codes in np.indices((n, n)).reshape(2, -1) + 1)
    return TypeSummary(
        classes=classes,
        detection=tuple(
            sum((row.detection.get(name, _NO_OBJECTS.detection) for row in images), _NO_OBJECTS.detection)
            for name in classes
        ),
        panoptic=multi_class_panoptic(counts) if of_objects else None,
        panoptic_pooled=tuple(sum(column, _NO_OBJECTS) for column in zip(*counts, strict=True)) if of_objects else (),
        confusion=confusion,
        matched_f1=class_f1(found, true, n_classes=n),
        average_precision=tuple(_pooled_ap(images, name) for name in classes) if with_scores else (),
        n_unknown=sum(row.n_unknown for row in images),
    )


def _pooled_ap(images: Sequence[TypedScores], name: str) -> float:
    return RankedDetections.pooled([row.ranked[name] for row in images if name in row.ranked]).average_precision


def _confusion(images: Sequence[TypedScores], classes: tuple[str, ...]) -> ClassConfusion:
    code = {name: at for at, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for row in images:
        for (true, found), n in row.pairs.items():
            matrix[code[true], code[found]] += n
    return ClassConfusion(tuple(range(1, len(classes) + 1)), matrix, int(matrix.sum()))


def _names(classes: Sequence[str]) -> NDArray[Any]:
    return np.array(list(classes), object)


def _without_verdict(pred: NDArray[Any], truth: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[Any]:
    """Predicted names, "" where the true partner's class is not known."""
    out = pred.copy()
    out[pairs[0][truth[pairs[1]] == ""]] = ""
    return out


def _held(pred: NDArray[Any], truth: NDArray[Any]) -> list[str]:
    return sorted({*pred.tolist(), *truth.tolist()} - {""})


def _codes(names: NDArray[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    code = {"": 0} | {name: at for at, name in enumerate(classes, start=1)}
    return np.array([code[name] for name in names], np.int64)


def _pair_counts(pred: NDArray[Any], truth: NDArray[Any], pairs: NDArray[np.int64]) -> dict[tuple[str, str], int]:
    both = zip(truth[pairs[1]].tolist(), pred[pairs[0]].tolist(), strict=True)
    return dict(Counter((true, found) for true, found in both if true and found))
