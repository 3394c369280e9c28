"""The recorded tiles of a run as objects at level 0: of the whole run, or of one tile by itself."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Instances, Rect, TaskSpec, Tile, TileGrid
from pathloop.loop._level0 import level0_labels
from pathloop.objects import Joined, Measurer, join
from pathloop.predict import TileFolder, TileJob

__all__ = ["JoinedObjects", "ObjectSource", "TaskJoiner", "model_classes", "shifted", "shifted_labels"]

BLOCK_PX = 2048
"""Side of the level-0 blocks that are worked on at once; a multiple of the pyramid's chunks."""


class ObjectSource(Protocol):
    """The objects of one task of a run, however they are kept: ids 1..n, class codes of the model."""

    @property
    def task(self) -> str:
        """The task's name."""
        ...

    @property
    def classes(self) -> tuple[ClassSpec, ...]:
        """The model's classes, by code - 1."""
        ...

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        ...

    def blocks(self) -> Iterator[tuple[Rect, NDArray[np.int32]]]:
        """Level-0 blocks that cover the run's region once, and their ids."""
        ...

    def instances(self) -> Instances:
        """The objects by ascending id; ask once all blocks have been taken."""
        ...


class TaskJoiner:
    """Joins the tasks of a run one after the other, each with the objects that clip it.

    Parameters
    ----------
    job
        The run.
    tiles
        Its finished tiles.
    wanted
        Object tasks of the job; those that clip them are joined too.
    grid
        The tiles that are joined.
    area
        The pixels at the model's scale that are looked at; the tiles' cores lie in it.

    Attributes
    ----------
    tasks : tuple[str, ...]
        In the order in which they must be joined.
    """

    def __init__(
        self, job: TileJob, tiles: TileFolder, wanted: Collection[str], *, grid: Sequence[Tile], area: Rect
    ) -> None:
        self._job, self._tiles, self._grid, self._area = job, tiles, grid, area
        needed = {*wanted} | {job.labels[task].post.clip_to for task in wanted}
        specs = [job.labels[task] for task in job.instance_tasks if task in needed]
        # those that clip others come first
        specs.sort(key=lambda spec: spec.post.clip_to is not None)
        self.tasks = tuple(spec.name for spec in specs)
        self._clipping = {spec.post.clip_to for spec in specs}
        self._joined: dict[str, Joined] = {}

    def join(self, task: str, *, first_id: int = 1) -> "JoinedObjects":
        """The objects of a task, numbered from ``first_id``; ask for them in the order of ``tasks``."""
        spec: TaskSpec = self._job.labels[task]
        owner = self._joined.get(spec.post.clip_to or "")
        clip = None if owner is None else partial(_inside, owner)
        joined = join(self._grid, partial(self._tiles.load_part, task), spec.post, area=self._area, clip=clip)
        if task in self._clipping:
            self._joined[task] = joined
        return JoinedObjects(self._job, task, joined, first_id)


def _inside(owner: Joined, rect: Rect) -> NDArray[np.bool_]:
    return owner.labels(rect) > 0


class JoinedObjects:
    """The objects of one task, worked out from tiles on the way; an `ObjectSource`.

    Parameters
    ----------
    job
        The run.
    task
        Whose objects.
    joined
        The objects at the model's scale.
    first_id
        What their id 1 becomes.
    """

    def __init__(self, job: TileJob, task: str, joined: Joined, first_id: int) -> None:
        self.task = task
        self._first_id = first_id
        self.classes, self._is_typed = model_classes(job, task)
        self._job, self._joined = job, joined
        self._measurer = Measurer()

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return len(TileGrid(self._job.region, BLOCK_PX))

    def blocks(self) -> Iterator[tuple[Rect, NDArray[np.int32]]]:
        """Level-0 blocks that cover the run's region once, and their ids."""
        self._measurer = Measurer()
        for tile in TileGrid(self._job.region, BLOCK_PX):
            yield tile.core, self.labels(tile.core)

    def labels(self, rect: Rect) -> NDArray[np.int32]:
        """Ids of level-0 pixels, which are measured: ask for no pixel twice."""
        labels = level0_labels(self._job, self._model_labels, rect)
        self._measurer.add(labels, y=rect.y, x=rect.x)
        return labels

    def instances(self) -> Instances:
        """What was measured, by ascending id; objects too thin for a pixel of a coarse slide are not there."""
        rows = self._measurer.ids - self._first_id
        codes = self._joined.class_codes[rows] if self._is_typed else np.ones(len(rows), np.int16)
        return self._measurer.instances(
            confidences=self._joined.confidences[rows],
            class_codes=codes,
            class_probabilities=self._joined.class_probabilities[rows],
        )

    def _model_labels(self, rect: Rect) -> NDArray[np.int32]:
        labels = self._joined.labels(rect)
        return labels if self._first_id == 1 else shifted_labels(labels, self._first_id)


def model_classes(job: TileJob, task: str) -> tuple[tuple[ClassSpec, ...], bool]:
    """Classes of a task's objects by code - 1, and whether a type head tells them apart.

    Without one every object has the task's one class, code 1.
    """
    typed = next((job.labels[name] for name in job.tasks if job.labels[name].of == task), None)
    return (typed or job.labels[task]).classes, typed is not None


def shifted_labels(labels: NDArray[np.int32], first_id: int) -> NDArray[np.int32]:
    """Labels whose id 1 becomes ``first_id``."""
    return np.add(labels, np.int32(first_id - 1), out=np.zeros_like(labels), where=labels > 0)


def shifted(instances: Instances, first_id: int, codes: NDArray[np.int16]) -> Instances:
    """Objects whose id 1 becomes ``first_id``, and class code c ``codes[c]``."""
    return replace(instances, ids=instances.ids + (first_id - 1), class_codes=codes[instances.class_codes])
