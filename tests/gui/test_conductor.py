"""Wishes to requests, events to states; the way through a real run is in test_journey.py."""

import pytest
from fake_worker import FakeClient

from pathloop.core import Assembled, Failed, Rect, RunCancelled, RunPaused, RunResumed, RunStarted, WorkerPrepared
from pathloop.gui.running import Command, Conductor
from pathloop.gui.running import _start as start
from pathloop.gui.running._recorder import RunRecorder
from pathloop.loop import ProposedProject
from pathloop.store import Project
from pathloop.synth import write_slide

WHOLE = Command((None,), use_tissue_mask=True, model="fast")


@pytest.fixture
def opened(session, small_slide):
    session.open_slide(small_slide, um_per_px=0.5)
    session.background.flush()
    assert session.current is not None
    return session.current


@pytest.fixture
def conductor(session):
    return Conductor(session, FakeClient)


def client(conductor):
    return conductor._client


def started(opened, **more):
    folder = opened.project_path / "runs" / "drawn-abcdefabcdef"
    values = {
        "slide": "drawn.tif",
        "run_key": "abcdefabcdef" * 5,
        "n_tiles": 4,
        "n_done": 0,
        "area_mm2": 0.1,
        "engine": "openvino cpu bf16",
        "reason": "no GPU",
        "folder": folder,
        "parameters": {"model": "fast", "tasks": ["nuclei"], "engine": "openvino cpu bf16", "region": [0, 0, 600, 500],
                       "tissue_mask": True, "core_px": 768, "margin_px": 128},
        "instance_tasks": ("nuclei",),
    }  # fmt: skip
    return RunStarted(**values | more)


def test_a_command_makes_the_project_beside_the_slide_and_asks_the_worker(conductor, opened, small_slide):
    conductor.start(WHOLE)
    request = client(conductor).requests[-1]
    assert opened.project_path == small_slide.with_suffix(".pathloop")
    assert (request.slide, request.project, request.slide_id) == (small_slide, opened.project_path, "drawn")
    assert request.region is None
    assert request.use_tissue_mask
    assert not request.live
    assert conductor.state == "starting"
    assert conductor.is_busy


def test_a_run_is_recorded_as_soon_as_it_has_begun(conductor, opened, session):
    conductor.start(WHOLE)
    client(conductor).send(started(opened))
    assert conductor.state == "running"
    session.projects.close()
    with Project.open(opened.project_path, write=False) as project:
        (run,) = project.runs("drawn")
    assert run.state == "running"
    assert conductor.computing.engine == "openvino cpu bf16"


def test_pause_resume_stop(conductor, opened):
    conductor.start(WHOLE)
    fake = client(conductor)
    fake.send(started(opened))
    conductor.pause()
    fake.send(RunPaused())
    assert conductor.state == "paused"
    assert conductor.can_resume
    conductor.resume()
    fake.send(RunResumed())
    assert conductor.state == "running"
    conductor.cancel()
    fake.send(RunCancelled())
    assert conductor.state == "idle"
    assert conductor.can_resume
    conductor.resume()
    assert fake.requests[-1] == fake.requests[0]
    assert ("cancel", 1) in fake.asked


def test_stop_while_the_model_is_loaded(conductor, opened):
    conductor.start(WHOLE)
    assert conductor.state == "starting"
    conductor.cancel()
    client(conductor).send(RunCancelled())
    assert conductor.state == "idle"
    assert conductor.can_resume


def test_stop_before_the_worker_has_heard_of_it(conductor, opened, session, monkeypatch):
    later = []
    real = start.place_in_project
    with monkeypatch.context() as slow:
        slow.setattr(
            "pathloop.gui.running._conductor.place_in_project",
            lambda session, opened, then, **how: later.append(lambda: real(session, opened, then, **how)),
        )
        conductor.start(WHOLE)
        conductor.cancel()
        assert conductor.state == "idle"
        conductor.start(WHOLE)
    for place in later:
        place()
    assert [what for what, _ in client(conductor).asked].count("segment") == 1


