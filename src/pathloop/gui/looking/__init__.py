"""How objects and maps look, and what the mouse and keys do on the canvas; without Qt."""

from pathloop.gui.looking._canvas import CanvasHands
from pathloop.gui.looking._presenter import LookPresenter, LookView, TaskLegend

__all__ = ["CanvasHands", "LookPresenter", "LookView", "TaskLegend"]
