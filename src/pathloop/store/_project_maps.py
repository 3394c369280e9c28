"""The maps of a project's slides; what people said of tissue lies over what a model said."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from pathloop.core import UsageError
from pathloop.store import _maps, _reviewing
from pathloop.store._classes import read_classes
from pathloop.store._database import Database
from pathloop.store._records import TissueMap, UncertaintyMap
from pathloop.store._review_records import TissueCell
from pathloop.store._schema import OBJECT_STATES

__all__ = ["Maps"]

TISSUE = "tissue"


class Maps:
    """The part of a project that keeps maps."""

    _database: Database

    def write_tissue(self, slide_id: str, tissue: TissueMap) -> None:
        """Replace what the model said of the slide's tissue; what people said stays."""
        self._must_write()
        _maps.write_tissue(self._slide_folder(slide_id) / "tissue.zarr", tissue)

    def predicted_tissue(self, slide_id: str) -> TissueMap | None:
        """The tissue map as the model made it; None where none was made."""
        return _maps.read_tissue(self._slide_folder(slide_id) / "tissue.zarr")

    def tissue(self, slide_id: str) -> TissueMap | None:
        """The slide's tissue map, with what people said of its cells; None where there is neither.

        Once cells were corrected, the map keeps the grid in which that was done; what a later model says in another
        grid is taken from the middle of each cell.
        """
        predicted = self.predicted_tissue(slide_id)
        cells = _reviewing.read_cells(self._database, slide_id)
        grid = _reviewing.read_grid(self._database, slide_id, only_fixed=True)
        if grid is None or (predicted is None and not cells):
            return predicted
        [(height, width)] = self._database.rows("SELECT height, width FROM slides WHERE slide_id = ?", (slide_id,))
        found = _in_grid(predicted, grid, (height, width))
        return _laid_over(found, cells, self._tissue_colors()) if cells else found

    def set_tissue_grid(self, slide_id: str, cell_px: tuple[float, float], origin_px: tuple[float, float]) -> None:
        """Say which grid rows and columns of `tissue_cells` count in; it stays once a cell was corrected.

        Raises
        ------
        UsageError
            If cells were corrected already, in another grid.
        """
        self._must_write()
        grid = (cell_px, origin_px)
        if not _reviewing.set_grid(self._database, slide_id, grid):
            found = _reviewing.read_grid(self._database, slide_id)
            if found is None or not _same_grid(found, grid):
                raise UsageError(f"slide {slide_id!r}: cells of the tissue map were corrected in another grid")

    def tissue_grid(self, slide_id: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(y, x) size and origin of the cells that people correct, level-0 pixels; None where none was set."""
        return _reviewing.read_grid(self._database, slide_id)

    def write_uncertainty(self, slide_id: str, uncertainty: UncertaintyMap) -> None:
        """Replace the slide's uncertainty map."""
        self._must_write()
        _maps.write_uncertainty(self._slide_folder(slide_id) / "uncertainty.zarr", uncertainty)

    def uncertainty(self, slide_id: str) -> UncertaintyMap | None:
        """The slide's uncertainty map, None where none was made."""
        return _maps.read_uncertainty(self._slide_folder(slide_id) / "uncertainty.zarr")

    def _tissue_colors(self) -> dict[str, tuple[int, int, int]]:
        return {spec.name: spec.color for spec in read_classes(self._database, TISSUE)}

    def _slide_folder(self, slide_id: str) -> Path:
        raise NotImplementedError

    def _must_write(self) -> None:
        raise NotImplementedError


def _same_grid(one: _reviewing.Grid, other: _reviewing.Grid) -> bool:
    return bool(np.allclose((*one[0], *one[1]), (*other[0], *other[1])))


def _in_grid(tissue: TissueMap | None, grid: _reviewing.Grid, shape: tuple[int, int]) -> TissueMap:
    """A map in a grid: itself where it is in that grid, else what it says in the middle of the grid's cells."""
    cell, origin = grid
    if tissue is not None and _same_grid((tissue.cell_px, tissue.origin_px), grid):
        return tissue
    rows, cols = (max(math.ceil((shape[axis] - origin[axis]) / cell[axis]), 1) for axis in (0, 1))
    codes = np.zeros((rows, cols), np.uint8)
    if tissue is None:
        return TissueMap(codes, (), (), cell, origin, "")
    places = []
    for axis, n in enumerate((rows, cols)):
        middles = origin[axis] + (np.arange(n) + 0.5) * cell[axis]
        places.append(np.floor((middles - tissue.origin_px[axis]) / tissue.cell_px[axis]).astype(int))
    is_there = [(found >= 0) & (found < size) for found, size in zip(places, tissue.codes.shape, strict=True)]
    codes[np.ix_(*is_there)] = tissue.codes[np.ix_(places[0][is_there[0]], places[1][is_there[1]])]
    return replace(tissue, codes=codes, cell_px=cell, origin_px=origin)


def _laid_over(
    tissue: TissueMap, cells: dict[tuple[int, int], TissueCell], colors: dict[str, tuple[int, int, int]]
) -> TissueMap:
    """A map with corrected cells of its own grid."""
    legend = dict(zip(tissue.class_names, tissue.class_colors, strict=True))
    for cell in cells.values():
        legend.setdefault(cell.class_name, colors.get(cell.class_name, (120, 120, 120)))
    names = list(legend)
    codes, states = tissue.codes.copy(), np.zeros(tissue.codes.shape, np.uint8)
    for (row, col), cell in cells.items():
        if row < codes.shape[0] and col < codes.shape[1]:
            codes[row, col] = names.index(cell.class_name) + 1
            states[row, col] = OBJECT_STATES.index(cell.state)
    return replace(tissue, codes=codes, class_names=tuple(names), class_colors=tuple(legend.values()), states=states)
