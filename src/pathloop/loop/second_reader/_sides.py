"""One slide as two copies hold it: yours and theirs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.second_reader._since import BLOCK_PX, Objects, Place, Since, read_since
from pathloop.store import ObjectRow, Project, Region, SlideRecord

__all__ = ["Copies", "Rows", "Side", "both_sides", "rect_of", "slide_pairs"]

Rows = dict[int, tuple[ObjectRow | None, ObjectRow | None]]
"""Objects by id: as they were when the copies parted, and as they are; None = there is no such object."""


class Side:
    """A slide in one of two copies.

    Parameters
    ----------
    project
        Only read.
    record
        The slide in it.
    since
        What people did to it since the copies parted.
    is_alone
        Whether the other project is no copy of this one: then everything that is edited, accepted or locked counts as
        changed since, for the other reader knows nothing of it.
    """

    def __init__(self, project: Project, record: SlideRecord, since: Since, *, is_alone: bool) -> None:
        self.project, self.record, self.since, self.is_alone = project, record, since, is_alone
        self.slide_id = record.slide_id
        self.whole = Rect(0, 0, *record.shape)
        self._classes: dict[str, tuple[str, ...]] = {}

    def now(self, task: str, rect: Rect) -> NDArray[np.int32]:
        """Labels as they are; ``rect.shape`` int32."""
        return self.project.read_labels(self.slide_id, task, rect)

    def row_ids(self, task: str) -> list[int]:
        """Objects that people reviewed, by their state and lock."""
        states = self.project.object_states(self.slide_id, task)
        found: list[int] = states.ids[(states.states > 0) | states.locked].tolist()
        return found

    def changed(self, task: str, also: Iterable[int] = ()) -> Rows:
        """Objects that people changed since the copies parted.

        Parameters
        ----------
        also
            Objects that count as changed whatever the journal says.
        """
        before: dict[int, ObjectRow | None] = dict(self.since.of(task).before)
        now = self.project.object_rows(self.slide_id, task, before)
        found = {number: (row, now.get(number)) for number, row in before.items() if row != now.get(number)}
        more = {*also, *(self.row_ids(task) if self.is_alone else ())} - found.keys()
        for number, row in self.project.object_rows(self.slide_id, task, sorted(more)).items():
            found[number] = (before.get(number, row), row)
        return found

    def objects(self, task: str) -> Objects:
        """What the journal says of a task's objects."""
        return self.since.of(task)

    def regions(self, task: str | None = None) -> list[Region]:
        """Regions of the slide; of a task those that are done."""
        found = self.project.regions(self.slide_id)
        return found if task is None else [one for one in found if one.states.get(task) == "done"]

    def done_since(self, task: str) -> list[Rect]:
        """Regions that were finished for a task since the copies parted."""
        found = []
        for region in self.regions(task):
            before = self.since.regions.get(region.id, None if self.is_alone else region)
            if before is None or before.states.get(task) != "done" or before.rect != region.rect:
                found.append(region.rect)
        return found

    def class_name(self, task: str, code: int) -> str:
        """Name of a class; "" for none."""
        if task not in self._classes:
            self._classes[task] = ("", *(spec.name for spec in self.project.classes(task)))
        return self._classes[task][code]

    def block(self, place: Place) -> Rect:
        """A block, cut to the slide."""
        return Rect(place[0] * BLOCK_PX, place[1] * BLOCK_PX, BLOCK_PX, BLOCK_PX).intersect(self.whole)


@dataclass(frozen=True, slots=True)
class Copies:
    """A slide that two projects hold.

    Parameters
    ----------
    mine, theirs
        The first and the second reader's.
    """

    mine: Side
    theirs: Side

    @property
    def tasks(self) -> list[str]:
        """Object tasks of either, the first reader's first."""
        both = [*self.mine.project.tasks(self.mine.slide_id), *self.theirs.project.tasks(self.theirs.slide_id)]
        return list(dict.fromkeys(both))


def slide_pairs(
    mine: Project, theirs: Project, slide_ids: Sequence[str] | None
) -> tuple[list[tuple[SlideRecord, SlideRecord]], list[str]]:
    """Slides that both projects hold, by fingerprint, and what is left out, in words.

    Parameters
    ----------
    slide_ids
        Slides of ``mine``; None = all.

    Raises
    ------
    UsageError
        If both are one and the same project, or share no slide that was asked for.
    ProjectError
        If there is no such slide, or the two hold a slide at different sizes.
    """
    if mine.path == theirs.path:
        raise UsageError(f"{mine.path}: give two projects, not twice the same")
    wanted = mine.slides() if slide_ids is None else [mine.slide(name) for name in slide_ids]
    others = {one.fingerprint: one for one in theirs.slides()}
    pairs = [(one, others[one.fingerprint]) for one in wanted if one.fingerprint in others]
    if not pairs:
        raise UsageError(f"{theirs.path}: holds none of these slides (they are compared by what the files contain)")
    for one, other in pairs:
        if one.shape != other.shape:
            raise ProjectError(
                f"{theirs.path}: has slide {other.slide_id!r} at {other.shape[0]} x {other.shape[1]} px, {mine.path}"
                f" at {one.shape[0]} x {one.shape[1]} px"
            )
    notes = []
    held, asked = {one.fingerprint for one in mine.slides()}, {one.fingerprint for one, _ in pairs}
    for name, alone in (
        (mine.path.name, [one.slide_id for one in wanted if one.fingerprint not in asked]),
        (theirs.path.name, [one.slide_id for one in others.values() if one.fingerprint not in held]),
    ):
        notes += [f"left out, because only {name} holds it: {_some(alone)}"] if alone else []
    return pairs, notes


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def both_sides(mine: Project, theirs: Project, pair: tuple[SlideRecord, SlideRecord], last_common: int) -> Copies:
    """A slide in both copies, with what was done since they parted."""
    is_alone = mine.uuid != theirs.uuid
    one, other = pair
    return Copies(
        Side(mine, one, read_since(mine, one.slide_id, last_common), is_alone=is_alone),
        Side(theirs, other, read_since(theirs, other.slide_id, last_common), is_alone=is_alone),
    )


def rect_of(*rows: ObjectRow | None) -> Rect:
    """The hull of the boxes of some objects, at least one of which is there."""
    top, left, bottom, right = zip(*(row.box for row in rows if row is not None), strict=True)
    return Rect.from_bounds(min(top), min(left), max(bottom), max(right))
