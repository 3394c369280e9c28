"""Whole objects: state, lock, class, deletion and flags."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.correct._committed import Committed, counted
from pathloop.store import (
    OBJECT_STATES,
    Change,
    Flag,
    FlagChange,
    ObjectChange,
    ObjectRow,
    PixelChange,
    Project,
    who_am_i,
)

__all__ = ["delete_objects", "set_flag", "set_objects", "state_changes"]


def set_objects(
    project: Project,
    slide_id: str,
    task: str,
    ids: Iterable[int],
    *,
    state: str | None = None,
    locked: bool | None = None,
    class_code: int | None = None,
    who: str | None = None,
) -> Committed | None:
    """Give objects a review state, a lock or a class.

    Objects that get another class are ``edited``, unless a state is given. Locked ones only change their lock.

    Parameters
    ----------
    state
        ``predicted``, ``edited`` or ``accepted``; None = as it is.
    locked, class_code
        None = as it is.

    Returns
    -------
    Committed or None
        None where nothing changes.

    Raises
    ------
    UsageError
        If the state or the class is unknown.
    ProjectError
        If none of the objects may be changed, because they are locked.
    """
    if state is not None and state not in OBJECT_STATES:
        raise UsageError(f"unknown state {state!r}; known: {', '.join(OBJECT_STATES)}")
    classes = project.classes(task)
    if class_code is not None and not 0 <= class_code <= len(classes):
        raise UsageError(f"{task} has no class {class_code}; it has {len(classes)}")
    rows = project.object_rows(slide_id, task, ids)
    free = {number: row for number, row in rows.items() if not row.locked or locked is False}
    changes = [
        ObjectChange(task, number, row, after)
        for number, row in sorted(free.items())
        if (after := _changed(row, state=state, locked=locked, class_code=class_code)) != row
    ]
    if not changes:
        if rows and not free:
            raise ProjectError(_locked(task, len(rows)))
        return None
    if locked is False and (state is not None or class_code is not None):
        raise UsageError("unlock objects first, then change them")
    n = counted(task, len(changes)) if len(changes) > 1 else f"{counted(task, 1)[2:]} {changes[0].id}"
    if class_code is not None:
        name = classes[class_code - 1].name if class_code else "no class"
        tool, words = "class", f"{n}: class {name}"
    elif locked is not None:
        tool = "lock" if locked else "unlock"
        words = f"{n} {tool}ed"
    else:
        tool, words = {"accepted": ("accept", f"{n} accepted")}.get(str(state), ("state", f"{n}: {state}"))
    entry = project.commit(slide_id, Change(objects=tuple(changes)), tool=tool, summary=words, who=who)
    return Committed(entry, Change(objects=tuple(changes)))


def _changed(row: ObjectRow, *, state: str | None, locked: bool | None, class_code: int | None) -> ObjectRow:
    if class_code is not None and class_code != row.class_code:
        # the model's probability was about another class
        row = replace(row, class_code=class_code, class_probability=None, state=state or "edited")
    if state is not None:
        row = replace(row, state=state)
    return row if locked is None else replace(row, locked=locked)


def state_changes(rows: dict[tuple[str, int], ObjectRow], state: str) -> tuple[ObjectChange, ...]:
    """Changes that give rows a state; locked ones are left as they are."""
    return tuple(
        ObjectChange(task, number, row, replace(row, state=state))
        for (task, number), row in sorted(rows.items())
        if row.state != state and not row.locked
    )


def _locked(task: str, n: int) -> str:
    return f"{counted(task, n)} {'is' if n == 1 else 'are'} locked; unlock first"


def delete_objects(
    project: Project, slide_id: str, task: str, ids: Iterable[int], *, who: str | None = None
) -> Committed | None:
    """Delete objects with their pixels; locked ones stay.

    Raises
    ------
    ProjectError
        If all of them are locked.
    """
    rows = project.object_rows(slide_id, task, ids)
    free = {number: row for number, row in rows.items() if not row.locked}
    if not free:
        if rows:
            raise ProjectError(_locked(task, len(rows)))
        return None
    pyramid = project.labels(slide_id, task)
    pixels: list[PixelChange] = []
    for rect in _joined([Rect.from_bounds(*row.box) for row in free.values()]):
        before = pyramid.read(rect)
        after = np.where(np.isin(before, list(free)), np.int32(0), before)
        pixels.append(PixelChange(task, rect, before, after))
    objects = tuple(ObjectChange(task, number, row, None) for number, row in sorted(free.items()))
    doomed = {flag.id: flag for flag in project.flags(slide_id, task) if flag.id in free}
    flags = tuple(FlagChange(task, number, flag, None) for number, flag in doomed.items())
    change = Change(pixels=tuple(pixels), objects=objects, flags=flags)
    n = counted(task, len(free)) if len(free) > 1 else f"{counted(task, 1)[2:]} {next(iter(free))}"
    return Committed(project.commit(slide_id, change, tool="delete", summary=f"{n} deleted", who=who), change)


def _joined(rects: list[Rect]) -> list[Rect]:
    """Rectangles that do not overlap and cover the same: those that overlap become their hull."""
    found: list[Rect] = []
    for rect in sorted(rects):
        wanted = rect
        while True:
            hit = next((one for one in found if one.intersect(wanted).area), None)
            if hit is None:
                break
            found.remove(hit)
            wanted = Rect.from_bounds(
                min(hit.y, wanted.y), min(hit.x, wanted.x), max(hit.bottom, wanted.bottom), max(hit.right, wanted.right)
            )
        found.append(wanted)
    return found


def set_flag(
    project: Project, slide_id: str, task: str, object_id: int, comment: str | None, *, who: str | None = None
) -> Committed | None:
    """Ask a pathologist about an object, change the question, or take it back (None).

    Raises
    ------
    UsageError
        If there is no such object.
    """
    row = project.object_row(slide_id, task, object_id)
    if row is None:
        raise UsageError(f"slide {slide_id!r} has no {task} {object_id}")
    before = next((flag for flag in project.flags(slide_id, task) if flag.id == object_id), None)
    asker = who or who_am_i()
    after = None if comment is None else Flag(task, object_id, comment.strip(), asker, "")
    if before == after or (before and after and before.comment == after.comment):
        return None
    name = f"{counted(task, 1)[2:]} {object_id}"
    words = f"{name}: question answered" if after is None else f"{name}: ask a pathologist: {after.comment}"
    change = Change(flags=(FlagChange(task, object_id, before, after),))
    return Committed(project.commit(slide_id, change, tool="flag", summary=words, who=who), change)
