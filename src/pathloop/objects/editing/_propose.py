"""The outline of an object that was missed, as the network's maps support it at a place."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import Rect
from pathloop.objects.editing._patch import LabelPatch, Labels, Point, filled, tight_patch

__all__ = ["Maps", "Proposal", "best_threshold", "propose", "window_probability"]

FIRST_HALF_PX = 64
SEED_REACH_PX = 12
"""Model pixels: how far from the click a seed may lie."""
HIGH, LOW = 0.5, 0.05
SMOOTH_PX = 0.6
"""Of the maps, model pixels."""
SMALLEST_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Network maps over a part of a window.

    Parameters
    ----------
    interior, boundary
        (h, w) uint8: probability times 255.
    origin
        (y, x) window pixels of the centre of the first map pixel.
    step
        (y, x) window pixels a map pixel.
    """

    interior: NDArray[np.uint8]
    boundary: NDArray[np.uint8]
    origin: tuple[float, float]
    step: tuple[float, float]

    def place(self, point: Point) -> tuple[int, int]:
        """The map pixel at a window position, cut to the map."""
        y = round((point[0] - self.origin[0]) / self.step[0])
        x = round((point[1] - self.origin[1]) / self.step[1])
        return min(max(y, 0), self.interior.shape[0] - 1), min(max(x, 0), self.interior.shape[1] - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """An outline that may become an object.

    Parameters
    ----------
    patch
        What taking it changes.
    area_px
        Window pixels.
    threshold
        That gave it.
    confidence
        0..1, mean interior probability inside.
    """

    patch: LabelPatch
    area_px: int
    threshold: float
    confidence: float


def best_threshold(maps: Maps, point: Point) -> float:
    """A threshold to begin with: 0.5 where the network was sure enough, else below what it gives near the click."""
    y, x = maps.place(point)
    near = np.s_[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
    top = float((maps.interior[near].astype(np.int32) + maps.boundary[near]).max()) / 255
    return HIGH if top > HIGH else max(LOW, 0.6 * top)


def propose(
    labels: Labels, maps: Maps, point: Point, threshold: float, new_id: int, *, max_area_px: int | None = None
) -> Proposal | None:
    """The outline at a place where interior and boundary together exceed a threshold.

    Touching objects are kept apart as the post-processing does it: each pixel belongs to the nearest part of the
    interior, and the part at (or next to) the click is meant.

    Parameters
    ----------
    labels
        (H, W) int32; existing objects are never painted over.
    maps
        Of the task.
    point
        (y, x), window pixels.
    threshold
        0..1.
    new_id
        Id of the new object.
    max_area_px
        Larger outlines are no proposals, window pixels; None = any size.

    Returns
    -------
    Proposal or None
        None where the maps support nothing here.
    """
    area, taken = _grown_mask(maps, point, threshold)
    if taken is None:
        return None
    place, smooth = _in_window(maps, area, taken, labels.shape)
    if place.area == 0:
        return None
    part = labels[place.slices]
    mask = _piece_at(smooth & (part == 0), (point[0] - place.y, point[1] - place.x))
    if mask is None:
        return None
    mask = filled(mask) & (part == 0)
    size = int(mask.sum())
    if size < SMALLEST_PX or (max_area_px is not None and size > max_area_px):
        return None
    patch = tight_patch(labels, place, np.where(mask, np.int32(new_id), part))
    if patch is None:
        return None
    confidence = float(maps.interior[area.slices][taken].mean()) / 255
    return Proposal(patch, size, threshold, confidence)


def _grown_mask(maps: Maps, point: Point, threshold: float) -> tuple[Rect, NDArray[np.bool_] | None]:
    """The object's map pixels in a crop that grows until the object does not touch its edge."""
    whole = Rect(0, 0, *maps.interior.shape)
    y, x = maps.place(point)
    half = FIRST_HALF_PX
    while True:
        area = Rect(y - half, x - half, 2 * half, 2 * half).intersect(whole)
        taken = _decode(maps, area, (y - area.y, x - area.x), threshold)
        if taken is None or area == whole:
            return area, taken
        open_sides = (
            (taken[0].any() and area.y > 0)
            or (taken[-1].any() and area.bottom < whole.bottom)
            or (taken[:, 0].any() and area.x > 0)
            or (taken[:, -1].any() and area.right < whole.right)
        )
        if not open_sides:
            return area, taken
        half *= 2


def _decode(maps: Maps, area: Rect, seed: tuple[int, int], threshold: float) -> NDArray[np.bool_] | None:
    interior = maps.interior[area.slices].astype(np.float32) / 255
    together = interior + maps.boundary[area.slices].astype(np.float32) / 255
    mask = together > threshold
    core = mask & (interior > threshold * 0.8) & (interior >= together - interior)
    n, seeds = cv2.connectedComponents(core.astype(np.uint8), connectivity=4)
    if n == 1:
        seeds = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]
    found = _nearest_seed(seeds, seed)
    if found == 0:
        return None
    if n > 2:
        index = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
        mask = mask & (seeds[tuple(index)] == found)
    pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]
    own = int(pieces[seeds == found][0])
    return np.asarray(pieces == own) if own else None


