"""What an export knows about the objects of a slide, and their outlines without loading the slide."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, DataError, Instances, Rect, Scale, UsageError
from pathloop.rasters import Outline, trace_outlines

__all__ = ["ObjectTable", "OutlinedObject", "SlideIdentity", "iter_outlines", "object_uuid", "outlined_objects"]

ReadLabels = Callable[[Rect], NDArray[Any]]
_STRIP_PX = 1 << 22


def object_uuid(project_uuid: uuid.UUID, slide_id: str, task: str, object_id: int) -> uuid.UUID:
    """The object's name outside the project: UUIDv5 (RFC 9562) of ``slide/task/id`` in the project's name space."""
    return uuid.uuid5(project_uuid, f"{slide_id}/{task}/{object_id}")


@dataclass(frozen=True, slots=True)
class SlideIdentity:
    """Which slide of which project objects belong to.

    Parameters
    ----------
    project_uuid
        The project's own UUID.
    slide_id
        The slide's id in the project.
    scale
        um per px at level 0, or None where it is unknown: lengths and areas in um are then left out.
    """

    project_uuid: uuid.UUID
    slide_id: str
    scale: Scale | None = None

    def uuid_of(self, task: str, object_id: int) -> uuid.UUID:
        """See `object_uuid`."""
        return object_uuid(self.project_uuid, self.slide_id, task, object_id)


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """The objects of one task on one slide, with what the numbers mean.

    Parameters
    ----------
    task
        Name of the task.
    instances
        (N,) objects.
    classes
        Class code k (1-based) is ``classes[k - 1]``; code 0 has no class.
    states
        (N,) of "predicted", "edited", "accepted"; None = all predicted.
    locked
        (N,) bool; None = none is.

    Raises
    ------
    UsageError
        If lengths differ or a class code has no class.
    """

    task: str
    instances: Instances
    classes: tuple[ClassSpec, ...] = ()
    states: NDArray[np.str_] | None = None
    locked: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n = len(self.instances)
        for name in ("states", "locked"):
            column = getattr(self, name)
            if column is not None and column.shape != (n,):
                raise UsageError(f"ObjectTable.{name} has shape {column.shape}, expected ({n},)")
        codes = self.instances.class_codes
        if n and not 0 <= int(codes.min()) <= int(codes.max()) <= len(self.classes):
            raise UsageError(f"{self.task}: class codes must lie in 0 .. {len(self.classes)}, got up to {codes.max()}")

    def class_of(self, index: int) -> ClassSpec | None:
        """Class of the object in a row, or None where it is unknown."""
        code = int(self.instances.class_codes[index])
        return self.classes[code - 1] if code else None

    def state_of(self, index: int) -> str:
        """State of the object in a row."""
        return "predicted" if self.states is None else str(self.states[index])

    def is_locked(self, index: int) -> bool:
        """Whether the object in a row is locked."""
        return self.locked is not None and bool(self.locked[index])


@dataclass(frozen=True, slots=True)
class OutlinedObject:
    """One object with its outline, ready to be written.

    Parameters
    ----------
    task, id
        What names it in the project.
    outline
        Corners (y, x) in level-0 pixels, pixel-edge coordinates.
    class_spec
        Its class and colour, or None where it is unknown.
    area_px
        Pixels at level 0.
    confidence, class_probability
        0..1; NaN = unknown.
    state
        "predicted", "edited" or "accepted".
    is_locked
        Protected from changes.
    measurements
        More numbers by name; those that are not finite are left out.
    """

    task: str
    id: int
    outline: Outline
    class_spec: ClassSpec | None = None
    area_px: float = float("nan")
    confidence: float = float("nan")
    class_probability: float = float("nan")
    state: str = "predicted"
    is_locked: bool = False
    measurements: Mapping[str, float] = field(default_factory=dict)


def outlined_objects(table: ObjectTable, read_labels: ReadLabels, *, block_px: int = 2048) -> Iterator[OutlinedObject]:
    """Every object of a table with its outline; order, memory and errors as for `iter_outlines`."""
    instances = table.instances
    for index, outline in _iter_rows(instances, read_labels, block_px):
        yield OutlinedObject(
            task=table.task,
            id=int(instances.ids[index]),
            outline=outline,
            class_spec=table.class_of(index),
            area_px=int(instances.areas_px[index]),
            confidence=_shortest(instances.confidences[index]),
            class_probability=_shortest(instances.class_probabilities[index]),
            state=table.state_of(index),
            is_locked=table.is_locked(index),
        )


def _shortest(value: np.float32) -> float:
    """The float whose shortest decimal form is that of the float32 (0.9, not 0.8999999761581421)."""
    return float(str(value))


def iter_outlines(
    instances: Instances, read_labels: ReadLabels, *, block_px: int = 2048
) -> Iterator[tuple[int, Outline]]:
    """``(id, outline)`` of every object, without ever holding the slide.

    Objects whose box starts in one block of a fixed grid are traced together from one window; an object that reaches
    far out of its block gets a window of its own. Order: blocks in raster order, ids ascending inside a block,
    whatever the order of ``instances`` and however the labels are stored.

    Parameters
    ----------
    instances
        Only ``ids`` and ``boxes`` are used.
    read_labels
        Gives the ids, (height, width) integers, of a level-0 window that lies within the image.
    block_px
        Side of the blocks. Windows of blocks are at most 1.25 times as wide.

    Raises
    ------
    DataError
        If an object has no pixel in its box, which means that table and label image do not belong together.
    """
    for index, outline in _iter_rows(instances, read_labels, block_px):
        yield int(instances.ids[index]), outline


def _iter_rows(instances: Instances, read_labels: ReadLabels, block_px: int) -> Iterator[tuple[int, Outline]]:
    top_left, far = instances.boxes[:, :2], instances.boxes[:, 2:]
    blocks = top_left // block_px
    is_large = np.any(far > (blocks + 1) * block_px + block_px // 4, axis=1)
    order = np.lexsort((instances.ids, blocks[:, 1], blocks[:, 0]))
    ends = np.flatnonzero(np.any(np.diff(blocks[order], axis=0) != 0, axis=1)) + 1
    for rows in np.split(order, ends) if len(order) else ():
        small = rows[~is_large[rows]]
        traced: dict[int, Outline] = {}
        if len(small):
            window = Rect.from_bounds(*top_left[small].min(axis=0).tolist(), *far[small].max(axis=0).tolist())
            wanted = set(instances.ids[small].tolist())
            outlines = trace_outlines(read_labels(window), origin=(window.y, window.x))
            traced = {object_id: outline for object_id, outline in outlines if object_id in wanted}
        for index in rows.tolist():
            object_id = int(instances.ids[index])
            outline = _trace_large(instances, index, read_labels) if is_large[index] else traced.pop(object_id, ())
            if not outline:
                box = ", ".join(map(str, instances.boxes[index].tolist()))
                raise DataError(
                    f"object {object_id} has no pixel in its box ({box}): "
                    "the object table and the label image do not belong together"
                )
            yield index, outline


def _trace_large(instances: Instances, index: int, read_labels: ReadLabels) -> Outline:
    """Trace one object from a byte a pixel, read strip by strip."""
    box = Rect.from_bounds(*instances.boxes[index].tolist())
    mask = np.zeros(box.shape, bool)
    rows = max(_STRIP_PX // max(box.width, 1), 1)
    for top in range(0, box.height, rows):
        strip = Rect(top, 0, rows, box.width).intersect(Rect(0, 0, *box.shape))
        mask[strip.slices] = read_labels(strip.shift(box.y, box.x)) == instances.ids[index]
    for _, outline in trace_outlines(mask, origin=(box.y, box.x)):
        return outline
    return ()
