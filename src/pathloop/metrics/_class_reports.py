"""Per-image rows of class codes and what they come to, as `pathloop evaluate` reports them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._calibration import Reliability, pixel_reliability
from pathloop.metrics._pixels import ClassConfusion, class_confusion
from pathloop.metrics._ratios import mean_defined
from pathloop.metrics._score_counts import ScoreCounts, count_scores

__all__ = ["ClassEvaluation", "ClassScores", "score_classes"]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One image of class codes.

    Parameters
    ----------
    name
        Which image.
    confusion
        Pixels by true and predicted class.
    calibration, scores
        Of the confidences of the codes, and pixels by class and score; None where there are none.
    """

    name: str
    confusion: ClassConfusion
    calibration: Reliability | None = None
    scores: ScoreCounts | None = None


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """Rows of all images of class codes."""

    images: tuple[ClassScores, ...]

    @property
    def pooled(self) -> ClassConfusion:
        """Confusion over all images."""
        return ClassConfusion.pooled([row.confusion for row in self.images])

    @property
    def scores(self) -> ScoreCounts | None:
        """Pixels by class and score over all images; None where an image has none."""
        parts = [row.scores for row in self.images if row.scores is not None]
        return ScoreCounts.pooled(parts) if parts and len(parts) == len(self.images) else None

    @property
    def mean_dice(self) -> float:
        """Mean over classes of the pooled Dice, which is mF1 of pixels; classes that occur nowhere are left out."""
        pooled = self.pooled
        return mean_defined(pooled.of_class(code).dice for code in pooled.codes)

    @property
    def mean_jaccard(self) -> float:
        """Mean over classes of the pooled Jaccard index; classes that occur nowhere are left out."""
        pooled = self.pooled
        return mean_defined(pooled.of_class(code).jaccard for code in pooled.codes)


def score_classes(
    pred: NDArray[Any],
    truth: NDArray[Any],
    *,
    name: str = "",
    confidence: NDArray[Any] | None = None,
    probabilities: NDArray[Any] | None = None,
) -> ClassScores:
    """Score one image of class codes, (H, W); code 0 (not run, not annotated) is left out on either side.

    ``confidence``, (H, W) 0..1, says how sure each predicted code is; ``probabilities``, (C, H, W), how likely each of
    the codes 1 .. C is (see `count_scores`).
    """
    calibration = None if confidence is None else pixel_reliability(pred, truth, confidence)
    scores = None if probabilities is None else count_scores(probabilities, truth, seen=np.asarray(pred) > 0)
    return ClassScores(name, class_confusion(pred, truth), calibration, scores)
