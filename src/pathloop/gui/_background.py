"""Work beside the window: what takes longer than a blink runs in a thread, its result comes back to the main thread."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

__all__ = ["Background", "InlineBackground", "Lane"]

T = TypeVar("T")
Lane = Literal["io", "project"]
"""``project`` is one thread: an SQLite connection belongs to the thread that opened it."""


class Background(Protocol):
    """Runs work in threads and calls back on the main thread. No Qt in this protocol: tests use `InlineBackground`."""

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
        *,
        lane: Lane = "io",
    ) -> None:
        """Call ``work()`` in a thread, then ``done(result)`` or ``failed(error)`` on the main thread.

        Parameters
        ----------
        work
            Touches no layer and no widget.
        done, failed
            None: nothing is called; an error without ``failed`` is shown to the user.
        lane
            Work of one lane begins in the order in which it was handed in; ``project`` has a single thread.
        """
        ...

    def post(self, call: Callable[[], Any]) -> None:
        """From any thread: have ``call()`` run on the main thread soon, in order."""
        ...

    def later(self, milliseconds: int, call: Callable[[], Any]) -> Callable[[], None]:
        """On the main thread: call after a while, unless the returned function is called first."""
        ...

    def close(self) -> None:
        """Wait for what is running, drop what waits; nothing is called back afterwards."""
        ...


class InlineBackground:
    """Does everything at once in the calling thread; timers wait for `flush`. For scripts and tests."""

    def __init__(self) -> None:
        self._timers: list[Callable[[], Any]] = []

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
        *,
        lane: Lane = "io",
    ) -> None:
        """See `Background.run`; without ``failed`` the error is raised."""
        try:
            result = work()
        except Exception as error:
            if failed is None:
                raise
            failed(error)
            return
        if done is not None:
            done(result)

    def post(self, call: Callable[[], Any]) -> None:
        """See `Background.post`."""
        call()

    def later(self, milliseconds: int, call: Callable[[], Any]) -> Callable[[], None]:
        """See `Background.later`."""
        self._timers.append(call)

        def cancel() -> None:
            if call in self._timers:
                self._timers.remove(call)

        return cancel

    def flush(self) -> None:
        """Call what waits, and what that makes wait."""
        while self._timers:
            self._timers.pop(0)()

    def flush_once(self) -> None:
        """Call what waits now; what that makes wait goes on waiting."""
        waiting, self._timers = self._timers, []
        for call in waiting:
            call()

    def close(self) -> None:
        """See `Background.close`."""
        self._timers.clear()
