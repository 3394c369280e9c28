"""Metrics of segmentation and detection: numpy in, frozen dataclasses out."""

from pathloop.metrics._agreement import DetectionAgreement, Kappa, cohen_kappa, detection_agreement
from pathloop.metrics._bootstrap import Interval, bootstrap_gain, bootstrap_score
from pathloop.metrics._calibration import Reliability, reliability
from pathloop.metrics._classes import (
    MultiClassPanoptic,
    average_precision,
    class_f1,
    class_panoptic,
    multi_class_panoptic,
)
from pathloop.metrics._glas import ObjectHausdorffSums, glas_f1, glas_object_dice, glas_object_hausdorff
from pathloop.metrics._objects import (
    DetectionCounts,
    ObjectDiceSums,
    ObjectMatches,
    PanopticCounts,
    match_objects,
    object_dice,
    panoptic_counts,
)
from pathloop.metrics._pixels import ClassConfusion, PixelCounts, class_confusion, pixel_counts
from pathloop.metrics._points import DEFAULT_RADIUS_PX, PointMatches, label_centroids, match_points
from pathloop.metrics._reports import (
    ClassEvaluation,
    ClassScores,
    ObjectEvaluation,
    ObjectScores,
    ObjectSummary,
    PointEvaluation,
    PointScores,
    score_classes,
    score_objects,
    score_points,
    summarise_objects,
)

__all__ = [
    "DEFAULT_RADIUS_PX",
    "ClassConfusion",
    "ClassEvaluation",
    "ClassScores",
    "DetectionAgreement",
    "DetectionCounts",
    "Interval",
    "Kappa",
    "MultiClassPanoptic",
    "ObjectDiceSums",
    "ObjectEvaluation",
    "ObjectHausdorffSums",
    "ObjectMatches",
    "ObjectScores",
    "ObjectSummary",
    "PanopticCounts",
    "PixelCounts",
    "PointEvaluation",
    "PointMatches",
    "PointScores",
    "Reliability",
    "average_precision",
    "bootstrap_gain",
    "bootstrap_score",
    "class_confusion",
    "class_f1",
    "class_panoptic",
    "cohen_kappa",
    "detection_agreement",
    "glas_f1",
    "glas_object_dice",
    "glas_object_hausdorff",
    "label_centroids",
    "match_objects",
    "match_points",
    "multi_class_panoptic",
    "object_dice",
    "panoptic_counts",
    "pixel_counts",
    "reliability",
    "score_classes",
    "score_objects",
    "score_points",
    "summarise_objects",
]
