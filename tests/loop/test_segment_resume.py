"""Stopping a job anywhere, and going on."""

import threading

import pytest
from drawn_slides import (
    DrawnEngine,
    drawn_request,
    run,
)
from project_views import assert_equals_whole, assert_same_objects

from pathloop.core import DataError, JobFinished, ModelError, TileDone
from pathloop.loop import segment
from pathloop.store import Project

pytestmark = pytest.mark.slow


def test_closing_stops_and_the_next_call_goes_on(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    DrawnEngine.tiles_run = 0
    events = segment(drawn_request(slide, path, model))
    seen = [next(events) for _ in range(4)]
    assert isinstance(seen[-1], TileDone)
    events.close()
    ran = DrawnEngine.tiles_run
    resumed = run(drawn_request(slide, path, model))
    assert resumed[0].n_done == ran
    assert ran >= 3
    assert resumed[0].n_tiles == DrawnEngine.tiles_run
    assert_same_objects(path, segmented[0])


def test_stopping_at_any_event_changes_nothing_in_the_end(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    total = len(segmented[1])
    # each call comes a little further: also between the commits of two tasks and while one is written
    for stop in range(1, total):
        events = segment(drawn_request(slide, path, model))
        last = None
        for _ in range(stop):
            last = next(events, None)
        events.close()
        if isinstance(last, JobFinished):
            break
    run(drawn_request(slide, path, model))
    assert_same_objects(path, segmented[0])
    assert not list((path / "runs").iterdir())


@pytest.mark.parametrize(
    "stage", ["writing nuclei", "joining gland", "writing gland", "joining lumen", "writing lumen"]
)
def test_stopping_at_a_stage_keeps_ids(segmented, slide, model, tmp_path, stage):
    path = tmp_path / "p"
    events = segment(drawn_request(slide, path, model))
    while getattr(next(events), "stage", None) != stage:
        pass
    events.close()
    n = DrawnEngine.tiles_run
    run(drawn_request(slide, path, model))
    assert n == DrawnEngine.tiles_run
    assert_same_objects(path, segmented[0])


def test_a_failing_engine_leaves_what_is_done(segmented, slide, model, tmp_path, monkeypatch):
    path = tmp_path / "p"
    healthy, calls = DrawnEngine.run, []

    def fails_at_the_third(engine, pixels):
        calls.append(pixels)
        if len(calls) == 3:
            raise ModelError("the accelerator is gone")
        return healthy(engine, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(DrawnEngine, "run", fails_at_the_third)
        with pytest.raises(ModelError, match="gone"):
            run(drawn_request(slide, path, model))
    assert run(drawn_request(slide, path, model))[0].n_done == 2
    assert_same_objects(path, segmented[0])
    # reading ahead and post-processing have ended
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("read", "post"))]


def test_a_new_project_without_a_single_tile_is_removed_again(slide, model, tmp_path, monkeypatch):
    def fails(engine, pixels):
        raise ModelError("no memory")

    monkeypatch.setattr(DrawnEngine, "run", fails)
    with pytest.raises(ModelError):
        run(drawn_request(slide, tmp_path / "p", model))
    assert not list(tmp_path.iterdir())
    Project.create(tmp_path / "old").close()
    with pytest.raises(ModelError):
        run(drawn_request(slide, tmp_path / "old", model))
    assert (tmp_path / "old").is_dir()


def test_a_damaged_tile_names_itself(slide, model, tmp_path):
    path = tmp_path / "p"
    events = segment(drawn_request(slide, path, model))
    for _ in range(4):
        next(events)
    events.close()
    tile = next((path / "runs").rglob("tile_0_0.npz"))
    whole = tile.read_bytes()
    for bad in (b"", whole[: len(whole) // 2], whole[:-200] + bytes(200), whole.replace(b"PK", b"XX")):
        tile.write_bytes(bad)
        with pytest.raises(DataError, match=r"tile_0_0\.npz: damaged tile .* delete it"):
            run(drawn_request(slide, path, model))
    tile.unlink()
    run(drawn_request(slide, path, model))
    assert_equals_whole(path, slide)
