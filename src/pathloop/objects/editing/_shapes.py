"""Objects drawn, deleted, merged, and gaps filled."""

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.objects.editing._patch import LabelPatch, Labels, Point, boxes_of, tight_patch

__all__ = ["delete", "fill_gap", "fill_polygon", "merge", "polygon_mask"]

GAP_SHARE = 0.25
"""Of the window: a gap that is larger is not a gap."""


def delete(labels: Labels, ids: Sequence[int]) -> LabelPatch | None:
    """Take objects away; None where none of them is there."""
    boxes = boxes_of(labels, ids)
    if not boxes:
        return None
    rect = _hull(boxes.values())
    part = labels[rect.slices]
    return tight_patch(labels, rect, np.where(np.isin(part, list(boxes)), 0, part))


def merge(labels: Labels, ids: Sequence[int], *, bridge_px: int = 8) -> LabelPatch | None:
    """Make objects one: all get the first id.

    Pieces that do not touch are joined over background between them, where the gap is at most ``bridge_px`` wide (the
    merged object is closed with a disc); wider gaps stay. Other objects are never painted over.

    Raises
    ------
    UsageError
        If fewer than two of the objects are there.
    """
    boxes = boxes_of(labels, ids)
    present = [number for number in dict.fromkeys(ids) if number in boxes]
    if len(present) < 2:
        raise UsageError("two objects are needed to merge")
    rect = _hull(boxes.values()).expand(bridge_px).intersect(Rect(0, 0, *labels.shape))
    part = labels[rect.slices]
    mask = np.isin(part, present)
    n_pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1
    new = np.where(mask, np.int32(present[0]), part)
    if n_pieces > 1 and bridge_px > 0:
        radius = -(-bridge_px // 2)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        padded = np.pad(mask.astype(np.uint8), radius)
        closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[radius:-radius, radius:-radius].astype(bool)
        new[closed & (part == 0)] = present[0]
    return tight_patch(labels, rect, new)


def polygon_mask(polygon: NDArray[Any], shape: tuple[int, int]) -> tuple[Rect, NDArray[np.bool_]]:
    """Pixels whose centres lie inside a polygon (even-odd rule), and the rectangle that holds them.

    Parameters
    ----------
    polygon
        (N, 2) float (y, x), closed by itself.
    shape
        (height, width) that the rectangle is cut to.
    """
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    top, left = np.floor(points.min(axis=0)).astype(int)
    bottom, right = np.ceil(points.max(axis=0)).astype(int) + 1
    rect = Rect.from_bounds(int(top), int(left), int(bottom), int(right)).intersect(Rect(0, 0, *shape))
    mask = np.zeros(rect.shape, np.bool_)
    if rect.area == 0:
        return rect, mask
    others = np.roll(points, -1, axis=0)
    columns = np.arange(rect.x, rect.right)
    for row in range(rect.height):
        y = rect.y + row
        crosses = (points[:, 0] <= y) != (others[:, 0] <= y)
        a, b = points[crosses], others[crosses]
        if len(a):
            xs = np.sort(a[:, 1] + (y - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0]))
            mask[row] = np.searchsorted(xs, columns, side="left") % 2 == 1
    return rect, mask


def fill_polygon(
    labels: Labels,
    polygon: NDArray[Any],
    object_id: int,
    *,
    mode: str = "add",
    over: str = "background",
    blocked: Iterable[int] = (),
) -> LabelPatch | None:
    """Paint what lies inside a polygon.

    Parameters
    ----------
    labels
        (H, W) int32.
    polygon
        (N, 2) float (y, x), window pixels, closed by itself; pixels count whose centre lies inside (even-odd rule).
    object_id
        Whose pixels.
    mode
        ``add`` to the object, ``subtract`` from it, or ``replace`` all of it.
    over
        ``background``: other objects are spared; ``all``: painted over, but for ``blocked``.
    blocked
        Ids that are spared in any case.

    Returns
    -------
    LabelPatch or None
        None where nothing changes.
    """
    rect, mask = polygon_mask(polygon, (labels.shape[0], labels.shape[1]))
    if rect.area == 0:
        return None
    if mode == "replace":
        own = boxes_of(labels, [object_id]).get(object_id, rect)
        hull = _hull([rect, own])
        larger = np.zeros(hull.shape, np.bool_)
        larger[rect.relative_to(hull).slices] = mask
        rect, mask = hull, larger
    part = labels[rect.slices]
    if mode == "subtract":
        return tight_patch(labels, rect, np.where(mask & (part == object_id), 0, part))
    base = np.where(part == object_id, 0, part) if mode == "replace" else part
    free = (part == 0) | (part == object_id)
    if over == "all":
        free |= ~np.isin(part, list(blocked))
    return tight_patch(labels, rect, np.where(mask & free, np.int32(object_id), base))


def fill_gap(labels: Labels, point: Point) -> LabelPatch | None:
    """Fill the background at a place with the object that encloses it.

    Returns
    -------
    LabelPatch or None
        None where the gap reaches the window's edge, or is no gap of one object: less than half of its rim is the
        object that has the most of it.
    """
    whole = Rect(0, 0, *labels.shape)
    y, x = round(point[0]), round(point[1])
    half = 64
    while True:
        area = Rect(y - half, x - half, 2 * half, 2 * half).intersect(whole)
        part = labels[area.slices]
        _, pieces = cv2.connectedComponents((part == 0).astype(np.uint8), connectivity=4)
        gap = (pieces == pieces[y - area.y, x - area.x]) & (part == 0)
        touches = gap[0].any() or gap[-1].any() or gap[:, 0].any() or gap[:, -1].any()
        if not touches:
            break
        if area == whole or gap.sum() > GAP_SHARE * labels.size:
            return None
        half *= 2
    rim = cv2.dilate(gap.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~gap
    ids, counts = np.unique(part[rim], return_counts=True)
    best = int(np.argmax(counts))
    if not ids[best] or 2 * counts[best] < counts.sum():
        return None
    return tight_patch(labels, area, np.where(gap, ids[best], part))


def _hull(rects: Iterable[Rect]) -> Rect:
    found = list(rects)
    return Rect.from_bounds(
        min(one.y for one in found),
        min(one.x for one in found),
        max(one.bottom for one in found),
        max(one.right for one in found),
    )
