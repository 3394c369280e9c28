"""Mouse and keys on the canvas: hover tells, a click selects, H held shows the tissue."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pathloop.gui._session import Session
from pathloop.gui.objects import hover_text

__all__ = ["CanvasHands"]

HOVER_MS = 30
CLICK_PX = 3
PEEK_KEY = "H"


class CanvasHands:
    """Connects the viewer's mouse and keys with the session.

    Parameters
    ----------
    session
        The viewer's session; everything is disconnected when it closes.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting = False
        self._place: tuple[float, float] = (0.0, 0.0)
        viewer = session.viewer
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.bind_key(PEEK_KEY, self._peek, overwrite=True)
        overlay = viewer.canvas.overlays.text
        overlay.visible = False
        overlay.position = "top_left"
        session.closing.append(self.close)

    def close(self) -> None:
        """Give mouse and key back."""
        viewer = self._session.viewer
        for callbacks, own in (
            (viewer.mouse_move_callbacks, self._on_move),
            (viewer.mouse_drag_callbacks, self._on_press),
        ):
            if own in callbacks:
                callbacks.remove(own)
        viewer.bind_key(PEEK_KEY, None, overwrite=True)

    def _on_move(self, viewer: Any, event: Any) -> None:
        self._place = (float(event.position[-2]), float(event.position[-1]))
        if not self._waiting:
            self._waiting = True
            self._session.background.later(HOVER_MS, self._hover)

    def _hover(self) -> None:
        self._waiting = False
        hit = self._hit(self._place)
        overlay = self._session.viewer.canvas.overlays.text
        text = "" if hit is None else self._words(*hit)
        if text != overlay.text:
            overlay.text = text
        if overlay.visible != bool(text):
            overlay.visible = bool(text)

    def _words(self, task: str, object_id: int) -> str:
        frame = self._session.frame(task)
        rows = frame.rows(np.array([object_id]))
        return hover_text(frame, int(rows[0])) if len(rows) else ""

    def _hit(self, world: tuple[float, float]) -> tuple[str, int] | None:
        """Task and id of what lies at a place of the canvas."""
        opened = self._session.current
        if opened is None:
            return None
        y, x = opened.layer.world_to_data(world)[:2]
        hit = opened.desk.layers.at(float(y), float(x))
        return None if hit is None else (hit.task, hit.id)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """A press that is no drag selects what lies there, or nothing."""
        start = np.asarray(event.pos, dtype=float)
        moved = False
        yield
        while event.type == "mouse_move":
            moved |= bool(np.abs(np.asarray(event.pos) - start).max() > CLICK_PX)
            yield
        mode = str(getattr(viewer.layers.selection.active, "mode", "pan_zoom"))
        if moved or event.button not in (1, None) or mode != "pan_zoom":
            return
        hit = self._hit((float(event.position[-2]), float(event.position[-1])))
        if hit is not None:
            self._session.select(hit[0], np.array([hit[1]], np.int64), "canvas")
            return
        for task in self._session.tasks:
            self._session.select(task, np.zeros(0, np.int64), "canvas")

    def _peek(self, viewer: Any) -> Iterator[None]:
        """Hold to see the tissue without anything over it."""
        opened = self._session.current
        if opened is not None:
            opened.desk.layers.peek(on=True)
        yield
        if opened is not None:
            opened.desk.layers.peek(on=False)
