"""Everything between the crypts: lamina propria, submucosa, muscle, fat, mucus, vessels and glass."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.synth._canvas import Canvas, Structure
from pathloop.synth._layout import GRID_UM, Layout
from pathloop.synth._noise import Field, fibres, smooth_noise
from pathloop.synth._shapes import Outline, tube, turned

__all__ = ["Ground", "paint_ground", "place_mucus", "vessels"]

# mean optical density (haematoxylin, eosin) and how much fibres vary it, by structure
_GROUND = {
    Structure.STROMA: (0.03, 0.088, 0.5),
    Structure.SUBMUCOSA: (0.012, 0.115, 0.5),
    Structure.MUSCLE: (0.045, 0.27, 0.17),
    Structure.FAT: (0.0, 0.004, 0.0),
    Structure.MUCUS: (0.055, 0.014, 0.5),
}

_VESSEL_REACH = 11  # grid points


@dataclass(frozen=True, slots=True)
class Ground:
    """What the cells of the stroma need to know: on the coarse grid, where fibres run and how far the next crypt is."""

    angle: Field
    crypt_um: Field


def place_mucus(rng: np.random.Generator, canvas: Canvas, layout: Layout) -> None:
    """Pools of mucus in the abnormal mucosa, written to the structure map before crypts are placed."""
    spots = np.argwhere((layout.abnormal > 0) & (layout.depth > 110) & (layout.base < -60) & (layout.inside > 110))
    expected = len(spots) * (GRID_UM / 1000) ** 2 * 3.0
    for _ in range(min(int(rng.poisson(expected)), 8) if len(spots) else 0):
        row, column = spots[rng.integers(len(spots))]
        radius = rng.uniform(35, 70)
        waves = rng.normal(0, 0.13 * radius, (6, 2)) / np.arange(1, 7)[:, None]
        shape = tube(radius, rng.uniform(0, 60), bend=0.0, wobble=waves)
        place = (float(row) * GRID_UM, float(column) * GRID_UM)
        box, mask = canvas.fill(turned(shape, rng.uniform(0, np.pi), place) / canvas.um_per_px)
        inside = mask.view(bool) & (canvas.structure[box.slices] == Structure.STROMA)
        canvas.structure[box.slices][inside] = Structure.MUCUS


def paint_ground(rng: np.random.Generator, canvas: Canvas, layout: Layout) -> Ground:
    """Stain all that is not epithelium, and open it to the cells of the stroma."""
    shape, unit = canvas.shape, np.float32(canvas.um_per_px)
    open_ground = (canvas.gland == 0).view(np.uint8)
    crypt_um = _distance(open_ground) * unit
    y, x = (axis.astype(np.float32) * unit for axis in np.indices(shape, sparse=True))
    waves = smooth_noise(rng, shape, canvas.px(70))
    deep = _woven(rng, (0.7 * x + 9 * waves, layout.full(layout.fibre) / np.float32(1.5)))
    near = np.minimum(crypt_um, 60)
    mucosal = _woven(rng, (0.5 * (x + y) + 5 * waves, near / np.float32(2.2) + 3 * waves + 0.45 * (y - x)))
    blotches = smooth_noise(rng, shape, canvas.px(14))
    for code, (haematoxylin, eosin, variation) in _GROUND.items():
        here = canvas.structure == code
        if not here.any():
            continue
        woven = mucosal[here] if code in (Structure.STROMA, Structure.MUCUS) else deep[here]
        factor = np.clip(1 + variation * (0.75 * woven + 0.5 * blotches[here]), 0.08, 2.2)
        canvas.haematoxylin[here] = haematoxylin * factor
        canvas.eosin[here] = eosin * factor
    stroma = np.isin(canvas.structure, (Structure.STROMA, Structure.SUBMUCOSA, Structure.MUSCLE))
    canvas.territory[stroma] = Canvas.STROMAL
    _clefts(canvas, 0.75 * blotches + 0.8 * mucosal, stroma)
    _septa(canvas, layout)
    _sheaths(rng, canvas, crypt_um, stroma & (canvas.structure == Structure.STROMA))
    coarse = (layout.inside.shape[1], layout.inside.shape[0])
    distance = np.asarray(cv2.resize(crypt_um, coarse, interpolation=cv2.INTER_AREA), np.float32)
    return Ground(_direction(layout.fibre, distance), distance)


def _woven(rng: np.random.Generator, coordinates: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> Field:
    """Bundles of fibres and the single fibres in them, deviation about 1."""
    along, across = (axis.astype(np.float32, copy=False) for axis in coordinates)
    bundles = fibres(rng, along, across)
    single = fibres(rng, 2.3 * along, 3.1 * across + 0.3 * bundles)
    return np.asarray(0.75 * bundles + 0.65 * single, np.float32)


def _distance(mask: npt.NDArray[np.uint8]) -> Field:
    """Distance to the nearest 0, px; far where there is none."""
    if mask.all():
        return np.full(mask.shape, 1e4, np.float32)
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)


def _direction(fibre: Field, crypt_um: Field) -> Field:
    """Angle of the fibres on the coarse grid: around the next crypt near it, else along the layers."""
    across = np.where(crypt_um < 30, cv2.GaussianBlur(crypt_um, (0, 0), 1.0), cv2.GaussianBlur(fibre, (0, 0), 2.0))
    across = np.pad(across, 1, mode="edge")
    dy, dx = (across[2:, 1:-1] - across[:-2, 1:-1]), (across[1:-1, 2:] - across[1:-1, :-2])
    return np.asarray(np.arctan2(-dx, dy), np.float32)


def _clefts(canvas: Canvas, field: Field, stroma: npt.NDArray[np.bool_]) -> None:
    """Empty cracks, as tissue shrinks in fixation."""
    loose = stroma & (canvas.structure != Structure.MUSCLE)
    opening = np.clip((field - 1.6) * 1.6, 0, 0.92)
    opening *= loose
    canvas.haematoxylin *= 1 - opening
    canvas.eosin *= 1 - opening


def _septa(canvas: Canvas, layout: Layout) -> None:
    """Thin walls between fat cells."""
    fat = canvas.structure == Structure.FAT
    if not fat.any():
        return
    wall = np.clip(1.9 - layout.full(layout.septum), 0, 1) * fat
    canvas.haematoxylin += 0.03 * wall
    canvas.eosin += 0.13 * wall
    canvas.territory[fat & (wall > 0.2)] = Canvas.STROMAL


def _sheaths(rng: np.random.Generator, canvas: Canvas, crypt_um: Field, stroma: npt.NDArray[np.bool_]) -> None:
    """A thin pink sheath around every crypt, in places torn off by an empty cleft."""
    torn = np.clip(smooth_noise(rng, canvas.shape, canvas.px(170)) - 0.5, 0, 1.2) * 4.5
    cleft = stroma & (crypt_um < torn)
    canvas.haematoxylin[cleft] *= 0.12
    canvas.eosin[cleft] *= 0.12
    canvas.territory[cleft] = 0
    rim = stroma & ~cleft & (crypt_um < torn + 2.5)
    canvas.eosin[rim] += 0.07


def vessels(rng: np.random.Generator, canvas: Canvas, layout: Layout) -> list[Outline]:
    """Small vessels of the submucosa: wall and empty lumen are painted, the outlines of the lumina returned (px)."""
    # walls of vessels keep clear of fat cells
    clear = cv2.erode((layout.fat <= 0).view(np.uint8), np.ones((2 * _VESSEL_REACH + 1,) * 2, np.uint8)) > 0
    spots = np.argwhere(clear & (layout.base > 85) & (layout.wall < -45) & (layout.inside > 70))
    expected = len(spots) * (GRID_UM / 1000) ** 2 * 30
    lumina = []
    for _ in range(int(rng.poisson(expected)) if len(spots) else 0):
        row, column = spots[rng.integers(len(spots))]
        radius, angle, half = rng.uniform(9, 26), rng.uniform(0, np.pi), rng.uniform(0, 18)
        wall = rng.uniform(3, 0.5 * radius)
        place = (float(row) * GRID_UM, float(column) * GRID_UM)
        waves = rng.normal(0, 0.06 * radius, (4, 2)) / np.arange(1, 5)[:, None]
        outer, inner = (
            turned(tube(reach, half, bend=0.0, wobble=waves), angle, place) / canvas.um_per_px
            for reach in (radius + wall, radius)
        )
        canvas.stain(outer, 0.05, 0.22, Canvas.STROMAL)
        canvas.stain(inner, 0.005, 0.012, Canvas.STROMAL)
        lumina.append(inner)
    return lumina
