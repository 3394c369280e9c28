"""A small picture of a region."""

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.slides import Slide

__all__ = ["THUMBNAIL_PX", "region_thumbnail"]

THUMBNAIL_PX = 160


def region_thumbnail(slide: Slide, rect: Rect, *, side_px: int = THUMBNAIL_PX) -> NDArray[np.uint8]:
    """The picture of a region, read from the coarsest level that is fine enough for it.

    Parameters
    ----------
    slide
        Open; its label and macro images are never read.
    rect
        Level-0 pixels, not empty; white beyond the slide's edge.
    side_px
        Longer side of the picture; a region that is smaller is shown as it is, never enlarged.

    Returns
    -------
    (h, w, 3) uint8 RGB. Pixels that are not square on the slide are so in the picture.

    Raises
    ------
    UsageError
        If the region or the picture is empty.
    """
    if rect.area == 0 or side_px < 1:
        raise UsageError(f"no picture of {rect} with {side_px} px a side")
    if slide.scale is None:
        size, step = (float(rect.height), float(rect.width)), (1.0, 1.0)
    else:
        step = (slide.scale.y, slide.scale.x)
        size = (rect.height * step[0], rect.width * step[1])
    pixel = max(*size) / side_px
    pixel = max(pixel, min(step))  # level 0 is all there is
    place = Rect(
        round(rect.y * step[0] / pixel),
        round(rect.x * step[1] / pixel),
        max(1, round(size[0] / pixel)),
        max(1, round(size[1] / pixel)),
    )
    return slide.read_downsampled(place, pixel) if slide.scale is None else slide.read(place, pixel)
