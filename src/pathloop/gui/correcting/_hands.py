"""Mouse and keys in an edit window."""

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PathloopError
from pathloop.gui.correcting._actions import ACTIONS
from pathloop.gui.correcting._corrector import Corrector

__all__ = ["Hands"]

LINE_TOOLS = ("lasso", "split", "merge", "class_brush")
CLICK_TOOLS = ("wand", "fill")
CLASS_KEYS = tuple("123456789")
DRAW_S = 0.03
"""Between two redraws of a line that is being drawn."""

Point = tuple[float, float]


class Hands:
    """Binds keys and mouse of the window's layers; everything goes back when a layer is removed.

    Parameters
    ----------
    corrector
        Whose windows.
    keys
        Key by action; "" = none.
    act
        ``act(action name, point or None)``: what a key or a click means.
    finish
        ``finish(tool, points)``: a line was drawn, (N, 2) window pixels (y, x).
    choose_class
        ``choose_class(number, point)``: a number key.
    """

    def __init__(
        self,
        corrector: Corrector,
        keys: dict[str, str],
        *,
        act: Callable[[str, Point | None], Any],
        finish: Callable[[str, NDArray[np.float64]], Any],
        choose_class: Callable[[int, Point | None], Any],
    ) -> None:
        self.point: Point | None = None
        self.wheel: Callable[[float], bool] = lambda delta: False
        self._corrector = corrector
        self._keys = keys
        self._act, self._finish, self._choose_class = act, finish, choose_class
        corrector.prepare_layer = self.prepare
        corrector.release_layer = self.release

    def prepare(self, layer: Any, task: str) -> None:
        """Bind mouse and keys of a new layer; our callbacks come before those of napari's tools."""
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.mouse_move_callbacks.append(self._on_move)
        layer.mouse_wheel_callbacks.append(self._on_wheel)
        for one in ACTIONS:
            key = self._keys.get(one.name, "")
            if key:
                layer.bind_key(key, self._bound(one.name), overwrite=True)
        for number in CLASS_KEYS:
            layer.bind_key(number, self._class_key(int(number)), overwrite=True)
        layer.bind_key("Space", self._hold_space, overwrite=True)

    def release(self, layer: Any) -> None:
        """Unbind what `prepare` bound, for a layer that stays."""
        for callbacks, own in (
            (layer.mouse_drag_callbacks, self._on_drag),
            (layer.mouse_move_callbacks, self._on_move),
            (layer.mouse_wheel_callbacks, self._on_wheel),
        ):
            if own in callbacks:
                callbacks.remove(own)
        for key in (*(self._keys.get(one.name, "") for one in ACTIONS), *CLASS_KEYS, "Space"):
            if key:
                layer.bind_key(key, None, overwrite=True)

    # keys

    def _bound(self, name: str) -> Callable[[Any], None]:
        def call(layer: Any) -> None:
            self._between_strokes(lambda: self._act(name, self.point))

        return call

    def _class_key(self, number: int) -> Callable[[Any], None]:
        def call(layer: Any) -> None:
            self._between_strokes(lambda: self._choose_class(number, self.point))

        return call

    def _between_strokes(self, call: Callable[[], Any]) -> None:
        """Keys wait for the mouse: what a stroke paints into must not change under it."""
        if self._corrector.is_stroking:
            self._corrector.noted.emit("let go of the mouse button first")
        else:
            self._safely(call)

    def _hold_space(self, layer: Any) -> Iterator[None]:
        tool = self._corrector.tool
        self._corrector.choose_tool("look")
        yield
        self._corrector.choose_tool(tool)

    # mouse

    def _place(self, layer: Any, event: Any) -> Point:
        y, x = layer.world_to_data(event.position)[-2:]
        return float(y), float(x)

    def _on_move(self, layer: Any, event: Any) -> None:
        self.point = self._place(layer, event)

    def _on_wheel(self, layer: Any, event: Any) -> None:
        if self.wheel(float(event.delta[1])):
            event.handled = True

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        self.point = self._place(layer, event)
        if event.button != 1:
            return
        mode = str(layer.mode)
        if mode in ("paint", "erase", "polygon"):
            self._before_native(layer, mode)
            self._corrector.is_stroking = mode != "polygon"
            try:
                yield from self._until_release(event)
            finally:
                self._corrector.is_stroking = False
            return
        tool = self._corrector.tool
        if tool in CLICK_TOOLS:
            point = self.point
            yield from self._until_release(event)
            self._safely(lambda: self._act(f"{tool} at", point))
        elif tool in LINE_TOOLS:
            self._corrector.is_stroking = True
            try:
                points = yield from self._draw(layer, event, tool)
            finally:
                self._corrector.is_stroking = False
            self._safely(lambda: self._finish(tool, points))

    def _before_native(self, layer: Any, mode: str) -> None:
        """What napari's own tools paint with: the object where the stroke begins, or a new one."""
        corrector = self._corrector
        corrector.strokes.before_stroke()
        own = next((one for one in self._windows() if one.layer is layer), None)
        if own is None or self.point is None:
            return
        under = own.at(*self.point)
        if mode == "paint":
            layer.selected_label = under or own.new_id()
            layer.preserve_labels = True
        elif mode == "erase":
            # begun in an object the eraser takes from that one only
            layer.selected_label = under or layer.selected_label
            layer.preserve_labels = bool(under)
        else:
            layer.selected_label = own.new_id()
            layer.preserve_labels = True

    def _windows(self) -> list[Any]:
        window = self._corrector.window
        return [] if window is None else list(window.tasks.values())

    def _until_release(self, event: Any) -> Iterator[None]:
        yield
        while event.type == "mouse_move":
            yield

    def _draw(self, layer: Any, event: Any, tool: str) -> Generator[None, None, NDArray[np.float64]]:
        self._corrector.strokes.before_stroke()
        points = [self._place(layer, event)]
        drawn = time.monotonic()
        yield
        while event.type == "mouse_move":
            place = self._place(layer, event)
            if place != points[-1]:
                points.append(place)
            sketch = self._corrector.sketch
            if sketch is not None and time.monotonic() - drawn > DRAW_S:
                sketch.draw(np.array(points), closed=tool == "lasso" and len(points) > 2)
                drawn = time.monotonic()
            yield
        self.point = points[-1]
        if self._corrector.sketch is not None:
            self._corrector.sketch.clear()
        return np.array(points)

    def _safely(self, call: Callable[[], Any]) -> None:
        """A refusal is a word to the user, not an error."""
        try:
            call()
        except PathloopError as error:
            self._corrector.noted.emit(str(error))
