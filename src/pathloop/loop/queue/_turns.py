"""Patients take turns: the most difficult regions of a project are often those of one patient, and alike."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop._export_training import patient_of
from pathloop.loop.queue._kept import is_kept
from pathloop.loop.queue._offer import MAX_OVERLAP, covered
from pathloop.loop.queue._request import Work

__all__ = ["AGAIN", "Turns", "by_turns", "doubts"]

LEAST_EASE = 2.0**-14
"""Difficulties are rounded to four digits; what rounds to 1 counts 14 bits."""

AGAIN = 0.5
"""What a region counts of what it would, for every one of the same patient before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """Whose region each candidate is, and who has had turns already.

    Parameters
    ----------
    patients
        By candidate.
    taken
        By patient: regions to learn from that somebody has taken up.
    idle
        (n,) bool: candidates that kept regions cover; they are not offered and take no turn.
    """

    patients: tuple[str, ...]
    taken: Mapping[str, int]
    idle: NDArray[np.bool_]

    @classmethod
    def of(cls, work: Work) -> "Turns":
        """Those of a project."""
        patient = {slide_id: patient_of(record, {}) for slide_id, record in work.slides.items()}
        taken: Counter[str] = Counter()
        kept: dict[str, list[Rect]] = {}
        for slide_id in work.slides:
            for region in filter(is_kept, work.project.regions(slide_id)):
                kept.setdefault(slide_id, []).append(region.rect)
                taken[patient[slide_id]] += not region.holdout
        idle = [covered(one.rect, kept.get(one.slide_id, ())) > MAX_OVERLAP for one in work.candidates]
        return cls(tuple(patient[one.slide_id] for one in work.candidates), taken, np.array(idle, bool))


def doubts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) bits: every one halves what is left to a difficulty of 1, so that 0.99 is not next to 0.9."""
    return -np.log2(np.maximum(1 - values, LEAST_EASE))


def by_turns(values: NDArray[np.float64], turns: Turns) -> NDArray[np.int64]:
    """Order of regions in which every further one of a patient counts half as much as the one before it.

    Five regions of one patient are often alike: by difficulty alone the first five of 57 GlaS images were of a single
    one out of ten.

    Parameters
    ----------
    values
        (n,) difficulty, 0..1.
    turns
        Whose regions they are.

    Returns
    -------
    (n,) int64: regions, the one to look at first at the front. Of one patient's the more difficult always comes first;
    of equal ones the first one given.
    """
    counts = doubts(values)
    places = Counter(turns.taken)
    for index in np.argsort(-values, kind="stable").tolist():
        counts[index] *= AGAIN ** places[turns.patients[index]]
        places[turns.patients[index]] += not turns.idle[index]
    # of different patients' regions that count the same the more difficult comes first
    return np.lexsort((-values, -counts)).astype(np.int64)
