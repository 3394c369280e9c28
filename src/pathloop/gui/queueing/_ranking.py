"""Ranking beside the window: quick strategies in a thread, those that need the network in a process of their own."""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import psutil

from pathloop.core import DataError, Event, Failed, JobFinished, Message, PathloopError, StageProgress, events_from_json
from pathloop.gui._background import Background
from pathloop.gui._opened import OpenedSlide
from pathloop.gui.queueing._rank_process import request_line, request_of
from pathloop.gui.running import duration
from pathloop.loop.queue import STRATEGIES, rank, region_from_values
from pathloop.store import Region

__all__ = ["STRATEGY_WORDS", "RankCommand", "Ranker", "RankerListener", "strategies"]

STRATEGY_WORDS = {
    "difficulty": (
        "By difficulty",
        "By what segmenting left behind: where the model is unsure, faint objects, classes that are a toss-up, lumina"
        " outside glands. Takes seconds",
    ),
    "thorough": (
        "By difficulty, thorough",
        "The same; then the network looks at the most difficult regions again, mirrored, and regions that look alike"
        " are spread out. Runs beside this window; on a CPU 10 to 15 s a region",
    ),
    "entropy": ("By uncertainty alone", "By the uncertainty map alone"),
    "random": ("By lot", "Drawn by lot, to compare with"),
}
"""By strategy: what it is called, and what it does."""

IN_PROCESS = frozenset({"thorough"})
"""Strategies that run the network: it is never loaded into the window's process."""

MODULE = "pathloop.gui.queueing._rank_process"
NICENESS = 10
KEPT_CHARACTERS = 500


def strategies() -> dict[str, tuple[str, str]]:
    """All strategies: what they are called, and what they do."""
    return {name: STRATEGY_WORDS.get(name, (name, name)) for name in STRATEGIES.names()}


@dataclass(frozen=True, slots=True)
class RankCommand:
    """What to rank.

    Parameters
    ----------
    opened
        A slide that a project knows.
    strategy, count, device
        As in `pathloop.loop.queue.RankRequest`.
    """

    opened: OpenedSlide
    strategy: str
    count: int
    device: str = "auto"

    @property
    def line(self) -> str:
        """For the process."""
        assert self.opened.project_path is not None
        assert self.opened.slide_id is not None
        return request_line(self.opened.project_path, self.opened.slide_id, self.strategy, self.count, self.device)


@dataclass(frozen=True, slots=True)
class RankerListener:
    """What a `Ranker` calls, on the main thread.

    Parameters
    ----------
    progressed
        ``progressed(share or None, text)``.
    done
        ``done(command, queue, notes)``: the queue by rank, nothing is stored yet; and what the user should know.
    failed
        ``failed(text)``.
    """

    progressed: Callable[[float | None, str], Any]
    done: Callable[[RankCommand, list[Region], list[Message]], Any]
    failed: Callable[[str], Any]


class Ranker:
    """Runs one ranking at a time. Main thread only.

    Parameters
    ----------
    background
        Runs quick strategies, and brings news to the main thread.
    listener
        Told how it goes.
    """

    def __init__(self, background: Background, listener: RankerListener) -> None:
        self._background, self._listener = background, listener
        self._job: _Job | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being ranked."""
        return self._job is not None

    def start(self, command: RankCommand) -> None:
        """Begin; nothing happens while another one goes on."""
        if self._job is not None:
            return
        job = self._job = _Job(command)
        self._listener.progressed(None, "Ranking")
        if command.strategy in IN_PROCESS:
            threading.Thread(target=self._listen, args=(job,), name="pathloop-rank", daemon=True).start()
            return
        self._background.run(
            lambda: self._follow(job, rank(request_of(command.line))),
            lambda _: None,
            lambda error: self._end(job, lambda: self._listener.failed(str(error))),
        )

    def cancel(self) -> None:
        """Stop; nothing comes of it."""
        job, self._job = self._job, None
        if job is not None:
            job.stop()

    # in a thread

    def _follow(self, job: "_Job", events: Generator[Event]) -> None:
        """Hear events until they end or the job is cancelled."""
        with contextlib.closing(events):
            for event in events:
                if job.is_cancelled.is_set():
                    return
                self._background.post(partial(self._hear, job, event))

    def _listen(self, job: "_Job") -> None:
        try:
            self._follow(job, job.events())
            problem = job.problem()
        except (OSError, PathloopError) as error:
            problem = str(error)
        if problem and not job.is_cancelled.is_set():
            self._background.post(lambda: self._end(job, lambda: self._listener.failed(problem)))

    # on the main thread

    def _hear(self, job: "_Job", event: Event) -> None:
        if job is not self._job:
            return
        if isinstance(event, Message):
            job.notes.append(event)
        elif isinstance(event, StageProgress):
            self._listener.progressed(event.done / max(event.total, 1), job.progress_text(event))
        elif isinstance(event, Failed):
            self._end(job, lambda: self._listener.failed(event.message))
        elif isinstance(event, JobFinished):
            queue = [region_from_values(values) for values in event.summary["regions"]]
            self._end(job, lambda: self._listener.done(job.command, queue, job.notes))

    def _end(self, job: "_Job", tell: Callable[[], Any]) -> None:
        if job is self._job:
            self._job = None
            tell()


class _Job:
    """One ranking under way."""

    def __init__(self, command: RankCommand) -> None:
        self.command = command
        self.notes: list[Message] = []
        self.is_cancelled = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = ""
        self._has_ended = False
        self._stage, self._began = "", 0.0

    def events(self) -> Generator[Event]:
        """Start the process and yield what it tells; closing ends it."""
        with tempfile.TemporaryFile() as errors:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, self.command.line],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            _lower_priority(process.pid)
            assert process.stdout is not None
            try:
                with process.stdout as lines:
                    for line in lines:
                        with contextlib.suppress(DataError):  # libraries print too
                            event = events_from_json(line)
                            self._has_ended |= isinstance(event, JobFinished | Failed)
                            yield event
                process.wait()
            finally:
                process.kill()  # does nothing to one that has ended
                process.wait()
            self._said = _tail(errors)

    def problem(self) -> str:
        """Why the process ended without a result; "" if it did not."""
        if self._has_ended or self._process is None:
            return ""
        code = self._process.returncode
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"ranking ended unexpectedly ({how}). {self._said}".strip()

    def stop(self) -> None:
        """End it."""
        self.is_cancelled.set()
        if self._process is not None:
            self._process.kill()

    def progress_text(self, event: StageProgress) -> str:
        """How far it is, and how long it takes."""
        if event.stage != self._stage:
            self._stage, self._began = event.stage, time.monotonic()
        words = f"{event.stage.capitalize()}: {event.done:,} of {event.total:,}"
        seconds = time.monotonic() - self._began
        if event.done > 1 and event.done < event.total and seconds > 1:
            words += f", {duration(seconds / (event.done - 1) * (event.total - event.done))} left"
        return words


def _lower_priority(pid: int) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS)


def _tail(stream: IO[bytes]) -> str:
    stream.seek(0)
    lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1][-KEPT_CHARACTERS:] if lines else ""
