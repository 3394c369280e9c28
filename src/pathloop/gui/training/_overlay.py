"""The objects of two models in one held-out region, on the slide: the candidate's, and while O is held the parent's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session

__all__ = ["SWAP_KEY", "SwapOverlay", "read_objects"]

SWAP_KEY = "O"
SIDES = ("parent", "candidate")
CONTOUR_PX = 3
REASON = "two models are compared"

Objects = dict[str, NDArray[np.int32]]


def read_objects(path: Path, task: str) -> Objects:
    """Both models' objects of a task in a region, (H, W) int32 by side.

    Raises
    ------
    DataError
        If they were not kept, or are damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {side: arrays[f"{side}/{task}"] for side in SIDES if f"{side}/{task}" in arrays}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the objects of this region cannot be read ({error})") from error


class SwapOverlay:
    """Two layers of outlines, one of them shown; the slide's own layers are hidden meanwhile. Main thread only.

    Parameters
    ----------
    session
        Whose viewer; while there is something to swap, the key O is ours.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layers: dict[str, Any] = {}
        self._opened: OpenedSlide | None = None
        self._bound: list[Any] = []
        session.viewer.layers.events.removed.connect(self._on_removed)

    @property
    def opened(self) -> OpenedSlide | None:
        """The slide that they are on."""
        return self._opened

    @property
    def sides(self) -> tuple[str, ...]:
        """Which models' objects are on the slide."""
        return tuple(self._layers)

    @property
    def shown(self) -> str:
        """Whose objects are seen now; "" = nobody's."""
        return next((side for side, layer in self._layers.items() if layer.visible), "")

    def show(self, opened: OpenedSlide, rect: Rect, objects: Objects, names: dict[str, str]) -> None:
        """Put objects on a slide, in the place of those before.

        Parameters
        ----------
        rect
            Level-0 pixels that the arrays cover.
        names
            Of the models, by side.
        """
        self.clear()
        image = opened.layer
        scale = np.asarray(image.scale)[-2:]
        place = np.asarray(image.translate)[-2:] + np.array([rect.y, rect.x]) * scale
        active = self._session.viewer.layers.selection.active
        for side, labels in objects.items():
            layer = self._session.viewer.add_labels(
                labels, name=f"{side}: {names[side]}", scale=scale, translate=place, units=image.units[-2:]
            )
            layer.editable = False
            layer.contour = CONTOUR_PX
            self._layers[side] = layer
        self._session.viewer.layers.selection.active = active
        self._opened = opened
        opened.desk.layers.peek(on=True, reason=REASON)
        self.turn("candidate")
        # napari's image layers have something of their own on this key, which goes before the viewer's
        self._bound = [self._session.viewer, image]
        for owner in self._bound:
            owner.bind_key(SWAP_KEY, self._hold, overwrite=True)

    def turn(self, side: str) -> None:
        """Show one model's objects."""
        for name, layer in self._layers.items():
            layer.visible = name == side

    def clear(self) -> None:
        """Take everything off the slide."""
        layers, self._layers = self._layers, {}
        for layer in layers.values():
            if layer in self._session.viewer.layers:
                self._session.viewer.layers.remove(layer)
        self._end()

    def _end(self) -> None:
        while self._bound:
            self._bound.pop().bind_key(SWAP_KEY, None)
        if self._opened is not None:
            self._opened.desk.layers.peek(on=False, reason=REASON)
            self._opened = None

    def close(self) -> None:
        """Clear, and hear no more of the viewer."""
        self.clear()
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)

    def _hold(self, owner: Any) -> Iterator[None]:
        # napari goes on behind the yield when the key is let go
        self.turn("parent")
        yield
        self.turn("candidate")

    def _on_removed(self, event: Any) -> None:
        was_shown = bool(self._layers)
        self._layers = {side: layer for side, layer in self._layers.items() if layer is not event.value}
        if was_shown and not self._layers:
            self._end()
