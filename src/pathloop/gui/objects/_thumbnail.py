"""A small picture of one object on the slide, with its outline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.rasters import trace_outlines
from pathloop.slides import Slide

__all__ = ["THUMBNAIL_PX", "Thumbnail", "read_thumbnail"]

THUMBNAIL_PX = 192
"""Pixels that are read along a side at most."""
STRIP_PX = 1 << 22

ReadIds = Callable[[Rect], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A picture and an outline over it.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    rings
        Outlines, each (n, 2) corners (y, x), not closed, as shares 0 to 1 of the picture's height and width.
    width_um
        How much of the slide the picture's width covers; None where the scale is unknown.
    """

    rgb: NDArray[np.uint8]
    rings: tuple[NDArray[np.float64], ...]
    width_um: float | None


def read_thumbnail(slide: Slide, rect: Rect, box: Rect, object_id: int, read_ids: ReadIds) -> Thumbnail:
    """Read the picture and trace the object.

    Parameters
    ----------
    slide
        Where the picture comes from; never its label or macro image.
    rect
        What to show, level-0 pixels; white beyond the slide's edge.
    box
        The object's box.
    object_id
        Its id.
    read_ids
        Gives the ids of a level-0 rectangle that lies on the slide.
    """
    downsample = max(1.0, max(rect.shape) / THUMBNAIL_PX)
    places = (round(rect.y / downsample), round(rect.x / downsample))
    sizes = (max(1, round(rect.height / downsample)), max(1, round(rect.width / downsample)))
    rgb = slide.read_downsampled(Rect(*places, *sizes), downsample)
    inside = box.intersect(Rect(0, 0, *slide.shape))
    size = np.array(rect.shape, np.float64)
    rings = tuple((ring - (rect.y, rect.x)) / size for ring in _outline(inside, int(downsample), object_id, read_ids))
    return Thumbnail(rgb, rings, None if slide.scale is None else rect.width * slide.scale.x)


def _outline(box: Rect, step: int, object_id: int, read_ids: ReadIds) -> list[NDArray[np.float64]]:
    """Rings in level-0 pixels, corner origin, from every ``step``-th pixel; a large object is read strip by strip."""
    if box.area == 0:
        return []
    rows = max(1, STRIP_PX // box.width // step) * step
    strips = [Rect(y, box.x, min(rows, box.bottom - y), box.width) for y in range(box.y, box.bottom, rows)]
    mask = np.concatenate([read_ids(strip)[::step, ::step] == object_id for strip in strips])
    traced = trace_outlines(mask)
    return [ring * float(step) + (box.y, box.x) for _, outline in traced for part in outline for ring in part]
