"""Regions that look different from each other first."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["farthest_first"]


def farthest_first(
    values: NDArray[np.float64], features: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Greedy farthest-point order (k-centre; Gonzalez 1985; Sener and Savarese 2018), weighted by difficulty.

    The most difficult region comes first; then always the one with the largest difficulty * (1 + d), where d is its
    distance from the nearest one before it as a share of the largest such distance: looking different can double what a
    region counts, and not turn the list into one of oddities.

    Parameters
    ----------
    values
        (n,) difficulty, 0..1.
    features
        (n, d); their directions are compared (cosine distance).

    Returns
    -------
    order
        (n,) int64.
    distances
        (n,) in that order: d; 1 for the first.
    """
    n = len(values)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions = (features / np.maximum(lengths, 1e-12)).astype(np.float64)
    order = np.zeros(n, np.int64)
    distances = np.zeros(n)
    nearest = np.full(n, 2.0)  # no two directions are farther apart, so d is 1 for all before the first is chosen
    left = np.ones(n, bool)
    for place in range(n):
        share = nearest / max(float(nearest[left].max()), 1e-12)
        # of equal ones the first: the given order
        order[place] = chosen = int(np.argmax(np.where(left, values * (1 + share), -1.0)))
        distances[place] = share[chosen]
        left[chosen] = False
        nearest = np.minimum(nearest, np.maximum(1 - directions @ directions[chosen], 0.0))
    return order, distances
