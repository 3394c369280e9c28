"""What the object presenters show things with. Widgets implement it; they decide nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.objects._card import Card
from pathloop.gui.objects._order import Ranges, Shown, Sort
from pathloop.gui.objects._thumbnail import Thumbnail

__all__ = ["Choice", "ObjectsView", "Selected"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a list to choose from: what code calls it, what users read, and its colour."""

    key: str | int
    title: str
    color: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """The selected objects of the task that is shown.

    Parameters
    ----------
    rows
        (S,) int64: rows of the frame, ascending.
    ranges
        Lines of the table, those that the filters hide left out.
    """

    rows: NDArray[np.int64]
    ranges: Ranges


class ObjectsView(Protocol):
    """The panel as its presenter sees it."""

    def show_tasks(self, tasks: Sequence[Choice], current: str | None) -> None:
        """Fill the task chooser."""
        ...

    def show_classes(self, classes: Sequence[Choice]) -> None:
        """Fill the class filter; keys are class codes."""
        ...

    def show_rows(self, shown: Shown, sort: Sort, selected: Selected) -> None:
        """Other rows, or the same in another order."""
        ...

    def show_selected(self, selected: Selected, *, is_own: bool) -> None:
        """Another selection; ``is_own``: it was made in the table, which needs no telling."""
        ...

    def show_counts(self, text: str, empty: str) -> None:
        """One line about how many; and what to say in the place of an empty table."""
        ...

    def show_busy(self, *, busy: bool) -> None:
        """Whether rows are being filtered and sorted."""
        ...

    def show_filter_problem(self, text: str) -> None:
        """What is wrong with the filters; empty = nothing."""
        ...

    def show_region(self, text: str, *, is_set: bool) -> None:
        """Which region is the filter's."""
        ...

    def show_card(self, card: Card | None) -> None:
        """The facts about one object; None where none is selected."""
        ...

    def show_thumbnail(self, thumbnail: Thumbnail) -> None:
        """The picture that belongs to the card."""
        ...

    def copy(self, text: str) -> None:
        """Put text on the clipboard."""
        ...
