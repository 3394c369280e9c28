"""A region that the user has drawn, in the slide's pixels."""

from typing import Any

import numpy as np
from napari.layers import Shapes

from pathloop.core import Rect

__all__ = ["drawn_region"]


def drawn_region(viewer: Any, slide_layer: Any, shape: tuple[int, int]) -> Rect | None:
    """The box around the selected shapes of the selected Shapes layer; without selected ones, around its last shape.

    Parameters
    ----------
    viewer
        The napari viewer.
    slide_layer
        The slide's image layer.
    shape
        (height, width) of the slide at level 0.

    Returns
    -------
    Rect | None
        Level-0 pixels, cut to the slide; None where no shape is drawn.
    """
    layer = viewer.layers.selection.active
    if not isinstance(layer, Shapes):
        drawn = [each for each in viewer.layers if isinstance(each, Shapes) and each.visible and len(each.data)]
        layer = drawn[-1] if len(drawn) == 1 else None
    if layer is None or len(layer.data) == 0:
        return None
    chosen = sorted(layer.selected_data) or [len(layer.data) - 1]
    corners = np.concatenate([np.asarray(layer.data[index])[:, -2:] for index in chosen])
    world = np.array([layer.data_to_world(corner) for corner in corners])
    own = np.array([slide_layer.world_to_data(place)[:2] for place in world])
    top, left = np.floor(own.min(axis=0) + 0.5).astype(int).tolist()
    bottom, right = np.ceil(own.max(axis=0) + 0.5).astype(int).tolist()
    rect = Rect.from_bounds(top, left, bottom, right).intersect(Rect(0, 0, *shape))
    return rect if rect.area else None
