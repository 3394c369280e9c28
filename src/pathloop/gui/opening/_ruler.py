"""The ruler: lines whose lengths are written beside them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Scale
from pathloop.gui._session import Session

__all__ = ["RULER_LAYER", "Ruler", "length_text"]

RULER_LAYER = "ruler"
UM_A_MM = 1000.0
INK = "#00337a"
"""Dark enough to be read on glass and on H&E."""


def length_text(line: NDArray[np.float64], scale: Scale | None) -> str:
    """Length of a path in words.

    Parameters
    ----------
    line
        (n, 2) level-0 pixels, (y, x).
    scale
        None: the length is in pixels.
    """
    steps = np.diff(np.asarray(line, float)[:, -2:], axis=0)
    if scale is not None:
        steps = steps * (scale.y, scale.x)
    length = float(np.hypot(steps[:, 0], steps[:, 1]).sum())
    if scale is None:
        return f"{length:,.0f} px"
    if length >= UM_A_MM:
        return f"{length / UM_A_MM:.3g} mm"
    return f"{length:.1f} um" if length < 100 else f"{length:.0f} um"


class Ruler:
    """A Shapes layer whose lines show their lengths while they are drawn.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layer: Any | None = None
        self._texts: list[str] = []

    def start(self) -> None:
        """Be ready for a line: make the layer where it is missing, and take it in hand."""
        opened, layers = self._session.current, self._session.viewer.layers
        if opened is None:
            self._session.say("Open a slide first, then measure on it.", "warning")
            return
        if self._layer is None or self._layer not in layers:
            self._layer = self._make(opened.layer)
        layer = self._layer
        layer.scale, layer.units = opened.layer.scale[-2:], opened.layer.units[-2:]
        layers.selection.active = layer
        layer.mode = "add_line"
        self._update()

    def close(self) -> None:
        """Let go of the layer; lines that were drawn stay."""
        if self._layer is not None:
            self._layer.events.set_data.disconnect(self._update)
            self._layer = None

    def _make(self, image: Any) -> Any:
        layer = self._session.viewer.add_shapes(
            name=RULER_LAYER,
            ndim=2,
            scale=image.scale[-2:],
            units=image.units[-2:],
            edge_color=INK,
            face_color="transparent",
            edge_width=3 / (max(self._session.viewer.scene.camera.zoom, 1e-6) * float(image.scale[-1])),
            opacity=1.0,
            features={"length": np.zeros(0, object)},
            text={"string": "{length}", "color": INK, "size": 14, "anchor": "upper_left", "translation": [-6, 6]},
        )
        # napari says so on every step of a drag, its "data" event only at the end
        layer.events.set_data.connect(self._update)
        return layer

    def _update(self, event: Any = None) -> None:
        """Write the lengths anew where a line has changed."""
        layer, opened = self._layer, self._session.current
        if layer is None:
            return
        scale = None if opened is None else opened.scale
        texts = [length_text(line, scale) for line in layer.data]
        if texts != self._texts and len(layer.features) == len(texts):
            self._texts = texts
            layer.features = {"length": np.array(texts, object)}
