"""Where the layers of the colon's wall lie: drawn on a coarse grid, in micrometres."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pathloop.synth._canvas import Structure
from pathloop.synth._noise import Field, smooth_noise

__all__ = ["GRID_UM", "SURFACE_UM", "Layout", "lay_out"]

GRID_UM = 4.0
"""Pitch of the coarse grid."""

SURFACE_UM = 26.0
"""Thickness of the surface epithelium; columnar cells of the colon are 20 to 30 um tall."""

# thickness of the layers, um; the mucosa of the human colon is about 500 um thick (Mills, Histology for Pathologists),
# more where it is cut aslant
_MUCOSA_UM = (320.0, 620.0)
_MUSCULARIS_MUCOSAE_UM = 42.0
_GLASS_UM = 60.0
_ROUNDING_UM = 5.0  # of the corners of fat cells


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields on the coarse grid, each (h, w) float32.

    All in um: ``inside`` is the distance to the tissue's edge, positive in tissue; ``depth`` the distance below the
    mucosal surface; ``base`` and ``wall`` how far a pixel lies below the mucosa's and the submucosa's lower edge;
    ``fibre`` the coordinate across the fibres of the deeper layers; ``septum`` the distance to the nearest wall between
    fat cells; ``top`` (w,) the height of the mucosal surface below the image's upper edge. ``abnormal`` and ``fat`` are
    positive where crypts are abnormal and where fat lies.
    """

    shape_px: tuple[int, int]
    um_per_px: float
    inside: Field
    depth: Field
    base: Field
    wall: Field
    fibre: Field
    abnormal: Field
    fat: Field
    septum: Field
    top: Field

    def full(self, coarse: Field) -> Field:
        """A field at the resolution of the image, (H, W) float32."""
        height, width = self.shape_px
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)

    def at(self, coarse: Field, points: npt.NDArray[np.float64]) -> Field:
        """Values of a coarse field at (n, 2) pixel positions (nearest grid point)."""
        height, width = coarse.shape
        rows = np.clip((points[:, 0] / self.shape_px[0] * height).astype(int), 0, height - 1)
        columns = np.clip((points[:, 1] / self.shape_px[1] * width).astype(int), 0, width - 1)
        return np.asarray(coarse[rows, columns])

    def structure(self) -> npt.NDArray[np.uint8]:
        """Codes of `STRUCTURES` before crypts, mucus and vessels are drawn, (H, W) uint8."""
        base, wall = self.full(self.base), self.full(self.wall)
        codes = np.full(self.shape_px, Structure.STROMA, np.uint8)
        codes[base > 0] = Structure.MUSCLE
        codes[base > _MUSCULARIS_MUCOSAE_UM] = Structure.SUBMUCOSA
        codes[(self.full(self.fat) > 0) & (codes == Structure.SUBMUCOSA)] = Structure.FAT
        codes[wall > 0] = Structure.MUSCLE
        codes[self.full(self.inside) <= 0] = Structure.GLASS
        return codes


