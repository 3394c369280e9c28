"""The cells of the stroma: inflammatory cells, fibroblasts, muscle cells, red blood cells."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pathloop.synth._canvas import NUCLEUS_CLASSES, Canvas, Look, Structure
from pathloop.synth._ground import Ground
from pathloop.synth._layout import GRID_UM, Layout
from pathloop.synth._noise import smooth_noise
from pathloop.synth._shapes import Outline, along_normal, ellipses, filled, walk

__all__ = ["paint_cells", "paint_vessel_walls"]

_NEUTROPHIL, _, _LYMPHOCYTE, _PLASMA, _EOSINOPHIL, _CONNECTIVE = range(1, len(NUCLEUS_CLASSES))

# cells per mm2 of ground, and the share of each kind in NUCLEUS_CLASSES' order (index 0 is unused)
_DENSITY = {Structure.STROMA: 9500, Structure.SUBMUCOSA: 950, Structure.MUSCLE: 1500, Structure.FAT: 2600}
_SHARES = {
    Structure.STROMA: (0, 0.03, 0, 0.37, 0.27, 0.06, 0.27),
    Structure.SUBMUCOSA: (0, 0, 0, 0.14, 0.05, 0.01, 0.80),
    Structure.MUSCLE: (0, 0, 0, 0.03, 0, 0, 0.97),
    Structure.FAT: (0, 0, 0, 0.1, 0, 0, 0.9),
}
_FOLLICLE_DENSITY = 15000


@dataclass(frozen=True, slots=True)
class _Sites:
    """Places where cells may lie."""

    points: Outline
    structure: npt.NDArray[np.uint8]
    angle: npt.NDArray[np.float64]
    dense: npt.NDArray[np.bool_]


def paint_cells(rng: np.random.Generator, canvas: Canvas, layout: Layout, ground: Ground) -> None:
    """Scatter the stroma's cells; those without room are left out."""
    sites = _sites(rng, canvas, layout, ground)
    _red_cells(rng, canvas, layout)
    shares = np.cumsum([_SHARES.get(code, (1, 0, 0, 0, 0, 0, 0)) for code in range(int(Structure.LUMEN) + 1)], axis=1)
    draw = rng.random(len(sites.points))
    kinds = (draw[:, None] >= shares[sites.structure]).sum(axis=1)
    kinds[sites.dense] = _LYMPHOCYTE
    for kind, paint in (
        (_CONNECTIVE, _spindles),
        (_PLASMA, _plasma_cells),
        (_EOSINOPHIL, _eosinophils),
        (_NEUTROPHIL, _neutrophils),
        (_LYMPHOCYTE, _lymphocytes),
    ):
        chosen = kinds == kind
        if chosen.any():
            paint(rng, canvas, sites.points[chosen], (sites.angle[chosen], sites.structure[chosen]))


def _sites(rng: np.random.Generator, canvas: Canvas, layout: Layout, ground: Ground) -> _Sites:
    area_mm2 = canvas.structure.size * canvas.um_per_px**2 / 1e6
    points = rng.random((rng.poisson(_FOLLICLE_DENSITY * area_mm2), 2)) * canvas.shape
    rows, columns = points.astype(int).T
    structure = canvas.structure[rows, columns]
    grid = (layout.inside.shape[0], layout.inside.shape[1])
    infiltrate = smooth_noise(rng, grid, 130 / GRID_UM)
    # lymphoid follicles sit on the muscularis mucosae
    near_base = np.float32(1.75) + np.abs(layout.base + 10) / np.float32(130)
    follicle = np.asarray(smooth_noise(rng, grid, 330 / GRID_UM) - near_base, np.float32)
    dense = (layout.at(follicle, points) > 0) & np.isin(structure, (Structure.STROMA, Structure.SUBMUCOSA))
    wanted = np.array([_DENSITY.get(code, 0) for code in range(int(Structure.LUMEN) + 1)], float)[structure]
    wanted *= np.clip(1 + 0.45 * layout.at(infiltrate, points), 0.25, 2)
    wanted[dense] = _FOLLICLE_DENSITY
    allowed = canvas.territory[rows, columns] == Canvas.STROMAL
    kept = allowed & (rng.random(len(points)) * _FOLLICLE_DENSITY < wanted)
    return _Sites(points[kept], structure[kept], layout.at(ground.angle, points)[kept].astype(np.float64), dense[kept])


