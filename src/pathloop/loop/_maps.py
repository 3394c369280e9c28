"""The tissue and uncertainty maps of a slide, filled by one run after the other."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec
from pathloop.predict import UNCERTAINTY_STEP_PX, TileFolder, TileJob, tile_grid
from pathloop.store import Project, TissueMap, UncertaintyMap

__all__ = ["write_maps"]

MEASURE = "largest entropy of interior, boundary and background over the object tasks"

Pair = tuple[float, float]
Classes = tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]


def write_maps(project: Project, slide_id: str, job: TileJob, tiles: TileFolder) -> None:
    """Fill the run's part of the slide's maps; the rest stays as it was.

    Where an earlier run used other cells or classes, its part is carried over: each new cell takes the old cell that
    its centre lies in, and classes that the new model does not know are added to the legend.
    """
    patch = job.patch_task
    if patch is not None:
        size, shape = _cells(job, job.card.architecture.cell_px)
        old = project.tissue(slide_id)
        codes = (
            np.zeros(shape, np.uint8) if old is None else _onto(old.codes, (old.cell_px, old.origin_px), size, shape)
        )
        codes, (names, colors) = _joint_legend(codes, old, job.labels[patch].classes)
        _fill(codes, job, tiles, job.card.architecture.cell_px, patch)
        if codes.max() <= len(job.labels[patch].classes):
            names, colors = names[: len(job.labels[patch].classes)], colors[: len(job.labels[patch].classes)]
        project.write_tissue(slide_id, TissueMap(codes, names, colors, size, (0.0, 0.0), job.run_key))
    if job.instance_tasks:
        size, shape = _cells(job, UNCERTAINTY_STEP_PX)
        earlier = project.uncertainty(slide_id)
        values = np.zeros(shape, np.uint8)
        if earlier is not None:
            values = _onto(earlier.values, (earlier.cell_px, earlier.origin_px), size, shape)
        _fill(values, job, tiles, UNCERTAINTY_STEP_PX, None)
        project.write_uncertainty(slide_id, UncertaintyMap(values, MEASURE, size, (0.0, 0.0), job.run_key))


def _cells(job: TileJob, cell_px: int) -> tuple[Pair, tuple[int, int]]:
    """Size of a cell in level-0 pixels, and how many cover the slide."""
    um_per_px = job.card.um_per_px
    height, width = job.slide.shape_at(um_per_px)
    size = (cell_px * um_per_px / job.scale.y, cell_px * um_per_px / job.scale.x)
    return size, (math.ceil(height / cell_px), math.ceil(width / cell_px))


def _onto(values: NDArray[np.uint8], grid: tuple[Pair, Pair], size: Pair, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The values of a map under the centres of another grid's cells."""
    places = []
    for axis in (0, 1):
        centres = (np.arange(shape[axis]) + 0.5) * size[axis]
        index = np.floor((centres - grid[1][axis]) / grid[0][axis]).astype(np.int64)
        places.append(np.clip(index, 0, values.shape[axis] - 1))
    return np.asarray(values[np.ix_(*places)], np.uint8)


def _joint_legend(
    codes: NDArray[np.uint8], old: TissueMap | None, classes: Sequence[ClassSpec]
) -> tuple[NDArray[np.uint8], Classes]:
    """Old codes in a legend that begins with the new model's classes."""
    legend = {one.name: one.color for one in classes}
    if old is None:
        return codes, (tuple(legend), tuple(legend.values()))
    legend |= {name: color for name, color in zip(old.class_names, old.class_colors, strict=True) if name not in legend}
    names = list(legend)
    lookup = np.array([0, *(names.index(name) + 1 for name in old.class_names)], np.uint8)
    return lookup[codes], (tuple(names), tuple(legend.values()))


def _fill(target: NDArray[np.uint8], job: TileJob, tiles: TileFolder, cell_px: int, patch: str | None) -> None:
    """Paste the tiles' cells of a patch task, or their uncertainty."""
    done = tiles.done()
    for tile in tile_grid(job):
        if (tile.row, tile.col) not in done:
            continue
        cells, uncertainty = tiles.load_maps(tile.row, tile.col)
        part = uncertainty if patch is None else cells[patch]
        top, left = tile.core.y // cell_px, tile.core.x // cell_px
        view = target[top : top + part.shape[0], left : left + part.shape[1]]
        view[...] = part[: view.shape[0], : view.shape[1]]
