"""Detections with scores: FROC and average precision, from objects or from points."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._classes import average_precision
from pathloop.metrics._points import near_pairs
from pathloop.metrics._ratios import mean_defined

__all__ = ["FROC_RATES", "Froc", "RankedDetections", "rank_objects", "rank_points"]

FROC_RATES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per image of the CAMELYON16 challenge (Ehteshami Bejnordi et al. 2017, JAMA 318, 2199-2210)."""


@dataclass(frozen=True, slots=True, eq=False)
class Froc:
    """Free-response operating characteristic: one point a threshold, from the highest score down.

    Parameters
    ----------
    thresholds
        (T,) float64, falling: all detections with at least this score count.
    false_positives
        (T,) float64: false detections per image.
    sensitivity
        (T,) float64, 0..1: share of the true objects that are found; NaN where there is none.
    """

    thresholds: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    sensitivity: NDArray[np.float64]

    def at(self, rates: Sequence[float] = FROC_RATES) -> tuple[float, ...]:
        """Sensitivity at the lowest threshold with at most so many false positives per image.

        No interpolation between thresholds; 0 where even the highest score brings more false positives (or there is
        no detection at all), NaN where there is no true object.
        """
        held = np.searchsorted(self.false_positives, np.asarray(rates, np.float64), side="right")
        curve = np.concatenate([self.sensitivity[:1] * 0, self.sensitivity])
        return tuple(float(value) for value in curve[held])

    def score(self, rates: Sequence[float] = FROC_RATES) -> float:
        """Mean of the sensitivities at ``rates``: the challenge's score."""
        return mean_defined(self.at(rates))


@dataclass(frozen=True, slots=True, eq=False)
class RankedDetections:
    """Detections of one or more images, with whether each is right.

    Parameters
    ----------
    scores
        (N,) float64, finite; a higher score is surer.
    hits
        (N,) bool: whether the detection is a true positive among those with at least its score.
    n_truth, n_images
        True objects, and images.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    n_truth: int
    n_images: int = 1

    @classmethod
    def pooled(cls, parts: Sequence["RankedDetections"]) -> "RankedDetections":
        """All detections of several sets, ranked together."""
        return cls(
            np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
            np.concatenate([np.zeros(0, bool), *(part.hits for part in parts)]),
            sum(part.n_truth for part in parts),
            sum(part.n_images for part in parts),
        )

    @classmethod
    def pooled_if_all(cls, parts: Sequence["RankedDetections | None"]) -> "RankedDetections | None":
        """All detections, or None where a part is missing or none holds a detection: half a ranking misleads."""
        held = [part for part in parts if part is not None]
        if len(held) < len(parts) or not any(len(part.scores) for part in held):
            return None
        return cls.pooled(held)

    @property
    def average_precision(self) -> float:
        """AP without interpolation (see `average_precision`); true objects never found count as recall not reached.

        NaN where there is no true object, 0 where none is found.
        """
        return average_precision(self.scores, self.hits, n_positive=self.n_truth)

    @property
    def froc(self) -> Froc:
        """The curve over all images; equal scores share a threshold."""
        order = np.argsort(-self.scores, kind="stable")
        scores, hits = self.scores[order], self.hits[order]
        last = np.flatnonzero(np.diff(scores, append=-np.inf))
        found, wrong = np.cumsum(hits)[last], np.cumsum(~hits)[last]
        sensitivity = found / self.n_truth if self.n_truth else np.full(len(last), np.nan)
        if not len(last):
            # one point, so that "nothing found" has a value where there was something to find
            start = 0.0 if self.n_truth else np.nan
            return Froc(np.array([np.inf]), np.zeros(1), np.array([start]))
        return Froc(scores[last], wrong / max(self.n_images, 1), sensitivity)


def rank_objects(matched: NDArray[Any], scores: NDArray[Any], n_truth: int) -> RankedDetections:
    """Ranked objects of one image, whose matches (IoU > 0.5) are unique, so that no threshold changes them.

    Parameters
    ----------
    matched
        (K,) rows of the predicted objects that are matched (`ObjectMatches.pred_index`).
    scores
        (N,) finite score of every predicted object.
    n_truth
        True objects.
    """
    scores = _as_scores(scores)
    hits = np.zeros(len(scores), bool)
    hits[matched] = True
    return RankedDetections(scores, hits, n_truth)


def rank_points(pred: NDArray[Any], truth: NDArray[Any], scores: NDArray[Any], *, radius_px: float) -> RankedDetections:
    """Ranked points of one image.

    A point is a hit if one more pair can be made with it than with the points before it, so that at every threshold
    the hits are as many as `match_points` finds among the points with at least that score.

    Parameters
    ----------
    pred, truth
        (N, 2), (M, 2): (y, x) in pixels.
    scores
        (N,) finite.
    radius_px
        Largest distance of a pair, inclusive.

    Raises
    ------
    ValueError
        If there is not one finite score a point, or points or radius are not what `match_points` takes.
    """
    scores, pairs = _as_scores(scores), near_pairs(pred, truth, radius_px).tocsr()
    if len(scores) != pairs.shape[0]:
        raise ValueError(f"one score a point is needed: {len(scores)} scores, {pairs.shape[0]} points")
    matching = _GrowingMatching(pairs.indptr, pairs.indices, pairs.shape)
    hits = np.zeros(len(scores), bool)
    for row in np.argsort(-scores, kind="stable").tolist():
        hits[row] = matching.add(row)
    return RankedDetections(scores, hits, pairs.shape[1])


class _GrowingMatching:
    """A largest one-to-one choice that grows row by row along augmenting paths (Kuhn 1955; Berge 1957)."""

    def __init__(self, starts: NDArray[Any], columns: NDArray[Any], shape: tuple[int, int]) -> None:
        self._starts, self._columns = starts.tolist(), columns.tolist()
        self._row_of = [-1] * shape[1]
        # a search that fails has seen columns from which no later one can come through either
        self._closed = [False] * shape[1]

    def add(self, row: int) -> bool:
        """Whether a pair can be made for ``row`` too; those that are matched stay matched, maybe otherwise."""
        came_from: dict[int, int] = {}
        waiting = deque([row])
        while waiting:
            at = waiting.popleft()
            for column in self._columns[self._starts[at] : self._starts[at + 1]]:
                if column in came_from or self._closed[column]:
                    continue
                came_from[column] = at
                if self._row_of[column] < 0:
                    self._turn(column, came_from, row)
                    return True
                waiting.append(self._row_of[column])
        for column in came_from:
            self._closed[column] = True
        return False

    def _turn(self, column: int, came_from: dict[int, int], start: int) -> None:
        """Exchange the pairs along the path from ``start`` to a free column."""
        taken = {self._row_of[other]: other for other in came_from}
        while True:
            row = came_from[column]
            self._row_of[column] = row
            if row == start:
                return
            column = taken[row]


def _as_scores(scores: NDArray[Any]) -> NDArray[np.float64]:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite and of shape (N,), got {scores.shape}")
    return scores