def test_live_that_is_turned_off_says_so(conductor, opened):
    told = []
    conductor.told.connect(told.append)
    conductor.set_live(True, WHOLE)
    client(conductor).send(started(opened))
    conductor.set_live(False)
    client(conductor).send(RunCancelled())
    assert told[-1] == "Live is off. What it found is kept."


def test_a_dead_worker_is_a_message_with_the_way_on(conductor, opened):
    told = []
    conductor.told.connect(told.append)
    conductor.start(WHOLE)
    fake = client(conductor)
    fake.send(started(opened))
    fake.die("killed by signal 9; press Resume")
    assert conductor.state == "dead"
    assert told[-1] == "killed by signal 9; press Resume"
    assert conductor.can_resume
    conductor.resume()
    assert fake.is_running
    assert len(fake.requests) == 2


def test_a_worker_that_ends_while_nothing_runs_says_nothing(conductor, opened):
    told = []
    conductor.told.connect(told.append)
    client(conductor).die()
    assert conductor.state == "idle"
    assert told == []


def test_a_failed_run_says_why_and_leaves_the_panel_usable(conductor, opened, said):
    conductor.start(WHOLE)
    client(conductor).send(Failed("no model 'x'", 1))
    assert conductor.state == "idle"
    assert ("error", "no model 'x'") in said
    conductor.start(WHOLE)
    assert conductor.state == "starting"


def test_events_of_former_runs_change_nothing(conductor, opened):
    conductor.start(WHOLE)
    fake = client(conductor)
    fake.send(started(opened))
    fake.send(RunPaused(), job=99)
    assert conductor.state == "running"


def test_without_a_scale_nothing_is_asked(conductor, session, tmp_path, said):
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "photo.png"), np.full((300, 400, 3), 200, np.uint8))
    session.open_slide(tmp_path / "photo.png")
    session.background.flush()
    conductor.start(WHOLE)
    assert client(conductor).requests == []
    assert conductor.state == "idle"
    assert "um per px" in said[-1][1]


def test_the_engine_is_prepared_once(conductor, opened):
    fake = client(conductor)
    for _ in range(3):
        conductor.prepare("fast", "auto", None)
    assert [what for what, _ in fake.asked].count("prepare") == 1
    fake.send(WorkerPrepared("openvino cpu bf16", "no GPU", 1.5))
    assert conductor.computing.s_per_mm2 == 1.5


def test_the_worker_is_gentle_while_the_view_moves_and_looks_where_it_rests(conductor, opened, session):
    conductor.start(WHOLE)
    fake = client(conductor)
    fake.send(started(opened))
    session.viewer.scene.camera.center = (10, 20)
    session.viewer.scene.camera.center = (20, 20)
    assert [one for one in fake.asked if one[0] == "gentle"] == [("gentle", True)]
    session.background.flush()
    assert [one for one in fake.asked if one[0] == "gentle"] == [("gentle", True), ("gentle", False)]
    assert fake.asked[-1][0] == "look"


def test_live_runs_on_the_whole_slides_key_and_ends_when_switched_off(conductor, opened, session):
    conductor.set_live(True, WHOLE)
    fake = client(conductor)
    assert fake.requests[-1].live
    assert fake.requests[-1].region is None
    assert conductor.state == "live"
    assert not conductor.is_busy
    conductor.set_live(False)
    assert ("cancel", fake.job) in fake.asked
    assert conductor.state == "idle"


def test_closing_ends_the_worker(conductor, opened, session):
    session.close()
    assert ("stop", 1.0) in client(conductor).asked


def test_several_regions_run_one_after_the_other(conductor, opened):
    first, second = Rect(0, 0, 100, 100), Rect(200, 200, 100, 100)
    conductor.start(Command((first, second), use_tissue_mask=False, model="fast"))
    fake = client(conductor)
    assert fake.requests[-1].region == first
    assert len(fake.requests) == 1


def second_slide(session, tmp_path):
    path = tmp_path / "second" / "other.tif"
    path.parent.mkdir()
    write_slide(path, (600, 500), seed=4, truth_dir=tmp_path / "other_truth")
    session.open_slide(path, um_per_px=0.5)
    session.background.flush()
    assert session.current.path == path
    return session.current


