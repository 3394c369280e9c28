"""The numbers of `pathloop evaluate` under their names: JSON and CSV for programs.

JSON, version 1, one object::

    schema   "pathloop-evaluation"
    version  1
    task     name of the task
    kind     "objects" | "points" | "classes"
    notes    list of sentences about the input
    images   list of rows, each with "name" and the columns of the CSV file
    summary  the numbers over all images
    classes  only for kind "classes": list of {code, name, dice, jaccard, precision, recall, truth_px, pred_px}

and what `_evaluation_sections` adds where the input has it: "types", "scored", "calibration", "confusion".

A number without a value (nothing to divide by) is ``null`` in JSON, empty in CSV and ``-`` in tables. Keys are only
ever added within one version.
"""

import csv
import io
import json
import math
from collections.abc import Sequence

from pathloop.cli._evaluation_sections import Evaluation, Row, nulls, sections
from pathloop.metrics import (
    FROC_RATES,
    ClassEvaluation,
    ClassScores,
    DetectionCounts,
    ObjectEvaluation,
    ObjectScores,
    PointEvaluation,
    PointScores,
)

__all__ = ["as_csv", "as_json", "class_rows", "image_row", "summary_row"]


def as_json(
    evaluation: Evaluation,
    *,
    task: str,
    notes: Sequence[str] = (),
    class_names: Sequence[str] = (),
    rates: Sequence[float] = FROC_RATES,
) -> str:
    """The evaluation as JSON text (schema in the module's docstring).

    ``class_names`` are those of the codes 1, 2, ...; ``rates`` the false positives per image of FROC.
    """
    kinds = {ObjectEvaluation: "objects", PointEvaluation: "points", ClassEvaluation: "classes"}
    content: dict[str, object] = {
        "schema": "pathloop-evaluation",
        "version": 1,
        "task": task,
        "kind": kinds[type(evaluation)],
        "notes": list(notes),
        "images": [nulls(row) for row in _image_rows(evaluation)],
        "summary": nulls(summary_row(evaluation)),
    }
    if isinstance(evaluation, ClassEvaluation):
        content["classes"] = [nulls(row) for row in class_rows(evaluation, class_names)]
    content |= sections(evaluation, class_names=class_names, rates=rates)
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def as_csv(evaluation: Evaluation) -> str:
    """One row an image, with a header line."""
    rows = [nulls(row) for row in _image_rows(evaluation)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _image_rows(evaluation: Evaluation) -> list[Row]:
    return [image_row(row) for row in evaluation.images]


def image_row(scores: ObjectScores | PointScores | ClassScores) -> Row:
    """All numbers of one image, by the names of the CSV columns."""
    if isinstance(scores, PointScores):
        return {
            "name": scores.name,
            **_detection(scores.detection),
            "mean_distance_px": _mean_distance(scores.distance_px_sum, scores.detection.tp),
        }
    if isinstance(scores, ClassScores):
        confusion = scores.confusion
        per_class = {f"dice_{code}": confusion.of_class(code).dice for code in confusion.codes}
        return {
            "name": scores.name,
            "accuracy": confusion.accuracy,
            "coverage": confusion.coverage,
            "n_px": confusion.n_compared,
            **per_class,
        }
    return _object_row(scores)


def _object_row(scores: ObjectScores) -> Row:
    pixels, objects = scores.pixels, scores.objects
    return {
        "name": scores.name,
        "n_pred": scores.n_pred,
        "n_truth": scores.n_truth,
        "dice": pixels.dice,
        "jaccard": pixels.jaccard,
        "pixel_precision": pixels.precision,
        "pixel_recall": pixels.recall,
        "conformity": pixels.conformity,
        "object_dice": scores.object_dice.value,
        "pq": objects.pq,
        "dq": objects.dq,
        "sq": objects.sq,
        **_detection(objects.detection),
        "glas_f1": scores.glas_detection.f1,
        "glas_object_hausdorff_px": scores.hausdorff.value_px if scores.hausdorff is not None else None,
        "aji": scores.aji.value,
        "pixel_accuracy": pixels.accuracy,
    }


def summary_row(evaluation: Evaluation) -> Row:
    """All numbers over all images, by the names of the JSON keys."""
    if isinstance(evaluation, PointEvaluation):
        pooled = evaluation.detection
        distance = sum(row.distance_px_sum for row in evaluation.images)
        return {
            "n_images": len(evaluation.images),
            "radius_px": evaluation.radius_px,
            **_detection(pooled),
            "mean_f1": evaluation.mean_f1,
            "mean_distance_px": _mean_distance(distance, pooled.tp),
        }
    if isinstance(evaluation, ClassEvaluation):
        confusion = evaluation.pooled
        return {
            "n_images": len(evaluation.images),
            "mean_dice": evaluation.mean_dice,
            "mean_jaccard": evaluation.mean_jaccard,
            "accuracy": confusion.accuracy,
            "coverage": confusion.coverage,
            "n_px": confusion.n_compared,
            "mf1": evaluation.mean_dice,
            "map": None if evaluation.scores is None else evaluation.scores.mean_average_precision,
        }
    return _object_summary(evaluation)


def _object_summary(evaluation: ObjectEvaluation) -> Row:
    summary = evaluation.summary
    hausdorff = summary.glas_hausdorff
    return {
        "n_images": summary.n_images,
        "n_empty_in_both": summary.n_empty,
        "dice": summary.dice,
        "object_dice": summary.object_dice,
        "pq": summary.pq,
        "jaccard": summary.jaccard,
        "pixel_precision": summary.pixel_precision,
        "pixel_recall": summary.pixel_recall,
        "conformity": summary.conformity,
        "conformity_failures": summary.conformity_failures,
        **_detection(summary.detection),
        "pq_pooled": summary.panoptic_pooled.pq,
        "dq_pooled": summary.panoptic_pooled.dq,
        "sq_pooled": summary.panoptic_pooled.sq,
        "dice_pooled": summary.pixels_pooled.dice,
        "glas_f1": summary.glas_detection.f1,
        "glas_object_dice": summary.glas_object_dice.value,
        "glas_object_hausdorff_px": hausdorff.value_px if hausdorff is not None else None,
        "glas_objects_without_partner": hausdorff.without_partner if hausdorff is not None else None,
        "aji": summary.aji,
        "aji_pooled": summary.aji_pooled.value,
        "pixel_accuracy": summary.pixel_accuracy,
        "pixel_accuracy_pooled": summary.pixels_pooled.accuracy,
    }


def class_rows(evaluation: ClassEvaluation, class_names: Sequence[str] = ()) -> list[Row]:
    """The numbers of each class over all images."""
    pooled, scores = evaluation.pooled, evaluation.scores
    precisions = () if scores is None else scores.average_precision
    rows: list[Row] = []
    for code in pooled.codes:
        counts = pooled.of_class(code)
        rows.append(
            {
                "code": code,
                **({"name": class_names[code - 1]} if code <= len(class_names) else {}),
                "dice": counts.dice,
                "jaccard": counts.jaccard,
                "precision": counts.precision,
                "recall": counts.recall,
                "truth_px": counts.tp + counts.fn,
                "pred_px": counts.tp + counts.fp,
                **({"ap": precisions[code - 1] if code <= len(precisions) else math.nan} if precisions else {}),
            }
        )
    return rows


def _detection(counts: DetectionCounts) -> Row:
    return {
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
    }


def _mean_distance(distance_sum: float, pairs: int) -> float:
    return distance_sum / pairs if pairs else math.nan
