"""Closing each object by itself, and filling the holes that one object encloses."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from pathloop.rasters._components import label_components
from pathloop.rasters._grow import disc

__all__ = ["Background", "background_regions", "close_each", "fill_enclosed"]


def close_each(labels: NDArray[np.int32], radius_px: int, *, allowed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Morphological closing of every object by itself, with a Euclidean disc, onto background pixels only.

    A global closing would bridge the gap between two neighbours; here a pixel is added only where the closing of
    one object alone holds it. The plane beyond the array counts as background that may be dilated into, so a
    pixel's result depends only on what lies within twice the radius. Where two objects claim a pixel, the smaller
    id gets it. Cost: O(pixels) plus the boxes of the objects that have a candidate pixel in their box.

    Parameters
    ----------
    labels
        (H, W) int32: 0 = background.
    radius_px
        Radius of the disc, pixels; 0 returns the labels as they are.
    allowed
        (H, W) bool: background pixels that may be added.

    Returns
    -------
    (H, W) int32.
    """
    if radius_px == 0 or not labels.any():
        return labels
    kernel = disc(radius_px)
    # Closing is increasing: what no global closing adds, no single one does.
    candidates = (_closed(labels > 0, kernel) > 0) & (labels == 0) & allowed
    if not candidates.any():
        return labels
    sums = cv2.integral(candidates.view(np.uint8))
    closed = labels.copy()
    for id_, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        rows, cols = box
        count = sums[rows.stop, cols.stop] - sums[rows.start, cols.stop]
        if count == sums[rows.stop, cols.start] - sums[rows.start, cols.start]:
            continue
        # Ids ascend, so a pixel that is no longer background belongs to a smaller id.
        gained = (_closed(labels[box] == id_, kernel) > 0) & candidates[box] & (closed[box] == 0)
        closed[box][gained] = id_
    return closed


def _closed(mask: NDArray[np.bool_], kernel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Closing as on an endless plane; a closing never leaves its object's box, so padding by the radius is enough."""
    radius = kernel.shape[0] // 2
    padded = np.pad(mask.view(np.uint8), radius)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed[radius:-radius, radius:-radius], np.uint8)


@dataclass(frozen=True, slots=True)
class Background:
    """The 8-connected background regions of a label image, and what they touch.

    Parameters
    ----------
    regions
        (H, W) int32: 0 on objects and outside, regions 1..n by first pixel.
    lowest, highest
        (n,) int64: smallest and largest id 4-adjacent to each region; where there is none, the largest int64 and 0.
    is_open
        (n,) bool: the region has a pixel outside among its 8 neighbours.
    areas
        (n,) int64: pixels.
    """

    regions: NDArray[np.int32]
    lowest: NDArray[np.int64]
    highest: NDArray[np.int64]
    is_open: NDArray[np.bool_]
    areas: NDArray[np.int64]


def background_regions(labels: NDArray[np.int32], valid: NDArray[np.bool_]) -> Background:
    """Label the background inside a frame of one pixel.

    Parameters
    ----------
    labels
        (H + 2, W + 2) int32: the image with one pixel more on every side.
    valid
        (H + 2, W + 2) bool: False = outside (nothing is known there).

    Returns
    -------
    Background of the inner (H, W) pixels; the frame is only looked at.
    """
    core = np.s_[1:-1, 1:-1]
    regions, n = label_components((labels[core] == 0) & valid[core], connectivity=8)
    lowest = np.full(n + 1, np.iinfo(np.int64).max)
    highest = np.zeros(n + 1, np.int64)
    height, width = regions.shape
    for dy, dx in ((0, 1), (1, 0), (1, 2), (2, 1)):
        ids = labels[dy : dy + height, dx : dx + width]
        # flat places: NumPy finds those of two axes several times as slowly
        touching = np.flatnonzero((regions > 0) & (ids > 0))
        own, other = regions.take(touching), ids[np.divmod(touching, width)]
        np.minimum.at(lowest, own, other)
        np.maximum.at(highest, own, other)
    is_open = np.zeros(n + 1, bool)
    if not valid.all():
        near = cv2.dilate((~valid).view(np.uint8), np.ones((3, 3), np.uint8))[core]
        is_open[regions[near > 0]] = True
    areas = np.bincount(regions.ravel(), minlength=n + 1)
    return Background(regions, lowest[1:], highest[1:], is_open[1:], areas[1:])


def fill_enclosed(labels: NDArray[np.int32], valid: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Fill each 8-connected background region that exactly one object encloses.

    A region is filled where all its 4-adjacent object pixels are of one object and none of its pixels has a pixel
    outside (beyond the array, or not ``valid``) among its 8 neighbours.

    Parameters
    ----------
    labels
        (H, W) int32: 0 = background.
    valid
        (H, W) bool.

    Returns
    -------
    (H, W) int32.
    """
    found = background_regions(np.pad(labels, 1), np.pad(valid, 1))
    filler = np.where((found.lowest == found.highest) & ~found.is_open, found.highest, 0)
    if not filler.any():
        return labels
    table = np.concatenate([[0], filler]).astype(np.int32)
    return labels + table[found.regions]
