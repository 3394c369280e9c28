"""What shows the state of correcting; the Qt panel, or a test's record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["ClassChoice", "CorrectView", "HintLine", "WindowFacts"]


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """A class that objects can be given: its code, name and colour."""

    code: int
    name: str
    color: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class HintLine:
    """A soft warning about an object: the words, and what the key of "Mend" does about it."""

    task: str
    object_id: int
    words: str
    fix: str


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """The edit window that is open.

    Parameters
    ----------
    title
        For example "Region 12 of colon_sample".
    tasks, task
        Tasks in it, and the one that is corrected now.
    states
        Review state by task.
    can_accept
        Whether it belongs to a region that can be accepted.
    """

    title: str
    tasks: tuple[str, ...]
    task: str
    states: dict[str, str]
    can_accept: bool


class CorrectView(Protocol):
    """See the methods; every text is fit for the user."""

    def show_window(self, facts: WindowFacts | None, problem: str) -> None:
        """The window that is open, or None and why none can be opened ("" if one can)."""
        ...

    def show_layer(self, name: str) -> None:
        """A labels layer that could be corrected by itself; "" = none."""
        ...

    def show_tool(self, name: str) -> None:
        """The tool that is chosen."""
        ...

    def show_tools_off(self, reasons: dict[str, str]) -> None:
        """Actions that cannot be used now, with the reason."""
        ...

    def show_classes(self, choices: Sequence[ClassChoice], current: int) -> None:
        """Classes of the current task, and the chosen one's code."""
        ...

    def show_saved(self, state: str, text: str) -> None:
        """``saved``, ``saving`` or ``unsaved``, in words."""
        ...

    def show_steps(self, undo: str, redo: str) -> None:
        """What undo and redo would do; "" = nothing."""
        ...

    def show_hints(self, hints: Sequence[HintLine]) -> None:
        """Soft warnings, in order."""
        ...

    def show_note(self, text: str) -> None:
        """A short word about what just happened; "" = none."""
        ...

    def ask_task(
        self, color: tuple[int, int, int], problem: Callable[[str], str]
    ) -> tuple[str, tuple[int, int, int]] | None:
        """Ask for a new task's name and colour; None where that was cancelled.

        Parameters
        ----------
        color
            What is proposed.
        problem
            Why a name does not do; "" if it does.
        """
        ...

    def ask_text(self, title: str, label: str) -> str | None:
        """Ask the user for a line of text; None where that was cancelled."""
        ...
