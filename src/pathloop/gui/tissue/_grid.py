"""The grid of the tissue map as people correct it: codes by cell, predicted and said."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec
from pathloop.networks import DEFAULT_MODEL, find_model, read_card
from pathloop.store import OBJECT_STATES, Project, TissueMap

__all__ = ["CellGrid", "read_grid"]

Pair = tuple[float, float]


@dataclass(eq=False)
class CellGrid:
    """Cells of a slide.

    Parameters
    ----------
    predicted
        (rows, cols) int32: codes as the model says, 0 = nothing.
    codes
        The same with what people said.
    classes
        By code - 1; new ones come at the end.
    cell_px, origin_px
        (y, x) size of a cell and corner of the first one, level-0 pixels.
    states
        (rows, cols) uint8, index into ``OBJECT_STATES``.
    """

    predicted: NDArray[np.int32]
    codes: NDArray[np.int32]
    classes: list[ClassSpec]
    cell_px: Pair
    origin_px: Pair
    states: NDArray[np.uint8] = field(repr=False)

    def code(self, name: str) -> int:
        """Code of a class; 0 if there is none of that name."""
        return next((code for code, spec in enumerate(self.classes, 1) if spec.name == name), 0)


def read_grid(project: Project, slide_id: str) -> CellGrid:
    """Read a slide's cells, in the grid that they are corrected in; call it in the project's thread.

    A slide without a tissue map gets the grid of the bundled model, all cells empty.
    """
    record = project.slide(slide_id)
    said, found = project.tissue_cells(slide_id), project.predicted_tissue(slide_id)
    if not said and found is not None:
        project.set_tissue_grid(slide_id, found.cell_px, found.origin_px)
    elif project.tissue_grid(slide_id) is None:
        card = read_card(find_model(DEFAULT_MODEL))
        um = card.architecture.cell_px * card.um_per_px
        project.set_tissue_grid(slide_id, (um / record.scale.y, um / record.scale.x), (0.0, 0.0))
    grid = project.tissue_grid(slide_id)
    assert grid is not None
    cell_px, origin_px = grid
    sides = zip(record.shape, origin_px, cell_px, strict=True)
    shape = tuple(int(np.ceil((side - first) / size)) for side, first, size in sides)
    classes = _classes(project, found)
    predicted = np.zeros(shape, np.int32) if found is None else _sampled(found, shape, cell_px, origin_px)
    codes, states = predicted.copy(), np.zeros(shape, np.uint8)
    places = {spec.name: code for code, spec in enumerate(classes, 1)}
    for (row, col), cell in said.items():
        if row < shape[0] and col < shape[1]:
            codes[row, col] = places[cell.class_name]
            states[row, col] = OBJECT_STATES.index(cell.state)
    return CellGrid(predicted, codes, classes, cell_px, origin_px, states)


def _classes(project: Project, tissue: TissueMap | None) -> list[ClassSpec]:
    """The map's classes in their order, then those that only the project knows."""
    legend = {} if tissue is None else dict(zip(tissue.class_names, tissue.class_colors, strict=True))
    for spec in project.classes("tissue"):
        legend.setdefault(spec.name, spec.color)
    return [ClassSpec(name=name, color=color) for name, color in legend.items()]


def _sampled(tissue: TissueMap, shape: tuple[int, ...], cell_px: Pair, origin_px: Pair) -> NDArray[np.int32]:
    """A map under the centres of another grid's cells."""
    places = []
    for axis in (0, 1):
        centres = origin_px[axis] + (np.arange(shape[axis]) + 0.5) * cell_px[axis]
        index = np.floor((centres - tissue.origin_px[axis]) / tissue.cell_px[axis]).astype(int)
        places.append(np.clip(index, 0, tissue.codes.shape[axis] - 1))
    return tissue.codes[np.ix_(*places)].astype(np.int32)
