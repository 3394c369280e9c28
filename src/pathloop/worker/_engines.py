"""Engines that stay loaded from one request to the next."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pathloop.core import WorkerPrepared
from pathloop.loop import DEFAULT_TILE_PX, choose_tasks, core_size
from pathloop.networks import ModelCard, find_model, read_card
from pathloop.predict import Engine, EngineChoice, choose_engine, load_engine
from pathloop.worker._requests import Prepare

__all__ = ["Engines"]

KEPT = 2
BLANK = 240
"""Grey value of the glass that an engine is warmed with."""


class Engines:
    """The last engines that were used, and what was chosen for each device."""

    def __init__(self) -> None:
        self._choices: dict[str, EngineChoice] = {}
        self._engines: dict[tuple[object, ...], Engine] = {}
        self._paces: dict[tuple[object, ...], float] = {}

    def choose(self, device: str) -> EngineChoice:
        """As `choose_engine`, which asks the drivers only once."""
        if device not in self._choices:
            self._choices[device] = choose_engine(device)
        return self._choices[device]

    def load(self, folder: Path, card: ModelCard, tasks: tuple[str, ...], choice: EngineChoice) -> Engine:
        """The engine, loaded now if it is not one of the last."""
        key = _key(folder, card, tasks, choice)
        engine = self._engines.pop(key, None)
        if engine is None:
            while len(self._engines) >= KEPT:
                del self._engines[next(iter(self._engines))]
            engine = load_engine(folder, tasks, choice)
        self._engines[key] = engine
        return engine

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
        engine = self.load(folder, card, tasks, choice)
        key = _key(folder, card, tasks, choice)
        core_px = core_size(DEFAULT_TILE_PX, card)
        cell = card.architecture.cell_px
        side = core_px + 2 * (-(-card.margin_px // cell) * cell)
        pixels = np.full((side, side, 3), BLANK, np.uint8)
        # the first tile of a size is slower: memory is laid out for it
        for _ in range(2):
            if key in self._paces or hurry():
                break
            started = time.perf_counter()
            engine.run(pixels)
            seconds = time.perf_counter() - started
        else:
            self._paces[key] = seconds / (core_px * card.um_per_px / 1000) ** 2
        yield WorkerPrepared(choice.summary, choice.reason, self._paces.get(key))


def _key(folder: Path, card: ModelCard, tasks: tuple[str, ...], choice: EngineChoice) -> tuple[object, ...]:
    return str(folder.resolve()), card.checksum, tasks, choice
