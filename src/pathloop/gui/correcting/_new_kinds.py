"""New kinds of objects: classes of a task, and whole tasks that no model knows."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pathloop.core import UsageError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui.correcting._opener import Opener
from pathloop.gui.correcting._plain import PlainLayer
from pathloop.gui.correcting._window import EditWindow
from pathloop.gui.running import place_in_project
from pathloop.loop.correct import Committed, change_region
from pathloop.store import Project

__all__ = ["NewKinds", "name_problem", "task_name"]

Color = tuple[int, int, int]

COLORS: tuple[Color, ...] = ((204, 121, 167), (213, 94, 0), (0, 114, 178), (240, 228, 66), (230, 159, 0))
"""Of Okabe and Ito's palette, which colour-blind eyes tell apart; those first that few tasks have."""

LONGEST = 40
NO_FILE = frozenset({"con", "prn", "aux", "nul", *(f"{one}{n}" for one in ("com", "lpt") for n in range(1, 10))})
"""Names that no file can have on Windows."""


def task_name(text: str) -> str:
    """A task's name as the user may write it: "Blood vessels" is "blood_vessels"."""
    return "_".join(text.lower().split())


def name_problem(text: str, taken: Iterable[str]) -> str:
    """Why a name cannot be a new task's; "" if it can.

    Parameters
    ----------
    text
        As the user wrote it.
    taken
        Tasks that are there already.
    """
    name = task_name(text)
    if not name:
        return "a task needs a name, for example vessels"
    if name in taken:
        return f"{name} is there already: choose its button"
    if name == "tissue" or name.endswith("_type"):
        return f"{name} is what the model calls something else; take another name"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in NO_FILE or len(name) > LONGEST:
        return f"files bear the name: letters a-z, digits and _, a letter first, {LONGEST} at most"
    return ""


class NewKinds:
    """Makes classes and tasks; the edit window then shows them.

    Parameters
    ----------
    opener
        Opens windows.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._corrector = opener.corrector
        self._session = opener.corrector.session

    def add_class(self, name: str) -> None:
        """Make a class of the current task, and choose it."""
        corrector, task = self._corrector, self._corrector.task
        opened = corrector.opened
        if opened is None or opened.project_path is None or not name.strip():
            return

        def made(found: tuple[int, tuple[Any, ...]]) -> None:
            code, classes = found
            if corrector.window is not None and task in corrector.window.tasks:
                corrector.window.tasks[task].classes = classes
            corrector.choose_class(task, code)

        self._session.projects.use(
            opened.project_path, lambda project: (project.class_code(task, name), project.classes(task)), made
        )

    def problem(self, name: str) -> str:
        """Why a task of this name cannot be made here; "" if it can."""
        if isinstance(self._corrector.opened, PlainLayer):
            return "a layer that belongs to no slide has one kind of objects"
        return self._opener.problem() or name_problem(name, self._here)

    @property
    def _window(self) -> EditWindow | None:
        """The window that is open on the current slide."""
        return self._corrector.window if self._corrector.opened is self._session.current else None

    @property
    def _here(self) -> tuple[str, ...]:
        """Tasks of the window, else those that a window would have."""
        window = self._window
        return self._opener.tasks_here() if window is None else tuple(window.tasks)

    def color(self) -> Color:
        """A colour that no class in the window has."""
        window = self._window
        used = set() if window is None else {one.color for own in window.tasks.values() for one in own.classes}
        return next((one for one in COLORS if one not in used), COLORS[0])

    def add_task(self, text: str, color: Color) -> None:
        """Make an object task, and correct it in the window that is open, else on what is on screen.

        The region of the window is then to be reviewed for it too. A task that the project has on other slides is only
        added here.

        Raises
        ------
        UsageError
            If the name does not do, or nothing can be painted now.
        """
        problem = self.problem(text)
        opened, window = self._session.current, self._window
        if problem or opened is None:
            raise UsageError(problem)
        rect = self._session.view_rect() if window is None else window.region
        if rect is None:
            raise UsageError("the slide is not on screen")
        name, tasks = task_name(text), (*self._here, task_name(text))
        region_id = None if window is None else window.region_id

        def make(project: Project) -> None:
            if not project.classes(name):
                project.class_code(name, name, color)
            assert opened.slide_id is not None
            project.ensure_layer(opened.slide_id, name)

        def made(_: Any = None) -> None:
            if opened is self._session.current:
                assert opened.project_path is not None
                self._opener.remember(opened.project_path, tasks)
                self._opener.open(rect, tasks, region_id=region_id)
                self._corrector.task = name
                self._corrector.choose_task(name)
                self._corrector.noted.emit(f"{name}: paint them with brush or lasso, then mark the region done.")

        def review(_: None) -> None:
            if region_id is None:
                made()
            else:
                self._session.journal.submit(
                    opened, lambda project, slide_id: _reviewed_for(project, region_id, name), done=made
                )

        self._in_project(opened, make, review)

    def _in_project(self, opened: OpenedSlide, make: Any, done: Any) -> None:
        def placed() -> None:
            path: Path | None = opened.project_path
            assert path is not None
            self._session.projects.use(path, make, done, self._session.report)

        say = self._session.say
        place_in_project(self._session, opened, placed, failed=lambda text: say(text, "error"), told=say)


def _reviewed_for(project: Project, number: int, task: str) -> Committed | None:
    region = project.region(number)
    if task in region.states:
        return None
    return change_region(project, replace(region, states=region.states | {task: "todo"}))
