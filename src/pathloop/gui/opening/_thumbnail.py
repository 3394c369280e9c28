"""Small pictures of whole slides."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.slides import Slide, open_slide

__all__ = ["file_thumbnail", "layer_thumbnail", "slide_thumbnail"]

READ_PX = 4096
"""A slide whose smallest level is larger than this a side gets no thumbnail: it would take too long."""


def layer_thumbnail(data: Any, side: int) -> NDArray[np.uint8]:
    """The whole of a layer's data, (h, w, 3) uint8, longer side ``side`` px; slow, call it in a thread."""
    coarse = data[-1] if isinstance(data, list | tuple) or not hasattr(data, "dtype") else data
    return _shrunk(np.asarray(coarse), side)


def slide_thumbnail(slide: Slide, side: int) -> NDArray[np.uint8] | None:
    """The whole of an open slide, longer side ``side`` px; None where the file has no small level."""
    if max(slide.levels[-1].shape) > READ_PX:
        return None
    step = max(slide.shape) / side
    return _shrunk(slide.read_downsampled(Rect(0, 0, *slide.shape_downsampled(step)), step), side)


def file_thumbnail(path: Path, side: int) -> NDArray[np.uint8] | None:
    """As `slide_thumbnail`, of a file that is not open. Label and macro images are never read."""
    with open_slide(path) as slide:
        return slide_thumbnail(slide, side)


def _shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    share = side / max(pixels.shape[:2])
    size = max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share))
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
