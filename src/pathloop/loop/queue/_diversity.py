"""Regions that look different from each other first."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.loop.queue._turns import AGAIN

__all__ = ["farthest_first"]


def farthest_first(
    worth: NDArray[np.float64], features: NDArray[np.float32], patients: Sequence[str], taken: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Greedy farthest-point order (k-centre; Gonzalez 1985; Sener and Savarese 2018), weighted by difficulty.

    Always comes the one with the largest worth * (1 + d), where d is its distance from the nearest one before it as a
    share of the largest such distance: looking different can double what a region counts, and not turn the list into
    one of oddities. Every region of the same patient before it halves that, as in `by_turns`.

    Parameters
    ----------
    worth
        (n,) what a region counts by itself, >= 0.
    features
        (n, d); their directions are compared (cosine distance).
    patients
        Whose region it is.
    taken
        By patient: regions that came before all of these.

    Returns
    -------
    order
        (n,) int64.
    distances
        (n,) in that order: d; 1 for the first.
    """
    n = len(worth)
    names, person = np.unique(np.asarray(patients, str), return_inverse=True)
    places = np.array([taken.get(name, 0) for name in names.tolist()], float)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions = (features / np.maximum(lengths, 1e-12)).astype(np.float64)
    order = np.zeros(n, np.int64)
    distances = np.zeros(n)
    nearest = np.full(n, 2.0)  # no two directions are farther apart, so d is 1 for all before the first is chosen
    left = np.ones(n, bool)
    for place in range(n):
        share = nearest / max(float(nearest[left].max()), 1e-12)
        # of equal ones the first: the given order
        order[place] = chosen = int(np.argmax(np.where(left, worth * (1 + share) * AGAIN ** places[person], -1.0)))
        distances[place] = share[chosen]
        left[chosen] = False
        places[person[chosen]] += 1
        nearest = np.minimum(nearest, np.maximum(1 - directions @ directions[chosen], 0.0))
    return order, distances
