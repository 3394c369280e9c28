"""Maps from the long-lived worker: a real process on the bundled slide."""

import shutil
import time

import numpy as np
import pytest
from conversations import conversation, make_project

from pathloop.core import (
    Assembled,
    Failed,
    MapsBlock,
    MapsDone,
    Rect,
    RunCancelled,
    RunIdle,
    RunPaused,
    RunResumed,
    RunStarted,
    TileDone,
    WorkerPrepared,
)
from pathloop.loop import MapsRequest, SegmentJobRequest, join_maps, plan_maps, read_maps_block
from pathloop.networks import find_model, read_card
from pathloop.predict import choose_engine, load_engine, region_blocks, region_maps
from pathloop.slides import open_slide
from pathloop.synth import sample_slide_path

pytestmark = pytest.mark.slow

SLIDE = sample_slide_path()
RECT = Rect(300, 260, 300, 270)
LARGE = Rect(0, 0, 1400, 1400)
"""More than one block."""
LAST = MapsDone, Failed, RunCancelled


@pytest.fixture(scope="module")
def talk():
    with conversation() as (client, heard):
        heard.last(client.prepare(device="cpu"), WorkerPrepared, Failed)
        yield client, heard


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "p"
    make_project(path, SLIDE)
    return path


def request(folder, rect=RECT, **changes):
    folder.mkdir(exist_ok=True)
    return MapsRequest(SLIDE, rect, folder, **{"device": "cpu"} | changes)


def run_request(project, **changes):
    values = {"region": Rect(300, 300, 700, 700), "device": "cpu", "tile_px": 512}
    return SegmentJobRequest(SLIDE, project, SLIDE.stem, **values | changes)


def order(heard, *jobs):
    """What these jobs told, in the order in which it came."""
    return [(told[0], type(told[1])) for told in heard.all if told[0] in jobs]


def test_the_maps_are_those_that_the_network_makes(talk, tmp_path):
    client, heard = talk
    job = client.maps(request(tmp_path / "maps", tasks=("nuclei", "lumen")))
    assert isinstance(heard.last(job, *LAST), MapsDone)
    (event,) = heard.of(job, MapsBlock)
    assert (event.rect, event.done, event.total) == (RECT, 1, 1)
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["maps_0.npz"]
    maps = read_maps_block(event.path)
    folder, choice = find_model("fast"), choose_engine("cpu")
    card = read_card(folder)
    assert (maps.model, maps.checksum) == (card.name, card.checksum)
    assert list(maps.tasks) == ["nuclei", "lumen"]
    # the process has all tasks loaded and uses that
    engine = load_engine(folder, card.labels.names, choice)
    with open_slide(SLIDE) as slide:
        plan = plan_maps(slide, card, RECT, ("nuclei", "lumen"), choice)
        (expected,) = region_maps(plan, engine, region_blocks(plan))
    for task, channels in maps.tasks.items():
        assert channels[0].max() > 100
        for found, same in zip(channels, expected.maps[task], strict=True):
            # another process may have the work cut differently for its threads
            assert np.abs(found.astype(int) - same).max() <= 1


