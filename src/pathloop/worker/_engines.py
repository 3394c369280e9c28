"""Engines that stay loaded from one request to the next."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pathloop.core import WorkerPrepared
from pathloop.loop import DEFAULT_TILE_PX, choose_tasks, core_size
from pathloop.networks import ModelCard, find_model, read_card
from pathloop.predict import Engine, EngineChoice, choose_engine, load_engine
from pathloop.worker._requests import Prepare
from pathloop.worker._turns import EngineInTurn, Turns

__all__ = ["Engines"]

KEPT = 2
BLANK = 240
"""Grey value of the glass that an engine is warmed with."""

Key = tuple[str, str, str]
Tasks = tuple[str, ...]


class Engines:
    """The last engines that were used, and what was chosen for each device. From any thread.

    Attributes
    ----------
    turns
        Whose turn it is in the network; the engines that are given out mind it.
    """

    def __init__(self) -> None:
        self.turns = Turns()
        self._lock = threading.RLock()
        self._choices: dict[str, EngineChoice] = {}
        self._engines: dict[tuple[Key, Tasks], Engine] = {}
        self._paces: dict[tuple[Key, Tasks], float] = {}

    def choose(self, device: str) -> EngineChoice:
        """As `choose_engine`, which asks the drivers only once."""
        with self._lock:
            if device not in self._choices:
                self._choices[device] = choose_engine(device)
            return self._choices[device]

    def load(self, folder: Path, card: ModelCard, tasks: Tasks, choice: EngineChoice) -> Engine:
        """The engine, loaded now if it is not one of the last. Its tiles wait while something hasty is going on."""
        return EngineInTurn(self._loaded(folder, card, tasks, choice), self.turns, is_hasty=False)

    def load_covering(self, folder: Path, card: ModelCard, tasks: Tasks, choice: EngineChoice) -> Engine:
        """An engine for something hasty: of the last ones that run these tasks the one that runs the fewest others.

        What it computes in vain costs less than loading another engine, which happens only where none fits.
        """
        with self._lock:
            own = _key(folder, card, choice)
            fitting = [kept for key, kept in self._engines if key == own and {*tasks} <= {*kept}]
            best = min(fitting, key=len, default=tasks)
            return EngineInTurn(self._loaded(folder, card, best, choice), self.turns, is_hasty=True)

    def prepare(self, request: Prepare, hurry: Callable[[], bool]) -> Iterator[WorkerPrepared]:
        """Load and warm an engine, and measure its pace on a blank tile.

        Parameters
        ----------
        request
            What for.
        hurry
            Whether something else waits to be done: then the pace is left unmeasured.
        """
        folder = find_model(request.model)
        card = read_card(folder)
        tasks, choice = choose_tasks(request.tasks, card), self.choose(request.device)
        engine = self._loaded(folder, card, tasks, choice)
        key = _key(folder, card, choice), tasks
        core_px = core_size(DEFAULT_TILE_PX, card)
        cell = card.architecture.cell_px
        side = core_px + 2 * (-(-card.margin_px // cell) * cell)
        pixels = np.full((side, side, 3), BLANK, np.uint8)
        # the first tile of a size is slower: memory is laid out for it
        for _ in range(2):
            if key in self._paces or hurry() or self.turns.is_hasty:
                break
            with self.turns.turn(is_hasty=False):
                started = time.perf_counter()
                engine.run(pixels)
                seconds = time.perf_counter() - started
        else:
            self._paces[key] = seconds / (core_px * card.um_per_px / 1000) ** 2
        yield WorkerPrepared(choice.summary, choice.reason, self._paces.get(key))

    def _loaded(self, folder: Path, card: ModelCard, tasks: Tasks, choice: EngineChoice) -> Engine:
        key = _key(folder, card, choice), tasks
        with self._lock:
            engine = self._engines.pop(key, None)
            if engine is None:
                while len(self._engines) >= KEPT:
                    del self._engines[next(iter(self._engines))]
                engine = load_engine(folder, tasks, choice)
            self._engines[key] = engine
            return engine


def _key(folder: Path, card: ModelCard, choice: EngineChoice) -> Key:
    """What is loaded, whatever the tasks, and whatever the reason for the choice."""
    return str(folder.resolve()), card.checksum, choice.summary
