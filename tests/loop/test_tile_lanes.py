"""Several tiles at a time in every stage, as beside a GPU: the same results, in order, and no queue that grows."""

import threading
import time

import numpy as np
import pytest
from drawn_slides import DrawnEngine
from recorded_runs import planned

from pathloop.core import TileDone
from pathloop.predict import TileFolder, segment_tiles, tile_grid
from pathloop.predict import _pipeline as pipeline
from pathloop.predict._lanes import Lanes, lanes_of

MANY = Lanes(readers=3, networks=2, posters=4)


@pytest.fixture
def many_lanes(monkeypatch):
    monkeypatch.setattr(pipeline, "lanes_of", lambda device: MANY)


def recorded(tiles):
    found = {}
    for path in sorted(tiles.folder.glob("tile_*.npz")):
        with np.load(path) as packed:
            found[path.name] = {name: packed[name].tobytes() for name in packed.files}
    return found


def place(tile):
    return tile.row, tile.col


def test_the_cpu_does_one_at_a_time_and_a_gpu_is_kept_busy():
    assert lanes_of("cpu") == Lanes(1, 1, 1)
    assert lanes_of("cuda").networks == 2
    assert lanes_of("mps").networks == 1
    assert min(lanes_of("mps").readers, lanes_of("mps").posters) >= 1


def test_results_and_order_are_those_of_one_at_a_time(slide, model, tmp_path, monkeypatch):
    with planned(slide, model, tmp_path / "one") as (job, tiles, engine):
        list(segment_tiles(job, engine, tiles))
        wanted = recorded(tiles)
    monkeypatch.setattr(pipeline, "lanes_of", lambda device: MANY)
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


def test_one_tile_is_written_at_a_time_and_queues_stay_short(slide, model, tmp_path, many_lanes, monkeypatch):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        writing, picked, most, done = [], [], [0], []
        save = TileFolder.save

        def slow(folder, row, col, finished):
            writing.append((row, col))
            assert len(writing) == 1
            time.sleep(0.02)
            save(folder, row, col, finished)

        def first(todo):
            picked.append(todo[0])
            most[0] = max(most[0], len(picked) - len(done))
            return todo[0]

        def after(tile):
            assert writing == [place(tile)]
            done.append(tile)
            writing.clear()

        monkeypatch.setattr(TileFolder, "save", slow)
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
