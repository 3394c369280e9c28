"""Correcting the tissue map, cell by cell. No Qt."""

from pathloop.gui.tissue._brush import TissueBrush, TissueView
from pathloop.gui.tissue._grid import CellGrid, read_grid

__all__ = ["CellGrid", "TissueBrush", "TissueView", "read_grid"]
