"""Correcting: which window is open, which tool is chosen, and how what people do becomes entries of the journal."""

from collections.abc import Callable
from functools import partial
from typing import Any

from psygnal import Signal

from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.correcting._colours import WindowColours
from pathloop.gui.correcting._layers import Sketch
from pathloop.gui.correcting._plain import PlainLayer
from pathloop.gui.correcting._reading import WindowRequest, read_window
from pathloop.gui.correcting._stage import Stage
from pathloop.gui.correcting._strokes import Strokes
from pathloop.gui.correcting._window import EditWindow, TaskWindow

__all__ = ["Corrector"]

WATCH_MS = 1000
"""How often windows are searched for what napari does not announce: scripts, other plugins."""


class Corrector:
    """Opens edit windows and takes what is done in them into the journal. Main thread only; no Qt.

    Parameters
    ----------
    session
        The viewer's session.
    """

    window_changed = Signal()
    """Another window is open, or none."""

    noted = Signal(str)
    """A short word for the user."""

    changed_here = Signal(str, object)
    """A task and the ids that a commit changed in the window."""

    closing = Signal()

    def __init__(self, session: Session) -> None:
        self.session = session
        self.window: EditWindow | None = None
        self.opened: OpenedSlide | PlainLayer | None = None
        self.task = ""
        self.tool = "look"
        self.class_codes: dict[str, int] = {}
        self.stage = Stage(session.viewer)
        self.sketch: Sketch | None = None
        self.outlines = False
        self.is_stroking = False
        self.prepare_layer: Callable[[Any, str], None] = lambda layer, task: None
        self.release_layer: Callable[[Any], None] = lambda layer: None
        self._stop_watching: Callable[[], None] | None = None
        self.strokes = Strokes(self)
        self.colours = WindowColours(self)
        session.project_changed.connect(self._on_project_changed)
        session.slide_closed.connect(self._on_slide_closed)
        session.closing.append(self.close)
        session.viewer.layers.events.removed.connect(self._on_layer_removed)

    # windows

    @property
    def current(self) -> TaskWindow | None:
        """The window of the task that is corrected now."""
        return None if self.window is None else self.window.tasks.get(self.task)

    def show(self, opened: OpenedSlide | PlainLayer, window: EditWindow) -> None:
        """Show a window that was read, and watch it."""
        self.opened, self.window = opened, window
        before = self.task
        for task, own in reversed(window.tasks.items()):
            is_new = True
            if own.layer is None:
                _, is_new = self.stage.layer(own, f"{opened.name} - {task} (correcting)", opened.scale)
            else:
                self.strokes.set_layer_data(own.layer, own.labels)
            own.layer.contour = int(self.outlines)
            own.listeners = (partial(self._on_paint, task), partial(self._on_set_data, task))
            own.layer.events.paint.connect(own.listeners[0])
            own.layer.events.set_data.connect(own.listeners[1])
            if is_new:
                self.prepare_layer(own.layer, task)
            opened.desk.layers.hide_task(task, hidden=True)
        self.sketch = self.stage.sketch(f"{opened.name} - drawing", window.rect, opened.scale)
        self.sketch.frame(window.region.relative_to(window.rect))
        self.stage.clear()
        self.choose_task(before if before in window.tasks else next(iter(window.tasks)))
        self.choose_tool(self.tool)
        self._watch()
        self.window_changed.emit()

    def close_window(self, *, for_next: bool = False) -> None:
        """Close the window; everything in it is in the journal, or on its way.

        Parameters
        ----------
        for_next
            Another window follows, which is shown in the layers of this one: `stage.clear` if it does not come.
        """
        window, opened = self.window, self.opened
        if window is None or opened is None:
            if not for_next:
                self.stage.clear()
            return
        self.strokes.take_all()
        self.closing.emit()
        if self._stop_watching is not None:
            self._stop_watching()
        self.window = self.opened = None
        self.is_stroking = False
        for own in window.tasks.values():
            own.layer.events.paint.disconnect(own.listeners[0])
            own.layer.events.set_data.disconnect(own.listeners[1])
        if isinstance(opened, PlainLayer):
            for own in window.tasks.values():
                self._give_back(own)
        layers = {} if isinstance(opened, PlainLayer) else {task: own.layer for task, own in window.tasks.items()}
        self.stage.park(layers, self.sketch, lambda task: opened.desk.layers.hide_task(task, hidden=False))
        self.sketch = None
        if not for_next or isinstance(opened, PlainLayer):
            self.stage.clear()
        viewer = self.session.viewer
        if opened.layer in viewer.layers:
            viewer.layers.selection.active = opened.layer
        self.window_changed.emit()

    def _give_back(self, own: TaskWindow) -> None:
        """The user's own layer stays, without our mouse and keys."""
        own.layer.mode = "pan_zoom"
        own.layer.mouse_pan = own.layer.mouse_zoom = True
        self.release_layer(own.layer)

    def _on_paint(self, task: str, event: Any = None) -> None:
        if not self.strokes.take(task):
            # napari's data_setitem tells before it sets
            self.session.background.later(0, lambda: self.strokes.take(task))

    def _on_set_data(self, task: str, event: Any = None) -> None:
        self.strokes.on_set_data(task)

    def close(self) -> None:
        """Hear no more of the session."""
        if self.window is not None:
            self.strokes.take_all()
        if self._stop_watching is not None:
            self._stop_watching()
        self.colours.close()
        self.session.journal.settle(timeout_s=5.0)
        self.strokes.close()
        self.session.project_changed.disconnect(self._on_project_changed)
        self.session.slide_closed.disconnect(self._on_slide_closed)
        self.session.viewer.layers.events.removed.disconnect(self._on_layer_removed)

    # choices

    def choose_task(self, task: str) -> None:
        """Correct another task of the window."""
        if self.window is None or task not in self.window.tasks:
            return
        self.task = task
        self.session.viewer.layers.selection.active = self.window.tasks[task].layer
        self.window_changed.emit()

    def choose_tool(self, name: str) -> None:
        """Choose what the mouse does."""
        self.tool = name
        if self.sketch is not None:
            self.sketch.clear()
        modes = {"brush": "paint", "eraser": "erase", "polygon": "polygon"}
        for own in self.window.tasks.values() if self.window is not None else ():
            layer = own.layer
            mode = modes.get(name, "pan_zoom")
            if str(layer.mode) != mode:
                layer.mode = mode
            layer.mouse_pan = name == "look"
            layer.mouse_zoom = True
            if name == "polygon":
                layer.selected_label = own.new_id()
        self.window_changed.emit()

    def class_code(self, task: str) -> int:
        """Code of the class that new objects of a task get."""
        return self.class_codes.get(task, 1)

    def choose_class(self, task: str, code: int) -> None:
        """Choose the class that new objects get, and that the class brush gives."""
        self.class_codes[task] = code
        self.colours.soon()
        self.window_changed.emit()

    def draw_outlines(self, *, on: bool) -> None:
        """Draw outlines only, or fill objects."""
        self.outlines = on
        for own in self.window.tasks.values() if self.window is not None else ():
            own.layer.contour = int(on)

    def _on_project_changed(self) -> None:
        if self.opened is not None and (self.opened is self.session.current or isinstance(self.opened, PlainLayer)):
            self.reload()

    def reload(self) -> None:
        """Read the window anew: a run has put other objects into it."""
        window, opened = self.window, self.opened
        if window is None or opened is None or opened.project_path is None or opened.slide_id is None:
            return
        self.strokes.take_all()
        request = WindowRequest(
            opened.slide_id, window.rect, window.region, tuple(window.tasks), window.region_id, None
        )

        def show(found: EditWindow) -> None:
            if self.window is not window:
                return
            for task, new in found.tasks.items():
                own = window.tasks[task]
                new.layer, new.listeners = own.layer, own.listeners
                new.next_id = max(new.next_id, own.next_id)
                window.tasks[task] = new
                self.strokes.set_layer_data(own.layer, new.labels)
            self.colours.soon()
            self.window_changed.emit()

        self.session.projects.use(opened.project_path, lambda project: read_window(project, request), show)

    def _on_slide_closed(self, opened: OpenedSlide) -> None:
        if opened is self.opened:
            self.close_window()

    def _on_layer_removed(self, event: Any) -> None:
        if self.window is not None and any(own.layer is event.value for own in self.window.tasks.values()):
            self.close_window()

    # watching

    def _watch(self) -> None:
        self._stop_watching = self.session.background.later(WATCH_MS, self._look_after)

    def _look_after(self) -> None:
        if self.window is not None:
            if not self.is_stroking:
                self.strokes.take_all("script")
            self._watch()
