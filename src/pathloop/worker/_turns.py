"""Whose turn it is in the network: two tiles at a time would only be in each other's way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pathloop.predict import Engine

__all__ = ["EngineInTurn", "Turns"]


class Turns:
    """One turn at a time. From any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_taken = False
        self._n_in_haste = 0

    @property
    def is_hasty(self) -> bool:
        """Whether there was a `hasten` whose `calm` is to come."""
        return self._n_in_haste > 0

    def hasten(self) -> None:
        """Let no turn begin that is not hasty, until `calm`."""
        with self._changed:
            self._n_in_haste += 1

    def calm(self) -> None:
        """The end of a `hasten`; they may be nested."""
        with self._changed:
            self._n_in_haste -= 1
            self._changed.notify_all()

    @contextmanager
    def turn(self, *, is_hasty: bool) -> Iterator[None]:
        """Wait for one's turn, and have it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken and (is_hasty or self._n_in_haste == 0))
            self._is_taken = True
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()


@dataclass(frozen=True, slots=True, eq=False)
class EngineInTurn:
    """An engine that several threads may use."""

    engine: Engine
    turns: Turns
    is_hasty: bool

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """See `Engine.run`."""
        with self.turns.turn(is_hasty=self.is_hasty):
            return self.engine.run(pixels)
