"""What the panel "Correct" shows and does. No Qt."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PathloopError, UsageError
from pathloop.gui._session import Session
from pathloop.gui.correcting._actions import ACTIONS, action
from pathloop.gui.correcting._assistant import Assistant
from pathloop.gui.correcting._corrector import Corrector
from pathloop.gui.correcting._hands import Hands, Point
from pathloop.gui.correcting._hint_list import HintList
from pathloop.gui.correcting._new_kinds import NewKinds
from pathloop.gui.correcting._opener import Opener
from pathloop.gui.correcting._operations import Operations
from pathloop.gui.correcting._plain import PlainLayer, can_correct
from pathloop.gui.correcting._steps import read_steps, saved_text
from pathloop.gui.correcting._view import ClassChoice, CorrectView, HintLine, WindowFacts
from pathloop.loop.correct import Committed
from pathloop.store import Region

__all__ = ["CorrectPresenter"]

ALWAYS = ("look", "next_region", "previous_region", "undo", "redo")


class CorrectPresenter:
    """Joins the edit window, its tools, the assistant and the hints with a view.

    Parameters
    ----------
    session
        The viewer's session.
    view
        Shows the state.
    keys
        Key by action.
    """

    def __init__(self, session: Session, view: CorrectView, keys: dict[str, str]) -> None:
        self.session = session
        self.view = view
        self.corrector = Corrector(session)
        self.opener = Opener(self.corrector)
        self.kinds = NewKinds(self.opener)
        self.operations = Operations(self.corrector)
        self.assistant = Assistant(self.corrector)
        self.hints = HintList(self.corrector)
        self.hands = Hands(
            self.corrector, keys, act=self.act, finish=self.finish_line, choose_class=self.choose_class_number
        )
        self.hands.wheel = self.assistant.turn
        self._n_hints = 0
        corrector = self.corrector
        corrector.window_changed.connect(self._show)
        corrector.window_changed.connect(self._on_active)
        corrector.noted.connect(view.show_note)
        self.assistant.changed.connect(self._show_off)
        self.hints.changed.connect(self._show_hints)
        session.journal.changed.connect(self._show_saved)
        session.journal.committed.connect(self._on_committed)
        session.current_changed.connect(self._on_current)
        session.scale_changed.connect(self._show)
        session.project_changed.connect(self._on_current)
        session.region_wanted.connect(self.open_region)
        session.viewer.layers.selection.events.active.connect(self._on_active)
        session.closing.insert(0, self._close)
        self._on_active()
        self._show()
        self._show_saved()
        self._read_steps()

    def close(self) -> None:
        """The panel goes: close the window and hear no more of the session."""
        self.corrector.close_window()
        session = self.session
        session.journal.changed.disconnect(self._show_saved)
        session.journal.committed.disconnect(self._on_committed)
        session.current_changed.disconnect(self._on_current)
        session.scale_changed.disconnect(self._show)
        session.project_changed.disconnect(self._on_current)
        session.region_wanted.disconnect(self.open_region)

    def _on_active(self, event: Any = None) -> None:
        active = self.session.viewer.layers.selection.active
        plain = self.corrector.window is None and type(active).__name__ == "Labels" and not can_correct(active)
        self.view.show_layer(str(active.name) if plain else "")

    def _close(self) -> None:
        self.session.viewer.layers.selection.events.active.disconnect(self._on_active)
        self.assistant.close()

    # what the user does

    def open_view(self) -> None:
        """Correct what is on screen."""
        self.opener.open_view()

    def open_layer(self) -> None:
        """Correct the labels layer that is active in napari's list."""
        try:
            self.opener.open_layer(self.session.viewer.layers.selection.active)
        except PathloopError as error:
            self.view.show_note(str(error))

    def open_region(self, region: Region) -> None:
        """Correct a region of the queue."""
        self.opener.open_region(region)

    def choose_task(self, task: str) -> None:
        """Correct another task."""
        self.corrector.choose_task(task)

    def choose_class(self, code: int) -> None:
        """Choose the class that new objects get."""
        self.corrector.choose_class(self.corrector.task, code)

    def choose_class_number(self, number: int, point: Point | None) -> None:
        """A number key: choose the class, and give it to the object under the mouse."""
        own = self.corrector.current
        if own is None or number > max(len(own.classes), 1):
            raise UsageError(f"there is no class {number}: add one with + beside the classes")
        self.choose_class(number)
        if point is not None and own is not None and own.at(*point) and self.corrector.tool != "class_brush":
            self.operations.at("relabel", point)

    def new_class(self, name: str) -> None:
        """Make a class of the current task, and choose it."""
        self.kinds.add_class(name)

    def new_task(self) -> None:
        """Ask for a new kind of objects, and make it."""
        asked = self.view.ask_task(self.kinds.color(), self.kinds.problem)
        if asked is None:
            return
        try:
            self.kinds.add_task(*asked)
        except PathloopError as error:
            self.view.show_note(str(error))

    def act(self, name: str, point: Point | None = None) -> None:
        """Do an action.

        Parameters
        ----------
        name
            Of `ACTIONS`, or "wand at" and "fill at" for a click of these tools.
        point
            Where the mouse is, window pixels; None = nowhere.

        Raises
        ------
        PathloopError
            If it cannot be done; the message is fit for the user.
        """
        self.view.show_note("")
        if name in self._calls:
            self._calls[name]()
        elif name in ("wand at", "fill at"):
            assert point is not None
            (self.assistant.click if name == "wand at" else self.operations.fill)(point)
        elif action(name).kind == "tool":
            self._choose_tool(name)
        else:
            self._on_object(name, point)

    @property
    def _calls(self) -> dict[str, Callable[[], Any]]:
        corrector = self.corrector
        return {
            "take": self.assistant.take,
            "next_task": self._next_task,
            "outline": lambda: corrector.draw_outlines(on=not corrector.outlines),
            "mend_all": lambda: self.hints.mend_all(self.hands.point),
            "accept_region": self.operations.accept_region,
            "next_region": lambda: self.session.step_wanted.emit(1),
            "previous_region": lambda: self.session.step_wanted.emit(-1),
            "undo": corrector.strokes.undo,
            "redo": corrector.strokes.redo,
        }

    def press(self, name: str) -> None:
        """A button: as `act`, with what is wrong said as a note."""
        try:
            self.act(name, self.hands.point)
        except PathloopError as error:
            self.view.show_note(str(error))

    def finish_line(self, tool: str, points: NDArray[np.float64]) -> None:
        """A line was drawn with a tool."""
        self.view.show_note("")
        operations = self.operations
        if tool == "lasso":
            operations.lasso(points)
        elif tool == "split":
            operations.split(points)
        elif tool == "merge":
            operations.merge_along(points)
        else:
            task = self.corrector.task
            ids = operations.ids_along(points)
            if ids:
                operations.set_class(task, ids, self.corrector.class_code(task))

    def go_to_hint(self, index: int) -> None:
        """Bring what a warning is about into view."""
        self.hints.go_to(index)

    def mend_hint(self, index: int) -> None:
        """Do what a warning proposes."""
        self.hints.mend(index)

    # inside

    def _choose_tool(self, name: str) -> None:
        self.assistant.drop()
        self.operations.end_chain()
        if name in ("wand", "snap") and self.assistant.reason():
            raise UsageError(self.assistant.reason())
        self.corrector.choose_tool(name)

    def _on_object(self, name: str, point: Point | None) -> None:
        if point is None:
            raise UsageError("hold the mouse over an object")
        if name == "snap":
            self.assistant.snap(point)
        elif name == "mend":
            self.hints.mend_at(point)
        elif name == "ask":
            text = self.view.ask_text("Ask a pathologist", "What is the question? Leave it empty to take it back.")
            if text is not None:
                self.operations.ask(point, text)
        else:
            self.operations.at(name, point)

    def _next_task(self) -> None:
        window = self.corrector.window
        if window is not None:
            tasks = list(window.tasks)
            self.corrector.choose_task(tasks[(tasks.index(self.corrector.task) + 1) % len(tasks)])

    def _on_committed(self, opened: Any, committed: Committed) -> None:
        if opened is (self.corrector.opened or self.session.current):
            self._read_steps()
            self._show()

    def _on_current(self) -> None:
        self._show()
        self._read_steps()

    def _read_steps(self) -> None:
        opened = self.corrector.opened or self.session.current
        read_steps(self.session, opened, self.view.show_steps)

    # what is shown

    def _show(self) -> None:
        corrector = self.corrector
        window, opened = corrector.window, corrector.opened
        if window is None or opened is None:
            self.view.show_window(None, self.opener.problem())
        else:
            if isinstance(opened, PlainLayer):
                title = opened.name
            else:
                place = "A part" if window.region_id is None else f"Region {window.region_id}"
                title = f"{place} of {opened.name}"
            facts = WindowFacts(title, tuple(window.tasks), corrector.task, {}, window.region_id is not None)
            self.view.show_window(facts, "")
        self.view.show_tool(corrector.tool)
        own = corrector.current
        choices = [] if own is None else [ClassChoice(i, one.name, one.color) for i, one in enumerate(own.classes, 1)]
        self.view.show_classes(choices, corrector.class_code(corrector.task))
        self._show_off()

    def _show_off(self) -> None:
        off: dict[str, str] = {}
        window = self.corrector.window
        if window is None:
            off = {one.name: "open a region first" for one in ACTIONS if one.name not in ALWAYS}
        else:
            if self.assistant.reason():
                off |= dict.fromkeys(("wand", "snap"), self.assistant.reason())
            if window.region_id is None:
                off["accept_region"] = "this window belongs to no region of the queue"
        self.view.show_tools_off(off)

    def _show_hints(self) -> None:
        self.view.show_hints([HintLine(one.task, one.object_id, one.words, one.fix) for one in self.hints.hints])

    def _show_saved(self) -> None:
        journal = self.session.journal
        self.view.show_saved(journal.state, saved_text(journal))
