"""An edit window: the ids of some tasks in a rectangle as arrays that people change, and what they changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Rect
from pathloop.loop import FIRST_PREVIEW_ID
from pathloop.objects.editing import changed_rects
from pathloop.store import Change, ObjectRow, PixelChange

__all__ = ["MAX_SIDE_PX", "EditWindow", "Refused", "Stroke", "TaskWindow", "window_rect"]

HALO_PX = 256
MAX_SIDE_PX = 4096


def window_rect(region: Rect, shape: tuple[int, int]) -> Rect:
    """The edit window of a region: with 256 px around it, at most 4,096 px a side, inside the slide."""
    whole = Rect(0, 0, *shape)
    inside = region.intersect(whole)
    wanted = inside.expand(HALO_PX).intersect(whole)
    if max(wanted.shape) <= MAX_SIDE_PX:
        return wanted
    height, width = min(wanted.height, MAX_SIDE_PX), min(wanted.width, MAX_SIDE_PX)
    y = inside.y + inside.height // 2 - height // 2
    x = inside.x + inside.width // 2 - width // 2
    y = min(max(y, wanted.y), wanted.bottom - height)
    x = min(max(x, wanted.x), wanted.right - width)
    return Rect(y, x, height, width)


@dataclass(frozen=True, slots=True)
class Refused:
    """Objects that were spared, and why."""

    locked: tuple[int, ...] = ()
    cut: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """What a person changed in one go."""

    patches: tuple[PixelChange, ...]
    refused: Refused
    new_ids: tuple[int, ...] = ()
    restored: tuple[Rect, ...] = ()
    """Rectangles, in window pixels, in which pixels went back because their object may not be changed."""


@dataclass(eq=False)
class TaskWindow:
    """One task's ids in a window.

    Parameters
    ----------
    task
        Object task.
    rect
        Level-0 pixels.
    labels
        (height, width) int32, what the napari layer shows and people change. Owned from now on.
    rows
        Rows of the objects in it that the project knows.
    classes
        The task's classes.
    next_id
        The first id that is free.
    truth
        Ids as the project has them; None = as in ``labels``.
    """

    task: str
    rect: Rect
    labels: NDArray[np.int32]
    rows: dict[int, ObjectRow]
    classes: tuple[ClassSpec, ...]
    next_id: int
    truth: NDArray[np.int32] | None = None
    layer: Any = None
    listeners: tuple[Any, ...] = ()
    _shadow: NDArray[np.int32] = field(init=False)
    _locked: set[int] = field(init=False, default_factory=set)
    _cut: set[int] = field(init=False, default_factory=set)
    _spared: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self._shadow = self.labels.copy()
        self._spared = np.zeros(0, np.int64)
        self._look_at(self.rows)

    # what may be changed

    @property
    def locked(self) -> set[int]:
        """Ids that are locked."""
        return self._locked

    @property
    def cut(self) -> set[int]:
        """Ids of objects that reach beyond the window: read-only until it is wider."""
        return self._cut

    @property
    def spared(self) -> NDArray[np.int64]:
        """Ids that may not be changed, ascending."""
        return self._spared

    def _look_at(self, ids: Iterable[int]) -> None:
        """Find out anew which of some objects may not be changed."""
        inside = self.rect
        for number in ids:
            row = self.rows.get(number)
            box = (inside.y, inside.x, inside.bottom, inside.right) if row is None else row.box
            is_cut = box[0] < inside.y or box[1] < inside.x or box[2] > inside.bottom or box[3] > inside.right
            (self._cut.add if is_cut else self._cut.discard)(number)
            (self._locked.add if row is not None and row.locked else self._locked.discard)(number)
        if len(self._spared) or self._locked or self._cut:
            self._spared = np.array(sorted(self._locked | self._cut), np.int64)

    def at(self, y: float, x: float) -> int:
        """Id at a position in window pixels; 0 = none."""
        row, col = round(y), round(x)
        inside = 0 <= row < self.labels.shape[0] and 0 <= col < self.labels.shape[1]
        return int(self.labels[row, col]) if inside else 0

    def new_id(self) -> int:
        """An id that no object ever had; the same until it was used."""
        return self.next_id

    def class_name(self, object_id: int) -> str:
        """Name of an object's class; "" where it has none."""
        row = self.rows.get(object_id)
        code = 0 if row is None else row.class_code
        return self.classes[code - 1].name if 0 < code <= len(self.classes) else ""

    # what was changed

    def take_stroke(self) -> Stroke | None:
        """What differs from what is known, which then is known; objects that may not be changed get their pixels back.

        Returns
        -------
        Stroke or None
            None where nothing was changed.
        """
        rects = changed_rects(self._shadow, self.labels)
        if not rects:
            return None
        refused, restored = self._give_back(rects)
        rects = changed_rects(self._shadow, self.labels) if restored else rects
        rects = self._adopt(rects)
        patches, new = [], set()
        base = self._shadow if self.truth is None else self.truth
        for rect in rects:
            before, after = base[rect.slices].copy(), self.labels[rect.slices].copy()
            if self.truth is not None:  # what is not final yet is nobody's edit
                after = np.where(after >= FIRST_PREVIEW_ID, before, after)
                self.truth[rect.slices] = after
            used = after[after >= self.next_id]
            new |= set(np.unique(used).tolist())
            patches.append(PixelChange(self.task, rect.shift(self.rect.y, self.rect.x), before, after))
            self._shadow[rect.slices] = self.labels[rect.slices]
        if new:
            self.next_id = max(new) + 1
        return Stroke(tuple(patches), refused, tuple(sorted(new)), tuple(restored))

    def _give_back(self, rects: Sequence[Rect]) -> tuple[Refused, list[Rect]]:
        if self._spared.size == 0:
            return Refused(), []
        found: set[int] = set()
        restored = []
        for rect in rects:
            before, after = self._shadow[rect.slices], self.labels[rect.slices]
            hit = (before != after) & (np.isin(before, self._spared) | np.isin(after, self._spared))
            if hit.any():
                ids = set(np.unique(before[hit]).tolist()) | set(np.unique(after[hit]).tolist())
                found |= ids & set(self._spared.tolist())
                after[hit] = before[hit]
                restored.append(rect)
        locked = self.locked
        return Refused(tuple(sorted(found & locked)), tuple(sorted(found - locked))), restored

    def _adopt(self, rects: list[Rect]) -> list[Rect]:
        """Give permanent ids to objects of a running run that were changed; the rectangles that then differ."""
        if self.truth is None:
            return rects
        touched: set[int] = set()
        for rect in rects:
            differs = self._shadow[rect.slices] != self.labels[rect.slices]
            touched |= set(np.unique(self._shadow[rect.slices][differs]).tolist())
            touched |= set(np.unique(self.labels[rect.slices][differs]).tolist())
        provisional = sorted(one for one in touched if one >= FIRST_PREVIEW_ID)
        if not provisional:
            return rects
        free = max(self.next_id, *(one + 1 for one in touched if one < FIRST_PREVIEW_ID))
        for number, one in enumerate(provisional, free):
            self.labels[self.labels == one] = number
        return changed_rects(self._shadow, self.labels)

    def take_over(self, change: Change, *, own: bool) -> list[Rect]:
        """Learn of a change of the project.

        Parameters
        ----------
        change
            As the journal has it.
        own
            Whether it was made here: then only rows are new.

        Returns
        -------
        list of Rect
            What of ``labels`` is another now, window pixels.
        """
        mine = [one for one in change.objects if one.task == self.task]
        for one in mine:
            if one.after is None:
                self.rows.pop(one.id, None)
            else:
                self.rows[one.id] = one.after
                self.next_id = max(self.next_id, one.id + 1)
        self._look_at([one.id for one in mine])
        return [] if own else self._take_pixels([one for one in change.pixels if one.task == self.task])

    def _take_pixels(self, pixels: Iterable[PixelChange]) -> list[Rect]:
        rects = []
        for one in pixels:
            common = one.rect.intersect(self.rect)
            if common.area == 0:
                continue
            here, there = common.relative_to(self.rect), common.relative_to(one.rect)
            before, after = one.before[there.slices], one.after[there.slices]
            differs = before != after
            for labels in (self.labels, self._shadow, *(() if self.truth is None else (self.truth,))):
                labels[here.slices][differs] = after[differs]
            rects.append(here)
        return rects


@dataclass(eq=False)
class EditWindow:
    """Some tasks' windows on one rectangle.

    Parameters
    ----------
    rect
        Level-0 pixels.
    tasks
        By task, the first one is corrected first.
    region
        What is being reviewed, level-0 pixels; the rest of ``rect`` is context.
    region_id
        Its number in the project; None for a window that belongs to no region.
    model
        Folder of the model that helps: the one that segmented the slide, else the bundled one.
    """

    rect: Rect
    tasks: dict[str, TaskWindow]
    region: Rect
    region_id: int | None = None
    model: Path | None = None

    @property
    def labels(self) -> dict[str, NDArray[np.int32]]:
        """Ids by task."""
        return {task: one.labels for task, one in self.tasks.items()}
