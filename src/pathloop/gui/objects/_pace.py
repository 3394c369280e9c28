"""Keeps up with what changes faster than it can be shown."""

from collections.abc import Callable
from typing import Any, TypeVar

from pathloop.gui._background import Background

__all__ = ["LatestOnly", "Throttle"]

T = TypeVar("T")
Job = tuple[Callable[[], Any], Callable[[Any], Any]]


class LatestOnly:
    """Answers the newest request only: at most one runs, at most one waits, outdated results are dropped."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._number = 0
        self._running = False
        self._waiting: Job | None = None
        self.is_busy = False
        """Whether an answer is still to come."""

    def run(self, work: Callable[[], T], done: Callable[[T], Any], *, at_once: bool = False) -> None:
        """Have ``done(work())`` called, unless a newer request comes before.

        Parameters
        ----------
        work
            Touches nothing that the main thread changes.
        done
            Called on the main thread.
        at_once
            ``work`` takes no longer than a blink: call it right here.
        """
        self._number += 1
        self._waiting = None
        self.is_busy = not at_once
        if at_once:
            done(work())
        elif self._running:
            self._waiting = work, done
        else:
            self._start(work, done)

    def cancel(self) -> None:
        """Drop what runs and what waits."""
        self._number += 1
        self._waiting = None
        self.is_busy = False

    def _start(self, work: Callable[[], Any], done: Callable[[Any], Any]) -> None:
        number = self._number
        self._running = True

        def finished(result: Any) -> None:
            if number == self._number:
                self.is_busy = False
            self._next()
            if number == self._number:
                done(result)

        def failed(error: Exception) -> None:
            if number == self._number:
                self.is_busy = False
            self._next()
            if number == self._number:
                raise error  # on the main thread, where it is shown

        self._background.run(work, finished, failed)

    def _next(self) -> None:
        self._running = False
        if self._waiting is not None:
            job, self._waiting = self._waiting, None
            self._start(*job)


class Throttle:
    """Calls at once, then not again before some time has passed; the last call is never lost."""

    def __init__(self, background: Background, milliseconds: int, call: Callable[[], Any]) -> None:
        self._background = background
        self._milliseconds = milliseconds
        self._call = call
        self._stop: Callable[[], None] | None = None
        self._again = False

    def __call__(self) -> None:
        if self._stop is not None:
            self._again = True
            return
        self._stop = self._background.later(self._milliseconds, self._rested)
        self._call()

    def cancel(self) -> None:
        """Forget a call that waits."""
        if self._stop is not None:
            self._stop()
        self._stop, self._again = None, False

    def _rested(self) -> None:
        self._stop = None
        if self._again:
            self._again = False
            self()
