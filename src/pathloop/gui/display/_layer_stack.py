"""The napari layers of one slide: kept in order above its image, out of the user's way, and missed when deleted."""

from typing import Any

import numpy as np

from pathloop.core import Scale

__all__ = ["LayerStack", "scale_and_units"]

BOTTOM_FIRST = ("tissue", "uncertainty", "gland", "lumen")
"""What lies below what; tasks that are not named lie above these, nuclei on top of all."""


def stacking(key: str) -> tuple[int, str]:
    """Sort key: higher ones lie on top."""
    if key in BOTTOM_FIRST:
        return BOTTOM_FIRST.index(key), key
    return len(BOTTOM_FIRST) + (key == "nuclei"), key


def scale_and_units(scale: Scale | None) -> tuple[tuple[float, float], tuple[str, str]]:
    """Scale and units, for napari, of a layer in level-0 pixels."""
    if scale is None:
        return (1.0, 1.0), ("pixel", "pixel")
    return (scale.y, scale.x), ("um", "um")


class LayerStack:
    """Puts layers into the viewer and looks after them.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    image_name
        Name of the image layer that the stack stands on.
    scale
        um per px of level 0; None where it is not known.
    """

    def __init__(self, viewer: Any, image_name: str, scale: Scale | None) -> None:
        self._viewer = viewer
        self._image_name = image_name
        self._scale = scale
        self._layers: dict[str, Any] = {}
        self._cells: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._hidden_by: set[str] = set()
        self._covered: set[str] = set()
        self._asked: dict[str, bool] = {}  # what was asked for last; the user may have chosen otherwise
        self._before: dict[str, bool] = {}  # what to go back to when nothing hides the stack any more
        self._deleted: set[str] = set()
        viewer.layers.events.removed.connect(self._on_removed)

    def __contains__(self, key: str) -> bool:
        return key in self._layers

    def __getitem__(self, key: str) -> Any:
        return self._layers[key]

    def from_top(self) -> tuple[str, ...]:
        """What is there, from the top down."""
        return tuple(sorted(self._layers, key=stacking, reverse=True))

    def put(
        self,
        key: str,
        layer: Any,
        *,
        cell: tuple[float, float] = (1.0, 1.0),
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Add a layer in its place; what is selected, and with it the user's tool, stays as it was.

        Parameters
        ----------
        key
            Task or map.
        layer
            A napari layer that is in no viewer.
        cell
            Size of the layer's pixels, level-0 pixels.
        origin
            Centre of its first pixel, level-0 pixels.
        """
        self._cells[key] = np.asarray(cell, float), np.asarray(origin, float)
        self._place(key, layer)
        self._before[key] = self._asked.setdefault(key, True)
        layer.visible = self._before[key] and not self._hidden_by and key not in self._covered
        self._deleted.discard(key)
        self._layers[key] = layer
        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        layers.insert(self._index(key), layer)
        if not layers.selection.issuperset(selected) or layers.selection != selected:
            layers.selection.clear()
            layers.selection.update(selected)
            if active is not None:
                layers.selection.active = active
                layers.selection.update(selected)

    def set_scale(self, scale: Scale | None) -> None:
        """Give all layers another scale."""
        self._scale = scale
        for key, layer in self._layers.items():
            self._place(key, layer)

    def _place(self, key: str, layer: Any) -> None:
        um, units = scale_and_units(self._scale)
        cell, origin = self._cells[key]
        layer.scale = np.multiply(cell, um)
        layer.translate = np.multiply(origin, um)
        layer.units = units

    def _index(self, key: str) -> int:
        """Below the own layers that belong on top of it, else above the others, else above the image."""
        layers = self._viewer.layers
        above = [int(layers.index(self._layers[one])) for one in self._layers if stacking(one) > stacking(key)]
        if above:
            return min(above)
        below = [int(layers.index(self._layers[one])) for one in self._layers if one != key]
        below += [index for index, layer in enumerate(layers) if layer.name == self._image_name]
        return max(below) + 1 if below else len(layers)

    # visibility

    def visible(self, key: str) -> bool:
        """Whether a layer is there and shown, or would be if nothing hid the stack."""
        hidden = self._hidden_by or key in self._covered
        return key in self._layers and (self._before[key] if hidden else bool(self._layers[key].visible))

    def is_deleted(self, key: str) -> bool:
        """Whether the user has deleted a layer, and has not hidden and shown it by other means since."""
        return key in self._deleted

    def ask(self, key: str, *, visible: bool) -> None:
        """Show or hide one layer; asking for the same again leaves the user's choice alone."""
        if not visible:
            self._deleted.discard(key)
        if self._asked.get(key, True) == visible:
            return
        self._asked[key] = self._before[key] = visible
        if key in self._layers and not self._hidden_by and key not in self._covered:
            self._layers[key].visible = visible

    def cover(self, key: str, *, covered: bool) -> None:
        """Hide one layer while another one stands for it."""
        if (key in self._covered) == covered:
            return
        if covered:
            if key in self._layers and not self._hidden_by:
                self._before[key] = bool(self._layers[key].visible)
            self._covered.add(key)
        else:
            self._covered.discard(key)
        if key in self._layers and not self._hidden_by:
            self._layers[key].visible = self._before[key] and not covered

    def hide_all(self, reason: str, *, hidden: bool) -> None:
        """Hide all layers for a reason; once no reason is left each is as it was before."""
        was = bool(self._hidden_by)
        (self._hidden_by.add if hidden else self._hidden_by.discard)(reason)
        if bool(self._hidden_by) == was:
            return
        for key, layer in self._layers.items():
            if hidden and key not in self._covered:
                self._before[key] = bool(layer.visible)
            visible = not hidden and self._before[key] and key not in self._covered
            if layer.visible != visible:
                layer.visible = visible

    # removal

    def discard(self, key: str) -> None:
        """Take a layer away, if it is there."""
        layer = self._layers.pop(key, None)
        if layer is not None:
            if not self._hidden_by and key not in self._covered:
                self._asked[key] = bool(layer.visible)
            self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Take all layers away."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for key in self.from_top():
            self.discard(key)

    def _on_removed(self, event: Any) -> None:
        for key, layer in list(self._layers.items()):
            if layer is event.value:
                del self._layers[key]
                self._deleted.add(key)
