"""A label layer as something that can be written: our own objects with all that is known of them, or plain ids."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import Instances, Rect, Scale, TileGrid, UsageError
from pathloop.interchange import ObjectTable, SlideIdentity
from pathloop.store import OBJECT_STATES, Project

__all__ = ["LabelsToSave", "labels_of"]

BLOCK_PX = 2048
NOWHERE = uuid.uuid5(uuid.NAMESPACE_URL, "pathloop: labels of no project")


@dataclass(frozen=True, slots=True, eq=False)
class LabelsToSave:
    """Ids of a layer and the objects that they belong to.

    Parameters
    ----------
    name
        Of what is shown: the task, or the layer's name.
    bounds
        The layer's place in pixels of the slide that it lies on; pixel (0, 0) is the slide's first.
    read
        Ids of a rectangle inside the bounds.
    identity
        Which slide of which project; its scale is None where pixels have no known size.
    known
        The objects, or None where they are only what the ids say.
    """

    name: str
    bounds: Rect
    read: Callable[[Rect], NDArray[Any]]
    identity: SlideIdentity
    known: ObjectTable | None = None

    def table(self) -> ObjectTable:
        """The objects; those that are only ids are looked up block by block."""
        return self.known or ObjectTable("object", found_objects(self.read, self.bounds))


def labels_of(data: Any, meta: Mapping[str, Any]) -> LabelsToSave:
    """What a napari Labels layer holds.

    Parameters
    ----------
    data
        (H, W) integers, or levels of them, finest first.
    meta
        The layer's attributes: name, scale, translate, units, metadata.

    Raises
    ------
    UsageError
        If it is no flat image, or its slide is not open any more.
    """
    own = meta.get("metadata", {}).get("pathloop", {})
    if isinstance(own, dict) and {"slide", "task"} <= set(own):
        found = _own_objects(str(own["slide"]), str(own["task"]))
        if found is not None:
            return found
    name = str(meta.get("name", "labels"))
    array = data[0] if meta.get("multiscale") or isinstance(data, list | tuple) else data
    if len(array.shape) != 2 or np.dtype(array.dtype).kind not in "biu":
        raise UsageError(
            f"{meta.get('name', 'labels')}: only flat (y, x) layers of whole numbers can be saved like this"
        )
    name = str(meta.get("name", "labels"))
    steps = [float(value) for value in meta.get("scale", (1.0, 1.0))[-2:]]
    shifts = [float(value) for value in meta.get("translate", (0.0, 0.0))[-2:]]
    y, x = (round(shift / step) for shift, step in zip(shifts, steps, strict=True))
    bounds = Rect(y, x, int(array.shape[0]), int(array.shape[1]))

    def read(rect: Rect) -> NDArray[Any]:
        return np.asarray(array[rect.relative_to(bounds).slices])

    return LabelsToSave(name, bounds, read, SlideIdentity(NOWHERE, name, _scale(steps, meta.get("units"))))


def _own_objects(slide: str, task: str) -> LabelsToSave | None:
    """Objects of a slide in the window; None for maps, which have no objects."""
    from napari import current_viewer

    from pathloop.gui._current import session_for

    viewer = current_viewer()
    opened = () if viewer is None else session_for(viewer).opened
    mine = next((one for one in opened if one.name == slide), None)
    if mine is None:
        raise UsageError(f"{slide} is not open any more; open it again, then save its {task}")
    desk, bounds = mine.desk, Rect(0, 0, *mine.slide.shape)
    if task not in desk.tasks:
        return None
    frame = desk.frame(task)
    states = np.array(OBJECT_STATES)[frame.states]
    known = ObjectTable(task, frame.instances, frame.classes, states=states, locked=frame.locked)
    project = NOWHERE
    if mine.project_path is not None:
        with Project.open(mine.project_path, write=False) as opened_project:
            project = opened_project.uuid
    identity = SlideIdentity(project, mine.slide_id or slide, mine.scale)
    return LabelsToSave(task, bounds, lambda rect: desk.layers.read_ids(task, rect), identity, known)


def _scale(steps: list[float], units: Any) -> Scale | None:
    """Um per px, where the layer's units say that its scale means that."""
    names = {str(unit) for unit in units or ()}
    if not names or not names <= {"um", "µm", "micrometer", "micron"}:
        return None
    try:
        return Scale(*steps)
    except UsageError:
        return None


def found_objects(read: Callable[[Rect], NDArray[Any]], bounds: Rect) -> Instances:
    """Boxes, areas and centroids of all ids, without loading the whole image."""
    boxes: dict[int, NDArray[np.int64]] = {}
    sums: dict[int, NDArray[np.float64]] = {}
    for tile in TileGrid(bounds, BLOCK_PX):
        ids, places = np.unique(read(tile.core), return_inverse=True)
        for index, box in enumerate(ndimage.find_objects(places.reshape(tile.core.shape) + 1)):
            object_id = int(ids[index])
            if object_id == 0 or box is None:
                continue
            rows, columns = np.nonzero(places.reshape(tile.core.shape)[box] == index)
            top, left = tile.core.y + box[0].start, tile.core.x + box[1].start
            bottom, right = tile.core.y + box[0].stop, tile.core.x + box[1].stop
            before = boxes.get(object_id, np.array([top, left, bottom, right]))
            boxes[object_id] = np.array(
                [min(before[0], top), min(before[1], left), max(before[2], bottom), max(before[3], right)]
            )
            mine = np.array([len(rows), float((rows + top).sum()), float((columns + left).sum())])
            sums[object_id] = sums.get(object_id, np.zeros(3)) + mine
    order = sorted(boxes)
    n = len(order)
    if n == 0:
        return Instances.empty()
    totals = np.array([sums[each] for each in order])
    return Instances(
        ids=np.array(order, np.int64),
        boxes=np.array([boxes[each] for each in order], np.int64),
        centroids=totals[:, 1:] / totals[:, :1],
        areas_px=totals[:, 0].astype(np.int64),
        confidences=np.full(n, np.nan, np.float32),
        class_codes=np.zeros(n, np.int16),
        class_probabilities=np.full(n, np.nan, np.float32),
    )
