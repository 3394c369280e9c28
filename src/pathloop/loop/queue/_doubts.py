"""Objects that the model only half believes in, and objects whose class is a toss-up, from the object tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances
from pathloop.loop.queue._grid import Candidate, Grid
from pathloop.loop.queue._score import Score, saturated
from pathloop.loop.queue._words import counted, listed
from pathloop.store import OBJECT_STATES, Project

__all__ = ["Doubts", "class_score", "faint_score", "read_doubts"]

FAINT = 0.7
"""Mean inside probability below which an object is faint; those of the bundled model's true objects are mostly above
0.75, and post-processing keeps nothing below 0.5."""

TOSS_UP = 0.6
"""Class probability up to which an object's class is a toss-up."""

HALF = {"nuclei": 50.0}
HALF_OTHERS = 3.0
"""Faint objects, or toss-ups, that make a score of one half."""

FAINT_WEIGHT, CLASS_WEIGHT = 0.7, 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """What is doubtful about a slide's objects of one task that nobody has reviewed.

    Parameters
    ----------
    faint, toss_ups
        (rows, columns) numbers of objects whose centre lies in each square of the grid.
    has_classes
        Whether a type head told classes apart.
    """

    faint: NDArray[np.float64]
    toss_ups: NDArray[np.float64]
    has_classes: bool


def read_doubts(project: Project, slide_id: str, task: str, grid: Grid) -> Doubts:
    """Go through the objects of a task once; those that were edited, accepted or locked are in no doubt."""
    reviewed = np.zeros(0, np.int64)
    # counting takes its time too: nobody has reviewed anything where people left no word in the journal
    if any(entry.kind != "run" for entry in project.journal(slide_id)) and _has_reviewed(project, slide_id, task):
        states = project.object_states(slide_id, task)
        reviewed = states.ids[(states.states != OBJECT_STATES.index("predicted")) | states.locked]
    faint, toss_ups = np.zeros(grid.size), np.zeros(grid.size)
    has_classes = False
    for part in project.iter_objects(slide_id, task):
        has_classes |= not np.isnan(part.class_probabilities).all()
        for plane, chosen in ((faint, part.confidences < FAINT), (toss_ups, part.class_probabilities <= TOSS_UP)):
            plane += grid.counts(_unreviewed(part.take(chosen), reviewed).centroids)
    return Doubts(faint, toss_ups, has_classes)


def _has_reviewed(project: Project, slide_id: str, task: str) -> bool:
    counts = project.counts(slide_id, task)
    return counts.predicted < counts.total or counts.locked > 0


def _unreviewed(part: Instances, reviewed: NDArray[np.int64]) -> Instances:
    return part.take(~np.isin(part.ids, reviewed)) if len(reviewed) else part


def faint_score(doubts: Mapping[str, Doubts], candidates: Sequence[Candidate]) -> Score:
    """Objects whose inside the model only half believes in: their outline may be anywhere, or they are none at all."""
    numbers = {task: _picked(one.faint, candidates) for task, one in doubts.items()}
    return Score("faint", _amount(numbers, candidates), _sentences(numbers, candidates, _faint_words), FAINT_WEIGHT)


def class_score(doubts: Mapping[str, Doubts], candidates: Sequence[Candidate]) -> Score | None:
    """Objects whose class is a toss-up; None where no type head told classes apart."""
    numbers = {task: _picked(one.toss_ups, candidates) for task, one in doubts.items() if one.has_classes}
    if not numbers:
        return None
    return Score("class", _amount(numbers, candidates), _sentences(numbers, candidates, _class_words), CLASS_WEIGHT)


def _picked(plane: NDArray[np.float64], candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    return np.array([plane[one.row, one.col] for one in candidates])


def _amount(numbers: Mapping[str, NDArray[np.float64]], candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    total = np.zeros(len(candidates))
    for task, values in numbers.items():
        total += values / HALF.get(task, HALF_OTHERS)
    return saturated(total)


def _sentences(
    numbers: Mapping[str, NDArray[np.float64]],
    candidates: Sequence[Candidate],
    words: Callable[[Mapping[str, float]], str],
) -> tuple[str, ...]:
    out = []
    for index in range(len(candidates)):
        found = {task: float(values[index]) for task, values in numbers.items() if values[index]}
        out.append(words(found) if found else "")
    return tuple(out)


def _faint_words(found: Mapping[str, float]) -> str:
    are = "is" if sum(found.values()) == 1 else "are"
    objects = listed(counted(count, task) for task, count in found.items())
    return f"{objects} {are} faint (inside probability below {FAINT:g})"


def _class_words(found: Mapping[str, float]) -> str:
    objects = listed(counted(count, task) for task, count in found.items())
    return f"{objects} whose class is a toss-up (probability {TOSS_UP:g} or less)"