def _nearest_seed(seeds: NDArray[Any], place: tuple[int, int]) -> int:
    y, x = place
    top, left = max(y - SEED_REACH_PX, 0), max(x - SEED_REACH_PX, 0)
    near = seeds[top : y + SEED_REACH_PX + 1, left : x + SEED_REACH_PX + 1]
    rows, cols = np.nonzero(near)
    if rows.size == 0:
        return 0
    best = int(np.argmin((rows + top - y) ** 2 + (cols + left - x) ** 2))
    return int(near[rows[best], cols[best]])


def _in_window(
    maps: Maps, area: Rect, taken: NDArray[np.bool_], shape: tuple[int, ...]
) -> tuple[Rect, NDArray[np.bool_]]:
    """A mask of map pixels in window pixels, its edge smooth."""
    step, origin = maps.step, maps.origin
    place = Rect.from_bounds(
        int(np.floor(origin[0] + (area.y - 1) * step[0])),
        int(np.floor(origin[1] + (area.x - 1) * step[1])),
        int(np.ceil(origin[0] + area.bottom * step[0])) + 1,
        int(np.ceil(origin[1] + area.right * step[1])) + 1,
    ).intersect(Rect(0, 0, shape[0], shape[1]))
    if place.area == 0:
        return place, np.zeros(place.shape, np.bool_)
    share = cv2.GaussianBlur(taken.astype(np.float32), (0, 0), SMOOTH_PX, borderType=cv2.BORDER_REPLICATE)
    return place, _resampled(share, maps, (area.y, area.x), place) > 0.5


def _resampled(values: NDArray[Any], maps: Maps, first: tuple[int, int], place: Rect) -> NDArray[np.float32]:
    ys = (np.arange(place.y, place.bottom) - maps.origin[0]) / maps.step[0] - first[0]
    xs = (np.arange(place.x, place.right) - maps.origin[1]) / maps.step[1] - first[1]
    grid_x, grid_y = np.meshgrid(xs.astype(np.float32), ys.astype(np.float32))
    found = cv2.remap(
        values.astype(np.float32), grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(found, np.float32)


def _piece_at(mask: NDArray[np.bool_], place: Point) -> NDArray[np.bool_] | None:
    """The piece of a mask at a place, else the largest."""
    n, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if n == 1:
        return None
    y, x = round(place[0]), round(place[1])
    own = int(pieces[y, x]) if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] else 0
    return np.asarray(pieces == (own or 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))))


def window_probability(maps: Maps, place: Rect) -> NDArray[np.float32]:
    """Probability of interior and boundary together in a rectangle of the window, 0..1; 0 beyond the maps."""
    top, left = maps.place((place.y, place.x))
    bottom, right = maps.place((place.bottom, place.right))
    area = Rect.from_bounds(top - 1, left - 1, bottom + 2, right + 2).intersect(Rect(0, 0, *maps.interior.shape))
    together = maps.interior[area.slices].astype(np.float32) + maps.boundary[area.slices]
    return np.minimum(_resampled(together / 255, maps, (area.y, area.x), place), 1.0)
