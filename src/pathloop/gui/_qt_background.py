"""Threads and timers behind `Background`, with Qt's event loop as the way back to the main thread."""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from qtpy.QtCore import QObject, Qt, QTimer, Signal, Slot

from pathloop.gui._background import Lane

__all__ = ["QtBackground"]

T = TypeVar("T")
IO_THREADS = 2

_log = logging.getLogger("pathloop.gui")


class _Courier(QObject):
    """Carries calls to the thread that made it: a queued signal is the one safe way between Qt's threads."""

    arrived = Signal(object)

    def __init__(self, deliver: Callable[[Callable[[], Any]], None]) -> None:
        super().__init__()
        self._deliver = deliver
        self.arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    @Slot(object)
    def _on_arrived(self, call: Callable[[], Any]) -> None:
        self._deliver(call)


class QtBackground:
    """See `pathloop.gui._background.Background`. Make it on the main thread.

    Parameters
    ----------
    on_error
        Told of every error that nobody else handles.
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._closed = False
        self._courier = _Courier(self._call)
        self._lanes: dict[Lane, ThreadPoolExecutor] = {
            "io": ThreadPoolExecutor(IO_THREADS, "pathloop-io"),
            "project": ThreadPoolExecutor(1, "pathloop-project"),
        }
        self._timers: set[QTimer] = set()
        self.durations_s: deque[float] = deque(maxlen=1000)
        """CPU time of the latest callbacks on the main thread, s."""

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
        *,
        lane: Lane = "io",
    ) -> None:
        """See `Background.run`."""
        if self._closed:
            return

        def job() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - whatever it was, the main thread hears of it
                report = failed or self._on_error
                problem = error  # the except clause unbinds its own name
                self.post(lambda: report(problem))
                return
            if done is not None:
                self.post(lambda: done(result))

        self._lanes[lane].submit(job)

    def post(self, call: Callable[[], Any]) -> None:
        """See `Background.post`."""
        if not self._closed:
            self._courier.arrived.emit(call)

    def later(self, milliseconds: int, call: Callable[[], Any]) -> Callable[[], None]:
        """See `Background.later`."""
        timer = QTimer()
        timer.setSingleShot(True)

        def fire() -> None:
            self._timers.discard(timer)
            self._call(call)

        def cancel() -> None:
            if timer in self._timers:  # else Qt may have deleted it
                timer.stop()
                self._timers.discard(timer)

        timer.timeout.connect(fire)
        self._timers.add(timer)
        timer.start(milliseconds)
        return cancel

    def close(self) -> None:
        """See `Background.close`."""
        self._closed = True
        for timer in self._timers:
            timer.stop()
        self._timers.clear()
        for name, lane in self._lanes.items():
            # what waits for the project closes it in the end
            lane.shutdown(wait=True, cancel_futures=name != "project")

    def _call(self, call: Callable[[], Any]) -> None:
        if self._closed:
            return
        began = time.thread_time()
        try:
            call()
        except Exception as error:  # noqa: BLE001 - napari must live on
            _log.exception("a callback failed")
            self._on_error(error)
        self.durations_s.append(time.thread_time() - began)
