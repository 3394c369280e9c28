"""Where to look: the queue of regions, their frames on the slide, and questions to a pathologist. No Qt."""

from pathloop.gui.queueing._actions import QueueActions
from pathloop.gui.queueing._presenter import QueuePresenter
from pathloop.gui.queueing._ranking import strategies
from pathloop.gui.queueing._rows import FILTERS, STATE_WORDS, Filter, task_name
from pathloop.gui.queueing._thumbnails import PICTURE_PX
from pathloop.gui.queueing._view import Button, Key, QueueRow, QueueView

__all__ = [
    "FILTERS",
    "PICTURE_PX",
    "STATE_WORDS",
    "Button",
    "Filter",
    "Key",
    "QueueActions",
    "QueuePresenter",
    "QueueRow",
    "QueueView",
    "strategies",
    "task_name",
]
