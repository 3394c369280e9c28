"""After a change of the project's model: slide after slide is segmented anew, in the window or not."""

import shutil

import pytest
from fake_worker import FakeClient

from pathloop.core import Assembled, Failed, Rect, RunCancelled, RunStarted
from pathloop.gui.running import Command, Conductor
from pathloop.gui.running._recorder import RunRecorder
from pathloop.loop.tuning._current import ModelEntry, write_history
from pathloop.networks import find_model, read_card
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """A project of three slides that another model segmented: wholly, and `three` also in a place; only copied."""
    folder = tmp_path_factory.mktemp("segmented")
    path = folder / "study.pathloop"
    with Project.create(path) as project:
        for seed, name in enumerate(NAMES):
            write_slide(folder / f"{name}.tif", (200, 200), seed=seed, truth_dir=folder / "truth")
            run(project, record(project, folder / f"{name}.tif"), "a", Rect(0, 0, 200, 200))
        run(project, "three", "b", Rect(10, 10, 100, 100), tissue_mask=False)
    fast = read_card(find_model("fast"))
    write_history(path, (ModelEntry(kind="start", model="fast", checksum=fast.checksum),))
    return folder


def record(project, file):
    with open_slide(file) as slide:
        return project.add_slide(
            file, fingerprint=slide.fingerprint, shape=slide.shape, um_per_px_y=slide.scale.y,
            um_per_px_x=slide.scale.x, reader=slide.format,
        ).slide_id  # fmt: skip


def run(project, slide_id, key, rect, *, checksum="another", tissue_mask=True):
    values = {"model": "old", "model_checksum": checksum, "tasks": ["nuclei"], "tissue_mask": tissue_mask,
              "region": [rect.y, rect.x, rect.height, rect.width]}  # fmt: skip
    project.begin_run(slide_id, key * 64, values, tasks=["nuclei"])
    project.finish_run(slide_id, key * 64)


@pytest.fixture
def folder(segmented, tmp_path, session):
    shutil.copytree(segmented, tmp_path / "study")
    # the files of the copy are other paths: as after a move
    with Project.open(tmp_path / "study" / "study.pathloop", write=True) as project:
        for name in NAMES:
            record(project, tmp_path / "study" / f"{name}.tif")
    return tmp_path / "study"


@pytest.fixture
def conductor(session, monkeypatch):
    monkeypatch.setattr(RunRecorder, "land", lambda self, folder, progressed, done: done())
    session.conductor = Conductor(session, FakeClient)
    return session.conductor


def show(session, folder, name):
    session.open_slide(folder / f"{name}.tif", project=folder / "study.pathloop")
    session.background.flush()
    return session.current


def asked(conductor):
    return [(request.slide_id, request.region, request.use_tissue_mask) for request in conductor._client.requests]


def started(conductor):
    request = conductor._client.requests[-1]
    values = {"tasks": ["nuclei"], "region": [0, 0, 200, 200], "tissue_map": False}
    run_folder = request.project / "runs" / f"{request.slide_id}-new"
    event = RunStarted(request.slide.name, "f" * 64, 4, 0, 0.1, "openvino", "no GPU", run_folder, values, ("nuclei",))
    conductor._client.send(event)


def finish(conductor):
    """The run that is under way comes to its end."""
    started(conductor)
    conductor._client.send(Assembled(conductor._client.requests[-1].project))


def test_all_slides_follow_the_one_on_screen_first(session, conductor, folder):
    show(session, folder, "one")
    show(session, folder, "two")
    path, anew, told, shares = folder / "study.pathloop", conductor.anew, [], []
    conductor.told.connect(told.append)
    conductor.progressed.connect(lambda share, text: shares.append(text))
    anew.ask(path)
    assert anew.words(path) == "Segmenting anew with fast: two, slide 1 of 3."
    finish(conductor)
    assert shares[0] == "two, slide 1 of 3: 0 of 4 tiles"
    finish(conductor)
    assert anew.words(path) == "Segmenting anew with fast: three, slide 3 of 3."
    finish(conductor)
    finish(conductor)
    # of a slide that is not in the window nothing is opened; what one place covers is not run twice
    assert asked(conductor) == [
        ("two", None, True), ("one", None, True), ("three", None, True), ("three", Rect(10, 10, 100, 100), False),
    ]  # fmt: skip
    assert {request.model for request in conductor._client.requests} == {str(find_model("fast"))}
    assert len(session.opened) == 2
    assert (conductor.state, anew.is_on) == ("idle", False)
    assert told[-1] == anew.words(path) == "3 slides segmented anew with fast."


def test_a_slide_that_is_gone_or_fails_is_named_and_the_others_go_on(session, conductor, folder, said):
    show(session, folder, "one")
    (folder / "two.tif").unlink()
    conductor.anew.ask(folder / "study.pathloop")
    conductor._client.send(Failed("out of memory", 1))
    finish(conductor)
    finish(conductor)
    assert [name for name, _, _ in asked(conductor)] == ["one", "three", "three"]
    words = conductor.anew.words(folder / "study.pathloop")
    assert words.startswith("1 slide segmented anew with fast. Left out: one (out of memory); two (")
    assert "no such file" in words
    assert said == [("warning", words)]


