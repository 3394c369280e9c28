"""Resampling of RGB pixels at exact absolute positions, so that pieces and the whole agree bit for bit.

A target pixel ``i`` covers ``[i * step, (i + 1) * step)`` in source pixels; both images share their top-left corner.
Where the target is coarser (``step >= 1``) a pixel is the mean over exactly that interval, fractions of source pixels
included (area filter: no aliasing, no drift); where it is finer, it is interpolated linearly between source pixel
centres. Weights depend on the absolute index only, and all sums are integers that float32 holds exactly, so no result
depends on where a piece begins or on the order of summation.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pathloop.core import Rect

__all__ = ["resample", "source_rect"]

# 255 * 16 * 4096 < 2**24: weights in 1/4096 and half-done values in 1/16 stay exact integers in float32.
_WEIGHT = 4096
_HALFWAY = 256


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of a resampling: first average boxes of ``box`` pixels, then apply ``step`` (in boxes)."""

    box: int
    step: float
    size: int

    @classmethod
    def plan(cls, step: float, size: int) -> "_Axis":
        """Split a step into a whole box and a rest; ``size`` is the source image's full length."""
        whole = round(step)
        if whole >= 1 and math.isclose(step, whole, rel_tol=1e-9):
            box, rest = whole, 1.0
        elif step >= 4:
            box = int(step // 2)
            rest = step / box
        else:
            box, rest = 1, step
        return cls(box, rest, -(-size // box))

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Half-open range of boxes that target pixels ``start .. stop - 1`` need."""
        if self.step >= 1:
            first, last = math.floor(start * self.step), math.ceil(stop * self.step)
        else:
            first = math.floor((start + 0.5) * self.step - 0.5)
            last = math.floor((stop - 0.5) * self.step - 0.5) + 2
        first = min(max(first, 0), self.size - 1)
        return first, max(min(last, self.size), first + 1)

    def weights(self, start: int, stop: int) -> csr_array:
        """Integer weights (rows: target pixels, columns: boxes of the span; each row sums to 4096)."""
        first, last = self.span(start, stop)
        target = np.arange(start, stop, dtype=np.float64)[:, None]
        if self.step >= 1:
            low, high = target * self.step, (target + 1) * self.step
            index = np.floor(low) + np.arange(math.floor(self.step) + 2)
            share = np.clip(np.minimum(high, index + 1) - np.maximum(low, index), 0, None) / self.step
        else:
            position = (target + 0.5) * self.step - 0.5
            index = np.floor(position) + np.arange(2)
            share = np.concatenate([index[:, 1:] - position, position - index[:, :1]], axis=1)
        weight = np.rint(share * _WEIGHT)
        rows = np.arange(stop - start)
        weight[rows, np.argmax(weight, axis=1)] += _WEIGHT - weight.sum(axis=1)
        # Beyond the image's edge its last pixel goes on.
        column = np.clip(index, 0, self.size - 1).astype(np.int32) - first
        used = (weight > 0) & (column >= 0) & (column < last - first)
        offsets = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int32)
        return csr_array((weight[used].astype(np.float32), column[used], offsets), shape=(stop - start, last - first))


def source_rect(rect: Rect, *, step: tuple[float, float], size: tuple[int, int]) -> Rect:
    """Source pixels that `resample` needs for a target rectangle.

    Parameters
    ----------
    rect
        Target pixels, not empty.
    step
        Source pixels per target pixel, (y, x), > 0.
    size
        Full (height, width) of the source image.

    Returns
    -------
    Rect
        In source pixels, inside the source image.
    """
    vertical, horizontal = _Axis.plan(step[0], size[0]), _Axis.plan(step[1], size[1])
    top, bottom = vertical.span(rect.y, rect.bottom)
    left, right = horizontal.span(rect.x, rect.right)
    return Rect.from_bounds(
        top * vertical.box,
        left * horizontal.box,
        min(bottom * vertical.box, size[0]),
        min(right * horizontal.box, size[1]),
    )


def resample(
    source: NDArray[np.uint8], rect: Rect, *, step: tuple[float, float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Target pixels of ``rect`` from the source pixels of ``source_rect(rect, step=step, size=size)``.

    Parameters
    ----------
    source
        (h, w, channels) uint8, exactly the pixels of `source_rect`.
    rect
        Target pixels, not empty.
    step
        Source pixels per target pixel, (y, x), > 0.
    size
        Full (height, width) of the source image: where it ends, its edge pixels go on.

    Returns
    -------
    ndarray
        (rect.height, rect.width, channels) uint8. Reading a rectangle in pieces gives the same pixels.
    """
    vertical, horizontal = _Axis.plan(step[0], size[0]), _Axis.plan(step[1], size[1])
    channels = source.shape[2]
    boxes = _box_means(source, vertical.box, horizontal.box)
    if vertical.step == 1 and horizontal.step == 1:
        # a level whose size was rounded down ends a pixel early
        beyond = [(0, wanted - there) for wanted, there in zip(rect.shape, boxes.shape[:2], strict=True)]
        return np.pad(boxes, (*beyond, (0, 0)), mode="edge") if any(after for _, after in beyond) else boxes
    height, width = boxes.shape[:2]
    rows = vertical.weights(rect.y, rect.bottom) @ boxes.reshape(height, -1).astype(np.float32)
    rows = np.rint(rows * np.float32(1 / _HALFWAY)).reshape(rect.height, width, channels)
    columns = np.ascontiguousarray(rows.transpose(1, 0, 2)).reshape(width, -1)
    columns = horizontal.weights(rect.x, rect.right) @ columns
    scale = np.float32(_HALFWAY / _WEIGHT / _WEIGHT)
    pixels = np.rint(columns * scale).astype(np.uint8).reshape(rect.width, rect.height, channels)
    return np.ascontiguousarray(pixels.transpose(1, 0, 2))


def _box_means(source: NDArray[np.uint8], box_y: int, box_x: int) -> NDArray[np.uint8]:
    """Means over boxes, anchored at the array's first pixel; a partial last box repeats its last pixel."""
    if box_y == 1 and box_x == 1:
        return source
    height, width = source.shape[:2]
    pad_y, pad_x = -height % box_y, -width % box_x
    if pad_y or pad_x:
        source = np.pad(source, ((0, pad_y), (0, pad_x), (0, 0)), mode="edge")
    size = (source.shape[1] // box_x, source.shape[0] // box_y)
    means = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.uint8).reshape(size[1], size[0], source.shape[2])
