"""The tissue and uncertainty maps of a slide, filled by one run after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec
from pathloop.predict import UNCERTAINTY_STEP_PX, TileFolder, TileJob, tile_grid
from pathloop.store import Project, TissueMap, UncertaintyMap

__all__ = ["CellMap", "RunMaps", "run_maps", "write_maps"]

MEASURE = "largest entropy of interior, boundary and background over the object tasks"

Pair = tuple[float, float]
Classes = tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class CellMap:
    """One map of a run over the whole slide.

    Parameters
    ----------
    values
        (rows, columns) uint8.
    is_run
        (rows, columns) bool: cells that the run has a value for.
    cell_px
        (y, x) size of a cell, level-0 pixels; the first cell begins at the slide's corner.
    """

    values: NDArray[np.uint8]
    is_run: NDArray[np.bool_]
    cell_px: Pair

    def over(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The run's values where it has some, else those given."""
        return np.where(self.is_run, self.values, values)


@dataclass(frozen=True, slots=True)
class RunMaps:
    """The maps of a run; None where its tasks make none.

    Parameters
    ----------
    tissue
        Model class codes, 0 = not run.
    classes
        The tissue classes, by code - 1.
    uncertainty
        0 = sure .. 255.
    """

    tissue: CellMap | None
    classes: tuple[ClassSpec, ...]
    uncertainty: CellMap | None


def run_maps(job: TileJob, tiles: TileFolder) -> RunMaps:
    """The maps that a run's finished tiles make together."""
    patch = job.patch_task
    tissue = None if patch is None else _pasted(job, tiles, job.card.architecture.cell_px, patch)
    uncertainty = _pasted(job, tiles, UNCERTAINTY_STEP_PX, None) if job.instance_tasks else None
    return RunMaps(tissue, () if patch is None else job.labels[patch].classes, uncertainty)


def write_maps(project: Project, slide_id: str, run_key: str, maps: RunMaps) -> None:
    """Fill a run's part of the slide's maps; the rest stays as it was.

    Where an earlier run used other cells or classes, its part is carried over: each new cell takes the old cell that
    its centre lies in, and classes that the new model does not know are added to the legend. Cells whose centre lies in
    a region that is done for the tissue map stay as they are: a person has seen them.
    """
    if maps.tissue is not None:
        old, own = project.predicted_tissue(slide_id), maps.tissue
        codes = np.zeros_like(own.values)
        if old is not None:
            codes = _onto(old.codes, (old.cell_px, old.origin_px), own.cell_px, own.values.shape)
        codes, (names, colors) = _joint_legend(codes, old, maps.classes)
        codes = _kept(project, slide_id, codes, own)
        if codes.max() <= len(maps.classes):
            names, colors = names[: len(maps.classes)], colors[: len(maps.classes)]
        project.write_tissue(slide_id, TissueMap(codes, names, colors, own.cell_px, (0.0, 0.0), run_key))
    if maps.uncertainty is not None:
        earlier, new = project.uncertainty(slide_id), maps.uncertainty
        values = np.zeros_like(new.values)
        if earlier is not None:
            values = _onto(earlier.values, (earlier.cell_px, earlier.origin_px), new.cell_px, new.values.shape)
        unsure = UncertaintyMap(new.over(values), MEASURE, new.cell_px, (0.0, 0.0), run_key)
        project.write_uncertainty(slide_id, unsure)


def _kept(project: Project, slide_id: str, old: NDArray[np.uint8], own: CellMap) -> NDArray[np.uint8]:
    """A run's codes over the old ones, but for old ones in regions that are done for the tissue map."""
    codes = own.over(old)
    centres = [(np.arange(n) + 0.5) * size for n, size in zip(old.shape, own.cell_px, strict=True)]
    for region in project.regions(slide_id):
        if region.states.get("tissue") == "done":
            rows = np.flatnonzero((centres[0] >= region.rect.y) & (centres[0] < region.rect.bottom))
            cols = np.flatnonzero((centres[1] >= region.rect.x) & (centres[1] < region.rect.right))
            place = np.ix_(rows, cols)
            codes[place] = np.where(old[place] > 0, old[place], codes[place])
    return codes


def _cells(job: TileJob, cell_px: int) -> tuple[Pair, tuple[int, int]]:
    """Size of a cell in level-0 pixels, and how many cover the slide."""
    um_per_px = job.card.um_per_px
    height, width = job.slide.shape_at(um_per_px)
    size = (cell_px * um_per_px / job.scale.y, cell_px * um_per_px / job.scale.x)
    return size, (math.ceil(height / cell_px), math.ceil(width / cell_px))


def _onto(values: NDArray[np.uint8], grid: tuple[Pair, Pair], size: Pair, shape: tuple[int, ...]) -> NDArray[np.uint8]:
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


def _pasted(job: TileJob, tiles: TileFolder, cell_px: int, patch: str | None) -> CellMap:
    """The tiles' cells of a patch task, or their uncertainty, side by side."""
    size, shape = _cells(job, cell_px)
    values, is_run = np.zeros(shape, np.uint8), np.zeros(shape, np.bool_)
    done = tiles.done()
    for tile in tile_grid(job):
        if (tile.row, tile.col) not in done:
            continue
        cells, uncertainty = tiles.load_maps(tile.row, tile.col)
        part = uncertainty if patch is None else cells[patch]
        top, left = tile.core.y // cell_px, tile.core.x // cell_px
        place = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        view = values[place]
        view[...] = part[: view.shape[0], : view.shape[1]]
        is_run[place] = True
    return CellMap(values, is_run, size)