def test_a_stop_keeps_the_rest_for_later(session, conductor, folder):
    show(session, folder, "one")
    anew, fake = conductor.anew, conductor._client
    anew.ask(folder / "study.pathloop")
    started(conductor)
    conductor.cancel()
    fake.send(RunCancelled())
    assert (anew.is_stopped, anew.is_on, conductor.state) == (True, False, "idle")
    assert anew.words(folder / "study.pathloop") == "Stopped. 3 slides wait to be segmented anew."
    # a run by hand meanwhile is by itself
    conductor.start(Command((None,), use_tissue_mask=True, model="fast"))
    finish(conductor)
    assert conductor.state == "idle"
    assert conductor.can_resume
    conductor.resume()
    finish(conductor)
    assert [name for name, _, _ in asked(conductor)] == ["one", "one", "one", "two"]
    fake.die("killed by signal 9")
    assert (conductor.state, anew.is_stopped, conductor.can_resume) == ("dead", True, True)
    conductor.resume()
    assert fake.requests[-1] == fake.requests[-2]


def test_a_stopped_queue_stays_so_whatever_ends(session, conductor, folder):
    show(session, folder, "one")
    anew, fake = conductor.anew, conductor._client
    # a run by hand is stopped while the queue waits for it: what is left of it can be resumed
    conductor.start(Command((Rect(0, 0, 50, 50), Rect(60, 60, 50, 50)), use_tissue_mask=True, model="fast"))
    started(conductor)
    anew.ask(folder / "study.pathloop")
    conductor.cancel()
    fake.send(RunCancelled())
    assert (anew.is_stopped, conductor.state, len(fake.requests)) == (True, "idle", 1)
    conductor.resume()
    assert fake.requests[-1].region == Rect(0, 0, 50, 50)
    fake.die("killed by signal 9")
    assert (conductor.state, anew.is_stopped, len(fake.requests)) == ("dead", True, 2)
    # of another project Resume knows nothing
    write_slide(folder / "else" / "four.tif", (200, 200), seed=9, truth_dir=folder / "else" / "truth")
    session.open_slide(folder / "else" / "four.tif")
    session.background.flush()
    assert session.current.path.stem == "four"
    assert not conductor.can_resume


def test_a_slide_that_is_closed_while_it_lands_is_not_done(session, conductor, folder, monkeypatch):
    opened, ends = show(session, folder, "three"), []
    monkeypatch.setattr(RunRecorder, "land", lambda self, run_folder, progressed, done: ends.append(done))
    conductor.anew.ask(folder / "study.pathloop")
    finish(conductor)
    assert conductor._is_landing
    session.close_slide(opened)
    while conductor.anew.is_on:
        ends.pop()()
        session.background.flush()
        if conductor.anew.is_on:
            finish(conductor)
    # its place is looked at again, and the other one of it too
    assert [one for one in asked(conductor) if one[0] == "three"] == [
        ("three", None, True), ("three", None, True), ("three", Rect(10, 10, 100, 100), False),
    ]  # fmt: skip


def test_it_waits_for_a_run_and_begins_anew_with_another_model(session, conductor, folder):
    show(session, folder, "one")
    path, anew = folder / "study.pathloop", conductor.anew
    conductor.start(Command((Rect(0, 0, 50, 50),), use_tissue_mask=True, model="old"))
    anew.ask(path)
    assert anew.words(path) == "Slides are segmented anew when the run that is under way is over."
    finish(conductor)
    assert asked(conductor)[-1] == ("one", None, True)
    anew.ask(path)  # rolled back meanwhile
    assert ("cancel", conductor._client.job) in conductor._client.asked
    conductor._client.send(RunCancelled())
    assert [name for name, _, _ in asked(conductor)] == ["one", "one", "one"]
    assert conductor.state == "starting"


def test_a_slide_that_is_closed_goes_on_out_of_sight(session, conductor, folder):
    opened = show(session, folder, "one")
    conductor.anew.ask(folder / "study.pathloop")
    started(conductor)
    session.close_slide(opened)
    assert [name for name, _, _ in asked(conductor)] == ["one", "one"]
    assert conductor.state == "starting"
    again = show(session, folder, "one")
    assert conductor.works_on(again)


def test_nothing_is_done_where_the_model_is_the_projects(session, conductor, folder):
    with Project.open(folder / "study.pathloop", write=True) as project:
        for name in NAMES:
            run(project, name, "c", Rect(0, 0, 200, 200), checksum=read_card(find_model("fast")).checksum)
    show(session, folder, "one")
    conductor.anew.ask(folder / "study.pathloop")
    assert asked(conductor) == []
    assert conductor.anew.words(folder / "study.pathloop") == ""
