"""What is asked of a fine-tuning run, and what its recipe takes from the reviewed regions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pathloop.core import ClassSpec, PostProcessing, TaskSpec, UsageError
from pathloop.interchange.training import TrainingRegion
from pathloop.learn import DataConfig, RecipeName
from pathloop.networks import ModelCard
from pathloop.store import Project

__all__ = ["RecipeData", "TuneRequest"]


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What to fine-tune, on what.

    Parameters
    ----------
    project
        Project folder; only read, but for ``runs/``.
    recipe
        ``quick``, ``full``, ``subtype`` or ``new-task``.
    task
        ``subtype``: the objects whose classes are taught. ``new-task``: the new objects. None = the only one possible.
    model
        Known model's name or model folder to start from; None = the project's current model.
    with_data
        Data sets to mix in.
    steps
        None = as the recipe says.
    device, seed
        As of `TuneConfig`.
    who
        Name for the record; None = the user's.
    """

    project: Path
    recipe: RecipeName = "quick"
    task: str | None = None
    model: str | None = None
    with_data: tuple[DataConfig, ...] = ()
    steps: int | None = None
    device: str = "auto"
    seed: int = 5
    who: str | None = None


class RecipeData:
    """What a recipe takes from regions."""

    def __init__(self, request: TuneRequest, project: Project, card: ModelCard) -> None:
        self._request, self._card = request, card
        self._sizes: list[float] = []
        self._um_per_px = card.um_per_px
        self.recipe = request.recipe
        self.nothing = "no region is done, besides held-out ones; review regions of the queue and mark them as done"
        self.task: str | None = None
        self._classes: tuple[ClassSpec, ...] = ()
        if self.recipe == "subtype":
            self._choose_subtype(project)
        elif self.recipe == "new-task":
            self._choose_new_task(project)
        elif request.task is not None:
            raise UsageError(f"the recipe {self.recipe!r} trains all reviewed tasks; leave the task out")

    def _choose_subtype(self, project: Project) -> None:
        generic = {
            task.name: {one.name for one in task.classes} if len(task.classes) == 1 else set()
            for task in self._card.labels.instance_tasks
        }
        typed = {
            task: tuple(one for one in project.classes(task) if one.name not in known)
            for task, known in generic.items()
        }
        self.task = self._one_of([task for task, classes in typed.items() if len(classes) > 1])
        self._classes = typed.get(self.task, ())
        if len(self._classes) < 2:
            raise UsageError(f"{self.task}: give objects at least two classes of your own first")
        self.nothing = f"no region is done for {self.task}"

    def _choose_new_task(self, project: Project) -> None:
        tasks = {task for slide in project.slides() for task in project.tasks(slide.slide_id)}
        self.task = self._one_of(sorted(tasks - {*self._card.labels.names}))
        if self.task in self._card.labels:
            raise UsageError(f"model {self._card.name!r} knows {self.task} already; take the recipe quick or full")
        found = project.classes(self.task)
        self._classes = found[:1] or (ClassSpec(name=self.task, color=(230, 159, 0)),)
        self.nothing = f"no region is done for {self.task}; draw some, then mark the region as done"

    def _one_of(self, possible: Sequence[str]) -> str:
        wanted = self._request.task
        if wanted is not None and wanted not in possible:
            known = ", ".join(possible) or "none"
            raise UsageError(f"the recipe {self.recipe!r} cannot take the task {wanted!r}; possible: {known}")
        if wanted is None and len(possible) != 1:
            told = f"name one of {', '.join(possible)}" if possible else "the project has none to learn"
            raise UsageError(f"the recipe {self.recipe!r} needs a task; {told}")
        return wanted or possible[0]

    def changed(self, region: TrainingRegion) -> TrainingRegion | None:
        """The region as the recipe learns it: its one task, classes without the model's own; None = nothing in it."""
        if self.task is None:
            known = {task: one for task, one in region.tasks.items() if task in self._card.labels}
            return replace(region, tasks=known) if known or region.tissue is not None else None
        found = region.tasks.get(self.task)
        if found is None:
            return None
        if self.recipe == "new-task":
            zoom = region.um_per_px / self._um_per_px
            areas = np.bincount(found.labels[found.reviewed])[1:]
            self._sizes += (np.sqrt(areas[areas > 0]) * zoom).tolist()
            codes = {number: min(code, 1) for number, code in found.class_codes.items()}
        else:
            names = [one.name for one in self._classes]
            place = {
                code: names.index(one.name) + 1 for code, one in enumerate(found.classes, start=1) if one.name in names
            }
            codes = {number: place.get(code, 0) for number, code in found.class_codes.items()}
            if not any(codes.values()):
                return None
        return replace(region, tasks={self.task: replace(found, classes=self._classes, class_codes=codes)})

    def task_spec(self) -> TaskSpec | None:
        """The task to learn."""
        if self.task is None:
            return None
        if self.recipe == "subtype":
            return TaskSpec(name=f"{self.task}_type", output="type", of=self.task, classes=self._classes)
        return TaskSpec(name=self.task, output="instance", classes=self._classes, post=_constants(self._sizes))


LARGE_PX = 30.0
"""Objects whose area is that of a square wider than this are taken apart like glands, smaller ones like nuclei."""


def _constants(sides_px: Sequence[float]) -> PostProcessing:
    """Post-processing of new objects by their size: those of glands or of nuclei (see `COLON_LABELS`).

    Parameters
    ----------
    sides_px
        Square root of each object's area, pixels at the model's scale.
    """
    sides = np.array(sides_px or [LARGE_PX])
    least = max(4, round(float(np.quantile(sides, 0.05)) ** 2 / 4))
    if float(np.median(sides)) > LARGE_PX:
        return PostProcessing(kernel_px=11, grow_px=8, closing_px=2, min_interior_px=min(50, least), min_size_px=least)
    return PostProcessing(kernel_px=3, grow_px=1, min_interior_px=4, min_size_px=least)
