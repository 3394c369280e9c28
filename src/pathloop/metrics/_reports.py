"""Per-image rows and their summaries, as `pathloop evaluate` and the comparison of models report them.

Rules (they hold for every row and summary): no size filter; an image that is empty in both is left out of every
mean; an image that is empty in one of the two scores 0; a ratio whose denominator is 0 is NaN and left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pathloop.metrics._aji import AggregatedJaccard, aggregated_jaccard
from pathloop.metrics._calibration import Reliability
from pathloop.metrics._glas import ObjectHausdorffSums, glas_f1, glas_object_dice, glas_object_hausdorff
from pathloop.metrics._objects import DetectionCounts, ObjectDiceSums, PanopticCounts, panoptic_counts
from pathloop.metrics._pixels import PixelCounts
from pathloop.metrics._points import match_points
from pathloop.metrics._ranked import RankedDetections
from pathloop.metrics._ratios import mean_defined
from pathloop.metrics._typed import TypedScores
from pathloop.rasters import OverlapTable, overlap_table

__all__ = [
    "ObjectEvaluation",
    "ObjectScores",
    "ObjectSummary",
    "PointEvaluation",
    "PointScores",
    "score_objects",
    "score_points",
    "summarise_objects",
]


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """One image of objects.

    Parameters
    ----------
    name
        Which image.
    pixels
        Foreground pixels.
    objects
        Matches at IoU > 0.5.
    glas_detection
        Matches by the GlaS challenge's rule.
    object_dice
        Sums of the object Dice; ``object_dice.value`` is the image's.
    hausdorff
        Sums of the object Hausdorff distance; None where it was not asked for.
    aji
        Sums of the aggregated Jaccard index.
    typed
        What goes by class; None where classes are not known.
    ranked, calibration
        Matches by confidence, and whether confidences are how often objects are right; None where unknown.
    """

    name: str
    pixels: PixelCounts
    objects: PanopticCounts
    glas_detection: DetectionCounts
    object_dice: ObjectDiceSums
    aji: AggregatedJaccard
    hausdorff: ObjectHausdorffSums | None = None
    typed: TypedScores | None = None
    ranked: RankedDetections | None = None
    calibration: Reliability | None = None

    @property
    def n_pred(self) -> int:
        """Predicted objects."""
        return self.objects.detection.tp + self.objects.detection.fp

    @property
    def n_truth(self) -> int:
        """True objects."""
        return self.objects.detection.tp + self.objects.detection.fn


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """What a set of images of objects comes to.

    Parameters
    ----------
    n_images, n_empty
        Images, and those among them that are empty in both and in no mean.
    dice, jaccard, pixel_precision, pixel_recall, conformity
        Means over images of the pixel metrics.
    conformity_failures
        Images with foreground but none in common: conformity has no value there.
    object_dice, pq, aji, pixel_accuracy
        Means over images.
    detection
        Counts at IoU > 0.5 pooled over images: F1, precision, recall.
    panoptic_pooled
        PQ, DQ, SQ from the pooled counts.
    pixels_pooled
        Dice, ... from the pooled pixels.
    aji_pooled
        From the pooled intersections and unions.
    glas_detection, glas_object_dice, glas_hausdorff
        The GlaS challenge's definitions, pooled as the challenge pools them; the last is None where not asked for.
    """

    n_images: int
    n_empty: int
    dice: float
    jaccard: float
    pixel_precision: float
    pixel_recall: float
    conformity: float
    conformity_failures: int
    object_dice: float
    pq: float
    aji: float
    pixel_accuracy: float
    detection: DetectionCounts
    panoptic_pooled: PanopticCounts
    pixels_pooled: PixelCounts
    aji_pooled: AggregatedJaccard
    glas_detection: DetectionCounts
    glas_object_dice: ObjectDiceSums
    glas_hausdorff: ObjectHausdorffSums | None


@dataclass(frozen=True, slots=True)
class ObjectEvaluation:
    """Rows of all images of objects."""

    images: tuple[ObjectScores, ...]

    @property
    def summary(self) -> ObjectSummary:
        """What the rows come to."""
        return summarise_objects(self.images)


@dataclass(frozen=True, slots=True)
class PointScores:
    """One image whose truth is points.

    Parameters
    ----------
    name
        Which image.
    detection
        Found, invented and missed points.
    distance_px_sum
        Sum of the distances of the matched pairs.
    typed, ranked, calibration
        As in `ObjectScores`.
    """

    name: str
    detection: DetectionCounts
    distance_px_sum: float
    typed: TypedScores | None = None
    ranked: RankedDetections | None = None
    calibration: Reliability | None = None


@dataclass(frozen=True, slots=True)
class PointEvaluation:
    """Rows of all images whose truth is points, at one radius in pixels."""

    images: tuple[PointScores, ...]
    radius_px: float

    @property
    def detection(self) -> DetectionCounts:
        """Counts pooled over images."""
        return sum((row.detection for row in self.images), DetectionCounts(0, 0, 0))

    @property
    def mean_f1(self) -> float:
        """Mean F1 over the images that are not empty in both."""
        return mean_defined(row.detection.f1 for row in self.images)


def score_objects(
    pred: NDArray[Any],
    truth: NDArray[Any],
    *,
    name: str = "",
    hausdorff: bool = False,
    table: OverlapTable | None = None,
) -> ObjectScores:
    """Score one predicted label image.

    Parameters
    ----------
    pred, truth
        (H, W) integer label images of one shape; 0 = background; ids need not be consecutive.
    name
        Which image, for the row.
    hausdorff
        Also compute the object Hausdorff distance, by far the slowest part.
    table
        Their overlaps, if at hand.

    Raises
    ------
    UsageError
        If the images are no label images or differ in shape.
    """
    table = overlap_table(pred, truth) if table is None else table
    return ObjectScores(
        name=name,
        pixels=PixelCounts.of_table(table),
        objects=panoptic_counts(table),
        glas_detection=glas_f1(table),
        object_dice=glas_object_dice(table),
        aji=aggregated_jaccard(table),
        hausdorff=glas_object_hausdorff(pred, truth, table=table) if hausdorff else None,
    )


def score_points(pred: NDArray[Any], truth: NDArray[Any], *, radius_px: float, name: str = "") -> PointScores:
    """Score predicted centres, (N, 2) (y, x), against annotated ones, (M, 2)."""
    matches = match_points(pred, truth, radius_px=radius_px)
    return PointScores(name, matches.counts, float(matches.distances_px.sum()))


def summarise_objects(images: Sequence[ObjectScores]) -> ObjectSummary:
    """Sum up rows; any choice of rows will do, so that a bootstrap may draw them again and again."""
    pixels = [row.pixels for row in images]
    panoptic = sum((row.objects for row in images), PanopticCounts(DetectionCounts(0, 0, 0), 0.0))
    hausdorff = [row.hausdorff for row in images if row.hausdorff is not None]
    return ObjectSummary(
        n_images=len(images),
        n_empty=sum(counts.is_empty for counts in pixels),
        dice=mean_defined(counts.dice for counts in pixels),
        jaccard=mean_defined(counts.jaccard for counts in pixels),
        pixel_precision=mean_defined(counts.precision for counts in pixels),
        pixel_recall=mean_defined(counts.recall for counts in pixels),
        conformity=mean_defined(counts.conformity for counts in pixels),
        conformity_failures=sum(counts.is_failure for counts in pixels),
        object_dice=mean_defined(row.object_dice.value for row in images),
        pq=mean_defined(row.objects.pq for row in images),
        aji=mean_defined(row.aji.value for row in images),
        # of an image that is empty in both it is 1, which says nothing of objects
        pixel_accuracy=mean_defined(counts.accuracy for counts in pixels if not counts.is_empty),
        detection=panoptic.detection,
        panoptic_pooled=panoptic,
        pixels_pooled=sum(pixels, PixelCounts(0, 0, 0, 0)),
        aji_pooled=sum((row.aji for row in images), AggregatedJaccard(0, 0)),
        glas_detection=sum((row.glas_detection for row in images), DetectionCounts(0, 0, 0)),
        glas_object_dice=sum((row.object_dice for row in images), ObjectDiceSums(0.0, 0.0, 0, 0)),
        glas_hausdorff=sum(hausdorff, ObjectHausdorffSums(0.0, 0.0, 0, 0, 0)) if hausdorff else None,
    )
