"""What the panel "Train" is shown with. The Qt panel implements it, or a test's record."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pathloop.gui.running import Button
from pathloop.gui.training._reading import Curves, RoundRow

__all__ = ["CompareRow", "TrainView"]

CompareRow = tuple[str, str, str, str, str]
"""A line of the comparison: what, the old score, the new one, gain, and what it goes to ("" = nowhere)."""


class TrainView(Protocol):
    """See the methods; every text is fit for the user."""

    def show_recipes(self, recipes: Sequence[tuple[str, str, str]], current: str) -> None:
        """Key, name and tooltip of each recipe."""
        ...

    def show_tasks(self, tasks: Sequence[str], current: str) -> None:
        """Tasks that the chosen recipe can learn; none = it needs no choice."""
        ...

    def show_plan(self, button: str, text: str) -> None:
        """What the button begins, and what that will do."""
        ...

    def show_buttons(self, buttons: Mapping[str, Button]) -> None:
        """State of ``train``, ``pause``, ``resume``, ``finish``, ``cancel``, ``promote``, ``rollback``."""
        ...

    def show_progress(self, share: float | None, text: str) -> None:
        """How far the run is; without a text nothing goes on."""
        ...

    def show_curves(self, curves: Curves, *, is_going_on: bool) -> None:
        """Loss and held-out scores of the last run; of one that has ended only where the user wants to see them."""
        ...

    def show_rounds(self, rows: Sequence[RoundRow]) -> None:
        """All rounds, the last one last."""
        ...

    def show_comparison(self, title: str, rows: Sequence[CompareRow], verdict: Sequence[str]) -> None:
        """The candidate against the present model: largest losses first; no title = nothing to show."""
        ...

    def show_anew(self, text: str, button: str, tip: str) -> None:
        """How segmenting anew goes, or what there is to do; the words on its button and its tooltip, "" = none."""
        ...

    def show_note(self, text: str) -> None:
        """A word about what just happened, "" = none."""
        ...

    def ask_reason(self, problem: str) -> str | None:
        """Why a worse model shall be promoted; None = it shall not."""
        ...

    def confirm(self, title: str, text: str) -> bool:
        """Whether to go on."""
        ...
