"""What the queue's buttons do to regions and flags, as work for the journal: each click is one entry."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from pathloop.core import Rect
from pathloop.gui._journal import Work
from pathloop.loop.correct import (
    Committed,
    accept_region,
    add_regions,
    change_region,
    remove_region,
    set_flag,
    verify_regions,
)
from pathloop.loop.queue import store_queue
from pathloop.store import Change, Project, Region, RegionChange, RegionState

__all__ = ["adding", "asking", "assigning", "marking", "removing", "storing", "verifying"]

TOOL = "region"


def adding(rects: Sequence[Rect], default_tasks: Sequence[str]) -> Work:
    """Add regions that a person chose, to be reviewed for all object tasks of the slide.

    Parameters
    ----------
    rects
        Level-0 pixels.
    default_tasks
        For a slide that no run has segmented.
    """

    def work(project: Project, slide_id: str) -> Committed | None:
        tasks = project.tasks(slide_id) or default_tasks
        regions = [Region(0, slide_id, rect, states=dict.fromkeys(tasks, "todo")) for rect in rects]
        return add_regions(project, slide_id, regions)[0]

    return work


def removing(numbers: Sequence[int]) -> Work:
    """Take regions out of the queue."""
    if len(numbers) == 1:
        return lambda project, slide_id: remove_region(project, numbers[0])
    return _edit(numbers, lambda region: None, f"{len(numbers)} regions removed")


def assigning(numbers: Sequence[int], name: str) -> Work:
    """Say who shall do regions; "" = anybody."""
    return _edit(
        numbers, lambda region: replace(region, assigned=name), f"{len(numbers)} regions for {name or 'anybody'}"
    )


def asking(numbers: Sequence[int], objects: Sequence[tuple[str, int]], comment: str | None) -> list[Work]:
    """Ask a pathologist about regions and objects, or take the question back (None)."""
    words = "question answered" if comment is None else f"ask a pathologist: {comment}"
    works: list[Work] = [partial(_flag, task=task, number=number, comment=comment) for task, number in objects]
    if numbers:
        works.insert(
            0, _edit(numbers, lambda region: replace(region, flag=comment), f"{len(numbers)} regions: {words}")
        )
    return works


def marking(numbers: Sequence[int], state: RegionState, tasks: Sequence[str] | None) -> list[Work]:
    """Give regions a state, for some tasks or all that are reviewed in them.

    What is done is accepted with all its objects. Taking that back leaves the objects as they are.
    """
    if state == "done":
        return [partial(_accept, number=number, tasks=tasks) for number in numbers]

    def changed(region: Region) -> Region:
        own = region.states if tasks is None else [task for task in tasks if task in region.states]
        return replace(region, states={**region.states, **dict.fromkeys(own, state)})

    return [_edit(numbers, changed, f"{len(numbers)} regions: {state}")]


def verifying(numbers: Sequence[int], name: str) -> Work:
    """Write down who vouches for regions."""
    return lambda project, slide_id: verify_regions(project, slide_id, numbers, by=name)


def storing(queue: Sequence[Region], strategy: str) -> Work:
    """Store a ranking of one slide."""

    def work(project: Project, slide_id: str) -> Committed | None:
        entries = store_queue(project, queue, slide_ids=(slide_id,), strategy=strategy)
        return Committed(entries[-1], project.journal_change(entries[-1].number)) if entries else None

    return work


def _flag(project: Project, slide_id: str, *, task: str, number: int, comment: str | None) -> Committed | None:
    return set_flag(project, slide_id, task, number, comment)


def _accept(project: Project, slide_id: str, *, number: int, tasks: Sequence[str] | None) -> Committed | None:
    own = None if tasks is None else [task for task in tasks if task in project.region(number).states]
    return accept_region(project, number, own)


def _edit(numbers: Iterable[int], edit: Callable[[Region], Region | None], words: str) -> Work:
    """Change regions in one entry; None takes one away. Those that stay as they are are left out."""
    wanted = frozenset(numbers)

    def work(project: Project, slide_id: str) -> Committed | None:
        changes = [
            RegionChange(region.id, region, after)
            for region in project.regions(slide_id)
            if region.id in wanted and (after := edit(region)) != region
        ]
        if not changes:
            return None
        if len(changes) == 1 and changes[0].after is not None:
            return change_region(project, changes[0].after)  # says in words what is new
        change = Change(regions=tuple(changes))
        return Committed(project.commit(slide_id, change, tool=TOOL, summary=words), change)

    return work
