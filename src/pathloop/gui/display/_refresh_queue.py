"""Layers are drawn again one at a time, so that the window stays alive between them."""

import time
from collections.abc import Callable
from typing import Any

from pathloop.gui._background import Background

__all__ = ["RefreshQueue"]

BETWEEN_MS = 15
REST_MS = 150
LONGEST_S = 1.0


class RefreshQueue:
    """Calls ``refresh`` once for each task that was added since, one in each round of the main thread.

    While the view moves, tasks wait for it to rest, a second at most: napari reads what comes into view anyway.

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
        self._moved_at = -LONGEST_S
        self._waiting_since = 0.0

    def view_moved(self) -> None:
        """Say that the camera has moved."""
        self._moved_at = time.monotonic()

    def add(self, task: str) -> None:
        """Draw a task again soon; many calls make one."""
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting[task] = None
        if self._cancel is None:
            self._cancel = self._background.later(self._rest_ms(), self._next)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _rest_ms(self) -> int:
        """How long to wait for the view; 0 = it rests, or was waited for long enough."""
        now = time.monotonic()
        if now - self._waiting_since >= LONGEST_S:
            return 0
        return max(0, round(1000 * (self._moved_at - now) + REST_MS))

    def _next(self) -> None:
        if wait := self._rest_ms():
            self._cancel = self._background.later(wait, self._next)
            return
        self._cancel = None
        task = next(iter(self._waiting))
        del self._waiting[task]
        if self._waiting:
            self._cancel = self._background.later(BETWEEN_MS, self._next)
        self._refresh(task)
