"""What the network is given: pixels at the model's scale, also where the slide has none."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.slides import Slide

__all__ = ["read_mirrored"]


def read_mirrored(slide: Slide, wanted: Rect, um_per_px: float) -> NDArray[np.uint8]:
    """Pixels of a rectangle at a scale, mirrored beyond the slide's edge.

    Parameters
    ----------
    wanted
        In pixels of ``um_per_px``; must meet the slide.

    Returns
    -------
    ndarray
        (wanted.height, wanted.width, 3) uint8 RGB.
    """
    inside = wanted.intersect(Rect(0, 0, *slide.shape_at(um_per_px)))
    pixels = slide.read(inside, um_per_px)
    return np.asarray(
        cv2.copyMakeBorder(
            pixels,
            inside.y - wanted.y,
            wanted.bottom - inside.bottom,
            inside.x - wanted.x,
            wanted.right - inside.right,
            cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )
