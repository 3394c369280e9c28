"""The long-lived worker of a window: requests come as JSON lines while runs are under way, events go out."""

import contextlib
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn

from pathloop.core import Assembled, Event, Failed, RunCancelled, UsageError, WorkerPrepared
from pathloop.worker._engines import Engines
from pathloop.worker._failures import failure
from pathloop.worker._gentle import Gentle, lower_priority
from pathloop.worker._maps import MapsDesk
from pathloop.worker._requests import (
    Gentleness,
    Look,
    Maps,
    Order,
    Prepare,
    Request,
    SegmentRun,
    job_of,
    parse_request,
    rect,
)
from pathloop.worker._run import run_slide
from pathloop.worker._scheduler import Scheduler

__all__ = ["Server", "serve"]

LAST_EVENTS = Assembled, Failed, RunCancelled, WorkerPrepared


def serve() -> NoReturn:
    """Serve standard input until it closes, which ends the process at once: whoever asked is gone."""
    # Ctrl-C in the terminal of the window is not for this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    lower_priority()
    faulthandler.enable()
    requests, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # what libraries print must not come between the events
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    server = Server(events)
    threading.Thread(target=_listen, args=(server, requests), name="requests", daemon=True).start()
    threading.Thread(target=server.make_maps, name="maps", daemon=True).start()
    server.work()


def _listen(server: "Server", requests: BinaryIO) -> None:
    for line in requests:
        if not server.take(line):
            break
    server.leave()


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """A job that waits or is under way."""

    request: Prepare | SegmentRun
    scheduler: Scheduler = field(default_factory=Scheduler)

    @property
    def is_run(self) -> bool:
        """Whether it is a run over a slide."""
        return isinstance(self.request, SegmentRun)


class Server:
    """Takes requests in one thread and works on them in others: on maps in one of their own.

    Parameters
    ----------
    out
        Where events go.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._writing = threading.Lock()
        self._accepting = threading.Lock()
        self._accepted: list[Accepted] = []
        self._queue: queue.SimpleQueue[Accepted] = queue.SimpleQueue()
        self._engines = Engines()
        self._desk = MapsDesk(self._engines, self._emit)
        self._gentle = Gentle()

    def take(self, line: bytes) -> bool:
        """Act on a line at once, or have `work` do it.

        Returns
        -------
        bool
            Whether to go on.
        """
        if not line.strip():
            return True
        try:
            request = parse_request(line)
        except UsageError as error:
            self._emit(job_of(line), failure(error))
            return True
        return self._act(request)

    def _act(self, request: Request) -> bool:
        if isinstance(request, Prepare | SegmentRun):
            self._accept(request)
        elif isinstance(request, Maps):
            self._desk.ask(request)
        elif isinstance(request, Gentleness):
            self._gentle.set(on=request.on)
        elif isinstance(request, Look):
            for run in self._runs():
                run.scheduler.look(rect(request.view))
        elif isinstance(request, Order):
            self._order(request)
        else:
            return False
        return True

    def _order(self, order: Order) -> None:
        if order.do == "cancel":
            self._desk.cancel(order.job)
        for run in self._runs():
            if run.request.job == order.job:
                {"pause": run.scheduler.pause, "resume": run.scheduler.resume, "cancel": run.scheduler.cancel}[
                    order.do
                ]()

    def _runs(self) -> list[Accepted]:
        with self._accepting:
            return [one for one in self._accepted if one.is_run]

    def _accept(self, request: Prepare | SegmentRun) -> None:
        if isinstance(request, Prepare):
            accepted = Accepted(request)
        else:
            accepted = Accepted(request, Scheduler(live=request.live, view=rect(request.view)))
            for other in self._runs():
                if other.scheduler.is_cancelled():
                    continue
                if not other.scheduler.live:
                    self._emit(request.job, Failed("another run is going on; wait for it, or cancel it first", 1))
                    return
                other.scheduler.cancel()
        with self._accepting:
            self._accepted.append(accepted)
        self._queue.put(accepted)

    def make_maps(self) -> NoReturn:
        """Do one request for maps after the other, for ever; runs give way to it."""
        self._desk.work()

    def work(self) -> NoReturn:
        """Do one job after the other, for ever."""
        while True:
            accepted = self._queue.get()
            try:
                with contextlib.closing(self._events(accepted)) as events:
                    for event in events:
                        self._tell(accepted, event)
            except Exception as error:  # noqa: BLE001 - a job that fails must not end the process
                self._tell(accepted, failure(error))

    def _events(self, accepted: Accepted) -> Generator[Event]:
        request = accepted.request
        if isinstance(request, SegmentRun):
            yield from run_slide(request, self._engines, accepted.scheduler)
        else:
            yield from self._engines.prepare(request, lambda: not self._queue.empty())

    def _tell(self, accepted: Accepted, event: Event) -> None:
        if isinstance(event, LAST_EVENTS):
            # before the event is out: whoever hears it may ask for the next run at once
            with self._accepting:
                if accepted in self._accepted:
                    self._accepted.remove(accepted)
        self._emit(accepted.request.job, event)

    def _emit(self, job: int, event: Event) -> None:
        line = json.dumps({"job": job} | json.loads(event.to_json())) + "\n"
        with self._writing:
            try:
                self._out.write(line.encode())
                self._out.flush()
            except OSError:
                os._exit(1)  # nobody reads any more

    def leave(self) -> NoReturn:
        """End the process, also in the middle of a tile: what is finished is on disk."""
        # an event that is being written may be finished, if anyone still reads it
        self._writing.acquire(timeout=1)
        sys.stderr.flush()
        os._exit(0)
