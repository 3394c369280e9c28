"""What keys and tools do to objects of the edit window, in terms of pixels and rows."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import UsageError
from pathloop.gui.correcting._corrector import Corrector
from pathloop.gui.correcting._window import TaskWindow
from pathloop.loop.correct import accept_region, set_flag, set_objects
from pathloop.objects import editing

__all__ = ["Operations"]

Point = tuple[float, float]

SMOOTH_PX = 3
GAP_PX = 8


class Operations:
    """Does what an action says at a place of the window. No Qt.

    Parameters
    ----------
    corrector
        Whose window.
    """

    def __init__(self, corrector: Corrector) -> None:
        self._corrector = corrector
        self._chain: tuple[str, int] | None = None

    # at a place

    def at(self, name: str, point: Point) -> None:
        """Do an action of kind "object" to the object at a place in window pixels.

        Raises
        ------
        UsageError
            If it cannot be done; the message is fit for the user.
        """
        own, number = self._found(point)
        pixels: dict[str, Callable[[TaskWindow, int], None]] = {
            "delete": self._delete,
            "smooth": self._smooth,
            "divide": self._divide,
        }
        if name in pixels:
            self._check_free(own, number)
            pixels[name](own, number)
        elif name == "accept":
            self.set_state(own.task, [number], "accepted")
        elif name == "lock":
            self._lock(own, number)
        elif name == "relabel":
            self.set_class(own.task, [number], self._corrector.class_code(own.task))
        else:
            raise UsageError(f"no action {name!r}")

    def set_state(self, task: str, ids: Iterable[int], state: str) -> None:
        """Give objects a review state."""
        wanted = self._permanent(task, ids)
        self._corrector.strokes.submit(lambda project, slide: set_objects(project, slide, task, wanted, state=state))

    def set_class(self, task: str, ids: Iterable[int], code: int) -> None:
        """Give objects a class."""
        wanted = self._permanent(task, ids)
        self._corrector.strokes.submit(
            lambda project, slide: set_objects(project, slide, task, wanted, class_code=code)
        )

    def ask(self, point: Point, comment: str) -> None:
        """Ask a pathologist about the object at a place; an empty comment takes the question back."""
        own, number = self._found(point)
        task, text = own.task, comment.strip() or None
        [wanted] = self._permanent(task, [number])
        self._corrector.strokes.submit(lambda project, slide: set_flag(project, slide, task, wanted, text))

    def accept_region(self) -> None:
        """Accept everything in the window's region, and mark it done for the window's tasks."""
        window = self._corrector.window
        if window is None or window.region_id is None:
            raise UsageError("this window belongs to no region: add one in the panel Queue, then open it")
        number, tasks = window.region_id, tuple(window.tasks)
        self._corrector.strokes.submit(lambda project, slide: accept_region(project, number, tasks))

    # with lines and shapes

    def lasso(self, points: NDArray[np.float64]) -> None:
        """A new object inside a line that closes by itself."""
        own = self._own()
        if len(points) < 3:
            raise UsageError("draw round the object with the mouse button held down")
        number = own.new_id()
        patch = editing.fill_polygon(own.labels, points, number, mode="add", over="background")
        if not self._corrector.strokes.put(own.task, patch, tool="lasso"):
            raise UsageError("there is no free tissue inside this line: objects are never painted over")

    def split(self, points: NDArray[np.float64]) -> None:
        """Cut the objects that a line crosses."""
        own = self._own()
        new = _Numbers(own)
        patch = editing.split_by_line(own.labels, None, points, new, blocked=own.spared)
        if patch is None:
            raise UsageError("the line crosses no object from edge to edge")
        self._corrector.strokes.put(own.task, patch, tool="split", class_codes=self._inherited(own, patch, new.given))

    def merge(self, ids: list[int]) -> None:
        """Make objects one; the first one's id and class stay."""
        own = self._own()
        if len(ids) < 2:
            raise UsageError("draw from one object to the next to merge them")
        for number in ids:
            self._check_free(own, number)
        patch = editing.merge(own.labels, ids, bridge_px=GAP_PX)
        self._corrector.strokes.put(
            own.task, patch, tool="merge", summary=f"{own.task} {', '.join(map(str, ids))} merged"
        )

    def merge_along(self, points: NDArray[np.float64]) -> None:
        """Merge what a line touches; a click begins a chain, the next click adds to it."""
        own, ids = self._own(), self.ids_along(points)
        if not ids:
            self._chain = None
            raise UsageError("begin on an object, and draw to the one to merge it with")
        if self._chain is not None and self._chain[0] == own.task:
            ids = [self._chain[1], *(number for number in ids if number != self._chain[1])]
        self._chain = own.task, ids[0]
        if len(ids) == 1:
            self._corrector.noted.emit(f"{own.task} {ids[0]}: now click what belongs to it. Look (Esc) ends this")
            return
        self.merge(ids)

    def end_chain(self) -> None:
        """The next click begins a chain of its own."""
        self._chain = None

    def fill(self, point: Point) -> None:
        """Fill a closed gap with the object round it."""
        own = self._own()
        if own.at(*point):
            raise UsageError("this is an object already: click the gap inside it")
        patch = editing.fill_gap(own.labels, point)
        if patch is None:
            raise UsageError("this gap is not closed by one object")
        self._corrector.strokes.put(own.task, patch, tool="fill")

    def ids_along(self, points: NDArray[np.float64]) -> list[int]:
        """Ids of the current task under a line, in its order."""
        own = self._own()
        pieces = [_between(one, other) for one, other in pairwise(points)]
        steps = np.concatenate(pieces or [points])
        found = [own.at(y, x) for y, x in steps]
        return list(dict.fromkeys(number for number in found if number))

    # inside

    def _own(self) -> TaskWindow:
        own = self._corrector.current
        if own is None:
            raise UsageError("open a region to correct first")
        return own

    def _found(self, point: Point) -> tuple[TaskWindow, int]:
        own = self._own()
        self._corrector.strokes.take_all()
        number = own.at(*point)
        if not number:
            raise UsageError(f"no {own.task} here: hold the mouse over an object")
        return own, number

    def _check_free(self, own: TaskWindow, number: int) -> None:
        if number in own.locked:
            raise UsageError(f"{own.task} {number} is locked: unlock it first")
        if number in own.cut:
            raise UsageError(f"{own.task} {number} reaches beyond this window: open a region that holds all of it")

    def _permanent(self, task: str, ids: Iterable[int]) -> list[int]:
        """The same objects, those of a running run with permanent ids."""
        own = self._corrector.window.tasks[task] if self._corrector.window is not None else None
        if own is None:
            return list(ids)
        wanted = []
        for number in ids:
            wanted.append(self._corrector.strokes.make_permanent(own, number))
        return wanted

    def _delete(self, own: TaskWindow, number: int) -> None:
        self._corrector.strokes.put(own.task, editing.delete(own.labels, [number]), tool="delete")

    def _smooth(self, own: TaskWindow, number: int) -> None:
        patch = editing.smooth(own.labels, number, SMOOTH_PX)
        if not self._corrector.strokes.put(own.task, patch, tool="smooth"):
            raise UsageError(f"{own.task} {number} is smooth already")

    def _divide(self, own: TaskWindow, number: int) -> None:
        new = _Numbers(own)
        patch = editing.split_by_shape(own.labels, number, new)
        if patch is None:
            raise UsageError(f"{own.task} {number} has no waist to divide it at: draw a line with Split")
        self._corrector.strokes.put(own.task, patch, tool="divide", class_codes=self._inherited(own, patch, new.given))

    def _lock(self, own: TaskWindow, number: int) -> None:
        task, locked = own.task, number not in own.locked
        [wanted] = self._permanent(task, [number])
        self._corrector.strokes.submit(
            lambda project, slide: set_objects(project, slide, task, [wanted], locked=locked)
        )

    def _inherited(self, own: TaskWindow, patch: editing.LabelPatch, new: list[int]) -> dict[int, int]:
        """Classes of parts: that of the object that they were cut from."""
        codes = {}
        before = own.labels[patch.rect.slices]
        for number in new:
            origin = before[patch.labels == number]
            row = own.rows.get(int(origin[0])) if origin.size else None
            if row is not None:
                codes[number] = row.class_code
        return codes


class _Numbers(Iterator[int]):
    """Free ids of a window, remembered."""

    def __init__(self, own: TaskWindow) -> None:
        self.given: list[int] = []
        self._numbers = count(own.new_id())

    def __next__(self) -> int:
        self.given.append(next(self._numbers))
        return self.given[-1]


def _between(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    n = max(int(np.abs(other - one).max()), 1)
    return np.asarray(one + (other - one) * np.linspace(0, 1, n + 1)[:, None], np.float64)