Where = tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]


def _lymphocytes(rng: np.random.Generator, canvas: Canvas, points: Outline, where: Where) -> None:
    """Round, dark, almost without cytoplasm."""
    radius = canvas.px(1) * rng.normal(2.9, 0.28, (len(points), 1)) * rng.normal(1, 0.06, (len(points), 2))
    dark = rng.normal(0.76, 0.07, len(points))
    for shape, density in zip(ellipses(rng, points, radius, where[0], wobble=0.05), dark, strict=True):
        canvas.add_nucleus(shape, Canvas.STROMAL, _LYMPHOCYTE, Look(float(density), 0.13, 0.0, 0.2))


def _plasma_cells(rng: np.random.Generator, canvas: Canvas, points: Outline, where: Where) -> None:
    """A round nucleus with coarse chromatin at one end of an oval, purple cell."""
    count = len(points)
    angle = rng.uniform(0, 2 * np.pi, count)
    bodies = ellipses(rng, points, canvas.px(1) * np.full((count, 2), (5.6, 4.2)), angle, wobble=0.05)
    shift = canvas.px(2.0) * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    radius = canvas.px(1) * rng.normal(2.85, 0.2, (count, 1)) * np.ones(2)
    nuclei = ellipses(rng, points + shift, radius, angle, wobble=0.04)
    for body, nucleus in zip(bodies, nuclei, strict=True):
        if canvas.add_nucleus(nucleus, Canvas.STROMAL, _PLASMA, Look(0.66, 0.14, 0.15, 0.34)):
            canvas.stain(body, 0.15, 0.16, Canvas.STROMAL)


def _eosinophils(rng: np.random.Generator, canvas: Canvas, points: Outline, where: Where) -> None:
    """A two-lobed nucleus in a bright red, round cell."""
    count = len(points)
    angle = rng.uniform(0, 2 * np.pi, count)
    bodies = ellipses(rng, points, canvas.px(1) * np.full((count, 2), (5.0, 4.6)), angle, wobble=0.06)
    nuclei = _lobes(rng, canvas, points, angle, count=2)
    for body, nucleus in zip(bodies, nuclei, strict=True):
        if canvas.add_nucleus(nucleus, Canvas.STROMAL, _EOSINOPHIL, Look(0.62, 0.22, 0.0, 0.15)):
            canvas.stain(body, 0.03, 0.36, Canvas.STROMAL)


def _neutrophils(rng: np.random.Generator, canvas: Canvas, points: Outline, where: Where) -> None:
    """A nucleus of three dark lobes in a pale cell."""
    count = len(points)
    angle = rng.uniform(0, 2 * np.pi, count)
    bodies = ellipses(rng, points, canvas.px(1) * np.full((count, 2), (4.7, 4.4)), angle, wobble=0.05)
    nuclei = _lobes(rng, canvas, points, angle, count=3)
    for body, nucleus in zip(bodies, nuclei, strict=True):
        if canvas.add_nucleus(nucleus, Canvas.STROMAL, _NEUTROPHIL, Look(0.82, 0.14, 0.0, 0.1)):
            canvas.stain(body, 0.02, 0.13, Canvas.STROMAL)


