"""Objects cut in parts: along a line, or at their waist."""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import Rect
from pathloop.objects.editing._patch import LabelPatch, Labels, boxes_of, object_box, tight_patch

__all__ = ["split_by_line", "split_by_shape"]

SMALLEST_PX = 5
"""A part below this is no part."""
WAIST = 0.75
"""Depth of the waist: the ridge between two parts is at most this share of the smaller part's half width."""


def split_by_line(
    labels: Labels,
    object_id: int | None,
    line: NDArray[np.float64],
    new_ids: Iterator[int],
    *,
    blocked: Iterable[int] = (),
) -> LabelPatch | None:
    """Cut objects along a line that crosses them from edge to edge. No pixel is lost.

    The largest part keeps its id; pixels under the line go to the nearest part.

    Parameters
    ----------
    labels
        (H, W) int32.
    object_id
        What to cut; None = everything that the line crosses.
    line
        (N, 2) float (y, x), window pixels.
    new_ids
        Gives the ids of the other parts.
    blocked
        Ids that are not cut.

    Returns
    -------
    LabelPatch or None
        None where nothing falls apart.
    """
    drawn = np.zeros(labels.shape, np.uint8)
    points = np.round(line[:, ::-1]).astype(np.int32).reshape(-1, 1, 2)
    box = _around(points, labels.shape)
    cv2.polylines(drawn, [points], isClosed=False, color=1, thickness=1, lineType=cv2.LINE_8)
    crossed = np.unique(labels[box.slices][drawn[box.slices] > 0])
    wanted = [
        int(number)
        for number in crossed
        if number and (object_id is None or number == object_id) and number not in set(map(int, blocked))
    ]
    rects, changes = [], []
    for number, place in boxes_of(labels, wanted).items():
        mask = labels[place.slices] == number
        parts = _parts(mask, drawn[place.slices].astype(bool))
        if parts is not None:
            rects.append(place)
            changes.append((number, parts))
    if not rects:
        return None
    hull = Rect.from_bounds(
        min(r.y for r in rects), min(r.x for r in rects), max(r.bottom for r in rects), max(r.right for r in rects)
    )
    new = labels[hull.slices].copy()
    for place, (_, parts) in zip(rects, changes, strict=True):
        inside = new[place.relative_to(hull).slices]
        for part in range(2, parts.max() + 1):
            inside[parts == part] = next(new_ids)
    return tight_patch(labels, hull, new)


def _around(points: NDArray[np.int32], shape: tuple[int, ...]) -> Rect:
    low, high = points.reshape(-1, 2).min(axis=0), points.reshape(-1, 2).max(axis=0)
    found = Rect.from_bounds(int(low[1]), int(low[0]), int(high[1]) + 1, int(high[0]) + 1)
    return found.intersect(Rect(0, 0, shape[0], shape[1]))


def _parts(mask: NDArray[np.bool_], cut: NDArray[np.bool_]) -> NDArray[np.int32] | None:
    """Parts of a mask without a cut, 1 = the largest, cut pixels joined to the nearest; None if it holds together."""
    # an 8-connected line separates 4-connected parts
    n, pieces = cv2.connectedComponents((mask & ~cut).astype(np.uint8), connectivity=4)
    pieces_before = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0]
    sizes = np.bincount(pieces.ravel(), minlength=n)
    real = [part for part in range(1, n) if sizes[part] >= SMALLEST_PX]
    if len(real) < 2 or n <= pieces_before:
        return None
    order = sorted(real, key=lambda part: -sizes[part])
    lookup = np.zeros(n, np.int32)
    lookup[order] = np.arange(1, len(order) + 1)
    return _nearest(lookup[pieces], mask)


def _nearest(seeds: NDArray[np.int32], mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    index = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    return np.where(mask, seeds[tuple(index)], 0).astype(np.int32)


def split_by_shape(labels: Labels, object_id: int, new_ids: Iterator[int]) -> LabelPatch | None:
    """Divide an object at its waist: watershed of the distance to its edge, from the two or more widest places.

    Returns
    -------
    LabelPatch or None
        None where the object has no waist.
    """
    from skimage.segmentation import watershed

    place = object_box(labels, object_id).expand(1).intersect(Rect(0, 0, *labels.shape))
    mask = labels[place.slices] == object_id
    padded = np.pad(mask, 1)
    distance = cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    smooth = cv2.GaussianBlur(distance, (0, 0), max(0.5, float(distance.max()) / 12))
    seeds = _peaks(smooth, mask)
    if seeds is None:
        return None
    parts = np.asarray(watershed(-smooth, seeds, mask=mask), np.int32)  # type: ignore[no-untyped-call]
    sizes = np.bincount(parts.ravel())
    order = sorted(range(1, len(sizes)), key=lambda part: -sizes[part])
    new = labels[place.slices].copy()
    for part in order[1:]:
        new[parts == part] = next(new_ids)
    return tight_patch(labels, place, new)


def _peaks(distance: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.int32] | None:
    """Widest places that a waist separates; None where there is only one."""
    top = float(distance.max())
    for share in (0.85, 0.75, 0.65, 0.55, 0.45, 0.35):
        n, pieces = cv2.connectedComponents(((distance > share * top) & mask).astype(np.uint8), connectivity=8)
        heights = [float(distance[pieces == part].max()) for part in range(1, n)]
        real = [part for part, height in enumerate(heights, 1) if share * top <= WAIST * height + (1 - WAIST) * top]
        deep = [part for part in real if heights[part - 1] * WAIST >= share * top * WAIST * WAIST]
        if len(deep) >= 2:
            lookup = np.zeros(n, np.int32)
            lookup[deep] = np.arange(1, len(deep) + 1)
            return np.asarray(lookup[pieces], np.int32)
    return None
