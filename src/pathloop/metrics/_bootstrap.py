"""How sure a score, or the gain of one model over another, is: bootstrap intervals over images or patients."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "bootstrap_gain", "bootstrap_score"]

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 20231

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(..., K) sums over images to (...,) scores; NaN where a score is undefined."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and where it may lie.

    Parameters
    ----------
    value
        Of all images; NaN where it is undefined.
    low, high
        Percentile interval; NaN where there are fewer than two groups, or the value is undefined.
    n
        Groups (patients, or images where every image is its own) that were drawn from.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def includes_zero(self) -> bool:
        """Whether the interval does not exclude 0; also where there is no interval."""
        return not (self.low > 0 or self.high < 0)


def bootstrap_score(
    sums: NDArray[Any],
    statistic: Statistic,
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """A score of pooled sums with its percentile interval (Efron and Tibshirani 1993, chapters 6 and 13).

    Parameters
    ----------
    sums
        (N, K) one row an image: what adds up over images, for example true positives and the sum of their IoU. A mean
        over images is the row (value, 1), or (0, 0) for an image that does not count.
    statistic
        The score of added rows.
    groups
        Patient (or slide) of each image: groups are drawn as a whole, since their images resemble each other. None =
        every image by itself.
    confidence
        Of the interval, between 0 and 1.
    seed
        The same seed gives the same interval.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    rows = _by_group(np.asarray(sums, np.float64), groups)
    return _interval(rows, statistic, confidence, seed)


def bootstrap_gain(
    old: NDArray[Any],
    new: NDArray[Any],
    statistic: Statistic,
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Score of ``new`` minus that of ``old`` on the same images, which are drawn in pairs.

    Parameters
    ----------
    old, new
        (N, K), row by row of the same image; see `bootstrap_score` for these and all others.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    old, new = np.asarray(old, np.float64), np.asarray(new, np.float64)
    if old.shape != new.shape:
        raise ValueError(f"pairs need one shape, got {old.shape} and {new.shape}")
    width = old.shape[-1]
    rows = _by_group(np.concatenate([old, new], axis=-1), groups)

    def gain(both: NDArray[np.float64]) -> NDArray[np.float64]:
        return statistic(both[..., width:]) - statistic(both[..., :width])

    return _interval(rows, gain, confidence, seed)


def _by_group(rows: NDArray[np.float64], groups: Sequence[Hashable] | None) -> NDArray[np.float64]:
    if rows.ndim != 2:
        raise ValueError(f"sums are (N, K), got shape {rows.shape}")
    if groups is None:
        return rows
    if len(groups) != len(rows):
        raise ValueError(f"{len(groups)} groups for {len(rows)} images")
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    out = np.zeros((len(places), rows.shape[1]))
    np.add.at(out, [places[group] for group in groups], rows)
    return out


def _interval(rows: NDArray[np.float64], statistic: Statistic, confidence: float, seed: int) -> Interval:
    value = float(statistic(rows.sum(axis=0))) if len(rows) else math.nan
    if len(rows) < 2 or math.isnan(value):
        return Interval(value, math.nan, math.nan, len(rows))

    # not scipy.stats.bootstrap, which gives no interval at all where one draw has no score
    n = len(rows)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    draws = statistic(times @ rows)
    # a draw in which the score is undefined says nothing about it
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)
