"""Opening edit windows: on a region, on what is on screen, on a labels layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pathloop.core import Rect, UsageError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._projects import OpenProject
from pathloop.gui.correcting._corrector import Corrector
from pathloop.gui.correcting._plain import TASK, PlainLayer, can_correct, open_plain, own_copy, place_of
from pathloop.gui.correcting._reading import WindowRequest, read_window
from pathloop.gui.correcting._window import EditWindow, window_rect
from pathloop.gui.running import place_in_project
from pathloop.loop import FIRST_PREVIEW_ID
from pathloop.store import Region, is_project

__all__ = ["DEFAULT_TASKS", "Opener"]

DEFAULT_TASKS = ("nuclei", "gland", "lumen")
"""What can be drawn where no model ran."""


class Opener:
    """Reads windows in the background and has the corrector show them; the newest wish counts.

    Parameters
    ----------
    corrector
        Shows them.
    """

    def __init__(self, corrector: Corrector) -> None:
        self.corrector = self._corrector = corrector
        self._session = corrector.session
        self._wanted = 0
        self._made: dict[Path, tuple[str, ...]] = {}

    def tasks_here(self) -> tuple[str, ...]:
        """What a window on the current slide is for, where nobody says: what it has, and what was made to be drawn."""
        opened = self._session.current
        if opened is None:
            return ()
        made = () if opened.project_path is None else self._made.get(opened.project_path, ())
        return tuple(dict.fromkeys((*(opened.desk.tasks or DEFAULT_TASKS), *made)))

    def remember(self, project: Path, tasks: Sequence[str]) -> None:
        """Offer tasks of a project although nothing was drawn of them yet."""
        self._made[project] = tuple(tasks)

    def problem(self) -> str:
        """Why no window can be opened; "" if one can."""
        opened = self._session.current
        if opened is None:
            return "Open a slide first."
        if opened.scale is None:
            return "The um per px of this slide is not known: fill it in under Slides."
        if opened.project_path is not None and not opened.is_writer:
            return opened.project_reason or "This project is open for reading only."
        return ""

    def open_view(self, tasks: Sequence[str] = ()) -> None:
        """Correct what is on screen, as a region of its own."""
        rect = self._session.view_rect()
        if rect is None:
            self._session.say("the slide is not on screen", "warning")
        else:
            self.open(rect, tasks)

    def open_region(self, region: Region) -> None:
        """Correct a region of the queue."""
        if self._session.current is not None:
            self._session.current.fill_view(region.rect, self._session.viewer)
        self.open(region.rect, tuple(region.states), region_id=region.id)

    def open(self, rect: Rect, tasks: Sequence[str] = (), *, region_id: int | None = None) -> None:
        """Open a window on a rectangle of the current slide, in the place of the one that is open.

        Parameters
        ----------
        rect
            Level-0 pixels; what is around it is shown as context.
        tasks
            What to correct; none named = those of `tasks_here`.
        region_id
            The region that is reviewed.
        """
        opened, problem = self._session.current, self.problem()
        if self._corrector.is_stroking:
            problem = "Let go of the mouse button first."
        if opened is None or problem:
            self._session.say(problem, "warning")
            return
        self._corrector.close_window(for_next=self._corrector.opened is opened)
        self._wanted += 1
        number = self._wanted

        def read() -> None:
            if number == self._wanted:
                self._read(opened, rect, tuple(tasks) or self.tasks_here(), region_id)

        def failed(text: str) -> None:
            self._give_up(number)
            self._session.say(text, "error")

        place_in_project(self._session, opened, read, failed=failed, told=lambda text: self._session.say(text))

    def _give_up(self, number: int) -> None:
        """No window comes for the newest wish."""
        if number == self._wanted:
            self._corrector.stage.clear()

    def open_layer(self, layer: Any) -> None:
        """Correct a labels layer that belongs to no slide; its edits are journalled with the user's settings.

        Raises
        ------
        UsageError
            If it cannot be corrected; the message says why.
        """
        problem = can_correct(layer)
        if problem:
            raise UsageError(problem)
        self._corrector.close_window()
        self._wanted += 1
        number = self._wanted
        labels = own_copy(layer)
        plain = PlainLayer(layer, place_of(str(layer.name), labels))
        plain.is_restored = is_project(plain.project_path)

        def show(window: EditWindow) -> None:
            if number != self._wanted or layer not in self._session.viewer.layers:
                return
            own = window.tasks[TASK]
            own.layer = layer
            self._corrector.show(plain, window)
            if plain.is_restored and not np.array_equal(own.labels, labels):
                self._session.say(f"the corrections of {layer.name} from before are back; Ctrl+Z takes them away")

        def opened(found: OpenProject) -> None:
            plain.is_writer, plain.project_reason = found.is_writer, found.reason
            if found.is_writer:
                self._session.projects.use(found.path, lambda project: open_plain(project, plain, labels), show)
            else:
                self._session.say(found.reason, "warning")

        plain.project_path.parent.mkdir(parents=True, exist_ok=True)
        self._session.projects.open(plain.project_path, opened, create=True)

    def _read(self, opened: OpenedSlide, rect: Rect, tasks: tuple[str, ...], region_id: int | None) -> None:
        assert opened.project_path is not None
        assert opened.slide_id is not None
        number = self._wanted
        region = rect.intersect(Rect(0, 0, *opened.slide.shape))
        area = window_rect(region, opened.slide.shape)
        desk = opened.desk
        provisional = {
            task: (lambda where, task=task: desk.layers.read_ids(task, where), desk.frame(task))
            for task in tasks
            if len(desk.frame(task)) and int(desk.frame(task).instances.ids[-1]) >= FIRST_PREVIEW_ID
        }
        request = WindowRequest(opened.slide_id, area, region, tasks, region_id, provisional)

        def show(window: EditWindow) -> None:
            if number == self._wanted and opened in self._session.opened:
                self._corrector.show(opened, window)
            else:
                self._give_up(number)

        def failed(error: Exception) -> None:
            self._give_up(number)
            self._session.report(error)

        self._session.projects.use(opened.project_path, lambda project: read_window(project, request), show, failed)
