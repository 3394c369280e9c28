"""Who may use the network when."""

import threading
import time

import pytest

from pathloop.worker._turns import EngineInTurn, Turns

PATIENCE_S = 10


class Slow:
    """Notes who is in it, and refuses two at a time."""

    def __init__(self):
        self.order = []
        self.go_on = threading.Event()
        self._alone = threading.Lock()

    def run(self, name):
        assert self._alone.acquire(blocking=False), "two at a time"
        self.order.append(name)
        if name == "tile 1":
            assert self.go_on.wait(PATIENCE_S)
        time.sleep(0.01)
        self._alone.release()
        return name


class Asking(threading.Thread):
    def __init__(self, engine, *names):
        super().__init__(daemon=True)
        self._engine, self._names, self.found = engine, names, []
        self.start()

    def run(self):
        self.found = [self._engine.run(name) for name in self._names]

    def end(self):
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self.found


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_maps_go_first_at_the_next_tile_boundary_and_keep_the_turn():
    turns, slow = Turns(), Slow()
    tiles = Asking(EngineInTurn(slow, turns, is_hasty=False), "tile 1", "tile 2", "tile 3")
    until(lambda: slow.order == ["tile 1"])
    turns.hasten()
    assert turns.is_hasty
    maps = Asking(EngineInTurn(slow, turns, is_hasty=True), "maps 1", "maps 2")
    slow.go_on.set()
    assert maps.end() == ["maps 1", "maps 2"]
    # nothing else begins before it is said that it may, also while the maps are written
    time.sleep(0.05)
    assert slow.order == ["tile 1", "maps 1", "maps 2"]
    turns.hasten()
    turns.calm()
    assert turns.is_hasty
    turns.calm()
    assert not turns.is_hasty
    assert tiles.end() == ["tile 1", "tile 2", "tile 3"]
    assert slow.order == ["tile 1", "maps 1", "maps 2", "tile 2", "tile 3"]


def test_one_at_a_time():
    turns, slow = Turns(), Slow()
    engines = [EngineInTurn(slow, turns, is_hasty=is_hasty) for is_hasty in (False, True) * 3]
    asking = [Asking(engine, *(f"{number} {count}" for count in range(5))) for number, engine in enumerate(engines)]
    for one in asking:
        one.end()
    assert len(slow.order) == 30


def test_an_engine_that_fails_gives_its_turn_back():
    class Failing:
        def run(self, pixels):
            raise ValueError("no")

    turns, slow = Turns(), Slow()
    with pytest.raises(ValueError, match="no"):
        EngineInTurn(Failing(), turns, is_hasty=True).run("x")
    assert EngineInTurn(slow, turns, is_hasty=False).run("y") == "y"
