"""Pixels that a person changed, and what that makes of the objects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect
from pathloop.loop.correct._committed import Committed
from pathloop.loop.correct._measure import measured
from pathloop.store import (
    Change,
    FlagChange,
    ObjectChange,
    ObjectRow,
    PixelChange,
    Project,
    RegionChange,
    changed_tiles,
    counted,
    named,
)

__all__ = ["flag_changes", "object_changes", "paint", "pixel_changes"]

DRAWN = ObjectRow((0, 0, 0, 0), (0.0, 0.0), 0, state="edited")


def paint(
    project: Project,
    slide_id: str,
    patches: Sequence[PixelChange],
    *,
    tool: str,
    summary: str = "",
    class_codes: Mapping[tuple[str, int], int] | None = None,
    who: str | None = None,
    region_id: int | None = None,
) -> Committed | None:
    """Change pixels of objects; new ids become objects, ids that lose their last pixel are deleted.

    Every object whose pixels change is measured anew and is ``edited`` from now on, also where it was accepted; it
    keeps its class, confidence and run. A region that is done stays done. An object's question goes with it.

    Parameters
    ----------
    patches
        What was painted; those of one task do not overlap.
    tool, summary, who
        For the journal; "" = in words how many objects changed.
    class_codes
        Class of new objects, by (task, id); where none is given, the task's first, or 0 if it has none.
    region_id
        The region that is being corrected: for these tasks it is in work from now on, if it was to do.

    Returns
    -------
    Committed or None
        None where no pixel differs.

    Raises
    ------
    ProjectError
        If a locked object would change, or the project was changed meanwhile; then nothing has changed.
    """
    tiles = [tile for one in patches for tile in changed_tiles(one)]
    if not tiles:
        return None
    tasks = tuple(dict.fromkeys(one.task for one in tiles))
    objects: list[ObjectChange] = []
    for task in tasks:
        mine = [one for one in tiles if one.task == task]
        codes = {number: code for (name, number), code in (class_codes or {}).items() if name == task}
        objects += object_changes(project, slide_id, task, mine, codes)
    flags = flag_changes(project, slide_id, objects)
    regions = () if region_id is None else _begun(project, region_id, tasks)
    change = Change(pixels=tuple(tiles), objects=tuple(objects), flags=flags, regions=regions)
    entry = project.commit(slide_id, change, tool=tool, summary=summary or _in_words(objects), who=who)
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
        raise ProjectError(f"{named(task, locked[0])} is locked; unlock it first")
    extents = measured(project, slide_id, task, patches, rows)
    first_class = 1 if project.classes(task) else 0
    changes = []
    for number in sorted(touched):
        before, extent = rows.get(number), extents.get(number)
        after = None
        if extent is not None:
            own = before or replace(DRAWN, class_code=class_codes.get(number, first_class))
            centroid = (extent.sum_y / extent.n, extent.sum_x / extent.n)
            after = replace(own, box=extent.box, centroid=centroid, area_px=extent.n, state="edited")
        if before is not None or after is not None:
            changes.append(ObjectChange(task, number, before, after))
    return changes


def flag_changes(project: Project, slide_id: str, objects: Sequence[ObjectChange]) -> tuple[FlagChange, ...]:
    """Questions about objects go with them."""
    gone = {(one.task, one.id) for one in objects if one.after is None}
    flags = project.flags(slide_id) if gone else []
    return tuple(FlagChange(flag.task, flag.id, flag, None) for flag in flags if (flag.task, flag.id) in gone)


def _begun(project: Project, region_id: int, tasks: Sequence[str]) -> tuple[RegionChange, ...]:
    region = next((one for one in project.regions() if one.id == region_id), None)
    waiting = [] if region is None else [task for task in tasks if region.states.get(task) == "todo"]
    if region is None or not waiting:
        return ()
    return (RegionChange(region_id, region, replace(region, states=region.states | dict.fromkeys(waiting, "doing"))),)


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
            f"{counted(task, len(found))} {kind}" if len(found) > 1 else f"{named(task, found[0].id)} {kind}"
            for kind, found in kinds.items()
            if found
        ]
    return ", ".join(parts)
