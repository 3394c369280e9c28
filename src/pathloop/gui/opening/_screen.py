"""What of a slide is on screen, to the pixel, and bringing all of it there."""

from typing import Any

import numpy as np

from pathloop.core import Rect

__all__ = ["fit_to_screen", "screen_rect"]

FILLED = 0.95
"""Share of the canvas that a slide fills when it is shown whole."""


def screen_rect(viewer: Any, layer: Any, shape: tuple[int, int]) -> Rect | None:
    """The level-0 pixels of an image layer that the canvas shows; None where there are none.

    A layer's own ``corner_pixels`` will not do: napari widens them to whole chunks.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    layer
        The image layer.
    shape
        (height, width) of level 0.
    """
    camera = viewer.scene.camera
    if camera.zoom <= 0 or min(viewer.canvas.size) <= 0:
        return None
    centre = np.asarray(camera.center[-2:], float)
    half = np.asarray(viewer.canvas.size, float) / (2 * camera.zoom)
    first, last = (np.asarray(layer.world_to_data(centre + sign * half))[-2:] for sign in (-1, 1))
    top, left = np.floor(first + 0.5).astype(int)
    bottom, right = np.ceil(last + 0.5).astype(int)
    rect = Rect.from_bounds(int(top), int(left), int(bottom), int(right)).intersect(Rect(0, 0, *shape))
    return rect if rect.area else None


def fit_to_screen(viewer: Any, layer: Any, shape: tuple[int, int]) -> None:
    """Show the whole of one image; napari's own "reset view" shows all layers, hidden ones too.

    Parameters
    ----------
    viewer, layer, shape
        As for `screen_rect`.
    """
    first, last = (
        np.asarray(layer.data_to_world(corner), float)[-2:] for corner in ((-0.5, -0.5), np.subtract(shape, 0.5))
    )
    camera, canvas = viewer.scene.camera, np.asarray(viewer.canvas.size, float)
    camera.center = tuple(float(value) for value in (first + last) / 2)
    if canvas.min() > 0:
        camera.zoom = float(FILLED * np.min(canvas / np.maximum(last - first, 1e-9)))