def test_a_run_is_resumed_on_its_own_slide_only(conductor, opened, session, tmp_path):
    conductor.start(Command((Rect(0, 0, 100, 100), Rect(0, 0, 50, 50)), use_tissue_mask=True, model="fast"))
    fake = client(conductor)
    fake.send(started(opened))
    conductor.cancel()
    fake.send(RunCancelled())
    other = second_slide(session, tmp_path)
    assert not conductor.can_resume
    conductor.set_live(True, WHOLE)
    assert fake.requests[-1].slide == other.path
    conductor.set_live(False)
    conductor.resume()
    assert fake.requests[-1].live
    session.set_current(opened)
    session.background.flush()
    assert conductor.can_resume
    conductor.resume()
    assert (fake.requests[-1].slide, fake.requests[-1].region) == (opened.path, Rect(0, 0, 100, 100))


def test_a_live_run_that_has_done_all_leaves_the_regions_of_another(conductor, opened, session, tmp_path, monkeypatch):
    conductor.start(Command((Rect(0, 0, 100, 100),), use_tissue_mask=True, model="fast"))
    fake = client(conductor)
    fake.send(started(opened))
    conductor.cancel()
    fake.send(RunCancelled())
    other = second_slide(session, tmp_path)
    conductor.set_live(True, WHOLE)
    fake.send(started(other, slide="other.tif", folder=other.project_path / "runs" / "other-abcdefabcdef"))
    monkeypatch.setattr(RunRecorder, "land", lambda self, folder, progressed, done: done())
    n_asked = len(fake.requests)
    fake.send(Assembled(tmp_path))
    assert conductor.state == "idle"
    assert not conductor.live_wanted
    assert len(fake.requests) == n_asked
    session.set_current(opened)
    session.background.flush()
    assert conductor.can_resume


def test_a_project_that_cannot_be_made_ends_the_start(conductor, opened, said, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    place = ProposedProject(tmp_path / "file" / "p.pathloop", "")
    monkeypatch.setattr("pathloop.gui.running._start.propose_project", lambda path: place)
    conductor.start(WHOLE)
    assert conductor.state == "idle"
    assert [level for level, text in said] == ["error"]


def test_closing_a_slide_stops_its_run(conductor, opened, session):
    conductor.start(WHOLE)
    fake = client(conductor)
    fake.send(started(opened))
    session.close_slide(opened)
    assert conductor.state == "idle"
    assert not conductor.can_resume
    assert ("cancel", fake.job) in fake.asked
    fake.send(RunPaused())
    assert conductor.state == "idle"


def test_live_that_was_switched_off_at_once_does_not_start(conductor, opened, monkeypatch):
    later = []
    monkeypatch.setattr("pathloop.gui.running._conductor.place_in_project", lambda s, o, then, **_: later.append(then))
    conductor.set_live(True, WHOLE)
    conductor.set_live(False)
    for then in later:
        then()
    assert conductor.state == "idle"
    assert client(conductor).requests == []


def test_live_goes_on_after_a_run_was_stopped(conductor, opened):
    conductor.set_live(True, WHOLE)
    fake = client(conductor)
    conductor.start(WHOLE)
    fake.send(started(opened))
    conductor.cancel()
    fake.send(RunCancelled())
    assert conductor.state == "live"
    assert fake.requests[-1].live


def test_a_worker_that_dies_of_loading_is_not_started_again_and_again(conductor, opened):
    told = []
    conductor.told.connect(told.append)
    conductor.prepare("fast", "auto", None)
    client(conductor).die("killed by signal 9")
    assert told == ["killed by signal 9"]
    conductor.prepare("fast", "auto", None)
    assert not client(conductor).is_running
    conductor.prepare("fast", "cpu", None)
    assert client(conductor).is_running


def test_a_worker_that_dies_while_it_rests_is_asked_for_again(conductor, opened):
    conductor.prepare("fast", "auto", None)
    fake = client(conductor)
    fake.send(WorkerPrepared("openvino cpu bf16", "no GPU", 1.5))
    asked = []
    conductor.changed.connect(lambda: asked.append(conductor.computing.engine))
    fake.die()
    assert asked == [""]
    conductor.prepare("fast", "auto", None)
    assert fake.is_running
