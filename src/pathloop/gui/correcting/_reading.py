"""What an edit window begins with: ids, rows, classes and free ids, read in the project's thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ModelError, ProjectError, Rect
from pathloop.gui.correcting._window import EditWindow, TaskWindow
from pathloop.loop import FIRST_PREVIEW_ID, ObjectFrame, model_of
from pathloop.networks import DEFAULT_MODEL, find_model
from pathloop.store import OBJECT_STATES, ObjectRow, Project

__all__ = ["WindowRequest", "read_window"]


@dataclass(frozen=True, slots=True, eq=False)
class WindowRequest:
    """Which window to read.

    Parameters
    ----------
    slide_id
        In the project.
    rect, region, region_id
        As in `EditWindow`.
    tasks
        Object tasks, the one to begin with first.
    provisional
        By task with objects of an unfinished run: reads ids of a level-0 rectangle with these objects, and the
        frame that knows them.
    """

    slide_id: str
    rect: Rect
    region: Rect
    tasks: Sequence[str]
    region_id: int | None = None
    provisional: Mapping[str, tuple[Callable[[Rect], NDArray[np.int32]], ObjectFrame]] | None = None


def read_window(project: Project, request: WindowRequest) -> EditWindow:
    """Read a window; call it in the project's thread."""
    tasks = {}
    for task in request.tasks:
        has_labels = project.has_labels(request.slide_id, task)
        labels = (
            project.labels(request.slide_id, task).read(request.rect)
            if has_labels
            else np.zeros(request.rect.shape, np.int32)
        )
        found = project.objects(request.slide_id, task, area=request.rect)
        rows = project.object_rows(request.slide_id, task, found.ids.tolist())
        truth = None
        if request.provisional and task in request.provisional:
            read, frame = request.provisional[task]
            truth, labels = labels, read(request.rect)
            rows |= provisional_rows(frame, request.rect)
        tasks[task] = TaskWindow(
            task,
            request.rect,
            np.ascontiguousarray(labels),
            rows,
            project.classes(task),
            project.next_free_id(request.slide_id, task),
            truth,
        )
    try:
        model = model_of(project, request.slide_id, None)
    except (ModelError, ProjectError):  # nothing ran yet, or with a model that is not here
        model = find_model(DEFAULT_MODEL)
    return EditWindow(request.rect, tasks, request.region, request.region_id, model)


def provisional_rows(frame: ObjectFrame, rect: Rect) -> dict[int, ObjectRow]:
    """Rows of the objects of an unfinished run whose box meets a rectangle."""
    instances = frame.instances
    top, left, bottom, right = instances.boxes.T
    meets = (bottom > rect.y) & (top < rect.bottom) & (right > rect.x) & (left < rect.right)
    found = {}
    for row in np.flatnonzero(meets & (instances.ids >= FIRST_PREVIEW_ID)).tolist():
        box = tuple(instances.boxes[row].tolist())
        y, x = instances.centroids[row].tolist()
        found[int(instances.ids[row])] = ObjectRow(
            (box[0], box[1], box[2], box[3]),
            (y, x),
            int(instances.areas_px[row]),
            int(instances.class_codes[row]),
            None,
            float(instances.confidences[row]),
            OBJECT_STATES[0],
        )
    return found
