"""The napari layers of an edit window."""

import colorsys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Rect, Scale
from pathloop.gui.correcting._window import TaskWindow
from pathloop.gui.display import scale_and_units
from pathloop.store import ObjectRow

__all__ = ["Sketch", "class_colormap", "make_layer", "show_rects"]

OPACITY = 0.5
SHADES = 6
"""Of a class's colour: neighbours must be told apart."""
MANY_PX = 200_000
"""More changed pixels than these are drawn anew with the whole layer."""

PREVIEW = "#ffffff"
FRAME = "#56b4e9"
DEFAULT = ClassSpec(name="object", color=(86, 180, 233))


def make_layer(window: TaskWindow, name: str, scale: Scale | None) -> Any:
    """An ordinary napari Labels layer on a window's own array.

    Parameters
    ----------
    window
        Its ``labels`` become the layer's data and are painted in place.
    name
        Of the layer.
    scale
        um per px of level 0; None where it is not known.
    """
    from napari.layers import Labels

    um, units = scale_and_units(scale)
    layer = Labels(
        window.labels,
        name=name,
        scale=um,
        translate=np.multiply((window.rect.y, window.rect.x), um),
        units=units,
        opacity=OPACITY,
        blending="translucent",
        colormap=class_colormap(window.rows, window.classes),
        metadata={"pathloop": {"kind": "correcting", "task": window.task}},
    )
    layer.preserve_labels = True
    layer.brush_size = 12
    window.layer = layer
    return layer


def class_colormap(rows: Mapping[int, ObjectRow], classes: tuple[ClassSpec, ...], current: int = 1) -> Any:
    """Colours of objects by class, in shades by id.

    With one class no object needs an entry of its own, which is quick; with several, each has one.

    Parameters
    ----------
    rows
        Objects.
    classes
        By class code - 1.
    current
        Class code of objects that come.
    """
    from napari.utils.colormaps import CyclicLabelColormap

    from pathloop.gui.correcting._many_labels import HIGHEST_ID, ManyLabelsColormap

    if len({row.class_code for row in rows.values()} | {current}) <= 1:
        spec = classes[current - 1] if 0 < current <= len(classes) else DEFAULT
        return CyclicLabelColormap(colors=_shades(spec.color), background_value=0)
    colors = {code: _shades(spec.color) for code, spec in enumerate(classes, 1)} | {0: _shades((200, 200, 200))}
    table: dict[int | None, Any] = {
        number: colors.get(row.class_code, colors[0])[number % SHADES]
        for number, row in rows.items()
        if number <= HIGHEST_ID
    }
    colormap = ManyLabelsColormap(color_dict={0: np.zeros(4), None: colors.get(current, colors[0])[0]})
    # put in unchecked: checking the colours of 35,000 objects one by one takes napari a second
    colormap.color_dict.update(table)
    return colormap


def _shades(color: tuple[int, int, int]) -> NDArray[np.float32]:
    hue, light, saturation = colorsys.rgb_to_hls(*(value / 255 for value in color))
    steps = np.linspace(-0.14, 0.14, SHADES)[[0, 3, 1, 4, 2, 5]]
    shades = [(*colorsys.hls_to_rgb(hue, min(max(light + step, 0.15), 0.85), saturation), 1.0) for step in steps]
    return np.array(shades, np.float32)


def show_rects(layer: Any, before: list[tuple[Rect, NDArray[np.int32]]]) -> None:
    """Draw what has changed in a layer's array.

    napari draws a part of a layer only for its own way of setting pixels, so the old ones are put back first.

    Parameters
    ----------
    layer
        The Labels layer.
    before
        Rectangles of the array, with their pixels as they are on screen.
    """
    changed = []
    n = 0
    for rect, old in before:
        new = layer.data[rect.slices]
        rows, cols = np.nonzero(new != old)
        if rows.size:
            changed.append((rect, old, new.copy(), rows, cols))
            n += rows.size
    if n > MANY_PX:
        layer.refresh()
        return
    for rect, old, new, rows, cols in changed:
        layer.data[rect.slices][rows, cols] = old[rows, cols]
        layer.data_setitem((rows + rect.y, cols + rect.x), new[rows, cols])


class Sketch:
    """Lines over an edit window: what is being drawn, and previews. One Shapes layer, empty most of the time.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    name
        Of the layer.
    rect
        The window, level-0 pixels.
    scale
        um per px of level 0.
    """

    def __init__(self, viewer: Any, name: str, rect: Rect, scale: Scale | None) -> None:
        from napari.layers import Shapes

        um, units = scale_and_units(scale)
        self._viewer = viewer
        self.layer = Shapes(
            ndim=2,
            name=name,
            scale=um,
            translate=np.multiply((rect.y, rect.x), um),
            units=units,
            metadata={"pathloop": {"kind": "sketch"}},
        )
        viewer.layers.append(self.layer)
        self._frame: NDArray[np.float64] | None = None

    def place(self, name: str, rect: Rect, scale: Scale | None) -> None:
        """Lie over another window; nothing is drawn on it yet."""
        um, units = scale_and_units(scale)
        self._frame = None
        self.layer.data = []
        self.layer.name = name
        self.layer.scale, self.layer.units = um, units
        self.layer.translate = np.multiply((rect.y, rect.x), um)
        self.layer.visible = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing but the frame is drawn."""
        return len(self.layer.data) <= int(self._frame is not None)

    def frame(self, rect: Rect) -> None:
        """Mark a rectangle for good: what is being reviewed; window pixels."""
        corners = [(rect.y, rect.x), (rect.y, rect.right), (rect.bottom, rect.right), (rect.bottom, rect.x)]
        self._frame = np.array([*corners, corners[0]], np.float64) - 0.5
        self._draw([], PREVIEW)

    def draw(self, points: NDArray[np.float64], *, closed: bool = False, color: str = PREVIEW) -> None:
        """Show one line in the place of what was there; window pixels, (y, x)."""
        self.draw_all([points], closed=closed, color=color)

    def draw_all(self, lines: list[NDArray[np.float64]], *, closed: bool = False, color: str = PREVIEW) -> None:
        """Show lines in the place of what was there."""
        self._draw([line if not closed else np.concatenate([line, line[:1]]) for line in lines if len(line) > 1], color)

    def _draw(self, lines: list[NDArray[np.float64]], color: str) -> None:
        width = 2 / max(float(self._viewer.scene.camera.zoom) * float(self.layer.scale[-1]), 1e-6)
        framed = [] if self._frame is None else [self._frame]
        self.layer.data = []
        if framed or lines:
            colors = [FRAME] * len(framed) + [color] * len(lines)
            self.layer.add_paths([*framed, *lines], edge_color=colors, edge_width=max(width, 0.2))

    def clear(self) -> None:
        """Show nothing."""
        if not self.is_empty:
            self._draw([], PREVIEW)

    def remove(self) -> None:
        """Take the layer away."""
        if self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
