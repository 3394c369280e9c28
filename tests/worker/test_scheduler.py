"""Which tile comes next, by view, and how a run rests."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect, RunIdle, RunPaused, RunResumed, TileGrid
from pathloop.worker._scheduler import Scheduler, next_tile

TILES = list(TileGrid(Rect(0, 0, 1000, 1500), 256))
VIEWS = st.builds(Rect, st.integers(-500, 1500), st.integers(-500, 1500), st.integers(0, 900), st.integers(0, 900))


def order(scheduler, tiles=TILES):
    todo, found = list(tiles), []
    while tile := scheduler.pick(todo):
        todo.remove(tile)
        found.append((tile.row, tile.col))
    return found


@given(VIEWS)
def test_what_is_in_view_comes_first_and_the_rest_by_distance(view):
    wanted = order(Scheduler(view=view))
    assert sorted(wanted) == [(tile.row, tile.col) for tile in TILES]
    by_place = {(tile.row, tile.col): tile.core for tile in TILES}
    away = [by_place[place].intersect(view).area == 0 for place in wanted]
    assert away == sorted(away)
    live = order(Scheduler(view=view, live=True))
    assert live == wanted[: away.count(False)]


def test_without_a_view_tiles_come_row_by_row():
    assert order(Scheduler()) == [(tile.row, tile.col) for tile in TILES]
    assert order(Scheduler(live=True)) == []
    assert next_tile([], None, live=False) is next_tile([], Rect(0, 0, 9, 9), live=False) is None


def test_the_view_is_in_level_0_pixels():
    scheduler = Scheduler(live=True, view=Rect(1, 1, 510, 510))
    scheduler.model_px = 0.5, 0.5
    assert order(scheduler) == [(0, 0)]
    scheduler.look(Rect(511, 0, 2, 512))  # one model pixel of each
    assert order(scheduler) == [(0, 0), (1, 0)]
    scheduler.model_px = 0.5, 2.0
    assert sorted(order(scheduler)) == [(row, col) for row in (0, 1) for col in range(4)]


def test_the_newest_view_counts():
    scheduler = Scheduler(view=Rect(0, 0, 100, 100))
    assert order(scheduler)[0] == (0, 0)
    scheduler.look(Rect(900, 1400, 50, 50))
    assert order(scheduler)[0] == (3, 5)
    scheduler.look(None)
    assert order(scheduler)[:2] == [(0, 0), (0, 1)]


def test_a_run_that_is_paused_or_cancelled_gets_no_tile():
    scheduler = Scheduler()
    scheduler.pause()
    assert scheduler.pick(TILES) is None
    scheduler.resume()
    assert scheduler.pick(TILES) is TILES[0]
    scheduler.cancel()
    assert scheduler.is_cancelled()
    assert scheduler.pick(TILES) is None
    assert list(scheduler.rest(TILES)) == []


class Resting:
    """A run that rests in a thread of its own."""

    def __init__(self, scheduler, todo=TILES):
        self._told = threading.Condition()
        self.events = []
        self.thread = threading.Thread(target=self._run, args=(scheduler, todo), daemon=True)
        self.thread.start()

    def _run(self, scheduler, todo):
        for event in scheduler.rest(todo):
            with self._told:
                self.events.append(event)
                self._told.notify()

    def expect(self, *events):
        with self._told:
            assert self._told.wait_for(lambda: self.events == list(events), 5), self.events

    def expect_end(self, *events):
        self.thread.join(5)
        assert not self.thread.is_alive()
        assert self.events == list(events)


def test_a_pause_is_said_once():
    scheduler = Scheduler()
    scheduler.pause()
    resting = Resting(scheduler)
    resting.expect(RunPaused())
    scheduler.look(Rect(0, 0, 5, 5))
    scheduler.pause()
    scheduler.resume()
    resting.expect_end(RunPaused(), RunResumed())


def test_a_live_run_is_idle_until_something_is_in_view():
    scheduler = Scheduler(live=True)
    resting = Resting(scheduler)
    resting.expect(RunIdle())
    scheduler.look(Rect(5000, 5000, 9, 9))
    scheduler.pause()
    resting.expect(RunIdle(), RunPaused())
    scheduler.look(Rect(0, 0, 9, 9))
    scheduler.resume()
    resting.expect_end(RunIdle(), RunPaused(), RunResumed())
    assert scheduler.pick(TILES) is TILES[0]


def test_a_rest_ends_with_a_cancellation():
    scheduler = Scheduler()
    scheduler.pause()
    resting = Resting(scheduler, None)
    resting.expect(RunPaused())
    scheduler.cancel()
    resting.expect_end(RunPaused())


@pytest.mark.parametrize("todo", [None, TILES])
def test_a_run_that_has_something_to_do_does_not_rest(todo):
    scheduler = Scheduler()
    assert list(scheduler.rest(todo)) == []
    scheduler.pause()
    scheduler.resume()
    assert list(scheduler.rest(todo)) == [RunResumed()]
    assert list(scheduler.resumed()) == []