def test_blocks_come_as_they_are_ready_the_wanted_one_first(talk, tmp_path):
    client, heard = talk
    first = Rect(900, 900, 200, 200)
    job = client.maps(request(tmp_path / "maps", LARGE, first=first, tasks=("gland", "tissue")))
    heard.last(job, MapsBlock, *LAST)
    assert isinstance(heard.last(job, *LAST), MapsDone)
    blocks = heard.of(job, MapsBlock)
    assert len(blocks) == blocks[0].total > 2
    assert [block.done for block in blocks] == [*range(1, len(blocks) + 1)]
    assert [block.path.name for block in blocks] == [f"maps_{number}.npz" for number in range(len(blocks))]
    assert blocks[0].rect.intersect(first) == first
    whole = join_maps([read_maps_block(block.path) for block in blocks])
    with open_slide(SLIDE) as slide:
        assert whole.rect == LARGE.intersect(Rect(0, 0, *slide.shape))
    assert sum(block.rect.area for block in blocks) == whole.rect.area
    assert whole.patches["tissue"].shape[1:] == tuple(-(-side // 128) for side in whole.area.shape)
    np.testing.assert_allclose(whole.patches["tissue"].sum(axis=0), 1, atol=1e-5)


def test_a_run_waits_for_maps_and_comes_to_its_end(talk, project, tmp_path):
    client, heard = talk
    run = client.segment(run_request(project))
    heard.wait_for_tiles(run, 1)
    job = client.maps(request(tmp_path / "maps"))
    assert isinstance(heard.last(job, *LAST), MapsDone)
    assert isinstance(heard.last(run, Assembled, Failed, RunCancelled), Assembled)
    assert sorted(heard.tiles(run)) == [(row, col) for row in (1, 2, 3) for col in (1, 2, 3)]
    told = order(heard, run, job)
    before = told[: told.index((job, MapsDone))]
    # of 9 tiles: those that were told, and at most one in work and one that was not told yet
    assert before.count((run, TileDone)) <= 4
    assert not {(run, RunPaused), (run, RunResumed)} & {*told}


def test_a_run_that_rests_does_not_hinder(talk, project, tmp_path):
    client, heard = talk
    run = client.segment(run_request(project))
    heard.wait_for_tiles(run, 1)
    client.pause(run)
    heard.last(run, RunPaused, Assembled)
    n_done = len(heard.tiles(run))
    job = client.maps(request(tmp_path / "maps"))
    assert isinstance(heard.last(job, *LAST), MapsDone)
    # pausing is for runs, and this one goes on resting
    client.pause(job)
    assert len(heard.tiles(run)) == n_done
    client.resume(run)
    heard.wait_for_tiles(run, n_done + 1)
    client.cancel(run)
    heard.last(run, RunCancelled, Assembled)
    live = client.segment(run_request(project, region=None, live=True))
    heard.last(live, RunIdle, Failed)
    job = client.maps(request(tmp_path / "more"))
    assert isinstance(heard.last(job, *LAST), MapsDone)
    client.cancel(live)
    heard.last(live, RunCancelled, Failed)
    assert len(heard.of(live, RunStarted, RunIdle)) == 2


def test_the_newest_request_takes_the_place_of_the_others(talk, tmp_path):
    client, heard = talk
    first = client.maps(request(tmp_path / "first", LARGE))
    second = client.maps(request(tmp_path / "second", LARGE))
    third = client.maps(request(tmp_path / "third"))
    assert isinstance(heard.last(third, *LAST), MapsDone)
    for job, name in ((first, "first"), (second, "second")):
        assert heard.of(job, *LAST) == [RunCancelled()]
        assert len(list((tmp_path / name).iterdir())) == len(heard.of(job, MapsBlock)) <= 1
    assert len(heard.of(third, MapsBlock)) == 1


def test_a_request_is_cancelled_after_the_block_in_work(talk, tmp_path):
    client, heard = talk
    job = client.maps(request(tmp_path / "maps", LARGE))
    heard.last(job, MapsBlock, *LAST)
    client.cancel(job)
    assert isinstance(heard.last(job, *LAST), RunCancelled)
    assert len(heard.of(job, MapsBlock)) < 4
    # one that is over, or never was, does not mind
    client.cancel(job)
    client.cancel(9999)
    again = client.maps(request(tmp_path / "again"))
    assert isinstance(heard.last(again, *LAST), MapsDone)


def test_a_folder_that_is_gone_is_not_made_again(talk, tmp_path):
    client, heard = talk
    folder = tmp_path / "maps"
    job = client.maps(request(folder, LARGE))
    heard.last(job, MapsBlock, *LAST)
    shutil.rmtree(folder)
    assert "maps: no such folder" in heard.last(job, *LAST).message
    assert not folder.exists()
    cancelled = client.maps(request(tmp_path / "other", LARGE))
    client.cancel(cancelled)
    shutil.rmtree(tmp_path / "other")
    assert isinstance(heard.last(cancelled, *LAST), RunCancelled)
    assert not (tmp_path / "other").exists()


def test_wrong_requests_fail_and_the_process_lives_on(talk, tmp_path):
    client, heard = talk
    pid = client.pid

    def failure(**changes):
        asked = request(tmp_path, **changes)
        return heard.last(client.maps(asked), *LAST)

    slide, none = tmp_path / "missing.svs", tmp_path / "none"
    assert "missing.svs: no such file" in heard.last(client.maps(MapsRequest(slide, RECT, tmp_path)), *LAST).message
    assert "none: no such folder" in heard.last(client.maps(MapsRequest(SLIDE, RECT, none)), *LAST).message
    assert "has no task dance" in failure(tasks=("dance",)).message
    assert failure(tasks=()).exit_code == 2
    assert "outside the slide" in failure(rect=Rect(9999, 0, 5, 5)).message
    assert "unknown device 'tpu'" in failure(device="tpu").message
    assert "missing" in failure(model="missing").message
    assert "um per px" in failure(um_per_px=99.0).message
    client._send({"do": "maps", "job": 77, "slide": str(SLIDE)})
    assert "maps.rect: Field required" in heard.last(77, Failed).message
    assert isinstance(failure(), MapsDone)
    assert client.pid == pid


def test_a_process_that_was_not_prepared_makes_maps_too(tmp_path):
    with conversation() as (client, heard):
        job = client.maps(request(tmp_path / "maps", Rect(300, 300, 60, 60), tasks=("nuclei",)))
        assert isinstance(heard.last(job, *LAST), MapsDone)
        assert list(read_maps_block(heard.of(job, MapsBlock)[0].path).tasks) == ["nuclei"]
        started = time.monotonic()
        # also in the middle of a block
        client.maps(request(tmp_path / "more", LARGE))
        client.stop()
        assert time.monotonic() - started < 5
        assert client.pid is None
    assert not [told for told in heard.all if told[0] == "exit"]
