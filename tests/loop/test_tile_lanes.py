"""Several tiles at a time in every stage, as beside a GPU: the same results, in order, and no queue that grows."""

import os
import threading
import time

import numpy as np
import pytest
from drawn_slides import DrawnEngine
from recorded_runs import planned

from pathloop.core import TileDone
from pathloop.predict import EngineChoice, segment_tiles, tile_grid
from pathloop.predict import _pipeline as pipeline
from pathloop.predict._lanes import Lanes, lanes_of

MANY = Lanes(readers=3, networks=2, posters=4)


@pytest.fixture
def many_lanes(monkeypatch):
    monkeypatch.setattr(pipeline, "lanes_of", lambda choice, tile_px: MANY)


def recorded(tiles):
    found = {}
    for path in sorted(tiles.folder.glob("tile_*.npz")):
        with np.load(path) as packed:
            found[path.name] = {name: packed[name].tobytes() for name in packed.files}
    return found


def place(tile):
    return tile.row, tile.col


def test_the_cpu_does_one_at_a_time_and_a_gpu_is_kept_busy(monkeypatch):
    def lanes(engine, device, tile_px=1024):
        return lanes_of(EngineChoice(engine, device, "fp32", "asked for"), tile_px)

    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(16), raising=False)
    assert lanes("torch", "cpu") == lanes("openvino", "cpu") == Lanes(1, 1, 1)
    assert lanes("torch", "cuda") == Lanes(4, 2, 8)
    assert lanes("torch", "mps") == lanes("another", "cuda") == Lanes(4, 1, 8)
    assert lanes("torch", "cuda", 4096) == Lanes(1, 2, 2)
    assert lanes("torch", "cuda", 8192) == Lanes(1, 2, 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(1), raising=False)
    assert lanes("torch", "cuda") == Lanes(1, 2, 1)


def test_results_and_order_are_those_of_one_at_a_time(slide, model, tmp_path, monkeypatch):
    with planned(slide, model, tmp_path / "one") as (job, tiles, engine):
        list(segment_tiles(job, engine, tiles))
        wanted = recorded(tiles)
    monkeypatch.setattr(pipeline, "lanes_of", lambda choice, tile_px: MANY)
    with planned(slide, model, tmp_path / "many") as (job, tiles, engine):
        healthy = pipeline._finished_tile

        def uneven(job, tile, maps):
            time.sleep(0.05 if (tile.row + tile.col) % 2 else 0)
            return healthy(job, tile, maps)

        monkeypatch.setattr(pipeline, "_finished_tile", uneven)
        events = [event for event in segment_tiles(job, engine, tiles) if isinstance(event, TileDone)]
        assert [(event.row, event.col) for event in events] == [place(tile) for tile in tile_grid(job)]
        assert [event.n_done for event in events] == list(range(1, len(events) + 1))
        assert recorded(tiles) == wanted


def test_one_tile_is_told_of_at_a_time_and_queues_stay_short(slide, model, tmp_path, many_lanes):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        telling, picked, most, done = [], [], [0], []

        def first(todo):
            picked.append(todo[0])
            most[0] = max(most[0], len(picked) - len(done))
            return todo[0]

        def after(tile):
            assert place(tile) in tiles.done()
            telling.append(tile)
            assert telling == [tile]
            time.sleep(0.02)
            assert telling == [tile]
            telling.clear()
            done.append(tile)

        n_tiles = sum(
            isinstance(event, TileDone) for event in segment_tiles(job, engine, tiles, pick=first, after=after)
        )
        assert n_tiles == len(done) == len(tile_grid(job))
    assert most[0] <= (MANY.readers + 1) + MANY.networks + MANY.posters


def test_closed_midway_keeps_what_the_network_has_begun(slide, model, tmp_path, many_lanes, monkeypatch):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        begun, healthy = [], DrawnEngine.run

        def run(engine, pixels):
            begun.append(1)
            return healthy(engine, pixels)

        monkeypatch.setattr(DrawnEngine, "run", run)
        events = segment_tiles(job, engine, tiles)
        for event in events:
            if isinstance(event, TileDone):
                break
        events.close()
        assert 1 <= len(tiles.done()) == len(begun) < len(tile_grid(job))


def test_an_engine_that_fails_ends_the_run_with_its_error(slide, model, tmp_path, many_lanes, monkeypatch):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        begun, healthy = [], DrawnEngine.run

        def run(engine, pixels):
            begun.append(1)
            if len(begun) >= 3:
                raise MemoryError("none left")
            return healthy(engine, pixels)

        monkeypatch.setattr(DrawnEngine, "run", run)
        with pytest.raises(MemoryError, match="none left"):
            list(segment_tiles(job, engine, tiles))
        assert len(tiles.done()) == 2
    assert not [one.name for one in threading.enumerate() if one.name.startswith(("read", "network", "post"))]
