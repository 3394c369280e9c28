"""Cross-validation folds of patients."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from pathloop.core import UsageError

__all__ = ["assign_folds"]


def assign_folds(groups: Sequence[str], strata: Sequence[str], *, n_folds: int = 3, seed: int = 0) -> dict[str, int]:
    """Give every patient one fold, with the strata spread evenly over folds.

    To be drawn once over the union of all data sets (Cerberus, section "Data": three folds, a patient has one fold
    everywhere). Large and rare groups are dealt first, each to the fold in which its strata are scarcest.

    Parameters
    ----------
    groups
        Patient of every image, over all sets.
    strata
        What to balance, of every image ("ebhi_seg/polyp"); as long as `groups`.
    n_folds
        How many folds, at least 2.
    seed
        Another seed deals ties otherwise.

    Returns
    -------
    dict[str, int]
        Group -> fold in 0..n_folds - 1, the same for any order of the images.

    Raises
    ------
    UsageError
        If lengths differ, or there are fewer groups than folds.
    """
    if len(groups) != len(strata):
        raise UsageError(f"{len(groups)} groups but {len(strata)} strata: give one of each for every image")
    if n_folds < 2 or len(set(groups)) < n_folds:
        raise UsageError(f"{len(set(groups))} patients cannot make {n_folds} folds; a fold needs at least one patient")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for group, stratum in zip(groups, strata, strict=True):
        counts[group][stratum] += 1
    totals = Counter(strata)

    def share(group: str) -> float:
        return max(n / totals[stratum] for stratum, n in counts[group].items())

    held: list[Counter[str]] = [Counter() for _ in range(n_folds)]
    sizes = [0] * n_folds
    folds: dict[str, int] = {}
    for group in sorted(counts, key=lambda g: (-share(g), _lot(seed, g))):
        fold = min(
            range(n_folds),
            key=lambda f: (_added_cost(held[f], counts[group], totals), sizes[f], _lot(seed, f"{group}#{f}")),
        )
        folds[group] = fold
        held[fold].update(counts[group])
        sizes[fold] += counts[group].total()
    return folds


def _added_cost(held: Counter[str], added: Counter[str], totals: Counter[str]) -> float:
    """How much the sum of squared shares of a fold grows by a group."""
    return sum((2 * held[s] * n + n * n) / totals[s] ** 2 for s, n in sorted(added.items()))


def _lot(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
