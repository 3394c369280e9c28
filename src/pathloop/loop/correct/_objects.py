"""Whole objects: state, lock, class, deletion and flags."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from pathloop.core import ProjectError, UsageError
from pathloop.loop.correct._committed import Committed
from pathloop.loop.correct._measure import tiles_of
from pathloop.loop.correct._paint import flag_changes
from pathloop.store import (
    OBJECT_STATES,
    Change,
    Flag,
    FlagChange,
    ObjectChange,
    ObjectRow,
    PixelChange,
    Project,
    counted,
    named,
    now,
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
    is_about_lock = locked is False or (locked is not None and state is None and class_code is None)
    free = {number: row for number, row in rows.items() if not row.locked or is_about_lock}
    changes = [
        ObjectChange(task, number, row, after)
        for number, row in sorted(free.items())
        if (after := _changed(row, state=state, locked=locked, class_code=class_code)) != row
    ]
    if not changes:
        if rows and not free:
            raise ProjectError(_locked(task, sorted(rows)))
        return None
    if locked is False and (state is not None or class_code is not None):
        raise UsageError("unlock objects first, then change them")
    tool, words = _in_words(task, changes, state=state, locked=locked, class_code=class_code)
    if class_code is not None:
        words += f": class {classes[class_code - 1].name}" if class_code else ": no class"
    change = Change(objects=tuple(changes))
    return Committed(project.commit(slide_id, change, tool=tool, summary=words, who=who), change)


def _in_words(
    task: str, changes: Sequence[ObjectChange], *, state: str | None, locked: bool | None, class_code: int | None
) -> tuple[str, str]:
    """The tool, and what was done with it."""
    n = _named(task, [one.id for one in changes])
    if class_code is not None:
        return "class", n
    if locked is not None:
        tool = "lock" if locked else "unlock"
        return tool, f"{n} {tool}ed"
    return ("accept", f"{n} accepted") if state == "accepted" else ("state", f"{n}: {state}")


def _named(task: str, ids: Sequence[int]) -> str:
    return named(task, ids[0]) if len(ids) == 1 else counted(task, len(ids))


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
        ObjectChange(task, number, row, _in_state(row, state))
        for (task, number), row in sorted(rows.items())
        if row.state != state and not row.locked
    )


def _in_state(row: ObjectRow, state: str) -> ObjectRow:
    """As `dataclasses.replace`, six times as fast: a region may hold thousands of objects."""
    return ObjectRow(
        *(row.box, row.centroid, row.area_px, row.class_code, row.class_probability, row.confidence),
        state=state,
        locked=row.locked,
        run=row.run,
    )


def _locked(task: str, ids: Sequence[int]) -> str:
    return f"{_named(task, ids)} {'is' if len(ids) == 1 else 'are'} locked; unlock first"


def delete_objects(
    project: Project, slide_id: str, task: str, ids: Iterable[int], *, who: str | None = None
) -> Committed | None:
    """Delete objects with their pixels; locked ones stay.

    Returns
    -------
    Committed or None
        None where there is none of the objects.

    Raises
    ------
    ProjectError
        If all of them are locked.
    """
    rows = project.object_rows(slide_id, task, ids)
    free = {number: row for number, row in sorted(rows.items()) if not row.locked}
    if not free:
        if rows:
            raise ProjectError(_locked(task, sorted(rows)))
        return None
    pixels: list[PixelChange] = []
    for rect, found in tiles_of({number: row.box for number, row in free.items()}):
        before = project.read_labels(slide_id, task, rect)
        pixels.append(PixelChange(task, rect, before, np.where(np.isin(before, found), np.int32(0), before)))
    objects = tuple(ObjectChange(task, number, row, None) for number, row in free.items())
    change = Change(pixels=tuple(pixels), objects=objects, flags=flag_changes(project, slide_id, objects))
    words = f"{_named(task, list(free))} deleted"
    return Committed(project.commit(slide_id, change, tool="delete", summary=words, who=who), change)


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
        raise UsageError(f"slide {slide_id!r} has no {named(task, object_id)}")
    before = next((flag for flag in project.flags(slide_id, task) if flag.id == object_id), None)
    asker = who or who_am_i()
    after = None if comment is None else Flag(task, object_id, comment.strip(), asker, now())
    if before == after or (before and after and before.comment == after.comment):
        return None
    name = named(task, object_id)
    words = f"{name}: question answered" if after is None else f"{name}: ask a pathologist: {after.comment}"
    change = Change(flags=(FlagChange(task, object_id, before, after),))
    return Committed(project.commit(slide_id, change, tool="flag", summary=words, who=who), change)
