"""Soft warnings about what is in the edit window, and the one key that mends them."""

import numpy as np
from psygnal import Signal

from pathloop.core import Rect, UsageError
from pathloop.gui.correcting._corrector import Corrector
from pathloop.objects import editing
from pathloop.objects.editing import Hint

__all__ = ["HintList"]

PACE_MS = 200
CRUMB_UM2 = {"nuclei": 6.0, "gland": 400.0, "lumen": 40.0}
OTHER_CRUMB_UM2 = 5.0
MOST = 200

Point = tuple[float, float]


class HintList:
    """Keeps the warnings of the window up to date. Main thread only; a new window is searched in the background.

    Parameters
    ----------
    corrector
        Whose window.
    """

    changed = Signal()

    def __init__(self, corrector: Corrector) -> None:
        self.hints: list[Hint] = []
        self.chosen: Hint | None = None
        self._corrector = corrector
        self._window: object = None
        self._changed: dict[str, set[int]] = {}
        self._waits = False
        corrector.window_changed.connect(self._on_window)
        corrector.changed_here.connect(self._on_changed)

    def of(self, task: str, object_id: int) -> Hint | None:
        """The first warning about an object."""
        return next((one for one in self.hints if (one.task, one.object_id) == (task, object_id)), None)

    def mend_at(self, point: Point) -> None:
        """Do what the warning about the object under the mouse proposes; else fill its holes."""
        corrector = self._corrector
        own = corrector.current
        number = 0 if own is None else own.at(*point)
        if own is None or not number:
            raise UsageError("hold the mouse over the object to mend")
        hint = self.of(own.task, number)
        if hint is not None:
            self._mend(hint)
        elif not corrector.strokes.put(own.task, editing.fill_holes(own.labels, number), tool="fill holes"):
            raise UsageError(f"there is nothing to mend about {own.task} {number}")

    def mend(self, index: int) -> None:
        """Do what a warning proposes."""
        if 0 <= index < len(self.hints):
            self._mend(self.hints[index])

    def mend_all(self, point: Point | None) -> int:
        """Do what all warnings propose that are like the chosen one, or like the one under the mouse; how many.

        Raises
        ------
        UsageError
            If no warning is chosen, or all of them are about objects that may not be changed.
        """
        corrector, own = self._corrector, self._corrector.current
        under = self.of(own.task, own.at(*point)) if own is not None and point is not None else None
        chosen = self.chosen if self.chosen in self.hints else under
        window = corrector.window
        if chosen is None or window is None:
            raise UsageError("choose a warning in the list first")
        of_task = window.tasks[chosen.task]
        alike = [one for one in self.hints if (one.task, one.kind, one.fix) == (chosen.task, chosen.kind, chosen.fix)]
        alike = [one for one in alike if not np.isin(one.object_id, of_task.spared)]
        operations = [lambda one=one: editing.fix_hint(window.labels, one)[1] for one in alike]
        words = f"{chosen.task}: {len(alike)} x {chosen.fix}"
        if not alike or not corrector.strokes.put_all(chosen.task, operations, tool="mend", summary=words):
            raise UsageError("these objects are locked or reach beyond this window")
        return len(alike)

    def go_to(self, index: int) -> None:
        """Bring what a warning is about into view."""
        window = self._corrector.window
        if window is None or not 0 <= index < len(self.hints):
            return
        hint = self.chosen = self.hints[index]
        self._corrector.choose_task(hint.task)
        box: Rect = hint.box
        self._corrector.session.go_to(box.expand(60).shift(window.rect.y, window.rect.x))

    def _mend(self, hint: Hint) -> None:
        window = self._corrector.window
        if window is None:
            return
        own = window.tasks[hint.task]
        if np.isin(hint.object_id, own.spared):
            raise UsageError(f"{hint.task} {hint.object_id} is locked or reaches beyond this window")
        task, patch = editing.fix_hint(window.labels, hint)
        self._corrector.strokes.put(task, patch, tool="mend", summary=f"{task} {hint.object_id}: {hint.words}")

    # keeping up

    def _on_window(self) -> None:
        window, corrector = self._corrector.window, self._corrector
        if window is self._window:
            return
        self._window, self._changed = window, {}
        self._set([])
        if window is None:
            return
        copies = {task: own.labels.copy() for task, own in window.tasks.items()}
        smallest = self._smallest()

        def show(found: list[Hint]) -> None:
            if self._window is window:
                self._set(found)

        corrector.session.background.run(lambda: editing.find_hints(copies, min_areas_px=smallest), show)

    def _smallest(self) -> dict[str, int]:
        opened, window = self._corrector.opened, self._corrector.window
        if opened is None or window is None or opened.scale is None:
            return {}
        per_px = opened.scale.um2_per_px
        return {task: max(1, round(CRUMB_UM2.get(task, OTHER_CRUMB_UM2) / per_px)) for task in window.tasks}

    def _on_changed(self, task: str, ids: tuple[int, ...]) -> None:
        self._changed.setdefault(task, set()).update(ids)
        if not self._waits:
            self._waits = True
            self._corrector.session.background.later(PACE_MS, self._look_again)

    def _look_again(self) -> None:
        self._waits = False
        window, changed = self._corrector.window, self._changed
        self._changed = {}
        if window is None:
            return
        kept = [one for one in self.hints if one.object_id not in changed.get(one.task, ())]
        labels, smallest = window.labels, self._smallest()
        for task, ids in changed.items():
            if task in labels:
                kept += editing.hints_of(labels, task, sorted(ids), min_areas_px=smallest)
        if "gland" in changed:  # lumina depend on glands
            kept = [one for one in kept if one.kind != "lumen_outside_gland" or self._still_outside(one)]
        self._set(kept)

    def _still_outside(self, hint: Hint) -> bool:
        window = self._corrector.window
        assert window is not None
        return bool(editing.hints_of(window.labels, hint.task, [hint.object_id], min_areas_px=self._smallest()))

    def _set(self, hints: list[Hint]) -> None:
        window = self._corrector.window
        if window is not None:
            region = window.region.relative_to(window.rect)
            hints = [one for one in hints if one.box.intersect(region).area]
        self.hints = hints[:MOST]
        self.changed.emit()
