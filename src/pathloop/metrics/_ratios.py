"""Ratios and means that say "undefined" with NaN instead of inventing a number."""

import math
from collections.abc import Iterable

__all__ = ["mean_defined", "ratio"]


def ratio(numerator: float, denominator: float) -> float:
    """``numerator / denominator``; NaN where the denominator is 0."""
    return float(numerator / denominator) if denominator else math.nan


def mean_defined(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN where there is none."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan
