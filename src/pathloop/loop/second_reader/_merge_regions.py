"""Regions and questions of the other reader's copy."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from pathloop.core import Rect
from pathloop.loop.queue import is_kept
from pathloop.loop.second_reader._records import Disagreement
from pathloop.loop.second_reader._sides import Copies
from pathloop.store import REGION_STATES, Flag, FlagChange, ObjectRow, Region, RegionChange, RegionState

__all__ = ["find_object", "merge_flags", "merge_regions"]

BETWEEN = " | "
"""Between two questions about the same thing."""


def merge_regions(copies: Copies, conflicts: Sequence[Disagreement], first_id: int) -> list[RegionChange]:
    """What the other reader did to regions: states, questions, persons; new and removed ones.

    A region in which there are conflicts does not become done.

    Parameters
    ----------
    first_id
        The next free number.
    """
    mine = {one.id: one for one in copies.mine.regions()}
    theirs = {one.id: one for one in copies.theirs.regions()}
    before = dict(copies.theirs.since.regions)
    if copies.theirs.is_alone:
        before |= {number: None for number in theirs if number not in before}
    changes = []
    for number, old in sorted(before.items()):
        new = theirs.get(number)
        if new == old:
            continue
        match = _counterpart(copies, mine, new or old)
        if new is None:
            if match is not None and match.id not in copies.mine.since.regions and not copies.mine.is_alone:
                changes.append(RegionChange(match.id, match, None))
        elif match is None:
            if is_kept(new):
                stored = replace(new, id=first_id, slide_id=copies.mine.slide_id, verified_by="")
                changes.append(RegionChange(first_id, None, _held_back(stored, None, conflicts)))
                first_id += 1
        else:
            merged = _held_back(_three_way(match, old, new), match, conflicts)
            if merged != match:
                changes.append(RegionChange(match.id, match, merged))
    return changes


def _counterpart(copies: Copies, mine: dict[int, Region], theirs: Region | None) -> Region | None:
    """My region at the same place; of several the one with the same number."""
    if theirs is None:
        return None
    found = [one for one in mine.values() if one.rect == theirs.rect]
    if not copies.mine.is_alone and theirs.id in mine and mine[theirs.id] in found:
        return mine[theirs.id]
    return found[0] if found else None


def _three_way(mine: Region, before: Region | None, theirs: Region) -> Region:
    old = before or Region(0, "", theirs.rect)
    states: dict[str, RegionState] = dict(mine.states)
    for task, state in theirs.states.items():
        if state != old.states.get(task):
            is_mine = mine.states.get(task) != old.states.get(task) and task in mine.states
            states[task] = max(state, mine.states[task], key=REGION_STATES.index) if is_mine else state
    assigned = theirs.assigned if theirs.assigned != old.assigned and mine.assigned == old.assigned else mine.assigned
    flag = mine.flag
    if theirs.flag != old.flag:
        flag = theirs.flag if mine.flag == old.flag else _joined(mine.flag, theirs.flag)
    return replace(mine, states=states, assigned=assigned, flag=flag)


def _held_back(region: Region, present: Region | None, conflicts: Sequence[Disagreement]) -> Region:
    """A region that is not done for tasks in which conflicts are left, unless I finished it myself."""
    states = dict(region.states)
    for task, state in region.states.items():
        was: RegionState = "todo" if present is None else present.states.get(task, "todo")
        open_here = any(one.task == task and _has_centre(region.rect, one.rect) for one in conflicts)
        if state == "done" and was != "done" and open_here:
            states[task] = "doing"
    return replace(region, states=states)


def _has_centre(region: Rect, rect: Rect) -> bool:
    y, x = rect.y + (rect.height - 1) // 2, rect.x + (rect.width - 1) // 2
    return region.y <= y < region.bottom and region.x <= x < region.right


def _joined(mine: str | None, theirs: str | None) -> str | None:
    if mine is None or theirs is None:
        return mine or theirs
    return mine if theirs in mine else f"{mine}{BETWEEN}{theirs}"


def merge_flags(
    copies: Copies, id_of: Callable[[str, int], int | None], removed: Collection[tuple[str, int]]
) -> list[FlagChange]:
    """Questions about objects: theirs come in, and those of objects that go go with them.

    Parameters
    ----------
    id_of
        My object by task and id of theirs; None = there is none.
    removed
        Objects of mine that go, by task and id.
    """
    mine = {(flag.task, flag.id): flag for flag in copies.mine.project.flags(copies.mine.slide_id)}
    theirs = {(flag.task, flag.id): flag for flag in copies.theirs.project.flags(copies.theirs.slide_id)}
    before = dict(copies.theirs.since.flags)
    if copies.theirs.is_alone:
        before |= {key: None for key in theirs if key not in before}
    wanted: dict[tuple[str, int], Flag | None] = dict.fromkeys(key for key in mine if key in removed)
    for (task, number), old in sorted(before.items()):
        new, own = theirs.get((task, number)), id_of(task, number)
        if own is None or (task, own) in removed or _comment(new) == _comment(old):
            continue
        present = mine.get((task, own))
        history = copies.theirs.since.flag_history.get((task, number), ())
        if _comment(present) == _comment(old) or (present is not None and present.comment in history):
            wanted[task, own] = None if new is None else replace(new, id=own)
        elif new is not None:
            comment = _joined(_comment(present), new.comment)
            wanted[task, own] = replace(new if present is None else present, id=own, comment=comment or "")
    return [
        FlagChange(task, number, mine.get((task, number)), flag)
        for (task, number), flag in sorted(wanted.items(), key=lambda item: item[0])
        if mine.get((task, number)) != flag
    ]


def _comment(flag: Flag | None) -> str | None:
    return None if flag is None else flag.comment


def find_object(copies: Copies, task: str, number: int) -> int | None:
    """My object that one of theirs is, by where it lies now (IoU > 0.5); None where there is none."""
    row = copies.theirs.project.object_row(copies.theirs.slide_id, task, number)
    if row is None:
        return None
    same = copies.mine.project.object_row(copies.mine.slide_id, task, number)
    if not copies.mine.is_alone and _is_at(same, row):
        return number
    rect = Rect.from_bounds(*row.box)
    labels = copies.mine.now(task, rect)[copies.theirs.now(task, rect) == number]
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    rows = copies.mine.project.object_rows(copies.mine.slide_id, task, ids.tolist())
    for one, n in zip(ids.tolist(), sizes.tolist(), strict=True):
        if one in rows and 3 * n > rows[one].area_px + row.area_px:
            return int(one)
    return None


def _is_at(one: ObjectRow | None, other: ObjectRow) -> bool:
    return one is not None and (one.box, one.area_px, one.centroid) == (other.box, other.area_px, other.centroid)
