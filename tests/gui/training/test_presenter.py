"""The panel "Train" without Qt: what it offers, starts, shows, promotes and takes back."""

import socket

import psutil
import pytest
from train_kit import finish, step, write_events

from pathloop.core import Evaluated, Failed, ProjectLock, RunCancelled, RunPaused
from pathloop.gui.training import SWAP_KEY
from pathloop.learn import read_wish
from pathloop.loop.tuning import current_model, model_history


def train(desk):
    desk.open()
    desk.presenter.train()
    [run] = desk.started
    return run


def test_nothing_is_offered_without_a_slide(desk):
    assert desk.view.buttons == set()
    assert desk.view.last["buttons"][0]["train"].reason == "Open a slide with a project first"


def test_the_button_says_what_it_trains_on(desk):
    desk.open()
    button, text = desk.view.last["plan"]
    assert button == "Train on 2 done regions (1 held out)"
    assert "Reviewed: gland, lumen, nuclei. Starts from fast." in text
    assert "With 1 of 4 held-out regions nothing can be proved." in text
    assert desk.view.buttons == {"train"}


def test_recipes_that_have_nothing_to_learn_say_so(desk):
    desk.open()
    desk.presenter.choose_recipe("subtype")
    assert "train" not in desk.view.buttons
    assert desk.view.last["tasks"] == ((), "")
    desk.presenter.choose_recipe("quick")
    assert desk.view.buttons == {"train"}


def test_training_starts_a_process_on_a_copy_of_the_regions(desk):
    run = train(desk)
    assert (run.name, run.state) == ("tune-0001", "waiting")
    assert (run.folder / "data" / "regions" / "manifest.json").is_file()
    assert "tune-0001 (quick): trains nuclei, gland, lumen and the layers below" in desk.view.notes[-1]
    assert desk.view.last["rounds"][0][0].cells[:2] == ("quick", "2 + 1")
    # it takes seconds to load; nobody shall start a second one meanwhile
    assert desk.view.last["progress"] == (None, "Starting")
    assert "train" not in desk.view.buttons
    desk.presenter._awaited_until = 0.0
    desk.presenter.read()
    assert desk.view.buttons == {"train", "resume"}


@pytest.fixture
def worked_on(desk):
    """A run that this process seems to work on."""
    run = train(desk)
    with ProjectLock(run.folder / "lock", program="test"):
        yield run


def test_a_run_is_watched_while_it_goes_on(desk, worked_on):
    write_events(worked_on, step(10), Evaluated(10, {"pathloop_set/gland": {"pq": 0.5, "dice": 0.7}}), step(12))
    desk.presenter.read()
    share, text = desk.view.last["progress"]
    assert share == 0.6
    assert text == "Training: step 12 of 20, 40 s left"
    [curves] = desk.view.last["curves"]
    assert curves.losses == {"gland": [(10, 0.5), (12, 0.5)]}
    assert curves.held_out == {"gland PQ": [(10, 0.5)], "gland Dice": [(10, 0.7)]}
    assert desk.view.buttons == {"pause", "finish", "cancel"}
    assert desk.view.last["buttons"][0]["train"].reason == "A run is under way"
    # and looks again by itself
    write_events(worked_on, step(14))
    desk.session.background.flush_once()
    assert desk.view.last["progress"][0] == 0.7


def test_wishes_reach_the_run(desk, worked_on):
    write_events(worked_on, step(1))
    desk.presenter.read()
    desk.presenter.wish("pause")
    assert read_wish(worked_on.folder / "control.json") == "pause"
    write_events(worked_on, RunPaused())
    desk.presenter.read()
    assert desk.view.last["progress"][1].startswith("Paused: step 1 of 20")
    assert desk.view.buttons == {"resume", "cancel"}
    desk.presenter.resume()
    assert read_wish(worked_on.folder / "control.json") == "go on"


def test_a_killed_run_is_found_and_goes_on(desk):
    run = train(desk)
    write_events(run, step(5))
    (run.folder / "lock").write_text(
        f'{{"program": "x", "process": {_free_pid()}, "host": "{socket.gethostname()}",'
        ' "started": "2026-01-01T00:00:00+00:00"}'
    )
    desk.presenter.read()
    assert run.state == "interrupted"
    assert desk.view.buttons == {"train", "resume"}
    desk.presenter.resume()
    assert desk.started == [run, run]


def _free_pid():
    return next(pid for pid in range(99_999, 1, -1) if not psutil.pid_exists(pid))


def test_a_failed_run_says_why(desk):
    run = train(desk)
    lock = ProjectLock(run.folder / "lock", program="test")
    with lock:
        write_events(run, step(1))
        desk.presenter.read()
    write_events(run, Failed("no space left", 1))
    desk.presenter.read()
    assert desk.view.notes[-1] == "Training failed: no space left"
    assert "resume" in desk.view.buttons


