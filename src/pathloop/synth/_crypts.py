"""Crypts: where they stand and what shape they have."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.synth._layout import GRID_UM, SURFACE_UM, Layout
from pathloop.synth._noise import Field, smooth_noise
from pathloop.synth._shapes import Outline, filled, tube, turned

__all__ = ["Crypt", "place_crypts"]

# the search ends when this many crypts per mm2 of image (and 250 more) found no room; they shrink on the way
_MISSES_PER_MM2 = 700


@dataclass(frozen=True, slots=True)
class Crypt:
    """One crypt: its outer outline, the outlines of its lumina (px), and how tall its cells are (um)."""

    outline: Outline
    lumina: tuple[Outline, ...]
    abnormal: bool
    cell_um: float


@dataclass(frozen=True, slots=True)
class _Draft:
    """A crypt about (0, 0), in um."""

    outline: Outline
    lumina: tuple[Outline, ...]
    cell_um: float
    angle: float
    gap_um: float
    abnormal: bool = False


def place_crypts(rng: np.random.Generator, layout: Layout) -> list[Crypt]:
    """Fill the mucosa with crypts that keep apart from each other, tall ones first, small ones in the gaps."""
    mucosa = (layout.depth > SURFACE_UM + 7) & (layout.base < -5) & (layout.inside > 12)
    taken = (~mucosa).view(np.uint8).copy()
    height, width = taken.shape
    upright = smooth_noise(rng, (1, width), 700 / GRID_UM)[0]
    misses_allowed = int(_MISSES_PER_MM2 * taken.size * (GRID_UM / 1000) ** 2) + 250
    misses = 0
    scale = np.array([layout.shape_px[0] / height, layout.shape_px[1] / width])
    crypts = []
    room = _room(taken)
    while misses < misses_allowed:
        late = misses / misses_allowed
        radius = rng.uniform(38, 53) * (1 - 0.4 * late)
        row, column = _seat(rng, room, radius / GRID_UM)
        if row < 0:
            misses += 1
            continue
        if layout.abnormal[row, column] > 0:
            draft = _abnormal(rng, radius * 1.35, late)
        else:
            draft = _normal(rng, radius, tall=bool(upright[column] > -0.1), late=late)
        place = (row + float(rng.random()), column + float(rng.random()))
        box, mask = filled(turned(draft.outline / GRID_UM, draft.angle, place), taken.shape, margin=8)
        if not mask.any() or (mask & taken[box.slices]).any():
            misses += 1
            continue
        taken[box.slices] |= np.asarray(cv2.dilate(mask, _disc(draft.gap_um / GRID_UM)), np.uint8)
        room = _room(taken)
        lumina = tuple(turned(lumen / GRID_UM, draft.angle, place) * scale for lumen in draft.lumina)
        outline = turned(draft.outline / GRID_UM, draft.angle, place) * scale
        crypts.append(Crypt(outline, lumina, draft.abnormal, draft.cell_um))
    return crypts


def _room(taken: npt.NDArray[np.uint8]) -> Field:
    """Distance to the nearest taken grid point; the image's edge is no obstacle."""
    if not taken.any():
        return np.full(taken.shape, 1e4, np.float32)
    return np.asarray(cv2.distanceTransform(1 - taken, cv2.DIST_L2, 3), np.float32)


def _seat(rng: np.random.Generator, room: Field, radius: float) -> tuple[int, int]:
    """A random grid point where a crypt of this radius fits, close to others if possible; (-1, -1) if none."""
    fits = room > radius
    snug = np.flatnonzero(fits & (room < radius + 2))
    places = snug if snug.size else np.flatnonzero(fits)
    if not places.size:
        return -1, -1
    row, column = divmod(int(places[rng.integers(places.size)]), room.shape[1])
    return row, column


def _disc(radius: float) -> npt.NDArray[np.uint8]:
    side = 2 * max(round(radius), 1) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _waves(rng: np.random.Generator, count: int, size: float) -> npt.NDArray[np.float64]:
    """Amplitudes for `tube`, falling with the wave number."""
    return np.asarray(rng.normal(0, size, (count, 2)) / np.arange(1, count + 1)[:, None])


def _normal(rng: np.random.Generator, radius: float, *, tall: bool, late: float) -> _Draft:
    """A test tube cut lengthwise, or a round to oval cross-section: 70 to 105 um across with a narrow lumen."""
    half = rng.uniform(50, 190) * (1 - late) if tall else rng.choice([0.0, 1.0], p=[0.35, 0.65]) * rng.uniform(5, 32)
    angle = rng.normal(0, 0.07) if tall else rng.uniform(0, np.pi)
    bend = rng.normal(0, 0.09) * half if tall else 0.0
    outline = tube(radius, half, bend=bend, wobble=_waves(rng, 4, 0.045 * radius))
    opening = rng.uniform(4.5, 9)
    lumen = tube(opening, half, bend=bend, wobble=_waves(rng, 7, 0.2 * opening), pitch=1.5)
    return _Draft(outline, (lumen,), radius - opening, angle, rng.uniform(5, 13))


def _abnormal(rng: np.random.Generator, radius: float, late: float) -> _Draft:
    """A crowded, irregular gland with a wide lumen; the large ones have several (cribriform)."""
    half = rng.uniform(0, 70) * (1 - late)
    bend = rng.normal(0, 0.18) * half
    outline = tube(radius, half, bend=bend, wobble=_waves(rng, 6, 0.1 * radius))
    cell = min(rng.uniform(24, 33), 0.72 * radius)
    angle = rng.uniform(0, np.pi)
    if radius + half > 95 and rng.random() < 0.6:
        lumina = []
        for place in np.linspace(-half, half, 2 if half < 55 else 3):
            hole = rng.uniform(0.32, 0.45) * (radius - 10)
            side = rng.normal(0, 0.25) * (radius - 10 - hole)
            shape = tube(hole, 0.0, bend=0.0, wobble=_waves(rng, 5, 0.16 * hole), pitch=2.0)
            lumina.append(shape + np.array([place, side]))
        return _Draft(outline, tuple(lumina), cell, angle, rng.uniform(3, 7), abnormal=True)
    hole = radius - cell
    lumen = tube(hole, half, bend=bend, wobble=_waves(rng, 9, 0.2 * hole), pitch=2.0)
    return _Draft(outline, (lumen,), cell, angle, rng.uniform(3, 8), abnormal=True)
