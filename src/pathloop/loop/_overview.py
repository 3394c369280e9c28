"""A small picture of a part of a slide, for files that want an image beside their labels."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, SlideError
from pathloop.slides import open_slide
from pathloop.store import SlideRecord

__all__ = ["OVERVIEW_PX", "overview"]

OVERVIEW_PX = 2048
"""Longest side."""


def overview(record: SlideRecord, window: Rect) -> NDArray[np.uint8] | None:
    """A level-0 rectangle of a slide as (h, w, 3) uint8 RGB, at most 2,048 px on its longest side and not enlarged.

    Its pixels stand for equal parts of the rectangle, to a fraction of a pixel. None where the slide's file is not
    there any more, cannot be read or is another one now. Label and macro images, which may show a patient's name, are
    not touched.
    """
    step = max(1.0, max(window.shape) / OVERVIEW_PX)
    size = max(1, round(window.height / step)), max(1, round(window.width / step))
    try:
        with open_slide(record.path, um_per_px=record.scale.um_per_px) as slide:
            if slide.fingerprint != record.fingerprint:
                return None
            if step == 1.0:
                return slide.read(window)
            # the grid of a smaller slide begins at its corner, that of the picture at the window's
            place = Rect.from_bounds(
                math.floor(window.y / step) - 1,
                math.floor(window.x / step) - 1,
                math.ceil(window.bottom / step) + 1,
                math.ceil(window.right / step) + 1,
            )
            pixels = slide.read_downsampled(place, step)
    except SlideError:
        return None
    scale_y, shift_y = _line(window.y, window.height / size[0], step, place.y)
    scale_x, shift_x = _line(window.x, window.width / size[1], step, place.x)
    matrix = np.array([[scale_x, 0.0, shift_x], [0.0, scale_y, shift_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(pixels, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8)


def _line(start: int, factor: float, step: float, first: int) -> tuple[float, float]:
    """Scale and shift from the picture's pixels, of ``factor`` level-0 pixels, to those of ``step`` that were read."""
    return factor / step, (start + factor / 2) / step - 0.5 - first
