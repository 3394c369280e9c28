"""The long-lived worker process from the side of a window: requests go in, events come out, its death is noticed."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pathloop.core import DataError, Event, PathloopError, Rect, events_from_json
from pathloop.loop._job_requests import MapsRequest, SegmentJobRequest
from pathloop.networks import DEFAULT_MODEL

__all__ = ["WorkerClient"]

COMMAND = ("-m", "pathloop.worker", "segment", "--serve")
KEPT_LINES = 20
GRACE_S = 5.0

_log = logging.getLogger(__name__)


class WorkerClient:
    """Starts the worker process, sends it requests, and hears what it says.

    Parameters
    ----------
    on_event
        Called with the job's number (0 where there is none) and what happened: an `Event`, or the plain values of a
        kind that this version does not know.
    on_exit
        Called when the process ends though nobody ended it, with its exit code (negative: the signal) and what to tell
        the user. All events come before it.

    Notes
    -----
    Both are called in threads of the client. The methods may be called from any thread and do not wait, but `stop`.
    """

    def __init__(self, on_event: Callable[[int, Event | dict[str, Any]], None], on_exit: Callable[[int, str], None]):
        self._on_event, self._on_exit = on_event, on_exit
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._last_job = 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        worker = self._worker
        return worker is not None and worker.process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process, or None."""
        worker = self._worker
        return worker.process.pid if worker is not None and self.is_running else None

    def start(self) -> None:
        """Start the process if it is not running; `prepare` and `segment` do so too.

        Raises
        ------
        PathloopError
            If the system refuses.
        """
        with self._lock:
            if not self.is_running:
                self._worker = _Worker(self._on_event, self._on_exit)

    def prepare(self, *, model: str = DEFAULT_MODEL, device: str = "auto", tasks: Sequence[str] | None = None) -> int:
        """Have an engine loaded and warmed; `WorkerPrepared` says when. The number of the job."""
        return self._ask("prepare", model=model, device=device, tasks=None if tasks is None else list(tasks))

    def segment(self, request: SegmentJobRequest) -> int:
        """Have a slide segmented; a live run that is going on is cancelled for it. The number of the job."""
        return self._ask("segment", **_plain(request))

    def maps(self, request: MapsRequest) -> int:
        """Have the network's maps of a region made, before the next tile of a run. The number of the job.

        `MapsBlock` tells of each file (`read_maps_block`), `MapsDone` ends it. A newer request takes the place of one
        that waits or is under way, which ends with `RunCancelled`, as one that is told to `cancel` does.
        """
        return self._ask("maps", **_plain(request))

    def look(self, view: Rect | None) -> None:
        """Tell where the view is now, level-0 pixels: the next tile is the nearest."""
        self._send({"do": "look", "view": _box(view)})

    def pause(self, job: int) -> None:
        """Have a run rest after the tile in work."""
        self._send({"do": "pause", "job": job})

    def resume(self, job: int) -> None:
        """Have a run go on."""
        self._send({"do": "resume", "job": job})

    def cancel(self, job: int) -> None:
        """Have a run end after the tile in work; finished tiles are kept."""
        self._send({"do": "cancel", "job": job})

    def gentle(self, *, on: bool) -> None:
        """Keep the process to one core, or no longer."""
        self._send({"do": "gentle", "on": on})

    def stop(self, timeout: float = 1.0) -> None:
        """End the process, by force if it takes longer than ``timeout`` seconds; nothing is called back for it."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(timeout)

    def kill(self) -> None:
        """End the process by force; nothing is called back for it."""
        self.stop(0.0)

    def _ask(self, do: str, **values: Any) -> int:
        self.start()
        with self._lock:
            self._last_job += 1
            job = self._last_job
        self._send({"do": do, "job": job, **values})
        return job

    def _send(self, request: dict[str, Any]) -> None:
        worker = self._worker
        if worker is not None:
            worker.send(request)


class _Worker:
    """One process and the threads that listen to it."""

    def __init__(
        self, on_event: Callable[[int, Event | dict[str, Any]], None], on_exit: Callable[[int, str], None]
    ) -> None:
        self._on_event, self._on_exit = on_event, on_exit
        self._is_expected = False
        self._writing = threading.Lock()
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        try:
            self.process = subprocess.Popen(
                [sys.executable, *COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                # Ctrl-C in the window's terminal reaches its own session only
                start_new_session=True,
            )
        except OSError as error:
            raise PathloopError(f"{sys.executable}: cannot start the segmentation process ({error})") from error
        self._errors = threading.Thread(target=self._read_errors, name="worker-errors", daemon=True)
        self._events = threading.Thread(target=self._read_events, name="worker-events", daemon=True)
        self._errors.start()
        self._events.start()

    def send(self, request: dict[str, Any]) -> None:
        """Write a line; if the process is gone, the thread that reads its events says so."""
        assert self.process.stdin is not None
        line = json.dumps(request) + "\n"
        # ValueError: closed
        with self._writing, contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()

    def end(self, timeout: float) -> None:
        """Ask, wait, kill."""
        self._is_expected = True
        if timeout > 0:
            self.send({"do": "quit"})
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in (self._events, self._errors):
            # a callback may end the process that calls it
            if thread is not threading.current_thread():
                thread.join(GRACE_S)

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if not self._is_expected:
                    self._tell(line)
        try:
            code = self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        assert self.process.stdin is not None
        with self._writing, contextlib.suppress(OSError):
            self.process.stdin.close()
        self._errors.join(GRACE_S)
        if not self._is_expected:
            self._call(self._on_exit, code, _farewell(code, list(self._last_lines)))

    def _tell(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            job = int(values.get("job", 0))
        except (ValueError, AttributeError):
            _log.warning("not an event: %r", line)
            return
        event: Event | dict[str, Any]
        try:
            event = events_from_json(line)
        except DataError:
            event = values
        self._call(self._on_event, job, event)

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001
            # this thread must go on reading, or the worker would wait for ever
            _log.exception("the worker's news were not taken in")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._last_lines.append(line.decode(errors="replace").rstrip())


def _plain(request: SegmentJobRequest | MapsRequest) -> dict[str, Any]:
    """A request's values as JSON has them, paths from the root."""
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    boxes = {name: _box(value) for name, value in values.items() if isinstance(value, Rect)}
    return values | boxes | {name: str(value.absolute()) for name, value in values.items() if isinstance(value, Path)}


def _box(rect: Rect | None) -> list[int] | None:
    return None if rect is None else [rect.y, rect.x, rect.height, rect.width]


def _farewell(code: int, last_lines: Sequence[str]) -> str:
    """What to tell the user of a process that ended by itself."""
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    if code == -9:
        how += ", perhaps for lack of memory"
    text = f"The segmentation process ended unexpectedly ({how}). Finished tiles are kept: press Resume to go on."
    return "\n".join([text, "It said last:", *last_lines]) if last_lines else text
