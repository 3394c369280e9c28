"""Pixels that a person changed, and what that makes of the objects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect
from pathloop.loop.correct._committed import Committed, counted
from pathloop.objects import Measurer
from pathloop.store import Change, ObjectChange, ObjectRow, PixelChange, Project

__all__ = ["paint", "pixel_changes"]

DRAWN = ObjectRow((0, 0, 0, 0), (0.0, 0.0), 0, state="edited")


def paint(
    project: Project,
    slide_id: str,
    patches: Sequence[PixelChange],
    *,
    tool: str,
    summary: str = "",
    class_codes: Mapping[tuple[str, int], int] | None = None,
    kind: str = "edit",
    who: str | None = None,
) -> Committed | None:
    """Change pixels of objects; new ids become objects, ids that lose their last pixel are deleted.

    Every object whose pixels change is measured anew and is ``edited`` from now on; it keeps its class, confidence
    and run.

    Parameters
    ----------
    patches
        What was painted; those of one task do not overlap.
    tool, summary, kind, who
        For the journal; "" = in words how many objects changed.
    class_codes
        Class of new objects, by (task, id); 1 where none is given.

    Returns
    -------
    Committed or None
        None where no pixel differs.

    Raises
    ------
    ProjectError
        If a locked object would change, or the project was changed meanwhile; then nothing has changed.
    """
    patches = [one for one in patches if (one.before != one.after).any()]
    if not patches:
        return None
    tasks = tuple(dict.fromkeys(one.task for one in patches))
    objects: list[ObjectChange] = []
    for task in tasks:
        mine = [one for one in patches if one.task == task]
        codes = {number: code for (name, number), code in (class_codes or {}).items() if name == task}
        objects += object_changes(project, slide_id, task, mine, codes)
    change = Change(pixels=tuple(patches), objects=tuple(objects))
    entry = project.commit(slide_id, change, tool=tool, summary=summary or _in_words(objects), kind=kind, who=who)
    return Committed(entry, change)


def object_changes(
    project: Project, slide_id: str, task: str, patches: Sequence[PixelChange], class_codes: Mapping[int, int]
) -> list[ObjectChange]:
    """What some painting makes of a task's objects, measured on their whole extent."""
    touched: set[int] = set()
    for one in patches:
        differs = one.before != one.after
        touched |= set(np.unique(one.before[differs]).tolist()) | set(np.unique(one.after[differs]).tolist())
    touched.discard(0)
    rows = project.object_rows(slide_id, task, sorted(touched))
    locked = sorted(number for number, row in rows.items() if row.locked)
    if locked:
        raise ProjectError(f"{task} {locked[0]} is locked; unlock it first")
    boxes = {number: Rect.from_bounds(*row.box) for number, row in rows.items()}
    for one in patches:
        for number, box in _boxes(one.after, one.before != one.after).items():
            place = box.shift(one.rect.y, one.rect.x)
            boxes[number] = _hull(boxes[number], place) if number in boxes else place
    measured = _measure(project, slide_id, task, patches, boxes)
    changes = []
    for number in sorted(touched):
        before, after = rows.get(number), measured.get(number)
        if after is not None:
            own = before or replace(DRAWN, class_code=class_codes.get(number, 1))
            after = replace(own, box=after.box, centroid=after.centroid, area_px=after.area_px, state="edited")
        if before is not None or after is not None:
            changes.append(ObjectChange(task, number, before, after))
    return changes


def _boxes(labels: NDArray[np.int32], where: NDArray[np.bool_]) -> dict[int, Rect]:
    """Boxes of the ids in the pixels of a mask."""
    rows, columns = np.nonzero(where & (labels != 0))
    if rows.size == 0:
        return {}
    ids, index = np.unique(labels[rows, columns], return_inverse=True)
    low = np.full((len(ids), 2), np.iinfo(np.int64).max)
    high = np.full((len(ids), 2), -1)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[:, axis], index, places)
        np.maximum.at(high[:, axis], index, places)
    return {
        int(number): Rect.from_bounds(int(low[i, 0]), int(low[i, 1]), int(high[i, 0]) + 1, int(high[i, 1]) + 1)
        for i, number in enumerate(ids)
    }


def _hull(one: Rect, other: Rect) -> Rect:
    return Rect.from_bounds(
        min(one.y, other.y), min(one.x, other.x), max(one.bottom, other.bottom), max(one.right, other.right)
    )


def _measure(
    project: Project, slide_id: str, task: str, patches: Sequence[PixelChange], boxes: Mapping[int, Rect]
) -> dict[int, ObjectRow]:
    """Objects in their boxes, as they are after the painting."""
    pyramid = project.labels(slide_id, task) if project.has_labels(slide_id, task) else None
    found: dict[int, ObjectRow] = {}
    for number, box in boxes.items():
        labels = np.zeros(box.shape, np.int32) if pyramid is None else pyramid.read(box)
        for one in patches:
            common = box.intersect(one.rect)
            if common.area:
                inside, there = common.relative_to(one.rect).slices, common.relative_to(box).slices
                before, after = one.before[inside], one.after[inside]
                labels[there] = np.where(before != after, after, labels[there])
        measurer = Measurer()
        measurer.add(np.where(labels == number, labels, 0), y=box.y, x=box.x)
        instances = measurer.instances()
        if len(instances):
            top, left, bottom, right = instances.boxes[0].tolist()
            y, x = instances.centroids[0].tolist()
            found[number] = ObjectRow((top, left, bottom, right), (y, x), int(instances.areas_px[0]))
    return found


def pixel_changes(
    task: str, rect: Rect, before: NDArray[np.int32], after: NDArray[np.int32]
) -> tuple[PixelChange, ...]:
    """A patch where two label images differ; none where they do not."""
    return (PixelChange(task, rect, before, after),) if (before != after).any() else ()


def _in_words(objects: Sequence[ObjectChange]) -> str:
    parts = []
    for task in dict.fromkeys(one.task for one in objects):
        mine = [one for one in objects if one.task == task]
        kinds = {
            "drawn": [one for one in mine if one.before is None],
            "deleted": [one for one in mine if one.after is None],
            "changed": [one for one in mine if one.before is not None and one.after is not None],
        }
        parts += [
            f"{counted(task, len(found))} {kind}"
            if len(found) > 1
            else f"{counted(task, 1).removeprefix('1 ')} {found[0].id} {kind}"
            for kind, found in kinds.items()
            if found
        ]
    return ", ".join(parts)
