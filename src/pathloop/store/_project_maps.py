"""The maps of a project's slides; what people said of tissue lies over what a model said."""

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
        """The slide's tissue map, with what people said of its cells; None where there is neither."""
        predicted = self.predicted_tissue(slide_id)
        cells = _reviewing.read_cells(self._database, slide_id)
        if not cells:
            return predicted
        [grid] = self._database.rows(
            "SELECT cell_y, cell_x, origin_y, origin_x, height, width FROM tissue_grids JOIN slides USING (slide_id)"
            " WHERE slide_id = ?",
            (slide_id,),
        )
        cell_y, cell_x, origin_y, origin_x, height, width = grid
        if predicted is None:
            shape = (-(-(height - origin_y) // cell_y), -(-(width - origin_x) // cell_x))
            blank = np.zeros((int(shape[0]), int(shape[1])), np.uint8)
            predicted = TissueMap(blank, (), (), (cell_y, cell_x), (origin_y, origin_x), "")
        return _laid_over(predicted, cells, (cell_y, cell_x), (origin_y, origin_x), self._tissue_colors())

    def set_tissue_grid(self, slide_id: str, cell_px: tuple[float, float], origin_px: tuple[float, float]) -> None:
        """Say which grid rows and columns of `tissue_cells` count in; kept once a cell is stored.

        Raises
        ------
        UsageError
            If cells are stored already that count in another grid.
        """
        self._must_write()
        found = self.tissue_grid(slide_id)
        if found is not None and _reviewing.read_cells(self._database, slide_id):
            if not np.allclose((*found[0], *found[1]), (*cell_px, *origin_px)):
                raise UsageError(f"slide {slide_id!r}: cells were corrected in a grid of {found[0][0]:g} px")
            return
        self._database.rows(
            "INSERT OR REPLACE INTO tissue_grids VALUES (?, ?, ?, ?, ?)", (slide_id, *cell_px, *origin_px)
        )

    def tissue_grid(self, slide_id: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """(y, x) size and origin of the cells that people correct, level-0 pixels; None where none was set."""
        sql = "SELECT cell_y, cell_x, origin_y, origin_x FROM tissue_grids WHERE slide_id = ?"
        found = self._database.rows(sql, (slide_id,))
        return ((found[0][0], found[0][1]), (found[0][2], found[0][3])) if found else None

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


def _laid_over(
    tissue: TissueMap,
    cells: dict[tuple[int, int], TissueCell],
    cell_px: tuple[float, float],
    origin_px: tuple[float, float],
    colors: dict[str, tuple[int, int, int]],
) -> TissueMap:
    """A map with corrected cells: each of its cells takes what was said where its centre lies."""
    legend = dict(zip(tissue.class_names, tissue.class_colors, strict=True))
    for cell in cells.values():
        legend.setdefault(cell.class_name, colors.get(cell.class_name, (120, 120, 120)))
    names = list(legend)
    codes, states = tissue.codes.copy(), np.zeros(tissue.codes.shape, np.uint8)
    said_codes = {place: names.index(cell.class_name) + 1 for place, cell in cells.items()}
    rows = _places(codes.shape[0], tissue.origin_px[0], tissue.cell_px[0], origin_px[0], cell_px[0])
    cols = _places(codes.shape[1], tissue.origin_px[1], tissue.cell_px[1], origin_px[1], cell_px[1])
    table: dict[int, dict[int, tuple[int, int]]] = {}
    for place, cell in cells.items():
        table.setdefault(place[0], {})[place[1]] = (said_codes[place], OBJECT_STATES.index(cell.state))
    for index, row in enumerate(rows):
        for position, col in enumerate(cols) if row in table else ():
            if col in table[row]:
                codes[index, position], states[index, position] = table[row][col]
    return replace(tissue, codes=codes, class_names=tuple(names), class_colors=tuple(legend.values()), states=states)


def _places(n: int, origin: float, size: float, other_origin: float, other_size: float) -> list[int]:
    centres = origin + (np.arange(n) + 0.5) * size
    places: list[int] = np.floor((centres - other_origin) / other_size).astype(int).tolist()
    return places
