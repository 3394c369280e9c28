"""The frames of the queue's regions as one read-only layer over the slide."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.objects._pace import Throttle
from pathloop.gui.queueing._lines import frame_lines
from pathloop.store import Region

__all__ = ["RegionFrames"]

SUFFIX = "queue"
PACE_MS = 120
SPARE = 256
"""Lines that a layer has room for beyond those that it begins with, and a quarter of these."""
SPARE_LINE = np.array([[0, 0], [0, 1]], np.float32)
REDRAWN_FROM = 1.15
"""Lines are drawn anew when the zoom has changed by this factor: their width is one of the screen."""


class RegionFrames:
    """Shows frames on the current slide. Main thread only.

    The layer is one of vectors, which nobody can paint or move by accident. It lies above all others and is never
    selected by us. One that the user deletes stays away until frames are asked for again.

    Parameters
    ----------
    session
        Whose viewer.
    on_deleted
        Called when the user has deleted the layer.
    """

    def __init__(self, session: Session, on_deleted: Callable[[], Any]) -> None:
        self._session, self._on_deleted = session, on_deleted
        self._layer: Any = None
        self._opened: OpenedSlide | None = None
        self._regions: Sequence[Region] = ()
        self._current: int | None = None
        self._is_shown, self._is_hidden = True, False
        self._drawn_px = 0.0
        self._zoomed = Throttle(session.background, PACE_MS, self._follow_zoom)
        self._is_rising = False
        viewer = session.viewer
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_shown(self) -> bool:
        """Whether frames are wanted."""
        return self._is_shown

    def show(self, opened: OpenedSlide | None, regions: Sequence[Region], current: int | None) -> None:
        """Show the frames of a slide's regions, the current one thick, in the place of what was shown."""
        self._opened, self._regions, self._current = opened, regions, current
        self._draw()

    def mark(self, current: int | None) -> None:
        """Draw another frame thick."""
        if current != self._current:
            self._current = current
            self._draw()

    def set_shown(self, *, shown: bool) -> None:
        """Show or hide all frames."""
        self._is_shown = shown
        self._draw()

    def close(self) -> None:
        """Take the layer away and hear no more."""
        viewer = self._session.viewer
        viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        viewer.layers.events.inserted.disconnect(self._on_inserted)
        viewer.layers.events.removed.disconnect(self._on_removed)
        self._zoomed.cancel()
        self._remove()

    # drawing

    def _screen_px(self) -> float:
        """Level-0 pixels that a pixel of the screen covers."""
        assert self._opened is not None
        zoom = max(float(self._session.viewer.scene.camera.zoom), 1e-9)
        return 1 / (zoom * float(self._opened.layer.scale[-1]))

    def _draw(self) -> None:
        opened = self._opened
        if opened is None:
            self._remove()
            return
        if not self._is_shown or not self._regions:
            self._hide(hidden=True)
            return
        screen_px = self._drawn_px = self._screen_px()
        lines, colors, width = frame_lines(self._regions, self._current, screen_px, opened.slide.shape)
        if self._layer is None:
            self._add(opened, lines, colors, width)
        else:
            self._change(opened, lines, colors, width)
            self._hide(hidden=False)

    def _hide(self, *, hidden: bool) -> None:
        """Hide the layer or show it again; removing it would cost a third of a second, napari collects garbage then."""
        if self._layer is not None and self._is_hidden != hidden:
            self._is_hidden = hidden
            self._layer.visible = not hidden

    def _change(self, opened: OpenedSlide, lines: Any, colors: Any, width: float) -> None:
        """Other lines, in the layer's own arrays where they fit: with other arrays napari slices every layer anew."""
        layer, image, n = self._layer, opened.layer, len(lines)
        name = f"{opened.name} - {SUFFIX}"
        if layer.name != name:
            layer.name = name
        if not np.array_equal(layer.scale, image.scale[-2:]):
            layer.scale = image.scale[-2:]
        if layer.units != image.units[-2:]:
            layer.units = image.units[-2:]
        if n > len(layer.data):
            layer.data, layer.edge_color = _with_spare(lines, colors)
        else:
            layer.data[:n], layer.edge_color[:n] = lines, colors
            layer.data[n:], layer.edge_color[n:] = SPARE_LINE, 0
        if layer.edge_width != width:
            layer.edge_width = width  # draws
        else:
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _add(self, opened: OpenedSlide, lines: Any, colors: Any, width: float) -> None:
        from napari.layers import Vectors

        image, layers = opened.layer, self._session.viewer.layers
        data, edge_color = _with_spare(lines, colors)
        self._is_hidden = False
        self._layer = Vectors(
            data,
            edge_color=edge_color,
            edge_width=width,
            vector_style="line",
            opacity=1.0,
            name=f"{opened.name} - {SUFFIX}",
            scale=image.scale[-2:],
            units=image.units[-2:],
            metadata={"pathloop": {"kind": "queue"}},
        )
        # whatever is selected, and with it the user's tool, stays as it was
        selected, active = set(layers.selection), layers.selection.active
        layers.append(self._layer)
        if layers.selection != selected:
            layers.selection.clear()
            layers.selection.update(selected)
            if active is not None:
                layers.selection.active = active
                layers.selection.update(selected)

    def _remove(self) -> None:
        layer, self._layer = self._layer, None
        layers = self._session.viewer.layers
        if layer is not None and layer in layers:
            layers.remove(layer)

    # what napari tells

    def _on_zoom(self, event: Any = None) -> None:
        if self._layer is not None:
            self._zoomed()

    def _follow_zoom(self) -> None:
        if self._layer is None or self._opened is None or self._is_hidden:
            return
        ratio = self._screen_px() / max(self._drawn_px, 1e-12)
        if max(ratio, 1 / ratio) >= REDRAWN_FROM:
            self._draw()

    def _on_inserted(self, event: Any) -> None:
        if self._layer is not None and event.value is not self._layer and not self._is_rising:
            self._is_rising = True
            self._session.background.later(0, self._rise)

    def _rise(self) -> None:
        """Above what came meanwhile."""
        self._is_rising = False
        layers = self._session.viewer.layers
        if self._layer is not None and layers[-1] is not self._layer:
            layers.move(layers.index(self._layer), len(layers))

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._layer = None
            self._is_shown = False
            self._on_deleted()


def _with_spare(lines: Any, colors: Any) -> tuple[Any, Any]:
    """Room for more."""
    spare = len(lines) // 4 + SPARE
    data = np.concatenate([lines, np.broadcast_to(SPARE_LINE, (spare, 2, 2))])
    return data, np.concatenate([colors, np.zeros((spare, 4), np.float32)])
