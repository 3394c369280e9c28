"""Colours of an edit window: those of the classes, brought up to date when nobody waits for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pathloop.gui.correcting._layers import class_colormap

if TYPE_CHECKING:
    from pathloop.gui.correcting._corrector import Corrector

__all__ = ["WindowColours"]

PACE_MS = 250
"""With several classes napari takes 0.2 s to colour 5,000 objects."""


class WindowColours:
    """Colours the layers of the window.

    Parameters
    ----------
    corrector
        Whose window.
    """

    def __init__(self, corrector: "Corrector") -> None:
        self._corrector = corrector
        self._stop: Callable[[], None] | None = None

    @property
    def matter(self) -> bool:
        """Whether objects can have different classes."""
        window = self._corrector.window
        return window is not None and any(len(own.classes) > 1 for own in window.tasks.values())

    def soon(self) -> None:
        """Colour anew when the user pauses."""
        if self._stop is None:
            self._stop = self._corrector.session.background.later(PACE_MS, self._now)

    def close(self) -> None:
        """Colour no more."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _now(self) -> None:
        self._stop = None
        corrector = self._corrector
        for task, own in corrector.window.tasks.items() if corrector.window is not None else ():
            own.layer.colormap = class_colormap(own.rows, own.classes, corrector.class_code(task))
