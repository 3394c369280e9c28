"""The bar in napari's activity dock."""

from typing import Any

from pathloop.gui._background import Background

__all__ = ["ActivityBar"]


class ActivityBar:
    """Shows the latest progress. Main thread only.

    napari lets all waiting events happen while a bar is redrawn: that is done by itself, in a round of its own, and
    what is told meanwhile is shown afterwards.

    Parameters
    ----------
    background
        For that round.
    make
        ``make(total=100, desc=...)``: napari's ``progress``; None: no bar.
    """

    def __init__(self, background: Background, make: Any | None) -> None:
        self._background, self._make = background, make
        self._bar: Any = None
        self._wanted: tuple[float, str] | None = None
        self._is_planned = False

    def show(self, share: float, text: str) -> None:
        """0..1, and words."""
        self._wanted = share, text
        self._plan()

    def end(self) -> None:
        """Take the bar away."""
        self._wanted = None
        if self._bar is not None:
            self._plan()

    def _plan(self) -> None:
        if self._make is not None and not self._is_planned:
            self._is_planned = True
            self._background.later(0, self._draw)

    def _draw(self) -> None:
        before = self._wanted
        try:
            self._redraw(before)
        finally:
            self._is_planned = False
        if self._wanted != before:
            self._plan()

    def _redraw(self, wanted: tuple[float, str] | None) -> None:
        if wanted is None:
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.close()
            return
        share, text = wanted
        if self._bar is None:
            self._bar = self._make(total=100, desc="pathloop")  # type: ignore[misc]
        self._bar.update(max(0, round(100 * share) - self._bar.n))
        self._bar.set_description(f"pathloop: {text}")
