"""Correcting objects in edit windows: tools, keys, warnings, help from the network. No Qt."""

from pathloop.gui.correcting._actions import ACTIONS, Action, action, cheat_sheet, keys_of, shown_key
from pathloop.gui.correcting._corrector import Corrector
from pathloop.gui.correcting._opener import DEFAULT_TASKS
from pathloop.gui.correcting._presenter import CorrectPresenter
from pathloop.gui.correcting._view import ClassChoice, CorrectView, HintLine, WindowFacts
from pathloop.gui.correcting._window import EditWindow, TaskWindow, window_rect

__all__ = [
    "ACTIONS",
    "DEFAULT_TASKS",
    "Action",
    "ClassChoice",
    "CorrectPresenter",
    "CorrectView",
    "Corrector",
    "EditWindow",
    "HintLine",
    "TaskWindow",
    "WindowFacts",
    "action",
    "cheat_sheet",
    "keys_of",
    "shown_key",
    "window_rect",
]
