"""Objects that the model only half believes in, and objects whose class is a toss-up, from the object tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Instances
from pathloop.loop.queue._calibration import Calibration
from pathloop.loop.queue._grid import Candidate, Grid
from pathloop.loop.queue._score import Score, saturated
from pathloop.loop.queue._words import counted, listed, percent
from pathloop.networks import ModelCard
from pathloop.store import OBJECT_STATES, Project

__all__ = ["Doubts", "Limit", "class_score", "faint_score", "limit_of", "read_doubts"]

FAINT = 0.7
"""Mean inside probability below which an object is faint, where the model's card does not say how often such objects
are right."""

FAINT_STEP = 0.1
"""At least this much above the confidence below which the model's objects are dropped."""

RIGHT = 0.7
"""With a calibration: objects of which fewer than this share are right are faint."""

TOSS_UP = 0.6
"""Class probability up to which an object's class is a toss-up."""

HALF = {"nuclei": 50.0}
HALF_OTHERS = 3.0
"""Faint objects, or toss-ups, that make a score of one half."""

FAINT_WEIGHT, CLASS_WEIGHT = 0.7, 0.7


@dataclass(frozen=True, slots=True)
class Limit:
    """Which objects of a task are faint.

    Parameters
    ----------
    below
        Confidence below which they are.
    is_calibrated
        Whether it is where fewer than `RIGHT` of the objects are right.
    """

    below: float = FAINT
    is_calibrated: bool = False

    @property
    def words(self) -> str:
        """Why they count."""
        if self.is_calibrated:
            return f"of such objects fewer than {percent(RIGHT)} are right"
        return f"inside probability below {self.below:g}"


def limit_of(task: str, card: ModelCard | None, calibration: Calibration | None) -> Limit:
    """From the model that made the objects, as far as it is known."""
    below = None if calibration is None else calibration.right_from(task, RIGHT)
    if below is not None:
        return Limit(below, is_calibrated=True)
    if card is None or task not in card.labels:
        return Limit()
    return Limit(max(FAINT, round(card.labels[task].post.min_confidence + FAINT_STEP, 2)))


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """What is doubtful about a slide's objects of one task that nobody has reviewed.

    Parameters
    ----------
    faint, toss_ups
        (rows, columns) numbers of objects whose centre lies in each square of the grid.
    has_classes
        Whether a type head told classes apart.
    limit
        Which objects are faint.
    """

    faint: NDArray[np.float64]
    toss_ups: NDArray[np.float64]
    has_classes: bool
    limit: Limit


def read_doubts(project: Project, slide_id: str, task: str, grid: Grid, limit: Limit) -> Doubts:
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
        for plane, chosen in ((faint, part.confidences < limit.below), (toss_ups, part.class_probabilities <= TOSS_UP)):
            plane += grid.counts(_unreviewed(part.take(chosen), reviewed).centroids)
    return Doubts(faint, toss_ups, has_classes, limit)


def _has_reviewed(project: Project, slide_id: str, task: str) -> bool:
    counts = project.counts(slide_id, task)
    return counts.predicted < counts.total or counts.locked > 0


def _unreviewed(part: Instances, reviewed: NDArray[np.int64]) -> Instances:
    return part.take(~np.isin(part.ids, reviewed)) if len(reviewed) else part


def faint_score(doubts: Mapping[str, Doubts], candidates: Sequence[Candidate]) -> Score:
    """Objects whose inside the model only half believes in: their outline may be anywhere, or they are none at all."""
    numbers = {task: _picked(one.faint, candidates) for task, one in doubts.items()}
    limits = {task: one.limit for task, one in doubts.items()}
    words = _sentences(numbers, candidates, lambda found: _faint_words(found, limits))
    return Score("faint", _amount(numbers, candidates), words, FAINT_WEIGHT)


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


def _faint_words(found: Mapping[str, float], limits: Mapping[str, Limit]) -> str:
    """Tasks with one reason share a sentence."""
    parts = []
    for reason in dict.fromkeys(limits[task].words for task in found):
        own = {task: count for task, count in found.items() if limits[task].words == reason}
        are = "is" if sum(own.values()) == 1 else "are"
        objects = listed(counted(count, task) for task, count in own.items())
        parts.append(f"{objects} {are} faint ({reason})")
    return ", ".join(parts)


def _class_words(found: Mapping[str, float]) -> str:
    objects = listed(counted(count, task) for task, count in found.items())
    return f"{objects} whose class is a toss-up (probability {TOSS_UP:g} or less)"
