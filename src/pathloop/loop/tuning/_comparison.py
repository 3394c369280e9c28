"""What a comparison of two models says, as it is stored beside a run: scores, intervals, regressions, the verdict."""

import math
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from pathloop.core import DataError, StrictConfig, one_line, read_json, write_json
from pathloop.metrics import Interval

__all__ = [
    "ENOUGH",
    "Comparison",
    "Gain",
    "ModelName",
    "RegionScore",
    "TaskComparison",
    "read_comparison",
    "write_comparison",
]

FORMAT = 1
ENOUGH = 4
"""Held-out regions below which nothing is proved."""
WORSE_TASK, WORSE_MEAN, FORGOTTEN = 0.02, 0.005, 0.01
"""A candidate is worse that loses more than this: of a task's score, of the mean over tasks, of old skills' Dice."""


class Gain(StrictConfig):
    """Candidate minus parent, with the 95 % bootstrap interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, interval: Interval) -> "Gain":
        """The same as JSON can hold it."""
        value, low, high = (None if math.isnan(one) else one for one in (interval.value, interval.low, interval.high))
        return cls(value=value, low=low, high=high, n=interval.n)

    @property
    def is_sure(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class ModelName(StrictConfig):
    """Which model: its card's name and the checksum of its weights."""

    name: str
    checksum: str


class TaskComparison(StrictConfig):
    """One task.

    Parameters
    ----------
    output
        ``instance``, ``type`` or ``patch``.
    score
        The score that decides: ``pq`` for objects, ``mf1`` (mean F1 over classes) for the others.
    n
        Held-out regions in which it is reviewed.
    parent, candidate
        Scores by name. Objects: ``pq``, ``dq``, ``sq``, ``dice`` (means over regions), ``f1`` (pooled). Others:
        ``mf1``, ``accuracy``. None for a model that does not know the task; undefined scores are left out.
    gains
        By score.
    classes
        By class name, then model (``parent``, ``candidate``), then score: ``f1`` (of pixels or cells), and for types
        of objects ``pq``, ``dq``, ``sq``.
    """

    output: Literal["instance", "type", "patch"]
    score: Literal["pq", "mf1"]
    n: int
    parent: dict[str, float] | None
    candidate: dict[str, float] | None
    gains: dict[str, Gain] = Field(default_factory=dict)
    classes: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)

    @property
    def gain(self) -> Gain | None:
        """Of the score that decides; None where only one model knows the task."""
        return self.gains.get(self.score)


class RegionScore(StrictConfig):
    """One task in one held-out region.

    Parameters
    ----------
    region
        Name of its files.
    slide_id, rect
        Where; (y, x, height, width) in level-0 pixels, with the rim.
    parent, candidate
        The score that decides; None where it is undefined.
    """

    region: str
    slide_id: str
    rect: tuple[int, int, int, int]
    task: str
    parent: float | None
    candidate: float | None

    @property
    def gain(self) -> float:
        """Candidate minus parent; 0 where either is undefined."""
        return 0.0 if self.parent is None or self.candidate is None else self.candidate - self.parent


class Comparison(StrictConfig):
    """A candidate against its parent on the held-out regions, with one engine and precision.

    Parameters
    ----------
    engine
        Engine, device and precision.
    n_regions, n_patients
        Held-out regions, and patients (or slides) that they are of.
    tasks
        By task.
    regions
        Worst regressions first.
    old_skills
        By check set and task, then model: Dice.
    """

    format_version: int = FORMAT
    parent: ModelName
    candidate: ModelName
    engine: str
    n_regions: int
    n_patients: int
    tasks: dict[str, TaskComparison]
    regions: tuple[RegionScore, ...] = ()
    old_skills: dict[str, dict[str, float]] = Field(default_factory=dict)

    @property
    def forgetting(self) -> float:
        """The largest loss of Dice on a check set; 0 where nothing was checked."""
        return max([0.0, *(one["parent"] - one["candidate"] for one in self.old_skills.values())])

    @property
    def mean_gain(self) -> float | None:
        """Mean over the tasks that both models know; None where there is none."""
        gains = [one.gain.value for one in self.tasks.values() if one.gain and one.gain.value is not None]
        return sum(gains) / len(gains) if gains else None

    @property
    def is_enough(self) -> bool:
        """Whether there are enough held-out regions to say anything."""
        return self.n_regions >= ENOUGH

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the candidate is worse, in words; empty where it is not."""
        found = [
            f"{task} loses {-one.gain.value:.3f} {one.score.upper()}"
            for task, one in self.tasks.items()
            if one.gain and one.gain.value is not None and one.gain.value < -WORSE_TASK
        ]
        mean = self.mean_gain
        if mean is not None and mean < -WORSE_MEAN and not found:
            found.append(f"the mean over tasks falls by {-mean:.3f}")
        if self.forgetting > FORGOTTEN:
            found.append(f"old skills lose {self.forgetting:.3f} Dice")
        return tuple(found)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write atomically."""
    write_json(path, comparison.model_dump(mode="json"))


def read_comparison(path: Path) -> Comparison:
    """Read what `write_comparison` wrote.

    Raises
    ------
    DataError
        If it is missing, damaged, or of another version.
    """
    try:
        return Comparison.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(
            f"{path}: not readable as a comparison ({one_line(error)}); compare the models again"
        ) from error
