"""Fine-tuning beside the window: start, watch, compare, promote, roll back. No Qt."""

from pathloop.gui.training._overlay import SWAP_KEY, SwapOverlay
from pathloop.gui.training._presenter import TrainPresenter
from pathloop.gui.training._reading import Curves, RoundRow, TrainContent, read_content
from pathloop.gui.training._view import CompareRow, TrainView
from pathloop.gui.training._words import RECIPES

__all__ = [
    "RECIPES",
    "SWAP_KEY",
    "CompareRow",
    "Curves",
    "RoundRow",
    "SwapOverlay",
    "TrainContent",
    "TrainPresenter",
    "TrainView",
    "read_content",
]
