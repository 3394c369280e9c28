"""The network's maps of regions, made in a thread of their own while runs go on, rest or are assembled."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from pathloop.core import Event, MapsBlock, MapsDone, Rect, RunCancelled, UsageError
from pathloop.loop import plan_maps, write_maps_block
from pathloop.networks import find_model, read_card
from pathloop.predict import region_blocks, region_maps
from pathloop.slides import open_slide
from pathloop.worker._engines import Engines
from pathloop.worker._failures import failure
from pathloop.worker._requests import Maps, rect

__all__ = ["MapsDesk"]


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A request that waits or is under way."""

    request: Maps
    is_stopped: threading.Event = field(default_factory=threading.Event)


class MapsDesk:
    """Makes maps for the newest request; the tiles of a run wait for it. `work` in one thread, the rest in others.

    Parameters
    ----------
    engines
        Where engines come from.
    tell
        Called with the job's number and what happened.
    """

    def __init__(self, engines: Engines, tell: Callable[[int, Event], None]) -> None:
        self._engines, self._tell = engines, tell
        self._asking = threading.Lock()
        self._wanted: list[Wanted] = []
        self._queue: queue.SimpleQueue[Wanted] = queue.SimpleQueue()

    def ask(self, request: Maps) -> None:
        """Make these next, in place of those that were asked for before."""
        wanted = Wanted(request)
        # now already, so that no tile begins before the slide is open
        self._engines.turns.hasten()
        with self._asking:
            for other in self._wanted:
                other.is_stopped.set()
            self._wanted.append(wanted)
        self._queue.put(wanted)

    def cancel(self, job: int) -> None:
        """End a request after the block in work."""
        with self._asking:
            for wanted in self._wanted:
                if wanted.request.job == job:
                    wanted.is_stopped.set()

    def work(self) -> NoReturn:
        """Do one request after the other, for ever."""
        while True:
            wanted = self._queue.get()
            job = wanted.request.job
            try:
                with contextlib.closing(_events(wanted, self._engines)) as events:
                    for event in events:
                        self._tell(job, event)
            except Exception as error:  # noqa: BLE001 - a request that fails must not end the thread
                # what is not wanted any more may well have lost its folder
                self._tell(job, RunCancelled() if wanted.is_stopped.is_set() else failure(error))
            finally:
                with self._asking:
                    self._wanted.remove(wanted)
                self._engines.turns.calm()


def _events(wanted: Wanted, engines: Engines) -> Generator[Event]:
    """Make the maps of a request.

    Yields
    ------
    Event
        `MapsBlock` for every file; the last one is `MapsDone` or `RunCancelled`.

    Raises
    ------
    PathloopError
        If the slide, the model or an option is wrong; the message says which.
    """
    request = wanted.request
    if wanted.is_stopped.is_set():
        yield RunCancelled()
        return
    _check(request.folder)
    folder = find_model(request.model)
    card, choice = read_card(folder), engines.choose(request.device)
    with open_slide(request.slide, um_per_px=request.um_per_px) as slide:
        job = plan_maps(slide, card, Rect(*request.rect), request.tasks, choice)
        engine = engines.load_covering(folder, card, job.tasks, choice)
        blocks = region_blocks(job, rect(request.first))
        with contextlib.closing(region_maps(job, engine, blocks)) as found:
            for number, block in enumerate(found):
                if wanted.is_stopped.is_set():
                    yield RunCancelled()
                    return
                _check(request.folder)
                path = request.folder / f"maps_{number}.npz"
                yield MapsBlock(path, write_maps_block(path, job, block), number + 1, len(blocks))
    yield MapsDone()


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; make it first, and keep it until the maps are done")
