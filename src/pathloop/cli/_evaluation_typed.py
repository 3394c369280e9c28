"""Adds to a scored image what follows from the classes and confidences of its objects or points."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import UsageError
from pathloop.interchange import FilePair, PointTable, files_beside, read_object_classes
from pathloop.metrics import (
    ObjectScores,
    PointScores,
    Reliability,
    match_objects,
    match_points,
    rank_objects,
    rank_points,
    reliability,
    score_typed_objects,
    score_typed_points,
)
from pathloop.rasters import OverlapTable

__all__ = [
    "ClassFiles",
    "class_files",
    "missing_confidences",
    "with_object_classes",
    "with_point_classes",
    "without_unknown_types",
]

ENDINGS = ("objects", "classes", "types")


@dataclass(frozen=True, slots=True)
class ClassFiles:
    """Where the classes of one pair's objects are; None where only those of the predictions are given."""

    pred: Path
    truth: Path | None


def class_files(pairs: Sequence[FilePair], args: argparse.Namespace) -> tuple[ClassFiles | None, ...]:
    """One for each pair; None where no classes are asked for.

    Raises
    ------
    DataError
        If a pair's file is missing or ambiguous.
    UsageError
        If only the truth's classes are given.
    """
    if args.pred_classes is None and args.truth_classes is None:
        return (None,) * len(pairs)
    if args.pred_classes is None:
        raise UsageError("--truth-classes needs --pred-classes, the classes of the predicted objects")
    endings = (*ENDINGS, args.task)
    pred = files_beside(args.pred_classes, pairs, option="--pred-classes", endings=endings)
    truth: tuple[Path | None, ...] = (None,) * len(pairs)
    if args.truth_classes is not None:
        truth = files_beside(args.truth_classes, pairs, option="--truth-classes", endings=endings)
    return tuple(ClassFiles(*both) for both in zip(pred, truth, strict=True))


def with_object_classes(
    scores: ObjectScores,
    files: ClassFiles,
    labels: tuple[NDArray[Any], NDArray[Any]],
    table: OverlapTable,
    args: argparse.Namespace,
) -> ObjectScores:
    """Add classes, ranks and calibration to the scores of a label image, as far as the files have them."""
    pred = read_object_classes(files.pred, labels[0], task=args.task, code_names=args.class_names)
    confidences = pred.confidences_of(table.first_ids)
    typed = ranked = calibration = None
    if files.truth is not None:
        truth = read_object_classes(files.truth, labels[1], task=args.task, code_names=args.class_names)
        names = pred.names_of(table.first_ids), truth.names_of(table.second_ids)
        typed = score_typed_objects(table, *names, scores=confidences)
    if confidences is not None:
        ranked = rank_objects(match_objects(table).pred_index, confidences, len(table.second_ids))
        calibration = _calibration(confidences, ranked.hits)
    return replace(scores, typed=typed, ranked=ranked, calibration=calibration)


def with_point_classes(scores: PointScores, pred: PointTable, truth: PointTable, radius_px: float) -> PointScores:
    """Add classes, ranks and calibration to the scores of points, as far as the tables have them.

    Whether classes are known at all is seen from all tables together: `without_unknown_types`.
    """
    # a table without points has no scores to lack
    values = np.zeros(0) if pred.scores is None and len(pred.yx) == 0 else pred.scores
    typed = score_typed_points(pred.yx, truth.yx, pred.types, truth.types, radius_px=radius_px, scores=values)
    ranked = calibration = None
    if values is not None:
        ranked = rank_points(pred.yx, truth.yx, values, radius_px=radius_px)
        right = np.zeros(len(values), bool)
        right[match_points(pred.yx, truth.yx, radius_px=radius_px).pred_index] = True
        calibration = _calibration(values, right)
    return replace(scores, typed=typed, ranked=ranked, calibration=calibration)


def without_unknown_types(rows: Sequence[PointScores], *, known: bool) -> tuple[PointScores, ...]:
    """The rows as they are, or without types where no prediction or no truth has any."""
    return tuple(rows) if known else tuple(replace(row, typed=None) for row in rows)


def missing_confidences(rows: Sequence[ObjectScores | PointScores]) -> list[str]:
    """A note where only some images have what AP and calibration need."""
    without = [row.name for row in rows if row.ranked is None]
    if not without or len(without) == len(rows):
        return []
    images = "1 image holds" if len(without) == 1 else f"{len(without)} images hold"
    return [f"no AP, FROC, calibration: {images} predictions without confidence, {without[0]} first"]


def _calibration(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> Reliability | None:
    """None for scores that are no confidences."""
    if not ((confidences >= 0) & (confidences <= 1)).all():
        return None
    return reliability(confidences, right)
