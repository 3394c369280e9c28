"""Regions of the queue: adding, changing, accepting."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from pathloop.core import Rect, UsageError
from pathloop.loop.correct._cells import cells_inside
from pathloop.loop.correct._committed import Committed
from pathloop.loop.correct._objects import state_changes
from pathloop.store import CellChange, Change, ObjectRow, Project, Region, RegionChange, counted

__all__ = ["accept_region", "add_regions", "change_region", "remove_region"]


def add_regions(
    project: Project, slide_id: str, regions: Sequence[Region], *, tool: str = "region", who: str | None = None
) -> tuple[Committed, tuple[Region, ...]]:
    """Add regions of one slide; they get their numbers here and are cut to the slide.

    Returns
    -------
    tuple
        The entry, and the regions as stored.

    Raises
    ------
    UsageError
        If there is none, or one lies outside the slide.
    """
    whole = Rect(0, 0, *project.slide(slide_id).shape)
    first = project.new_region_id()
    stored = []
    for number, region in enumerate(regions, first):
        rect = region.rect.intersect(whole)
        if rect.area == 0:
            raise UsageError(f"{region.rect} lies outside slide {slide_id!r}")
        stored.append(replace(region, id=number, slide_id=slide_id, rect=rect))
    change = Change(regions=tuple(RegionChange(region.id, None, region) for region in stored))
    n = len(stored)
    words = f"region {first} added" if n == 1 else f"{n} regions added"
    return Committed(project.commit(slide_id, change, tool=tool, summary=words, who=who), change), tuple(stored)


def change_region(project: Project, region: Region, *, summary: str = "", who: str | None = None) -> Committed | None:
    """Store a region in the place of the one with its number; None where they are equal.

    Raises
    ------
    ProjectError
        If there is no such region.
    UsageError
        If its slide, or its membership of the hold-out, is another.
    """
    before = project.region(region.id)
    if before == region:
        return None
    if before.slide_id != region.slide_id:
        raise UsageError(f"region {region.id} lies on slide {before.slide_id!r}")
    change = Change(regions=(RegionChange(region.id, before, region),))
    words = summary or _difference(before, region)
    return Committed(project.commit(region.slide_id, change, tool="region", summary=words, who=who), change)


def _difference(before: Region, after: Region) -> str:
    parts = []
    if before.states != after.states:
        parts.append(", ".join(f"{task} {state}" for task, state in after.states.items()) or "not to be reviewed")
    if before.assigned != after.assigned:
        parts.append(f"for {after.assigned or 'anybody'}")
    if before.flag != after.flag:
        parts.append("question answered" if after.flag is None else f"ask a pathologist: {after.flag}")
    if before.rect != after.rect:
        parts.append("moved")
    return f"region {after.id}: {'; '.join(parts) or 'changed'}"


def remove_region(project: Project, number: int, *, who: str | None = None) -> Committed:
    """Take a region out of the queue; what was corrected in it stays."""
    region = project.region(number)
    change = Change(regions=(RegionChange(number, region, None),))
    entry = project.commit(region.slide_id, change, tool="region", summary=f"region {number} removed", who=who)
    return Committed(entry, change)


def accept_region(
    project: Project, number: int, tasks: Iterable[str] | None = None, *, who: str | None = None
) -> Committed | None:
    """Say that everything in a region is right now: its objects become accepted, its tasks done. One entry.

    Objects count whose centre lies in the region; locked ones stay as they are. With the task "tissue", cells of the
    tissue map that a person corrected become accepted where their centre lies in it. What is corrected in the region
    later is edited again; the region stays done.

    Parameters
    ----------
    tasks
        None = all that are to be reviewed in it.

    Returns
    -------
    Committed or None
        None where nothing changes.
    """
    region = project.region(number)
    wanted = tuple(region.states) if tasks is None else tuple(tasks)
    slide_id = region.slide_id
    rows: dict[tuple[str, int], ObjectRow] = {}
    for task in wanted:
        found = project.objects(slide_id, task, area=region.rect)
        low, high = (region.rect.y, region.rect.x), (region.rect.bottom, region.rect.right)
        centres = found.centroids
        inside = (centres >= np.array(low) - 0.5).all(axis=1) & (centres < np.array(high) - 0.5).all(axis=1)
        for key, row in project.object_rows(slide_id, task, found.ids[inside].tolist()).items():
            rows[task, key] = row
    objects = state_changes(rows, "accepted")
    states = region.states | dict.fromkeys(wanted, "done")
    after = replace(region, states=states)
    regions = () if after == region else (RegionChange(number, region, after),)
    cells = _accepted_cells(project, region) if "tissue" in wanted else ()
    change = Change(objects=objects, cells=cells, regions=regions)
    if change.is_empty:
        return None
    counts = {task: sum(one.task == task for one in objects) for task in wanted}
    parts = [counted(task, n) for task, n in counts.items() if n]
    parts += [f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}"] if cells else []
    words = ", ".join(parts) or "nothing left to accept"
    summary = f"region {number} done for {', '.join(wanted)}: {words}"
    return Committed(project.commit(slide_id, change, tool="accept region", summary=summary, who=who), change)


def _accepted_cells(project: Project, region: Region) -> tuple[CellChange, ...]:
    """Corrected cells whose centre lies in a region become accepted."""
    cells = project.tissue_cells(region.slide_id)
    return tuple(
        CellChange(*place, cells[place], replace(cells[place], state="accepted"))
        for place in cells_inside(project, region.slide_id, sorted(cells), region.rect)
        if cells[place].state != "accepted"
    )
