"""Layers are drawn again one at a time, so that the window stays alive between them."""

from collections.abc import Callable
from typing import Any

from pathloop.gui._background import Background

__all__ = ["RefreshQueue"]

BETWEEN_MS = 15


class RefreshQueue:
    """Calls ``refresh`` once for each task that was added since, one in each round of the main thread.

    Parameters
    ----------
    background
        For waiting.
    refresh
        Draws one task again.
    """

    def __init__(self, background: Background, refresh: Callable[[str], Any]) -> None:
        self._background, self._refresh = background, refresh
        self._waiting: dict[str, None] = {}
        self._cancel: Callable[[], None] | None = None

    def add(self, task: str) -> None:
        """Draw a task again soon; many calls make one."""
        self._waiting[task] = None
        if self._cancel is None:
            self._cancel = self._background.later(0, self._next)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _next(self) -> None:
        self._cancel = None
        task = next(iter(self._waiting))
        del self._waiting[task]
        if self._waiting:
            self._cancel = self._background.later(BETWEEN_MS, self._next)
        self._refresh(task)
