"""One line on each number that `pathloop evaluate` prints."""

from collections.abc import Mapping

from pathloop.cli._evaluation_sections import Evaluation, Section
from pathloop.metrics import ObjectEvaluation, PointEvaluation

__all__ = ["meanings"]

_OBJECTS = {
    "Dice": "2 TP / (2 TP + FP + FN) over the pixels of all objects together",
    "object Dice": "Dice of each object with the one that overlaps it most, weighted by area, both ways",
    "PQ = DQ x SQ": "panoptic quality: F1 of the objects times the mean IoU of those matched (IoU > 0.5)",
    "Jaccard": "TP / (TP + FP + FN) over pixels",
    "conformity": "1 - (FP + FN) / TP over pixels: 1 is perfect, below 0 more pixels are wrong than found",
    "AJI": "aggregated Jaccard index: pixels in common over pixels of both, object by object",
    "pixel accuracy": "share of all pixels, background included, that are right; high wherever objects are few",
    "F1": "2 TP / (2 TP + FP + FN) over objects, matched at IoU > 0.5",
    "precision, recall": "share of the predictions that are right, share of the truths that are found",
    "glas_f1": "as F1, but found where at least half of the true object is covered",
    "glas_object_dice": "object Dice, weighted over all images at once",
}
_HAUSDORFF = {"glas_object_hausdorff": "largest distance of an outline from its partner's, in pixels; lower is better"}
_POINTS = {
    "F1": "2 TP / (2 TP + FP + FN) over points, matched one to one within the radius",
    "precision, recall": "share of the predictions that are right, share of the truths that are found",
    "mean distance": "of the matched pairs",
}
_CLASSES = {
    "Dice": "of a class: 2 TP / (2 TP + FP + FN) over its pixels, which is its F1: mean Dice and mF1 are one number",
    "Jaccard": "TP / (TP + FP + FN) over the pixels of a class",
    "accuracy": "share of the compared pixels whose class is right; common classes decide it",
}
_PROBABILITIES = {"mAP": "area under precision over recall as the probability of a class falls, mean over classes"}
_SECTIONS = {
    "types": {
        "mPQ": "PQ of a class in each image that truly holds it, mean over images, then over classes",
        "mPQ+": "PQ of a class from the counts of all images together (pq_plus), then mean over classes",
        "mF1": "F1 of a class over all images, mean over classes; for pairs: of their classes alone",
        "mAP": "AP of a class, mean over classes",
    },
    "scored": {
        "AP": "area under precision over recall as the score falls, not interpolated",
        "FROC": "sensitivity: share of the truths found, at the lowest score that brings no more false positives",
    },
    "calibration": {
        "ECE": "mean gap between confidence and share of right ones, over 15 bins; 0 is honest",
        "MCE": "the largest gap of a bin",
        "Brier": "mean squared difference between confidence and being right; lower is better",
    },
    "confusion": {},
}


def meanings(evaluation: Evaluation, sections: Mapping[str, Section]) -> str:
    """A block of lines for the numbers of an evaluation and of the sections that it has."""
    if isinstance(evaluation, ObjectEvaluation):
        asked = any(row.hausdorff is not None for row in evaluation.images)
        lines = _OBJECTS | (_HAUSDORFF if asked else {})
    elif isinstance(evaluation, PointEvaluation):
        lines = dict(_POINTS)
    else:
        lines = _CLASSES | (_PROBABILITIES if evaluation.scores is not None else {})
    for name in sections:
        lines |= _SECTIONS[name]
    if "types" in sections:
        absent = {"mPQ": "mpq", "mPQ+": "mpq_plus", "mAP": "map"}
        for name, key in absent.items():
            if sections["types"][key] is None:
                del lines[name]
    width = max(len(name) for name in lines)
    return "\n".join(["what the numbers say", *(f"  {name:<{width}}  {text}" for name, text in lines.items())])