def test_a_good_candidate_is_promoted_and_rolled_back(desk):
    run = train(desk)
    finish(run, {"gland": 0.1})
    desk.presenter.read()
    title, rows, verdict = desk.view.last["comparison"]
    assert title == "fast-r1 against fast, 4 held-out regions"
    assert rows[0] == ("gland PQ", "0.500", "0.600", "+0.100", "")
    assert verdict[-1] == "not worse anywhere: it can be promoted"
    assert desk.view.buttons == {"train", "promote"}
    worker = desk.session.conductor._client
    desk.presenter.promote()
    assert current_model(desk.project) == desk.project / "models" / "fast-r1"
    assert [request.model for request in worker.requests] == [str(desk.project / "models" / "fast-r1")]
    assert worker.requests[0].region is None
    assert desk.view.buttons == {"train", "rollback"}
    assert desk.view.last["rounds"][0][0].cells[2] == "in use"
    assert "Starts from fast-r1." in desk.view.last["plan"][1]
    assert desk.view.last["anew"][:2] == ("Segmenting anew with fast-r1: drawn.", "Stop segmenting anew")
    desk.presenter.anew.press()
    worker.send(RunCancelled())
    text, button, _ = desk.view.last["anew"]
    assert text.startswith(
        "Stopped. 1 slide waits to be segmented anew.\n1 slide holds what another model found: drawn."
    )
    assert button == "Segment 1 slide anew"
    desk.presenter.rollback()
    assert current_model(desk.project).name == "fast"
    assert worker.requests[-1].model == str(current_model(desk.project))
    assert desk.view.buttons == {"train", "promote"}
    assert [one.kind for one in model_history(desk.project)] == ["start", "promote", "rollback"]


def test_a_worse_candidate_needs_a_reason(desk):
    run = train(desk)
    finish(run, {"gland": -0.1})
    desk.presenter.read()
    desk.view.answers = [None, " ", "only glands of patient 7 matter"]
    desk.presenter.promote()
    desk.presenter.promote()
    assert len(model_history(desk.project)) == 1
    assert desk.view.questions[0] == "worse than fast: gland loses 0.100 PQ"
    desk.presenter.promote()
    assert model_history(desk.project)[-1].reason == "only glands of patient 7 matter"


def test_too_little_evidence_is_asked_about(desk):
    run = train(desk)
    finish(run, {"gland": 0.1}, n_regions=1)
    desk.presenter.read()
    desk.view.answers = [False, True]
    desk.presenter.promote()
    assert len(model_history(desk.project)) == 1
    desk.presenter.promote()
    assert model_history(desk.project)[-1].model == "fast-r1"


def test_both_models_objects_are_looked_at(desk):
    run = train(desk)
    finish(run, {"gland": 0.1})
    desk.presenter.read()
    rows = desk.view.last["comparison"][1]
    places = [place for *_, place in rows if place]
    desk.presenter.look(places[0])
    viewer, overlay = desk.session.viewer, desk.presenter.overlay
    assert (overlay.sides, overlay.shown) == (("parent", "candidate"), "candidate")
    layer = viewer.layers["candidate: fast-r1"]
    own = viewer.layers["drawn - gland"]
    assert not own.visible
    assert tuple(layer.translate) == pytest.approx((220 * layer.scale[0], 0))
    # held: the parent's; let go: the candidate's
    held = viewer.keymap[_key()](viewer)
    next(held)
    assert overlay.shown == "parent"
    assert next(held, "done") == "done"
    assert overlay.shown == "candidate"
    assert desk.view.notes[-1].startswith("Only outlines of fast-r1 are shown here. Hold O to see those of fast;")
    desk.presenter.look(places[1])
    assert desk.view.notes[-1] == "This region is on slide other: open it first."
    # the same line once more: everything is as it was; and again
    desk.presenter.look(places[0])
    assert (overlay.sides, own.visible) == ((), True)
    desk.presenter.look(places[0])
    layer = viewer.layers["candidate: fast-r1"]
    viewer.layers.remove(layer)
    assert overlay.sides == ("parent",)
    assert not own.visible
    overlay.clear()
    assert own.visible
    assert not [one for one in viewer.layers if "fast" in one.name]
    assert _key() not in viewer.keymap


def _key():
    from app_model.types import KeyBinding

    return KeyBinding.from_str(SWAP_KEY)


def test_a_project_that_only_reads_promotes_nothing(desk):
    run = train(desk)
    finish(run, {"gland": 0.1})
    desk.session.current.is_writer = False
    desk.presenter.read()
    assert desk.view.last["buttons"][0]["promote"].reason == "The project is open for reading only"
