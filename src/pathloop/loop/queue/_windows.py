"""Regions as the network sees them: pixels at its scale, with a margin, in a square of its stride."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import ProjectError, Rect
from pathloop.networks import ModelCard
from pathloop.slides import Slide, open_slide
from pathloop.store import SlideRecord

__all__ = ["Window", "open_recorded", "window_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """Where a region lies at the model's scale.

    Parameters
    ----------
    own
        The region, model pixels of the slide.
    square
        What the network is given; may reach over the slide's edge.
    """

    own: Rect
    square: Rect

    def read(self, slide: Slide, um_per_px: float) -> NDArray[np.uint8]:
        """The square's pixels, mirrored beyond the slide's edge; (side, side, 3) uint8."""
        inside = self.square.intersect(Rect(0, 0, *slide.shape_at(um_per_px)))
        pixels = slide.read(inside, um_per_px)
        top, left = inside.y - self.square.y, inside.x - self.square.x
        bottom, right = self.square.bottom - inside.bottom, self.square.right - inside.right
        return np.asarray(cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REFLECT_101), np.uint8)

    def cut(self, maps: NDArray[Any]) -> NDArray[Any]:
        """The region's part of maps (C, side, side)."""
        return maps[(slice(None), *self.own.relative_to(self.square).slices)]


def window_of(rect: Rect, slide: Slide, card: ModelCard, *, margin_px: int) -> Window:
    """The window of a region (level-0 pixels) of an open slide whose scale is known.

    The margin, model pixels, is the least on every side: the square is a multiple of the network's stride.
    """
    assert slide.scale is not None
    step_y, step_x = slide.scale.y / card.um_per_px, slide.scale.x / card.um_per_px
    height, width = slide.shape_at(card.um_per_px)
    own = Rect.from_bounds(
        min(math.floor(rect.y * step_y), height - 1),
        min(math.floor(rect.x * step_x), width - 1),
        min(math.ceil(rect.bottom * step_y), height),
        min(math.ceil(rect.right * step_x), width),
    )
    stride = card.architecture.total_stride
    side = -(-(max(own.shape) + 2 * margin_px) // stride) * stride
    square = Rect(own.y - (side - own.height) // 2, own.x - (side - own.width) // 2, side, side)
    return Window(own, square)


def open_recorded(record: SlideRecord) -> Slide:
    """Open a slide of the project with the scale that it was segmented at.

    Raises
    ------
    SlideError
        If the file is gone or cannot be read.
    ProjectError
        If another file is at its path now.
    """
    slide = open_slide(record.path)
    try:
        if slide.fingerprint != record.fingerprint:
            raise ProjectError(
                f"{record.path}: not the file that was segmented (its content differs); put that one back"
            )
        if slide.scale == record.scale:
            return slide
    except BaseException:
        slide.close()
        raise
    slide.close()
    return open_slide(record.path, um_per_px=record.scale.um_per_px)
