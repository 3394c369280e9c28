"""The parts of an evaluation that only some input has: classes of objects, scores, confidences, confusion.

Of the JSON of `pathloop evaluate`, each key only where it applies::

    types        objects or points whose classes are known in both:
                 n_unknown, mpq, mpq_plus, mf1, mf1_matched, accuracy_matched, map,
                 classes: list of {class, n_truth, n_pred, tp, fp, fn, f1, precision, recall, pq, pq_plus, dq_plus,
                 sq_plus, f1_matched, ap}, confusion
    scored       predictions that have scores: ap, froc: list of {false_positives_per_image, sensitivity}, froc_score
    calibration  predictions that have confidences 0..1: n, ece, mce, brier,
                 bins: list of {low, high, n, confidence, accuracy}
    confusion    kind "classes": codes, classes, matrix (row = truth, column = prediction)
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pathloop.metrics import (
    ClassConfusion,
    ClassEvaluation,
    ObjectEvaluation,
    PointEvaluation,
    RankedDetections,
    Reliability,
    TypeSummary,
    summarise_types,
)

__all__ = ["Evaluation", "Row", "Section", "Value", "nulls", "sections"]

Evaluation = ObjectEvaluation | PointEvaluation | ClassEvaluation
Value = str | int | float | None
Row = dict[str, Value]
Section = dict[str, Any]


def sections(evaluation: Evaluation, *, class_names: Sequence[str], rates: Sequence[float]) -> dict[str, Section]:
    """What applies, by the names of the JSON keys."""
    found: dict[str, Section] = {}
    if isinstance(evaluation, ClassEvaluation):
        pooled = evaluation.pooled
        found["confusion"] = {"codes": list(pooled.codes)} | _confusion(
            pooled, [class_names[code - 1] if code <= len(class_names) else str(code) for code in pooled.codes]
        )
    else:
        typed = [row.typed for row in evaluation.images if row.typed is not None]
        if typed and len(typed) == len(evaluation.images):
            found["types"] = _types(summarise_types(typed, order=class_names))
        ranked = RankedDetections.pooled_if_all([row.ranked for row in evaluation.images])
        if ranked is not None:
            found["scored"] = _scored(ranked, rates)
    parts = [row.calibration for row in evaluation.images if row.calibration is not None]
    if parts and len(parts) == len(evaluation.images) and any(part.n for part in parts):
        found["calibration"] = _calibration(Reliability.pooled(parts))
    return found


def nulls(row: Mapping[str, Value]) -> Row:
    """The row with None for NaN."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}


def _types(summary: TypeSummary) -> Section:
    panoptic = summary.panoptic
    return {
        **nulls(
            {
                "n_unknown": summary.n_unknown,
                "mpq": panoptic.mpq if panoptic else None,
                "mpq_plus": panoptic.mpq_plus if panoptic else None,
                "mf1": summary.mean_f1,
                "mf1_matched": summary.mean_matched_f1,
                "accuracy_matched": summary.confusion.accuracy,
                "map": summary.mean_average_precision,
            }
        ),
        "classes": [_type_row(summary, at) for at in range(len(summary.classes))],
        "confusion": _confusion(summary.confusion, summary.classes),
    }


def _type_row(summary: TypeSummary, at: int) -> Row:
    counts = summary.detection[at]
    row: Row = {
        "class": summary.classes[at],
        "n_truth": counts.tp + counts.fn,
        "n_pred": counts.tp + counts.fp,
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
    }
    if summary.panoptic is not None:
        pooled = summary.panoptic_pooled[at]
        row |= {"pq": summary.panoptic.per_class[at], "pq_plus": pooled.pq, "dq_plus": pooled.dq, "sq_plus": pooled.sq}
    row["f1_matched"] = summary.matched_f1[at]
    if summary.average_precision:
        row["ap"] = summary.average_precision[at]
    return nulls(row)


def _confusion(confusion: ClassConfusion, names: Sequence[str]) -> Section:
    return {"classes": list(names), "matrix": confusion.matrix.tolist()}


def _scored(ranked: RankedDetections, rates: Sequence[float]) -> Section:
    froc = ranked.froc
    points = [
        nulls({"false_positives_per_image": float(rate), "sensitivity": value})
        for rate, value in zip(rates, froc.at(rates), strict=True)
    ]
    return {**nulls({"ap": ranked.average_precision, "froc_score": froc.score(rates)}), "froc": points}


def _calibration(found: Reliability) -> Section:
    bins = [
        nulls(
            {
                "low": float(found.edges[at]),
                "high": float(found.edges[at + 1]),
                "n": int(found.counts[at]),
                "confidence": float(found.confidence[at]),
                "accuracy": float(found.accuracy[at]),
            }
        )
        for at in range(len(found.counts))
    ]
    return {**nulls({"n": found.n, "ece": found.ece, "mce": found.mce, "brier": found.brier}), "bins": bins}
