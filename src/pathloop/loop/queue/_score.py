"""Scores of regions, and how several of them become one difficulty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.loop.queue._grid import Candidate
from pathloop.store import Reason

__all__ = ["Ranking", "Score", "combined", "saturated"]

DIGITS = 4
"""Scores are rounded, so that the same project gives the same numbers everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One aspect of difficulty, by candidate.

    Parameters
    ----------
    name
        ``entropy``, ``faint``, ...
    values
        (n,) float64, 0 = easy .. 1.
    words
        n sentences; "" where there is nothing to say.
    weight
        Largest difficulty, 0..1, that this aspect can give by itself.
    """

    name: str
    values: NDArray[np.float64]
    words: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Candidates in order.

    Parameters
    ----------
    values
        (n,) float64 difficulty, 0..1, by candidate.
    reasons
        Why, by candidate, strongest first.
    order
        (n,) int64: candidates, the one to look at first at the front.
    """

    values: NDArray[np.float64]
    reasons: tuple[tuple[Reason, ...], ...]
    order: NDArray[np.int64]


def saturated(amount: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1 of an amount without a limit: a half at 1, the more the closer to 1."""
    return np.asarray(amount / (1 + amount), np.float64)


def combined(scores: Sequence[Score], candidates: Sequence[Candidate]) -> Ranking:
    """Difficulty = what is left to one when no aspect is difficult: 1 - product of (1 - weight * value).

    So every aspect can lift a region by itself, none can lower it, and one that a project has no data for changes
    nothing. Regions with little tissue count less. Regions of equal difficulty keep their order.
    """
    easy = np.ones(len(candidates))
    for score in scores:
        easy *= 1 - score.weight * score.values
    values = np.round((1 - easy) * np.array([one.weight for one in candidates]), DIGITS)
    reasons = []
    for index in range(len(candidates)):
        said = [score for score in scores if score.words[index]]
        said.sort(key=lambda score: -score.weight * score.values[index])
        reasons.append(
            tuple(Reason(one.name, round(float(one.values[index]), DIGITS), one.words[index]) for one in said)
        )
    return Ranking(values, tuple(reasons), np.argsort(-values, kind="stable"))
