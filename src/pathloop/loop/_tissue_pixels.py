"""The tissue map of a slide, pixel by pixel."""

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.store import TissueMap

__all__ = ["tissue_codes", "tissue_states"]


def tissue_codes(tissue: TissueMap, rect: Rect) -> NDArray[np.uint8]:
    """Class codes of a level-0 rectangle: each pixel takes the cell that its centre lies in."""
    return tissue.codes[_cells(tissue, rect)]


def tissue_states(tissue: TissueMap, rect: Rect) -> NDArray[np.uint8]:
    """Review states of a level-0 rectangle, as indices into ``OBJECT_STATES``."""
    return np.zeros(rect.shape, np.uint8) if tissue.states is None else tissue.states[_cells(tissue, rect)]


def _cells(tissue: TissueMap, rect: Rect) -> tuple[NDArray[np.intp], ...]:
    rows = np.floor((np.arange(rect.y, rect.bottom) + 0.5 - tissue.origin_px[0]) / tissue.cell_px[0]).astype(int)
    cols = np.floor((np.arange(rect.x, rect.right) + 0.5 - tissue.origin_px[1]) / tissue.cell_px[1]).astype(int)
    rows = np.clip(rows, 0, tissue.codes.shape[0] - 1)
    cols = np.clip(cols, 0, tissue.codes.shape[1] - 1)
    return np.ix_(rows, cols)
