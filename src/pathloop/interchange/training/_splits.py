"""Which patients train, validate and test."""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathloop.core import DataError, UsageError
from pathloop.interchange.training._region import SPLITS

__all__ = ["SplitPlan", "deal_splits", "read_splits"]


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How patients are dealt.

    Parameters
    ----------
    shares
        How much each of "train", "val" and "test" should get, >= 0; only their ratio counts.
    seed
        Another seed deals otherwise.
    keep
        Patients that have a split already (`read_splits` of an earlier set). It also serves to keep test patients
        apart while more and more slides are annotated: dealing anew would move some of them.

    Raises
    ------
    UsageError
        If a split is unknown, a share negative, or all are 0.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: {"train": 0.7, "val": 0.15, "test": 0.15})
    seed: int = 0
    keep: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted({*self.shares, *self.keep.values()} - {*SPLITS})
        if unknown:
            raise UsageError(f"unknown split {unknown[0]!r}; known: {', '.join(SPLITS)}")
        values = self.shares.values()
        if not all(0 <= value < float("inf") for value in values) or not any(values):
            raise UsageError(f"shares of splits are {dict(self.shares)}: give numbers from 0 on, at least one above 0")


def deal_splits(
    groups: Sequence[str], contents: Sequence[Mapping[str, float]], plan: SplitPlan, fixed: Mapping[str, str]
) -> dict[str, str]:
    """Give every patient one split.

    Patients with the largest and rarest contents are dealt first, equal ones in an order that a hash of seed and name
    decides; each goes where it brings the shares of its contents closest to the plan (least sum of squares over the
    share). So a patient's split depends on the set of patients, never on the order in which they come.

    Parameters
    ----------
    groups
        Patient of every region.
    contents
        What each region holds, by name, > 0; as long as ``groups``.
    plan
        Shares, seed and what is to be kept.
    fixed
        Patient -> split where a region says so. It goes before the plan's ``keep``.

    Returns
    -------
    dict
        Patient -> split.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for group, content in zip(groups, contents, strict=True):
        counts[group].update(content)
    totals: Counter[str] = Counter()
    for counter in counts.values():
        totals.update(counter)
    whole = sum(plan.shares.values())
    shares = {name: plan.shares[name] / whole for name in SPLITS if plan.shares.get(name)}
    held: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    splits = {group: split for group, split in {**plan.keep, **fixed}.items() if group in counts}
    for group, split in splits.items():
        held[split].update(counts[group])

    def largest(group: str) -> float:
        return max(n / totals[name] for name, n in counts[group].items())

    for group in sorted(counts.keys() - splits.keys(), key=lambda g: (-largest(g), _lot(plan.seed, g))):
        # equally good: train before val before test
        chosen = min(shares, key=lambda s: round(_cost(held[s], counts[group], totals, shares[s]), 12))
        splits[group] = chosen
        held[chosen].update(counts[group])
    return splits


def _cost(held: Mapping[str, float], added: Mapping[str, float], totals: Mapping[str, float], share: float) -> float:
    """How much the squared distances of a split from its share grow, relative to the share."""
    cost = 0.0
    for name, n in sorted(added.items()):
        part = n / totals[name]
        cost += (2 * (held.get(name, 0) / totals[name] - share) + part) * part
    return cost / share


def _lot(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def read_splits(folder: Path) -> dict[str, str]:
    """Patient -> split of a training set that `write_training_set` wrote.

    Raises
    ------
    DataError
        If its ``splits.csv`` is missing or wrong, or a patient is in two splits.
    """
    file = folder / "splits.csv"
    found: dict[str, str] = {}
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                group, split = row["group"], row["split"]
                if split not in SPLITS or found.setdefault(group, split) != split:
                    raise DataError(f"{file}: patient {group!r} has the split {split!r} and another, or an unknown one")
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file; give the folder of a training set") from error
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise DataError(f"{file}: not readable as a table of splits ({error})") from error
    return found
