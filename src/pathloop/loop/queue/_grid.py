"""The regions that can be offered: squares of a grid over the segmented tissue of a slide."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.store import Project, SlideRecord

__all__ = ["REGION_UM", "Candidate", "Grid", "Samples", "find_candidates"]

REGION_UM = 500.0
"""Side of a region: 1,000 px at 0.5 um per px, as in Graham et al. 2023."""
MIN_REGION_UM, MAX_REGION_UM = 50.0, 5000.0

MIN_TISSUE = 0.1
"""Regions with less segmented tissue than this share of a whole region are never offered."""
ENOUGH_TISSUE = 0.5
"""From this share on a region counts in full; below it counts less, in proportion."""

SAMPLES = 64
"""Points along a region's side at which maps are looked at: one every 8 um, the step of the uncertainty map."""

BACKGROUND = "background"
"""A tissue class of this name is glass."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares side by side from the slide's first pixel; those at the far edges are cut to the slide.

    Parameters
    ----------
    shape
        (height, width) of the slide, level-0 pixels.
    step
        (y, x) side of a region, level-0 pixels.
    """

    shape: tuple[int, int]
    step: tuple[int, int]

    @classmethod
    def of(cls, record: SlideRecord, region_um: float) -> "Grid":
        """The grid of a slide.

        Raises
        ------
        UsageError
            If the side lies outside 50 .. 5000 um.
        """
        if not MIN_REGION_UM <= region_um <= MAX_REGION_UM:
            raise UsageError(
                f"a region's side must lie in {MIN_REGION_UM:g} .. {MAX_REGION_UM:g} um, got {region_um:g}"
            )
        return cls(record.shape, (round(region_um / record.scale.y), round(region_um / record.scale.x)))

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)."""
        return -(-self.shape[0] // self.step[0]), -(-self.shape[1] // self.step[1])

    def rect(self, row: int, col: int) -> Rect:
        """A square, cut to the slide."""
        return Rect(row * self.step[0], col * self.step[1], *self.step).intersect(Rect(0, 0, *self.shape))

    def counts(self, centres: NDArray[np.float64], weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """(rows, columns): how many centres, (n, 2) level-0 pixels, lie in each square, or the sum of their weights."""
        rows, cols = self.size
        row = np.clip(((centres[:, 0] + 0.5) / self.step[0]).astype(np.int64), 0, rows - 1)
        col = np.clip(((centres[:, 1] + 0.5) / self.step[1]).astype(np.int64), 0, cols - 1)
        counted = np.bincount(row * cols + col, weights=weights, minlength=rows * cols)
        return np.asarray(counted.reshape(rows, cols), np.float64)


class Samples:
    """Points of a slide at which its maps are looked at, `SAMPLES` x `SAMPLES` a square of the grid.

    Parameters
    ----------
    grid
        The squares.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        rows, cols = grid.size
        self.y = (np.arange(rows * SAMPLES) + 0.5) * (grid.step[0] / SAMPLES)
        self.x = (np.arange(cols * SAMPLES) + 0.5) * (grid.step[1] / SAMPLES)

    def of(
        self, values: NDArray[np.uint8], cell_px: tuple[float, float], origin_px: tuple[float, float]
    ) -> NDArray[np.uint8]:
        """Values of a map at all points; 0 beside the map."""
        places, inside = [], []
        for axis, points in enumerate((self.y, self.x)):
            index = np.floor((points - origin_px[axis]) / cell_px[axis]).astype(np.int64)
            inside.append((index >= 0) & (index < values.shape[axis]))
            places.append(np.clip(index, 0, values.shape[axis] - 1))
        out = np.asarray(values[np.ix_(*places)], np.uint8)
        out[~inside[0]] = 0
        out[:, ~inside[1]] = 0
        return out

    def inside(self, rects: Iterable[Rect]) -> NDArray[np.bool_]:
        """Points that lie in any of some level-0 rectangles and on the slide."""
        out = np.zeros((len(self.y), len(self.x)), bool)
        for rect in rects:
            inner = rect.intersect(Rect(0, 0, *self.grid.shape))
            top, bottom = np.searchsorted(self.y, (inner.y, inner.bottom))
            left, right = np.searchsorted(self.x, (inner.x, inner.right))
            out[top:bottom, left:right] = True
        return out

    def share(self, points: NDArray[np.bool_], *, among: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """(rows, columns): share of each square's points that are set, of all of them or of some."""
        rows, cols = self.grid.size

        def total(plane: NDArray[np.bool_]) -> NDArray[np.float64]:
            blocks = plane.reshape(rows, SAMPLES, cols, SAMPLES)
            # first along the contiguous axis: several times quicker than both at once
            return np.asarray(blocks.sum(axis=3, dtype=np.uint8).sum(axis=1, dtype=np.int64), np.float64)

        if among is None:
            return total(points) / SAMPLES**2
        return np.asarray(total(points & among) / np.maximum(total(among), 1), np.float64)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A region that can be offered.

    Parameters
    ----------
    slide_id, rect
        Where; level-0 pixels.
    row, col
        Its place in the slide's grid.
    tissue
        Segmented tissue in it as a share of a whole region, `MIN_TISSUE` .. 1: small at edges and beside glass.
    """

    slide_id: str
    rect: Rect
    row: int
    col: int
    tissue: float

    @property
    def weight(self) -> float:
        """What a region with little tissue counts, 0..1."""
        return min(1.0, self.tissue / ENOUGH_TISSUE)


def find_candidates(
    project: Project, record: SlideRecord, samples: Samples
) -> tuple[list[Candidate], NDArray[np.bool_]]:
    """The squares of a slide's grid with enough segmented tissue, row by row, and the points on that tissue.

    Tissue is what the tissue map calls anything but background; without such a map, everything that was segmented.
    """
    areas = [area for task in project.tasks(record.slide_id) for area in project.areas(record.slide_id, task)]
    tissue_map = project.tissue(record.slide_id)
    tissue = samples.inside(areas or [Rect(0, 0, *record.shape)])
    if tissue_map is not None:
        is_tissue = np.array([False, *(name != BACKGROUND for name in tissue_map.class_names)])
        tissue &= is_tissue[samples.of(tissue_map.codes, tissue_map.cell_px, tissue_map.origin_px)]
    elif not areas:
        tissue[:] = False
    shares = samples.share(tissue)
    found = [
        Candidate(record.slide_id, samples.grid.rect(row, col), row, col, float(shares[row, col]))
        for row, col in np.argwhere(shares >= MIN_TISSUE).tolist()
    ]
    return found, tissue
