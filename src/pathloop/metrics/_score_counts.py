"""Average precision of pixels by class: counted by score, since the pixels of a slide cannot be sorted in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._ratios import mean_defined

__all__ = ["ScoreCounts", "count_scores"]

_TOP = 65535
"""Scores are rounded to this share of 1; 8 and 16 bit values are exact."""

_BLOCK_PX = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """Elements by class and score.

    Parameters
    ----------
    positive, total
        (C, 65536) int64: elements that are of the class, and all, by their score for it x 65535.
    """

    positive: NDArray[np.int64]
    total: NDArray[np.int64]

    @classmethod
    def pooled(cls, parts: Sequence["ScoreCounts"]) -> "ScoreCounts":
        """The elements of several sets together.

        Raises
        ------
        ValueError
            If there is none, or they differ in their number of classes.
        """
        if not parts or len({part.total.shape for part in parts}) != 1:
            raise ValueError("scores are pooled over at least one image, with the same classes in all of them")
        return cls(sum(part.positive for part in parts), sum(part.total for part in parts))  # type: ignore[arg-type]

    @property
    def n_classes(self) -> int:
        """Classes that were scored."""
        return len(self.total)

    @property
    def average_precision(self) -> tuple[float, ...]:
        """AP of each class, one against the rest (see `average_precision`); NaN where no element is of the class."""
        return tuple(_of_counts(*both) for both in zip(self.positive, self.total, strict=True))

    @property
    def mean_average_precision(self) -> float:
        """mAP: mean over the classes that the truth holds."""
        return mean_defined(self.average_precision)


def count_scores(probabilities: NDArray[Any], truth: NDArray[Any], *, seen: NDArray[Any] | None = None) -> ScoreCounts:
    """Count the pixels of an image by the score that they have for each class.

    Parameters
    ----------
    probabilities
        (C, H, W) score of every pixel for the class codes 1 .. C: floating point 0..1 (rounded to 1/65535), or 8 or 16
        bit unsigned where the largest value means 1.
    truth
        (H, W) class codes 1 .. C; 0 = not annotated, left out.
    seen
        (H, W) bool: pixels that count; None = all.

    Raises
    ------
    ValueError
        If shapes do not fit, a code has no channel, or a score that counts is outside 0..1.
    """
    if probabilities.ndim != 3 or probabilities.shape[1:] != truth.shape:
        raise ValueError(f"one channel a class is needed: {probabilities.shape} and {truth.shape}")
    n_classes = len(probabilities)
    if truth.max(initial=0) > n_classes:
        raise ValueError(f"the truth holds class code {truth.max()}, but there are {n_classes} channels of scores")
    positive, total = np.zeros((2, n_classes, _TOP + 1), np.int64)
    step = max(1, _BLOCK_PX // max(1, truth.shape[1]))
    for top in range(0, truth.shape[0], step):
        rows = slice(top, top + step)
        counted = truth[rows] > 0
        if seen is not None:
            counted &= seen[rows]
        codes = truth[rows][counted]
        for at in range(n_classes):
            levels = _levels(probabilities[at, rows][counted])
            total[at] += np.bincount(levels, minlength=_TOP + 1)
            positive[at] += np.bincount(levels[codes == at + 1], minlength=_TOP + 1)
    return ScoreCounts(positive, total)


def _levels(scores: NDArray[Any]) -> NDArray[np.int64]:
    if scores.dtype in (np.uint8, np.uint16):
        return scores.astype(np.int64) * (_TOP // int(np.iinfo(scores.dtype).max))
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("scores must lie in 0 .. 1")
    return np.rint(scores.astype(np.float64) * _TOP).astype(np.int64)


def _of_counts(positive: NDArray[np.int64], total: NDArray[np.int64]) -> float:
    held = np.flatnonzero(total)[::-1]
    n = int(positive.sum())
    if n == 0:
        return float("nan")
    precision = np.cumsum(positive[held]) / np.cumsum(total[held])
    return float((positive[held] / n * precision).sum())
