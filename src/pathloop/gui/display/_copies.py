"""Editable copies of ids, as ordinary napari layers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, Scale, UsageError
from pathloop.gui.display._layer_stack import scale_and_units

__all__ = ["MAX_COPY_PX", "add_copy", "area_to_copy"]

MAX_COPY_PX = 16384


def area_to_copy(rect: Rect | None, shape: tuple[int, int]) -> Rect:
    """The rectangle cut to the image; None: the whole image.

    Raises
    ------
    UsageError
        If the area is empty or larger than 16,384 px a side.
    """
    whole = Rect(0, 0, *shape)
    area = whole if rect is None else rect.intersect(whole)
    if area.area == 0:
        raise UsageError("nothing to copy: the region lies beside the slide; pick another one")
    if max(area.shape) > MAX_COPY_PX:
        raise UsageError(
            f"{area.height} x {area.width} px are too many for a copy that can be edited;"
            f" pick a region of at most {MAX_COPY_PX} px a side"
        )
    return area


def add_copy(viewer: Any, name: str, ids: NDArray[np.int32], area: Rect, scale: Scale | None) -> Any:
    """Add a labels layer over a level-0 area, and give it back."""
    (y, x), units = scale_and_units(scale)
    translate = (area.y * y, area.x * x)
    return viewer.add_labels(ids, name=name, scale=(y, x), units=units, translate=translate)
