"""The long-lived worker as a window uses it: a real process on the bundled slide."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from conversations import conversation, make_project, take_over

from pathloop.core import (
    Assembled,
    Failed,
    Message,
    Rect,
    RunCancelled,
    RunIdle,
    RunPaused,
    RunResumed,
    RunStarted,
    StageProgress,
    TileDone,
    WorkerPrepared,
)
from pathloop.loop import Preview, SegmentJobRequest, SegmentRequest, segment
from pathloop.store import Project
from pathloop.synth import sample_slide_path

pytestmark = pytest.mark.slow

SLIDE = sample_slide_path()
REGION = Rect(300, 300, 700, 700)
"""3 x 3 tiles with cores of 256 px at the slide's 0.5 um per px."""


SMALL = Rect(300, 300, 460, 460)
"""2 x 2 of them."""


@pytest.fixture(scope="module")
def talk():
    """One process for the tests that leave it as they found it."""
    with conversation() as pair:
        yield pair


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "p"
    assert make_project(path, SLIDE) == SLIDE.stem
    return path


def request(project, **changes):
    values = {"region": REGION, "device": "cpu", "tile_px": 512}
    return SegmentJobRequest(SLIDE, project, SLIDE.stem, **values | changes)


def until(condition, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def affinities(pid):
    return [os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()]


def contents(path):
    with Project.open(path, write=False) as project:
        found = {task: project.objects(SLIDE.stem, task) for task in project.tasks(SLIDE.stem)}
        labels = {task: project.labels(SLIDE.stem, task).read(REGION.expand(20)) for task in project.tasks(SLIDE.stem)}
        return found, labels, project.tissue(SLIDE.stem), project.runs(SLIDE.stem)


def test_a_run_lands_as_the_command_line_would_have_it(talk, project, tmp_path):
    client, heard = talk
    warm = client.prepare(device="cpu")
    job = client.segment(request(project, region=SMALL, view=Rect(700, 700, 50, 50)))
    prepared = heard.last(warm, WorkerPrepared, Failed)
    assert prepared.engine.startswith("openvino cpu")
    started = heard.last(job, RunStarted, Failed)
    assert (started.n_tiles, started.n_done, started.instance_tasks) == (4, 0, ("nuclei", "gland", "lumen"))
    assert started.folder.parent == project / "runs"
    assembled = heard.last(job, Assembled, Failed)
    # the tile that the view is in, its neighbours, and the far corner last
    assert heard.tiles(job)[0] == (2, 2)
    assert heard.tiles(job)[-1] == (1, 1)
    assert sorted(heard.tiles(job)) == [(row, col) for row in (1, 2) for col in (1, 2)]
    assert [event.done for event in heard.of(job, StageProgress)]
    preview = Preview.open(started.folder)
    assert preview.done() == set(heard.tiles(job))
    take_over(project, SLIDE.stem, started, assembled)
    assert not started.folder.exists()
    asked = SegmentRequest((SLIDE,), tmp_path / "other", roi=SMALL, device="cpu", tile_px=512)
    list(segment(asked))
    (objects, labels, tissue, (run,)), (expected, expected_labels, other_tissue, (other,)) = map(
        contents, (project, tmp_path / "other")
    )
    assert len(objects["nuclei"]) > 50
    assert objects.keys() == expected.keys()
    for task in objects:
        np.testing.assert_array_equal(labels[task], expected_labels[task])
        for name in ("ids", "areas_px", "boxes", "centroids", "confidences", "class_codes"):
            np.testing.assert_array_equal(getattr(objects[task], name), getattr(expected[task], name))
    np.testing.assert_array_equal(tissue.codes, other_tissue.codes)
    assert (run.run_key, run.parameters, run.state) == (other.run_key, other.parameters, "finished")


def test_prepare_measures_the_pace_once(talk):
    client, heard = talk
    first = heard.last(client.prepare(device="cpu"), WorkerPrepared, Failed)
    assert first.s_per_mm2 > 0
    started = time.monotonic()
    assert heard.last(client.prepare(device="cpu"), WorkerPrepared, Failed) == first
    assert time.monotonic() - started < 1


def test_a_run_pauses_goes_on_and_is_cancelled(talk, project):
    client, heard = talk
    job = client.segment(request(project))
    heard.last(job, TileDone, Failed)
    client.pause(job)
    heard.last(job, RunPaused, Assembled)
    n_done = len(heard.tiles(job))
    assert n_done < 9
    time.sleep(0.7)
    assert len(heard.tiles(job)) == n_done
    client.look(Rect(900, 900, 50, 50))
    client.resume(job)
    heard.last(job, RunResumed)
    heard.wait_for_tiles(job, n_done + 1)
    assert heard.tiles(job)[n_done] == (3, 3)
    client.cancel(job)
    heard.last(job, RunCancelled, Assembled)
    assert not heard.of(job, Assembled)
    assert [type(event) for event in heard.of(job, RunStarted, RunPaused, RunResumed, RunCancelled)] == [
        RunStarted,
        RunPaused,
        RunResumed,
        RunCancelled,
    ]
    again = client.segment(request(project))
    assert heard.last(again, RunStarted, Failed).n_done > n_done
    client.cancel(again)
    heard.last(again, RunCancelled, Assembled)


def test_a_second_run_is_refused_until_the_first_is_cancelled(talk, project):
    client, heard = talk
    first = client.segment(request(project))
    for live in (False, True):
        second = client.segment(request(project, region=None, live=live))
        assert heard.last(second, Failed, RunStarted).message.startswith("another run is going on")
    client.cancel(first)
    # there is no need to wait for the end of a run that was cancelled
    third = client.segment(request(project))
    heard.last(first, RunCancelled, Failed)
    heard.last(third, RunStarted, Failed)
    client.cancel(third)
    heard.last(third, RunCancelled, Failed)
    assert not heard.of(third, Failed)


def test_wrong_requests_fail_and_the_process_lives_on(talk, project, tmp_path):
    client, heard = talk
    pid = client.pid

    def failure(job):
        return heard.last(job, Failed, RunStarted, WorkerPrepared).message

    assert "missing.svs: no such file" in failure(
        client.segment(SegmentJobRequest(tmp_path / "missing.svs", project, "a"))
    )
    assert "takes no region" in failure(client.segment(request(project, live=True)))
    assert "has no task dance" in failure(client.segment(request(project, tasks=("dance",))))
    assert "outside the slide" in failure(client.segment(request(project, region=Rect(9999, 0, 5, 5))))
    assert "not a project folder" in failure(client.segment(request(tmp_path / "none")))
    assert "unknown device 'tpu'" in failure(client.prepare(device="tpu"))
    assert "missing" in failure(client.prepare(model="missing"))
    client._send({"do": "dance", "job": 77})
    assert "dance" in failure(77)
    client._worker.process.stdin.write(b"what?\n\n")
    client.look(None)
    assert "Invalid JSON" in failure(0)
    assert client.pid == pid


def test_a_live_run_follows_the_view(talk, project):
    client, heard = talk
    job = client.segment(request(project, region=None, live=True))
    heard.last(job, RunIdle, Failed)
    assert heard.tiles(job) == []
    client.look(Rect(600, 600, 50, 50))
    heard.wait_for_tiles(job, 1)
    until(lambda: len(heard.of(job, RunIdle)) == 2)
    assert heard.tiles(job) == [(2, 2)]
    # still done, so there is nothing to do
    client.look(Rect(610, 610, 20, 20))
    time.sleep(0.3)
    assert len(heard.of(job, RunIdle)) == 2
    client.look(Rect(1020, 1020, 9, 9))
    heard.wait_for_tiles(job, 2)
    # a run that is asked for takes its place
    other = client.segment(request(project))
    heard.last(job, RunCancelled, Failed)
    heard.last(other, RunStarted, Failed)
    client.cancel(other)
    heard.last(other, RunCancelled, Failed)
    assert set(heard.tiles(job)) <= {(2, 2), (3, 3), (3, 4), (4, 3), (4, 4)}
    assert not heard.of(job, Failed, Assembled)


def test_a_live_run_is_replaced_by_another(talk, project):
    client, heard = talk
    first = client.segment(request(project, region=None, live=True))
    heard.last(first, RunIdle, Failed)
    second = client.segment(request(project, region=None, live=True))
    heard.last(first, RunCancelled, Failed)
    heard.last(second, RunIdle, Failed)
    client.cancel(second)
    heard.last(second, RunCancelled, Failed)


def test_a_region_without_tissue_is_assembled_empty(talk, project):
    client, heard = talk
    job = client.segment(request(project, region=Rect(0, 0, 40, 40)))
    assembled = heard.last(job, Assembled, Failed)
    started = heard.last(job, RunStarted)
    if started.n_tiles == 0:
        assert "no tissue in this region" in heard.of(job, Message)[0].text
    take_over(project, SLIDE.stem, started, assembled)


@pytest.mark.slow
def test_a_run_on_one_core_comes_to_its_end(talk, project):
    client, heard = talk
    client.gentle(on=True)
    try:
        job = client.segment(request(project, region=Rect(300, 300, 200, 200)))
        heard.last(job, Assembled, Failed)
        if sys.platform == "linux":
            until(lambda: {len(cores) for cores in affinities(client.pid)} == {1})
    finally:
        client.gentle(on=False)
    if sys.platform == "linux":
        everywhere = os.sched_getaffinity(0)
        until(lambda: os.sched_getaffinity(client.pid) == everywhere)


@pytest.mark.slow
def test_a_killed_worker_is_told_and_the_same_request_goes_on(project):
    with conversation() as (client, heard):
        job = client.segment(request(project))
        heard.last(job, TileDone, Failed)
        os.kill(client.pid, signal.SIGKILL)
        _, code, text = heard.wait(lambda told: told[0] == "exit", timeout=5)
        assert code == -signal.SIGKILL
        assert "press Resume to go on" in text
        again = client.segment(request(project))
        assert again != job
        started = heard.last(again, RunStarted, Failed)
        assert started.n_done >= 1
        assembled = heard.last(again, Assembled, Failed)
        assert len(heard.tiles(again)) == 9 - started.n_done
        assert len(Preview.open(started.folder).done()) == 9
        take_over(project, SLIDE.stem, started, assembled)


@pytest.mark.slow
def test_the_process_ends_with_its_parent_in_the_middle_of_a_tile(project):
    code = f"""
import sys, time
from pathlib import Path
sys.path[:0] = {sys.path!r}
from conversations import conversation
from test_serve import request
from pathloop.core import TileDone
with conversation() as (client, heard):
    job = client.segment(request(Path({str(project)!r})))
    heard.last(job, TileDone)
    print(client.pid, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent.stdout:
        pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    # where nobody takes its exit code it stays on the list
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_ctrl_c_is_for_the_window_and_prints_do_not_disturb(project, monkeypatch):
    monkeypatch.delenv("PATHLOOP_NICENESS")
    with conversation() as (client, heard):
        client.look(None)
        job = client.segment(request(project, region=Rect(300, 300, 100, 100)))
        heard.last(job, RunStarted, Failed)
        os.kill(client.pid, signal.SIGINT)
        assert isinstance(heard.last(job, Assembled, Failed), Assembled)
        if sys.platform == "linux":
            assert os.getpriority(os.PRIO_PROCESS, client.pid) == 19
            # a niceness alone counts within the worker's own session only
            group = Path(f"/proc/{client.pid}/autogroup")
            assert not group.exists() or group.read_text().split()[-1] == "19"
        started = time.monotonic()
        client.stop()
        assert time.monotonic() - started < 2
    assert not [told for told in heard.all if told[0] == "exit"]


@pytest.mark.parametrize("words", [["train", "--serve"], ["segment", "--serve", "--request", "r.json"]])
def test_only_segment_serves(words, capsys):
    from pathloop.worker import main

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(words) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "--serve goes with 'segment'" in capsys.readouterr().out
