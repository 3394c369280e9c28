"""Between level-0 pixels and model pixels: a level-0 pixel takes the model pixel that its centre lies in."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.predict import TileJob

__all__ = ["level0_labels", "level0_rect"]

SOURCE_PX = 4096**2
"""Model pixels that are held at once; only slides coarser than the model need more than a block has."""


def level0_labels(job: TileJob, labels: Callable[[Rect], NDArray[np.int32]], block: Rect) -> NDArray[np.int32]:
    """Ids of a level-0 block.

    Parameters
    ----------
    job
        The run; it says how the two scales lie on each other.
    labels
        ``labels(rect)``: (h, w) int32 ids of a rectangle at the model's scale.
    block
        Level-0 pixels inside the run's region.
    """
    area = job.area
    rows = _model_pixels(job.scale.y / job.card.um_per_px, block.y, block.bottom, area.y, area.bottom)
    cols = _model_pixels(job.scale.x / job.card.um_per_px, block.x, block.right, area.x, area.right)
    source = Rect.from_bounds(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    if source.area > SOURCE_PX and min(block.shape) > 1:
        half = -(-max(block.shape) // 2)
        parts = [
            Rect(y, x, half, half).intersect(block)
            for y in (block.y, block.y + half)
            for x in (block.x, block.x + half)
        ]
        out = np.zeros(block.shape, np.int32)
        for part in parts:
            if part.area:
                out[part.relative_to(block).slices] = level0_labels(job, labels, part)
        return out
    found = labels(source)
    if not ((np.diff(rows) == 1).all() and (np.diff(cols) == 1).all()):
        found = found.take(rows - source.y, axis=0).take(cols - source.x, axis=1)
    return np.asarray(found, np.int32)


def _model_pixels(step: float, start: int, stop: int, low: int, high: int) -> NDArray[np.int64]:
    """The model pixel of each level-0 pixel of an axis, kept inside ``low .. high - 1``."""
    pixels = np.floor((np.arange(start, stop) + 0.5) * step).astype(np.int64)
    return np.asarray(np.clip(pixels, low, high - 1), np.int64)


def level0_rect(job: TileJob, core: Rect) -> Rect:
    """The level-0 pixels of the run's region whose model pixel lies in a tile's core.

    Those of all tiles cover the region exactly once. Empty where a slide is so coarse that no centre falls in.
    """
    area, region = job.area, job.region
    step_y, step_x = job.scale.y / job.card.um_per_px, job.scale.x / job.card.um_per_px
    # what a centre at the area's edge would find outside belongs to the outermost model pixel
    top = region.y if core.y <= area.y else _first_pixel(step_y, core.y)
    left = region.x if core.x <= area.x else _first_pixel(step_x, core.x)
    bottom = region.bottom if core.bottom >= area.bottom else _first_pixel(step_y, core.bottom)
    right = region.right if core.right >= area.right else _first_pixel(step_x, core.right)
    return Rect.from_bounds(top, left, bottom, right).intersect(region)


def _first_pixel(step: float, edge: int) -> int:
    """The first level-0 pixel whose model pixel is ``edge`` or more, rounded as ``level0_labels`` rounds."""
    pixel = max(math.ceil(edge / step - 0.5), 0)
    while pixel > 0 and math.floor((pixel - 0.5) * step) >= edge:
        pixel -= 1
    while math.floor((pixel + 0.5) * step) < edge:
        pixel += 1
    return pixel
