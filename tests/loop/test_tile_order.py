"""Tiles in an order that somebody else chooses, and word of each one."""

import threading

import pytest
from drawn_slides import DrawnEngine
from recorded_runs import planned

from pathloop.core import RunStarted, TileDone
from pathloop.predict import segment_tiles, tile_grid


def place(tile):
    return tile.row, tile.col


def test_tiles_come_as_they_are_picked(slide, model, tmp_path):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        asked = []

        def last(todo):
            asked.append([place(tile) for tile in todo])
            return todo[-1]

        events = list(segment_tiles(job, engine, tiles, pick=last))
        grid = [place(tile) for tile in tile_grid(job)]
    assert isinstance(events[0], RunStarted)
    assert [(event.row, event.col) for event in events[1:]] == grid[::-1]
    assert [event.n_done for event in events[1:]] == list(range(1, len(grid) + 1))
    assert events[-1].eta_s == 0
    # asked once a tile, for what is left
    assert asked == [grid[:count] for count in range(len(grid), 0, -1)]


def test_one_tile_is_read_ahead(slide, model, tmp_path, monkeypatch):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        picked, ran, lead = [], [], []
        healthy = DrawnEngine.run

        def runs(engine, pixels):
            lead.append(len(picked) - len(ran))
            ran.append(pixels)
            return healthy(engine, pixels)

        def first(todo):
            picked.append(todo[0])
            return todo[0]

        monkeypatch.setattr(DrawnEngine, "run", runs)
        for _ in segment_tiles(job, engine, tiles, pick=first):
            pass
    # the tile in the network, and one more
    assert lead == [2] * (len(ran) - 1) + [1]


def test_nothing_wanted_ends_the_run_in_good_order(slide, model, tmp_path):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        left = [3]

        def some(todo):
            left[0] -= 1
            return todo[0] if left[0] >= 0 else None

        events = list(segment_tiles(job, engine, tiles, pick=some))
        assert len(events) == 4
        assert len(tiles.done()) == 3
        assert left == [-1]
        assert [type(event) for event in segment_tiles(job, engine, tiles, pick=lambda todo: None)] == [RunStarted]
        # without a wish the rest comes row by row
        rest = [event for event in segment_tiles(job, engine, tiles) if isinstance(event, TileDone)]
        grid = [place(tile) for tile in tile_grid(job)]
        assert [(event.row, event.col) for event in rest] == grid[3:]
        assert rest[0].n_done == 4


def test_a_recorded_tile_is_told_before_its_event(slide, model, tmp_path):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        told = []

        def after(tile):
            assert place(tile) in tiles.done()
            assert threading.current_thread() is not threading.main_thread()
            told.append(place(tile))

        for event in segment_tiles(job, engine, tiles, after=after):
            if isinstance(event, TileDone):
                assert (event.row, event.col) in told
        assert told == [place(tile) for tile in tile_grid(job)]


def test_what_goes_wrong_after_a_tile_ends_the_run(slide, model, tmp_path):
    def fails(tile):
        raise OSError("no space left")

    with planned(slide, model, tmp_path) as (job, tiles, engine):
        with pytest.raises(OSError, match="no space"):
            list(segment_tiles(job, engine, tiles, after=fails))
        assert tiles.done()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("read", "post"))]
