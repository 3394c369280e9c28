"""What people do in an edit window, into the journal; and what the journal says, into the window."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Rect
from pathloop.gui._opened import OpenedSlide
from pathloop.gui.correcting._commits import painting
from pathloop.gui.correcting._layers import show_rects
from pathloop.gui.correcting._window import Refused, TaskWindow
from pathloop.loop import FIRST_PREVIEW_ID
from pathloop.loop.correct import Committed
from pathloop.objects.editing import LabelPatch, apply
from pathloop.store import ObjectChange, Project

if TYPE_CHECKING:
    from pathloop.gui.correcting._corrector import Corrector

__all__ = ["Strokes"]


class Strokes:
    """Takes changes of the window's arrays into the journal, and changes of the project into the arrays.

    Parameters
    ----------
    corrector
        Whose window.
    """

    def __init__(self, corrector: "Corrector") -> None:
        self._corrector = corrector
        self._own: set[int] = set()
        self._quiet = False
        corrector.session.journal.committed.connect(self._on_committed)

    def close(self) -> None:
        """Hear no more of the journal."""
        self._corrector.session.journal.committed.disconnect(self._on_committed)

    def before_stroke(self) -> bool:
        """Let what was done before come into the journal first; whether painting may begin."""
        self._corrector.session.journal.settle()
        return self._corrector.window is not None

    def take_all(self, tool: str = "") -> None:
        """Take what was changed in any task."""
        for task in self._corrector.window.tasks if self._corrector.window is not None else ():
            self.take(task, tool)

    def take(self, task: str, tool: str = "", *, summary: str = "", class_codes: dict[int, int] | None = None) -> bool:
        """Take what was changed in a task's layer into the journal.

        Parameters
        ----------
        task
            Whose layer.
        tool
            What it was done with; "" = the chosen one.
        summary
            In words; "" = made from what changed.
        class_codes
            Classes of new objects by id; those that are not named get the chosen one.

        Returns
        -------
        bool
            Whether anything was.
        """
        window = self._corrector.window
        own = window.tasks.get(task) if window is not None else None
        if self._quiet or window is None or own is None or self._corrector.opened is None:
            return False
        stroke = own.take_stroke()
        if stroke is None:
            return False
        if stroke.restored:
            own.layer.refresh()
            self._corrector.noted.emit(refused_words(task, stroke.refused))
        if not stroke.patches:
            return False
        codes = {(task, number): self._corrector.class_code(task) for number in stroke.new_ids}
        codes |= {(task, number): code for number, code in (class_codes or {}).items()}
        tool = tool or (self._corrector.tool if self._corrector.tool != "look" else "script")
        work = painting(stroke.patches, tool=tool, summary=summary, class_codes=codes, region_id=window.region_id)

        def refused(error: Exception) -> None:
            self._corrector.session.report(error)
            self._corrector.reload()

        self._corrector.session.journal.submit(self._corrector.opened, work, done=self._mark_own, failed=refused)
        return True

    def put(
        self,
        task: str,
        patch: LabelPatch | None,
        *,
        tool: str,
        summary: str = "",
        class_codes: dict[int, int] | None = None,
    ) -> bool:
        """Change pixels of a task by an operation; whether anything changed."""
        return self.put_all(task, [lambda: patch], tool=tool, summary=summary, class_codes=class_codes)

    def put_all(
        self,
        task: str,
        operations: Sequence[Callable[[], LabelPatch | None]],
        *,
        tool: str,
        summary: str = "",
        class_codes: dict[int, int] | None = None,
    ) -> bool:
        """Change pixels of a task by operations, each on what the one before left, as one entry."""
        own = self._corrector.window.tasks.get(task) if self._corrector.window is not None else None
        if own is None:
            return False
        self.take(task)  # what was painted before is an entry of its own
        shown = []
        for operation in operations:
            patch = operation()
            if patch is not None:
                shown.append((patch.rect, own.labels[patch.rect.slices].copy()))
                apply(own.labels, patch)
        if not shown:
            return False
        self._show_quietly(own, shown)
        self.take(task, tool, summary=summary, class_codes=class_codes)
        return True

    def make_permanent(self, own: TaskWindow, number: int) -> int:
        """An id for good for an object of a running run, with its pixels in the journal; others keep theirs."""
        if number < FIRST_PREVIEW_ID:
            return number
        new = own.new_id()
        own.labels[own.labels == number] = new
        self.take(own.task, "adopt")
        own.layer.refresh()
        return new

    def submit(self, work: Callable[[Project, str], Committed | None]) -> None:
        """Have something else changed on the window's slide."""
        if self._corrector.opened is not None:
            self.take_all()
            self._corrector.session.journal.submit(self._corrector.opened, work)

    def undo(self) -> None:
        """Take back what was done last on the slide."""
        self._step(self._corrector.session.journal.undo, "nothing to take back")

    def redo(self) -> None:
        """Do again what was taken back."""
        self._step(self._corrector.session.journal.redo, "nothing to do again")

    def _step(self, step: Callable[..., Any], nothing: str) -> None:
        opened: Any = self._corrector.opened or self._corrector.session.current
        if opened is None or opened.slide_id is None:
            return
        self.take_all()
        step(opened, lambda done: self._corrector.noted.emit(nothing) if done is None else None)
        self._corrector.session.journal.settle()

    def _mark_own(self, committed: Committed | None) -> None:
        if committed is not None:
            self._own.add(committed.entry.number)

    def _on_committed(
        self, opened: OpenedSlide, committed: Committed, classes: dict[str, tuple[ClassSpec, ...]]
    ) -> None:
        own = committed.entry.number in self._own
        self._own.discard(committed.entry.number)
        if self._corrector.window is None or opened is not self._corrector.opened:
            return
        for task, mine in self._corrector.window.tasks.items():
            rects = [one.rect.relative_to(mine.rect) for one in committed.change.pixels if one.task == task]
            whole = Rect(0, 0, *mine.labels.shape)
            before = [] if own else [(r, mine.labels[r.slices].copy()) for r in (one.intersect(whole) for one in rects)]
            mine.classes = classes.get(task, mine.classes)
            mine.take_over(committed.change, own=own)
            if before:
                self._show_quietly(mine, before)
        if self._corrector.colours.matter and any(_is_of_another_class(one) for one in committed.change.objects):
            self._corrector.colours.soon()
        for task in self._corrector.window.tasks:
            ids = tuple(one.id for one in committed.change.objects if one.task == task)
            if ids:
                self._corrector.changed_here.emit(task, ids)

    def _show_quietly(self, own: TaskWindow, before: list[tuple[Rect, NDArray[np.int32]]]) -> None:
        self._quiet = True
        try:
            show_rects(own.layer, before)
        finally:
            self._quiet = False

    def on_set_data(self, task: str) -> None:
        """Napari's own undo, or data put into the layer."""
        own = self._corrector.window.tasks.get(task) if self._corrector.window is not None else None
        if own is None or self._quiet:
            return
        data = own.layer.data
        if data is not own.labels:
            if data.shape != own.labels.shape:
                self.set_layer_data(own.layer, own.labels)
                self._corrector.session.say("a layer that is being corrected keeps its size", "warning")
                return
            own.labels[...] = data
            self.set_layer_data(own.layer, own.labels)
        self.take(task)

    def set_layer_data(self, layer: Any, labels: NDArray[np.int32]) -> None:
        """Give a layer another array, which is nobody's stroke."""
        self._quiet = True
        try:
            layer.data = labels
        finally:
            self._quiet = False


def _is_of_another_class(change: ObjectChange) -> bool:
    before, after = change.before, change.after
    return after is not None and (before is None or before.class_code != after.class_code)


def refused_words(task: str, refused: Refused) -> str:
    """Why pixels went back."""
    parts = []
    if refused.locked:
        parts.append(f"{task} {refused.locked[0]} is locked: unlock it first")
    if refused.cut:
        parts.append(f"{task} {refused.cut[0]} reaches beyond this window: open a region that holds all of it")
    return "; ".join(parts)
