"""Whether confidences are what they say: of what is called 80 % sure, 80 % should be right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._ratios import ratio

__all__ = ["Reliability", "pixel_reliability", "reliability"]

N_BINS = 15
"""Guo et al. 2017, *On calibration of modern neural networks*, ICML."""

# Pixels looked at in one go, so that a slide's confidences are never in memory as float64.
_BLOCK_PX = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """The reliability diagram of a set of elements, and what it comes to.

    Parameters
    ----------
    edges
        (bins + 1,) float64 from 0 to 1; a bin holds its upper edge, the first one 0 as well.
    counts
        (bins,) int64 elements of each bin.
    confidence, accuracy
        (bins,) float64: mean confidence and share of right ones; NaN in an empty bin.
    brier
        Mean squared difference of confidence and being right (Brier 1950), 0..1; NaN without elements.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    brier: float

    @classmethod
    def pooled(cls, parts: Sequence["Reliability"]) -> "Reliability":
        """The diagram of the elements of several ones.

        Raises
        ------
        ValueError
            If there is none, or their bins differ.
        """
        if not parts or any(not np.array_equal(part.edges, parts[0].edges) for part in parts):
            raise ValueError("reliability is pooled over at least one diagram, all with the same bins")
        counts = np.sum([part.counts for part in parts], axis=0)
        with np.errstate(invalid="ignore"):
            confidence = np.nansum([part.counts * part.confidence for part in parts], axis=0) / counts
            accuracy = np.nansum([part.counts * part.accuracy for part in parts], axis=0) / counts
        brier = ratio(sum(part.n * part.brier for part in parts if part.n), int(counts.sum()))
        return cls(parts[0].edges, counts, confidence, accuracy, brier)

    @property
    def n(self) -> int:
        """Elements."""
        return int(self.counts.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error: the bins' gaps, weighted by their elements (Guo et al. 2017, equation 3)."""
        held = self.counts > 0
        return ratio(float((self.counts[held] * self._gaps[held]).sum()), self.n)

    @property
    def mce(self) -> float:
        """Maximum calibration error: the largest gap of a bin (Guo et al. 2017, equation 5); NaN without elements."""
        return float(np.nanmax(self._gaps)) if self.n else float("nan")

    @property
    def _gaps(self) -> NDArray[np.float64]:
        return np.abs(self.accuracy - self.confidence)


def reliability(confidence: NDArray[Any], right: NDArray[Any], *, n_bins: int = N_BINS) -> Reliability:
    """Compare confidences with how often they are right, in bins of equal width.

    Parameters
    ----------
    confidence
        (N,) 0..1: how sure a model is of each element, for example of an object being one or of a class.
    right
        (N,) bool: whether the element is; or 0..1, which share of it is.
    n_bins
        Bins between 0 and 1.

    Raises
    ------
    ValueError
        If shapes differ, a confidence or share is outside 0..1, or there is no bin.
    """
    values, hits = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if values.ndim != 1 or values.shape != hits.shape:
        raise ValueError(f"one confidence an element is needed: {values.shape} and {hits.shape}")
    if n_bins < 1:
        raise ValueError(f"at least one bin is needed, got {n_bins}")
    if not all(((one >= 0) & (one <= 1)).all() for one in (values, hits)):
        raise ValueError("confidences, and shares that are right, must lie in 0 .. 1")
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, n_bins - 1)
    counts = np.bincount(place, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, values, minlength=n_bins) / counts
        accuracy = np.bincount(place, hits, minlength=n_bins) / counts
    return Reliability(edges, counts, mean, accuracy, ratio(float(((values - hits) ** 2).sum()), len(values)))


def pixel_reliability(
    pred: NDArray[Any], truth: NDArray[Any], confidence: NDArray[Any], *, n_bins: int = N_BINS
) -> Reliability:
    """Compare confidences of predicted class codes with how often the codes are right.

    Pixels whose predicted or true code is 0 are left out, as in `class_confusion`.

    Parameters
    ----------
    pred, truth
        (H, W) integer images of class codes, of one shape.
    confidence
        (H, W) 0..1: how sure the model is of the predicted code; what it is at left-out pixels does not matter.
    n_bins
        Bins between 0 and 1.

    Raises
    ------
    ValueError
        If shapes differ, or a confidence that counts is outside 0..1.
    """
    if not pred.shape == truth.shape == confidence.shape or pred.ndim != 2:
        raise ValueError(f"shapes differ: {pred.shape}, {truth.shape} and {confidence.shape}")
    step = max(1, _BLOCK_PX // max(1, pred.shape[1]))
    parts = []
    for top in range(0, max(1, pred.shape[0]), step):
        found, true = pred[top : top + step], truth[top : top + step]
        seen = (found > 0) & (true > 0)
        parts.append(reliability(confidence[top : top + step][seen], (found == true)[seen], n_bins=n_bins))
    return Reliability.pooled(parts)