def lay_out(
    rng: np.random.Generator, shape: tuple[int, int], *, um_per_px: float, outline: bool, abnormal: float
) -> Layout:
    """Draw the layers of a piece of colon with its mucosal surface on top.

    Parameters
    ----------
    shape
        (H, W) px.
    outline
        Surround the tissue with glass; otherwise it reaches over every edge.
    abnormal
        Fraction of the mucosa whose crypts are abnormal, 0..1.
    """
    size = (max(math.ceil(shape[0] * um_per_px / GRID_UM), 1), max(math.ceil(shape[1] * um_per_px / GRID_UM), 1))
    height_um, width_um = size[0] * GRID_UM, size[1] * GRID_UM
    y, x = _centres_um(size[0])[:, None], _centres_um(size[1])[None, :]

    def noise(wavelength_um: float, rows: int = 0, columns: int = 0) -> Field:
        return smooth_noise(rng, (rows or size[0], columns or size[1]), wavelength_um / GRID_UM)

    glass = min(_GLASS_UM, 0.1 * min(height_um, width_um))
    top = glass * (1.3 + 0.45 * noise(420, rows=1) + 0.12 * noise(110, rows=1))
    # the corners of the piece are rounded, so that the surface runs down its sides
    corner = np.maximum(0, 1 - np.minimum(x - glass, width_um - glass - x) / (3 * glass + 1e-3))
    top = np.clip(top, 0.5 * glass, None) + 1.6 * glass * np.clip(corner, 0, 1.2) ** 2 * outline
    ragged = 0.75 * np.tanh(0.4 * noise(330) + 0.12 * noise(70))
    sides = np.minimum(np.minimum(x, width_um - x), height_um - y) - glass * (1 + ragged)
    if not outline:
        # the view lies somewhere below the surface
        top = 0.3 * (top - glass) - rng.uniform(0.5 * SURFACE_UM, 220.0)
        sides = np.full(size, 1e3, np.float32)
    below = y - top
    # the surface epithelium is as thick on a slope as on the flat
    slope = np.gradient(top[0], GRID_UM) if top.shape[1] > 1 else np.zeros(1)
    depth = (below / np.hypot(1, slope)).astype(np.float32)
    inside = np.minimum(depth, sides).astype(np.float32) if outline else np.full(size, 1e3, np.float32)

    tissue_um = height_um - 2 * glass
    mucosa = float(np.clip(0.6 * tissue_um, *_MUCOSA_UM))
    fold = 14 * noise(300) + 5 * noise(90)
    base = below - mucosa + fold - 22 * noise(700, rows=1)
    submucosa = 0.58 * max(tissue_um - mucosa - _MUSCULARIS_MUCOSAE_UM, 0)
    wall = base - _MUSCULARIS_MUCOSAE_UM - max(submucosa, 130.0) + fold
    share = noise(520) + 0.15 * noise(150)
    fat, septum = _fat(rng, noise(380) + 0.3 * noise(90), base, wall)
    return Layout(
        shape_px=shape,
        um_per_px=um_per_px,
        inside=inside,
        depth=depth,
        base=base.astype(np.float32),
        wall=wall.astype(np.float32),
        fibre=(base + 10 * noise(160) + 3.5 * noise(45)).astype(np.float32),
        abnormal=(share - _threshold(share, abnormal)).astype(np.float32),
        fat=fat,
        septum=septum,
        top=top[0].astype(np.float32),
    )


def _centres_um(n: int) -> Field:
    return (np.arange(n, dtype=np.float32) + 0.5) * np.float32(GRID_UM)


def _threshold(values: Field, share: float) -> float:
    """The value that ``share`` of ``values`` exceed; all do at 1 and none at 0."""
    if share <= 0 or share >= 1:
        return -np.inf if share >= 1 else np.inf
    return float(np.quantile(values, 1 - share))


def _fat(rng: np.random.Generator, patches: Field, base: Field, wall: Field) -> tuple[Field, Field]:
    """Where fat lies (> 0) and, in um, how far from the walls between its cells."""
    middle = np.minimum(base - _MUSCULARIS_MUCOSAE_UM - 40, -wall - 25)
    fat = np.minimum(patches * 40, middle).astype(np.float32)
    rows, columns = np.nonzero(fat > -60)
    septum = np.zeros(fat.shape, np.float32)
    if not rows.size:
        return fat, septum
    # cells of 60 to 110 um: one seed on a jittered grid of 75 um
    step = 75 / GRID_UM
    grid = np.stack(np.meshgrid(*(np.arange(-1, side / step + 2) for side in fat.shape), indexing="ij"), axis=-1)
    seeds = (grid.reshape(-1, 2) + rng.uniform(-0.38, 0.38, (grid.size // 2, 2))) * step
    near, owner = cKDTree(seeds).query(np.stack([rows, columns], axis=1), k=4)
    walls = (near[:, 1:] - near[:, :1]) * GRID_UM / 2
    # a soft minimum over three walls rounds the corners
    septum[rows, columns] = -_ROUNDING_UM * np.log(np.exp(-walls / _ROUNDING_UM).sum(axis=1))
    # only whole cells: those whose seed lies in fat
    heart = np.clip(np.rint(seeds).astype(int), 0, np.array(fat.shape) - 1)
    whole = fat[heart[:, 0], heart[:, 1]] > 0
    cells = np.full(fat.shape, -1, np.float32)
    cells[rows, columns] = np.where(whole[owner[:, 0]], 1, -1)
    return np.minimum(cv2.GaussianBlur(cells, (0, 0), 1.3), middle + 30).astype(np.float32), septum
