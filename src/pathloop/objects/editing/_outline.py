"""Outlines made smoother, rounder or truer; no other object ever loses a pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.objects.editing._patch import LabelPatch, Labels, Point, filled, object_box, tight_patch
from pathloop.objects.editing._propose import Maps, window_probability

__all__ = ["fill_holes", "keep_largest", "smooth", "snap_to_maps"]


def smooth(labels: Labels, object_id: int, radius_px: int = 3, *, near: Point | None = None) -> LabelPatch | None:
    """Smooth an outline: a pixel belongs to the object where most of the disc round it does.

    Parameters
    ----------
    radius_px
        Of the disc; what is narrower goes.
    near
        One of its pixels, to find it quickly.

    Returns
    -------
    LabelPatch or None
        None where nothing changes, or nothing of the object would be left.
    """
    place, mask, free = _surroundings(labels, object_id, 2 * radius_px, near)
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius_px, borderType=cv2.BORDER_REPLICATE)
    return _own(labels, place, (share > 0.5) & free, object_id)


def fill_holes(labels: Labels, object_id: int, *, near: Point | None = None) -> LabelPatch | None:
    """Fill background that an object encloses; None where there is none."""
    place, mask, free = _surroundings(labels, object_id, 1, near)
    return _own(labels, place, (filled(mask) & free) | mask, object_id)


def keep_largest(labels: Labels, object_id: int, *, near: Point | None = None) -> LabelPatch | None:
    """Take away all pieces of an object but the largest; None where it is in one piece."""
    place, mask, _ = _surroundings(labels, object_id, 0, near)
    n, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if n <= 2:
        return None
    return _own(labels, place, pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), object_id)


def snap_to_maps(
    labels: Labels, object_id: int, maps: Maps, *, box: Rect | None = None, threshold: float = 0.5, reach_px: int = 8
) -> LabelPatch | None:
    """Move an outline to where the network's probability crosses a threshold.

    Parameters
    ----------
    maps
        Of the object's task.
    box
        The object's, if known.
    threshold
        0..1, of interior and boundary together.
    reach_px
        How far the outline may move, window pixels; within it and nowhere else.

    Returns
    -------
    LabelPatch or None
        None where nothing changes, or nothing of the object would be left.
    """
    near = None if box is None else (box.y + box.height / 2, box.x + box.width / 2)
    place, mask, free = _surroundings(labels, object_id, 2 * reach_px, near)
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1] > reach_px
    near_it = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= reach_px
    wanted = (window_probability(maps, place) > threshold) & near_it & free
    wanted |= inside
    n, pieces = cv2.connectedComponents(wanted.astype(np.uint8), connectivity=4)
    if n > 2:  # what lies beside the object is another one's
        overlap = np.bincount(pieces[mask & wanted], minlength=n)
        wanted = pieces == 1 + int(np.argmax(overlap[1:])) if overlap[1:].any() else np.zeros_like(wanted)
    return _own(labels, place, wanted, object_id)


def _surroundings(
    labels: Labels, object_id: int, margin: int, near: Point | None
) -> tuple[Rect, NDArray[np.bool_], NDArray[np.bool_]]:
    """A rectangle round an object, its pixels there, and those that it may have."""
    place = object_box(labels, object_id, near).expand(margin).intersect(Rect(0, 0, *labels.shape))
    part = labels[place.slices]
    return place, part == object_id, (part == object_id) | (part == 0)


def _own(labels: Labels, place: Rect, wanted: NDArray[np.bool_], object_id: int) -> LabelPatch | None:
    if not wanted.any():
        return None
    part = labels[place.slices]
    return tight_patch(labels, place, np.where(wanted, np.int32(object_id), np.where(part == object_id, 0, part)))
