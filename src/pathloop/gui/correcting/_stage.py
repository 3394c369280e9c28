"""Where an edit window's layers come from and go to: the next window is shown in those of the one before."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pathloop.core import Rect, Scale
from pathloop.gui.correcting._layers import Sketch, class_colormap, make_layer
from pathloop.gui.correcting._window import TaskWindow
from pathloop.gui.display import scale_and_units

__all__ = ["Stage"]


class Stage:
    """Makes layers for a window, and keeps those of a window that makes way for the next.

    napari takes half a second to remove a layer, as long to make one, and a while to hide one and show it again; going
    from region to region must not wait. Kept layers stay as they were, out of reach of mouse and keys.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._parked: dict[str, Any] = {}
        self._parked_sketch: Sketch | None = None
        self._uncover: Callable[[str], Any] = lambda task: None

    def layer(self, own: TaskWindow, name: str, scale: Scale | None) -> tuple[Any, bool]:
        """The layer of a task's window, on top of the others.

        Parameters
        ----------
        own
            Its ``labels`` become the layer's data.
        name
            Of the layer.
        scale
            um per px of level 0.

        Returns
        -------
        tuple
            The layer, and whether it is new.
        """
        layer = self._parked.pop(own.task, None)
        if layer is None or layer not in self._viewer.layers:
            make_layer(own, name, scale)
            self._viewer.layers.append(own.layer)
            return own.layer, True
        um, units = scale_and_units(scale)
        # what napari remembers of strokes belongs to other pixels: it forgets when editing is switched
        layer.editable = False
        layer.editable = True
        layer.data = own.labels
        layer.scale, layer.units = um, units
        layer.translate = np.multiply((own.rect.y, own.rect.x), um)
        layer.colormap = class_colormap(own.rows, own.classes)
        layer.name = name
        layer.visible = True  # the user may have hidden it
        own.layer = layer
        return layer, False

    def sketch(self, name: str, rect: Rect, scale: Scale | None) -> Sketch:
        """Lines over a window."""
        found, self._parked_sketch = self._parked_sketch, None
        if found is None or found.layer not in self._viewer.layers:
            return Sketch(self._viewer, name, rect, scale)
        found.place(name, rect, scale)
        return found

    def park(self, layers: dict[str, Any], sketch: Sketch | None, uncover: Callable[[str], Any]) -> None:
        """Keep the layers of a window, by task, for the one that comes."""
        for layer in layers.values():
            layer.mode = "pan_zoom"
        self._parked, self._parked_sketch, self._uncover = layers, sketch, uncover

    def clear(self) -> None:
        """Remove what was kept and is not needed, and show what it stood for."""
        parked, self._parked = self._parked, {}
        for task, layer in parked.items():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            self._uncover(task)
        sketch, self._parked_sketch = self._parked_sketch, None
        if sketch is not None:
            sketch.remove()