def _lobes(
    rng: np.random.Generator, canvas: Canvas, points: Outline, angle: npt.NDArray[np.float64], *, count: int
) -> Outline:
    """Outlines with ``count`` lobes, joined by bridges."""
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    radius = 2.35 + 1.0 * np.cos(count * turn) + 0.25 * rng.standard_normal((len(points), 1)) * np.cos(turn)
    stretch = 1.25 if count == 2 else 1.0
    y, x = radius * np.sin(turn), radius * np.cos(turn) * stretch
    sine, cosine = np.sin(angle)[:, None], np.cos(angle)[:, None]
    return canvas.px(1) * np.stack([y * cosine + x * sine, x * cosine - y * sine], axis=-1) + points[:, None]


def _spindles(rng: np.random.Generator, canvas: Canvas, points: Outline, where: Where) -> None:
    """Thin nuclei along the fibres: fibroblasts, smooth muscle, endothelium."""
    angle, structure = where
    count = len(points)
    muscle = structure == Structure.MUSCLE
    length = np.where(muscle, rng.normal(8.5, 1.8, count), rng.normal(5.2, 1.5, count)).clip(2.8)
    width = np.where(muscle, rng.normal(1.65, 0.25, count), rng.normal(1.6, 0.4, count)).clip(1.0)
    lean = rng.normal(0, np.where(muscle, 0.08, 0.3), count)
    size = canvas.px(1) * np.stack([length, width], axis=1)
    dark = np.where(muscle, rng.normal(0.42, 0.06, count), rng.normal(0.52, 0.09, count))
    for shape, density in zip(ellipses(rng, points, size, angle + lean, wobble=0.1), dark, strict=True):
        canvas.add_nucleus(shape, Canvas.STROMAL, _CONNECTIVE, Look(float(density), 0.22, 0.1, 0.18))


def paint_vessel_walls(rng: np.random.Generator, canvas: Canvas, lumina: list[Outline]) -> None:
    """Flat endothelial nuclei around the vessels, and red cells in half of them."""
    for lumen in lumina:
        points, normals, _ = walk(lumen, canvas.px(13))
        size = canvas.px(1) * np.stack([rng.normal(4.2, 0.6, len(points)), np.full(len(points), 1.3)], axis=1)
        angle = along_normal(np.stack([-normals[:, 1], normals[:, 0]], axis=1))
        for shape in ellipses(rng, points - canvas.px(1.6) * normals, size, angle, wobble=0.06):
            canvas.add_nucleus(shape, Canvas.STROMAL, _CONNECTIVE, Look(0.5, 0.2, 0.05, 0.15))
        box, mask = filled(lumen, canvas.shape)
        if rng.random() < 0.6 and mask.any():
            inside = np.argwhere(mask) + np.array([box.y, box.x])
            count = int(len(inside) * canvas.um_per_px**2 / 38)
            _discs(rng, canvas, inside[rng.integers(len(inside), size=count)].astype(float))
        territory = canvas.territory[box.slices]
        territory[mask.view(bool)] = 0


def _red_cells(rng: np.random.Generator, canvas: Canvas, layout: Layout) -> None:
    """Red cells, in strings and heaps as in capillaries and small bleeds of the lamina propria."""
    area_mm2 = canvas.structure.size * canvas.um_per_px**2 / 1e6
    heaps = rng.random((rng.poisson(42 * area_mm2), 2)) * canvas.shape
    heaps = heaps[(layout.at(layout.base, heaps) < 0) & (layout.at(layout.depth, heaps) > 30)]
    for heap in heaps:
        count, angle = int(rng.integers(3, 16)), rng.uniform(0, np.pi)
        spread = rng.normal(0, 1, (count, 2)) * (canvas.px(9), canvas.px(3))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        _discs(rng, canvas, heap + spread @ turn.T)


def _discs(rng: np.random.Generator, canvas: Canvas, points: Outline) -> None:
    size = canvas.px(1) * rng.normal(3.0, 0.25, (len(points), 1)) * rng.normal(1, 0.08, (len(points), 2))
    tone = rng.normal(0.44, 0.05, len(points))
    for shape, density in zip(ellipses(rng, points, size, np.zeros(len(points)), wobble=0.05), tone, strict=True):
        canvas.stain(shape, 0.0, float(density), Canvas.STROMAL)
