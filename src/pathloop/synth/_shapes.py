"""Outlines of cells and crypts: closed polygons as (n, 2) arrays of (y, x) in pixels."""

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.core import Rect

__all__ = ["Outline", "along_normal", "ellipses", "filled", "tube", "turned", "walk"]

Outline = npt.NDArray[np.float64]
Mask = npt.NDArray[np.uint8]

_SHIFT = 4  # fixed-point bits of polygon corners


def ellipses(
    rng: np.random.Generator, centres: Outline, semi_axes: Outline, angles: npt.NDArray[np.float64], *, wobble: float
) -> Outline:
    """Slightly irregular ellipses, (n, 20, 2).

    Parameters
    ----------
    centres
        (n, 2) (y, x) px.
    semi_axes
        (n, 2) px along and across the direction ``angles``.
    angles
        (n,) radians; direction (sin, cos) in (y, x).
    wobble
        Deviation of the radius, as a fraction of it.
    """
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    phases = rng.random((2, len(centres), 1)) * 2 * np.pi
    size = rng.normal(0, wobble, (2, len(centres), 1))
    radius = 1 + size[0] * np.cos(2 * turn + phases[0]) + size[1] * np.cos(3 * turn + phases[1])
    along = radius * np.cos(turn) * semi_axes[:, :1]
    across = radius * np.sin(turn) * semi_axes[:, 1:]
    sine, cosine = np.sin(angles)[:, None], np.cos(angles)[:, None]
    return np.stack([along * sine + across * cosine, along * cosine - across * sine], axis=-1) + centres[:, None, :]


def tube(
    radius: float, half_length: float, *, bend: float, wobble: npt.NDArray[np.float64] | float = 0.0, pitch: float = 3.0
) -> Outline:
    """A test tube with round ends along the y axis about (0, 0); a disc when ``half_length`` is 0.

    Parameters
    ----------
    radius, half_length
        Of the round ends and of the straight part, px.
    bend
        Sideways shift of the ends, px.
    wobble
        (k, 2) amplitudes of cosine and sine of 1..k turns around the outline, px, or 0.
    pitch
        Spacing of the corners, px.
    """
    perimeter = 4 * half_length + 2 * np.pi * radius
    count = int(np.clip(perimeter / pitch, 16, 400))
    place = np.arange(count) * perimeter / count
    side, cap = 2 * half_length, np.pi * radius
    ends = np.cumsum([side, cap, side])
    turn = np.select(
        [place < ends[0], place < ends[1], place < ends[2]],
        [0.0, (place - ends[0]) / radius, np.pi],
        np.pi + (place - ends[2]) / radius,
    )
    axis = np.select(
        [place < ends[0], place < ends[1], place < ends[2]],
        [place - half_length, half_length, half_length - (place - ends[1])],
        -half_length,
    )
    reach = np.full(count, radius)
    if not isinstance(wobble, float):
        modes = np.arange(1, len(wobble) + 1)[:, None] * (2 * np.pi * place / perimeter)
        reach += (wobble[:, :1] * np.cos(modes) + wobble[:, 1:] * np.sin(modes)).sum(axis=0)
    y = axis + reach * np.sin(turn)
    x = reach * np.cos(turn) + bend * (axis / max(half_length, 1.0)) ** 2
    return np.stack([y, x], axis=1)


def turned(outline: Outline, angle: float, centre: tuple[float, float]) -> Outline:
    """Rotated about (0, 0) by ``angle`` radians, then moved to ``centre``."""
    sine, cosine = np.sin(angle), np.cos(angle)
    y, x = outline.T
    return np.stack([y * cosine - x * sine, y * sine + x * cosine], axis=1) + centre


def walk(outline: Outline, pitch: float) -> tuple[Outline, Outline, npt.NDArray[np.float64]]:
    """Points about ``pitch`` px apart along a closed outline: positions, inward normals and curvature.

    Curvature is 1 / radius, px, positive where the outline is convex.
    """
    closed = np.vstack([outline, outline[:1]])
    steps = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(int(along[-1] / pitch), 3)
    places = (np.arange(count) + 0.5) * along[-1] / count
    points = np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)
    ahead, behind = np.roll(points, -1, axis=0), np.roll(points, 1, axis=0)
    tangent = ahead - behind
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    y, x = outline.T
    clockwise = np.sign(np.sum(y * np.roll(x, -1) - x * np.roll(y, -1))) or 1.0
    normals = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * clockwise
    step = along[-1] / count
    curvature = ((ahead + behind - 2 * points) * normals).sum(axis=1) / max(step, 1e-9) ** 2
    return points, normals, np.convolve(np.tile(curvature, 3), np.ones(5) / 5, mode="same")[count : 2 * count]


def along_normal(normals: Outline) -> npt.NDArray[np.float64]:
    """Angles of directions, as `ellipses` takes them."""
    return np.arctan2(normals[:, 0], normals[:, 1])


def filled(outline: Outline, bounds: tuple[int, int], *, margin: int = 0) -> tuple[Rect, Mask]:
    """The pixels inside an outline: their bounding box, cut to an image of size ``bounds``, and a 0/1 mask of it."""
    low, high = np.floor(outline.min(axis=0)).astype(int), np.ceil(outline.max(axis=0)).astype(int) + 1
    box = Rect.from_bounds(int(low[0]), int(low[1]), int(high[0]), int(high[1])).expand(margin)
    box = box.intersect(Rect(0, 0, *bounds))
    mask = np.zeros(box.shape, np.uint8)
    if box.area:
        corners = np.rint((outline[:, ::-1] - (box.x, box.y)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, _SHIFT)
    return box, mask
