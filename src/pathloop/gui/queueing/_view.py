"""What the queue's presenter shows things with. The Qt panel implements it, or a test's record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pathloop.core import Rect
from pathloop.gui.running import Button

__all__ = ["Button", "Key", "QueueRow", "QueueView"]

Key = tuple[str, int]
"""``("region", number)``, or task and id of an object about which something is asked."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A line of the list.

    Parameters
    ----------
    key
        What it stands for.
    title
        For example "3" (the rank), "Region 12", "Gland 7".
    origin
        How it came into the queue, where that must be said; "" = ranked.
    state
        Of all tasks together; "" = of no state, an object.
    states
        State and the names of the tasks that are in it, done first.
    reasons
        Why it is there, in words, strongest first.
    assigned
        Who shall do it; "" = anybody.
    question
        What a pathologist is asked; None = nothing.
    tip
        All of it, for a tooltip.
    rect
        What its picture shows, level-0 pixels.
    """

    key: Key
    title: str
    origin: str
    state: str
    states: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    assigned: str
    question: str | None
    tip: str
    rect: Rect


class QueueView(Protocol):
    """See the methods; every text is fit for the user."""

    def show_rows(self, rows: Sequence[QueueRow], empty: str) -> None:
        """The lines, and what to say in the place of an empty list."""
        ...

    def show_current(self, key: Key | None) -> None:
        """The line that was gone to: selected, and in view."""
        ...

    def show_picture(self, rect: Rect) -> None:
        """A picture has come: lines that show this rectangle are drawn anew."""
        ...

    def show_counts(self, text: str) -> None:
        """How much is done."""
        ...

    def show_buttons(self, buttons: Mapping[str, Button]) -> None:
        """What can be done now, by name, and why the rest cannot."""
        ...

    def show_tasks(self, tasks: Sequence[str]) -> None:
        """Tasks of the selected regions, for the menus of states."""
        ...

    def show_progress(self, share: float | None, text: str) -> None:
        """How far ranking is, 0..1, None = not known; without a text nothing goes on."""
        ...

    def show_note(self, text: str, details: str) -> None:
        """A word about what just happened, "" = none; and more of it, for a tooltip."""
        ...

    def show_frames(self, *, on: bool) -> None:
        """Whether frames are on the slide."""
        ...
