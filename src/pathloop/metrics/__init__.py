"""Metrics of segmentation and detection: numpy in, frozen dataclasses out."""

from pathloop.metrics._agreement import DetectionAgreement, Kappa, cohen_kappa, detection_agreement
from pathloop.metrics._aji import AggregatedJaccard, aggregated_jaccard
from pathloop.metrics._bootstrap import Interval, bootstrap_gain, bootstrap_score
from pathloop.metrics._calibration import Reliability, pixel_reliability, reliability
from pathloop.metrics._class_reports import ClassEvaluation, ClassScores, score_classes
from pathloop.metrics._classes import (
    MultiClassPanoptic,
    average_precision,
    class_average_precision,
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
from pathloop.metrics._ranked import FROC_RATES, Froc, RankedDetections, rank_objects, rank_points
from pathloop.metrics._reports import (
    ObjectEvaluation,
    ObjectScores,
    ObjectSummary,
    PointEvaluation,
    PointScores,
    score_objects,
    score_points,
    summarise_objects,
)
from pathloop.metrics._score_counts import ScoreCounts, count_scores
from pathloop.metrics._typed import TypedScores, TypeSummary, score_typed_objects, score_typed_points, summarise_types

__all__ = [
    "DEFAULT_RADIUS_PX",
    "FROC_RATES",
    "AggregatedJaccard",
    "ClassConfusion",
    "ClassEvaluation",
    "ClassScores",
    "DetectionAgreement",
    "DetectionCounts",
    "Froc",
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
    "RankedDetections",
    "Reliability",
    "ScoreCounts",
    "TypeSummary",
    "TypedScores",
    "aggregated_jaccard",
    "average_precision",
    "bootstrap_gain",
    "bootstrap_score",
    "class_average_precision",
    "class_confusion",
    "class_f1",
    "class_panoptic",
    "cohen_kappa",
    "count_scores",
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
    "pixel_reliability",
    "rank_objects",
    "rank_points",
    "reliability",
    "score_classes",
    "score_objects",
    "score_points",
    "score_typed_objects",
    "score_typed_points",
    "summarise_objects",
    "summarise_types",
]
