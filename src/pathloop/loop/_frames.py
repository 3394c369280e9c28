"""The objects of a slide and task as columns, as windows and tables show them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Instances, Scale
from pathloop.store import OBJECT_STATES, Project

__all__ = ["FIRST_PREVIEW_ID", "ObjectFrame", "read_frame"]

FIRST_PREVIEW_ID = 2**30
"""Ids from here on are provisional: objects of a run that is not finished."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectFrame:
    """Objects of one task, one row an object.

    Parameters
    ----------
    task
        ``nuclei``, ``gland``, ``lumen``, ...
    instances
        N objects by ascending id; `FIRST_PREVIEW_ID` and more are provisional.
    states
        (N,) uint8: index into `pathloop.store.OBJECT_STATES`.
    locked
        (N,) bool.
    classes
        By class code - 1.
    scale
        um per px of level 0; None where it is not known.
    """

    task: str
    instances: Instances
    states: NDArray[np.uint8]
    locked: NDArray[np.bool_]
    classes: tuple[ClassSpec, ...]
    scale: Scale | None = None

    def __len__(self) -> int:
        return len(self.instances)

    @classmethod
    def empty(cls, task: str, *, scale: Scale | None = None) -> "ObjectFrame":
        """No objects."""
        return cls(task, Instances.empty(), np.zeros(0, np.uint8), np.zeros(0, np.bool_), (), scale)

    @property
    def areas_um2(self) -> NDArray[np.float64]:
        """(N,) areas, um2; NaN where the scale is not known."""
        factor = np.nan if self.scale is None else self.scale.um2_per_px
        return np.asarray(self.instances.areas_px * factor, np.float64)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Review states by code."""
        return OBJECT_STATES

    @property
    def is_provisional(self) -> NDArray[np.bool_]:
        """(N,) bool: objects of a run that is not finished."""
        return np.asarray(self.instances.ids >= FIRST_PREVIEW_ID)

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each id; ids that are not there are left out."""
        own = self.instances.ids
        if len(own) == 0:
            return np.zeros(0, np.int64)
        places = np.minimum(np.searchsorted(own, ids), len(own) - 1)
        return np.asarray(places[own[places] == ids], np.int64)

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> "ObjectFrame":
        """Some of the rows."""
        return ObjectFrame(
            self.task, self.instances.take(index), self.states[index], self.locked[index], self.classes, self.scale
        )


def read_frame(project: Project, slide_id: str, task: str, *, scale: Scale | None = None) -> ObjectFrame:
    """All objects of a slide and task that a project holds; an empty frame where there are none."""
    instances = project.objects(slide_id, task)
    states = project.object_states(slide_id, task)
    rows = np.searchsorted(states.ids, instances.ids)
    return ObjectFrame(task, instances, states.states[rows], states.locked[rows], project.classes(task), scale)
