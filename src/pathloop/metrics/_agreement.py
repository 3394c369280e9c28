"""Agreement between two readers, neither of whom is the truth: kappa of classes, agreement of detections."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._objects import DetectionCounts

__all__ = ["DetectionAgreement", "Kappa", "cohen_kappa", "detection_agreement"]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa: agreement beyond what chance alone would give.

    Parameters
    ----------
    value
        -1..1; 1 = full agreement, 0 = as by chance; NaN where nothing was compared, or both readers used one and the
        same class throughout (chance alone agrees fully then).
    standard_error
        Large-sample standard error; 0 for full agreement, however few elements there are.
    low, high
        Confidence interval, cut to -1..1.
    n
        Elements that were compared.
    observed, expected
        Share of elements on which the readers agree, and the share that chance would give; NaN for n = 0.
    """

    value: float
    standard_error: float
    low: float
    high: float
    n: int
    observed: float
    expected: float


def cohen_kappa(matrix: NDArray[Any], *, confidence: float = CONFIDENCE) -> Kappa:
    """Unweighted kappa of two readers, with its large-sample interval.

    kappa = (p_o - p_e) / (1 - p_e) after Cohen 1960 (*A coefficient of agreement for nominal scales*, Educational and
    Psychological Measurement 20, 37-46); its standard error after Fleiss, Cohen and Everitt 1969 (*Large sample
    standard errors of kappa and weighted kappa*, Psychological Bulletin 72, 323-327, equation 13). The interval
    supposes elements that are independent of each other; pixels are not.

    Parameters
    ----------
    matrix
        (C, C) counts >= 0: elements by the first reader's class (row) and the second's (column). The matrix of a
        `ClassConfusion` will do: exchanging the readers changes nothing.
    confidence
        Of the interval, between 0 and 1.

    Raises
    ------
    ValueError
        If the matrix is not square, or holds negative counts.
    """
    counts = np.asarray(matrix, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any():
        raise ValueError(f"kappa needs a square matrix of counts, got shape {counts.shape}")
    n = counts.sum()
    if n == 0:
        return Kappa(math.nan, math.nan, math.nan, math.nan, 0, math.nan, math.nan)
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float(np.trace(p)), float(rows @ columns)
    # counted, not reckoned: rounding must not turn "one class only" into a number
    if np.count_nonzero(counts.sum(axis=0) + counts.sum(axis=1)) == 1:
        return Kappa(math.nan, math.nan, math.nan, math.nan, int(n), observed, expected)
    value = (observed - expected) / (1 - expected)
    error = math.sqrt(max(_variance(p, rows, columns, value, expected), 0.0) / n)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Kappa(value, error, max(value - reach, -1.0), min(value + reach, 1.0), int(n), observed, expected)


def _variance(
    p: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64], kappa: float, expected: float
) -> float:
    """Fleiss, Cohen and Everitt's equation 13, times the number of elements."""
    rest = 1 - kappa
    off = p * (columns[:, None] + rows[None, :]) ** 2
    np.fill_diagonal(off, 0.0)
    on = np.diag(p) * (1 - (rows + columns) * rest) ** 2
    return float((on.sum() + rest**2 * off.sum() - (kappa - expected * rest) ** 2) / (1 - expected) ** 2)


@dataclass(frozen=True, slots=True)
class DetectionAgreement:
    """How far two readers find the same objects.

    Parameters
    ----------
    value
        Positive specific agreement 2 a / (2 a + b + c), which is F1 and DQ, 0..1; NaN where neither found anything.
    low, high
        Confidence interval.
    n
        Objects that at least one of them found.
    """

    value: float
    low: float
    high: float
    n: int


def detection_agreement(counts: DetectionCounts, *, confidence: float = CONFIDENCE) -> DetectionAgreement:
    """Agreement of detections, with an interval.

    There is no kappa of detections: what neither reader found cannot be counted. With ever more of it kappa becomes
    the positive specific agreement, which is F1 (Hripcsak and Rothschild 2005, *Agreement, the F-measure, and
    reliability in information retrieval*, JAMIA 12, 296-298). F1 = 2 J / (1 + J) grows with the share J of objects
    found by both among those found by either, so J's Wilson interval (Wilson 1927, *Probable inference, the law of
    succession, and statistical inference*, JASA 22, 209-212) gives the interval of F1.

    Parameters
    ----------
    counts
        Pairs, and objects that only one reader found.
    confidence
        Of the interval, between 0 and 1.
    """
    n = counts.tp + counts.fp + counts.fn
    if n == 0:
        return DetectionAgreement(math.nan, math.nan, math.nan, 0)
    share, z = counts.tp / n, NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # exact at both ends, where rounding may leave the value just outside
    low, high = min(max(middle - reach, 0.0), share), max(min(middle + reach, 1.0), share)
    return DetectionAgreement(counts.f1, 2 * low / (1 + low), 2 * high / (1 + high), n)
