"""The objects of a slide and task as columns, as windows and tables show them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Instances, Scale
from pathloop.store import OBJECT_STATES, ObjectChange, Project

__all__ = ["FIRST_PREVIEW_ID", "ObjectFrame", "changed_frame", "read_frame"]

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


def changed_frame(
    frame: ObjectFrame, changes: Sequence[ObjectChange], classes: tuple[ClassSpec, ...] | None = None
) -> ObjectFrame:
    """A frame after corrections of its task, in their order.

    Parameters
    ----------
    frame
        N objects.
    changes
        What was corrected; of an object that comes several times the last one counts.
    classes
        The task's classes now; None = as they were.
    """
    latest = {one.id: one.after for one in changes}
    rows = {number: row for number, row in sorted(latest.items()) if row is not None}
    kept = frame.take(~np.isin(frame.instances.ids, np.fromiter(latest, np.int64, len(latest)))) if latest else frame
    found = list(rows.values())
    unknown = float("nan")
    new = Instances(
        ids=np.fromiter(rows, np.int64, len(rows)),
        boxes=np.array([row.box for row in found], np.int64).reshape(-1, 4),
        centroids=np.array([row.centroid for row in found], np.float64).reshape(-1, 2),
        areas_px=np.array([row.area_px for row in found], np.int64),
        confidences=np.array([row.confidence for row in found], np.float32),
        class_codes=np.array([row.class_code for row in found], np.int16),
        class_probabilities=np.array(
            [unknown if row.class_probability is None else row.class_probability for row in found], np.float32
        ),
    )
    together = Instances.concatenate([kept.instances, new])
    order = np.argsort(together.ids, kind="stable")
    states = np.array([OBJECT_STATES.index(row.state) for row in found], np.uint8)
    locked = np.array([row.locked for row in found], np.bool_)
    return ObjectFrame(
        frame.task,
        together.take(order),
        np.concatenate([kept.states, states])[order],
        np.concatenate([kept.locked, locked])[order],
        frame.classes if classes is None else classes,
        frame.scale,
    )
