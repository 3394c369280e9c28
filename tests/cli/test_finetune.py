"""``pathloop finetune, compare, promote, rollback``: from a reviewed project to a better model and back."""

import json
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gui" / "correcting"))

from command_runs import call, started
from correcting_kit import TASKS, fill_project, read_truth

import pathloop.learn._check_set as check_set
import pathloop.loop.tuning._prepare as preparing
from pathloop.core import Rect, read_json, write_json
from pathloop.learn import default_fit
from pathloop.loop.correct import accept_region, add_regions
from pathloop.loop.tuning import TuneRequest, current_model, prepare, read_events, tune_runs
from pathloop.loop.tuning._current import ModelEntry, write_history
from pathloop.networks import find_model, read_card
from pathloop.store import Project, Region
from pathloop.synth import write_slide

RECTS = (Rect(0, 0, 128, 128), Rect(0, 130, 128, 126), Rect(130, 0, 126, 128))


@pytest.fixture(scope="session")
def drawn_project(tmp_path_factory):
    """A small slide with its true objects, two done regions and a held-out one; only copied."""
    folder = tmp_path_factory.mktemp("reviewed")
    write_slide(folder / "drawn.tif", (256, 256), seed=3, truth_dir=folder / "truth")
    path = folder / "p.pathloop"
    slide_id = fill_project(
        path, folder / "drawn.tif", {task: read_truth(folder / "truth", "drawn", task) for task in TASKS}
    )
    with Project.open(path, write=True) as project:
        states = dict.fromkeys(TASKS, "todo")
        regions = [Region(0, slide_id, rect, holdout=rect is RECTS[2], states=states) for rect in RECTS]
        for region in add_regions(project, slide_id, regions)[1]:
            accept_region(project, region.id)
    return path


@pytest.fixture
def project(drawn_project, tmp_path, monkeypatch):
    """A copy, and steps so small that a test can wait for them."""
    monkeypatch.setattr(check_set, "CHECK_PX", 128)
    monkeypatch.setattr(check_set, "CHECK_IMAGES", 1)
    monkeypatch.setattr(check_set, "REPLAY_PX", 128)
    monkeypatch.setattr(check_set, "REPLAY_IMAGES", 1)
    small = {"batch": 2, "patch_px": 32, "workers": 0, "log_every": 1, "checkpoint_every": 1, "precision": "fp32"}
    monkeypatch.setattr(
        preparing, "default_fit", lambda *values: default_fit(*values).model_copy(update=small | {"steps": 3})
    )
    shutil.copytree(drawn_project, tmp_path / "p.pathloop")
    return tmp_path / "p.pathloop"


def _fast():
    return find_model("fast")


@pytest.mark.slow
def test_the_loop_closes(project, capsys):
    assert call("finetune", project) == 1
    assert "which segmented slide 'drawn', is not here" in capsys.readouterr().err
    write_history(project, (ModelEntry(kind="start", model="fast", checksum=read_card(_fast()).checksum),))
    assert call("finetune", project) == 0
    told = capsys.readouterr().out
    assert "tune-0001 (quick): trains nuclei, gland, lumen and the layers below" in told
    assert "fast-r1 against fast on 1 held-out region" in told
    assert "not enough evidence: 1 of at least 4 held-out regions" in told
    [run] = tune_runs(project)
    assert run.state == "finished"
    card = read_card(run.candidate)
    assert (card.name, card.parent) == ("fast-r1", read_card(_fast()).checksum)
    assert card.training["region_list"] == ["drawn/1", "drawn/2"]
    assert card.training["people"]
    assert card.training["data_sha256"] == run.facts.data_sha256
    assert "held-out regions" in card.metrics
    assert call("finetune", project, "--list") == 0
    assert "tune-0001" in capsys.readouterr().out
    assert call("finetune", project, "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rounds"][0]["state"] == "finished"
    # one held-out region proves nothing, and so few steps may make it worse as well
    assert call("promote", project, "tune-0001", "--no-predict") == 1
    assert "to promote it all the same" in capsys.readouterr().err
    assert call("promote", project, "tune-0001", "--no-predict", "--force", "a test", "--yes") == 0
    assert current_model(project) == project / "models" / "fast-r1"
    assert f"{project} now works with fast-r1" in capsys.readouterr().out
    with Project.open(project, write=True):
        assert call("rollback", project, "--no-predict") == 1
    assert "is being written by" in capsys.readouterr().err
    assert call("rollback", project, "--no-predict") == 0
    assert current_model(project) == _fast()
    assert call("rollback", project, "--no-predict") == 2


@pytest.mark.slow
def test_what_was_cancelled_goes_on(project, capsys):
    assert call("finetune", project, "--model", "fast", "--cancel", "tune-0001") == 1
    assert call("finetune", project, "--resume", "tune-0001") == 1
    assert call("finetune", project, "--with-data", "ebhi_seg:/none") == 2
    assert "no such folder" in capsys.readouterr().err
    assert call("finetune", project, "--with-data", "what:ever") == 2
    assert call("finetune", project / "none") == 1


@pytest.mark.slow
def test_a_killed_process_goes_on_from_its_checkpoint(project):
    for _ in prepare(TuneRequest(project, model="fast", steps=400)):
        pass
    [run] = tune_runs(project)
    # another process draws with the usual sizes, which takes longer than the steps
    config = read_json(run.folder / "config.json")
    config["fit"] |= {"validate_every": 1000, "distil": 0.0}
    write_json(run.folder / "config.json", config | {"replay": 0.0})
    words = ("finetune", project, "--resume", run.name, "--json")
    with started(*words) as process:
        _wait_for_steps(run, 3, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run.state == "interrupted"
    assert call("finetune", project, "--cancel", run.name) == 2
    done = max(event.step for event in read_events(run.folder) if event.kind == "step")
    with started(*words) as process:
        _wait_for_steps(run, done + 2, process)
        assert run.state == "running"
        assert call("finetune", project, "--resume", run.name) == 2
        assert call("finetune", project, "--cancel", run.name) == 0
        assert process.wait(timeout=120) == 1
    assert run.state == "cancelled"
    steps = [event.step for event in read_events(run.folder) if event.kind == "step"]
    # what came after the last checkpoint is done again, nothing before it
    assert min(steps[steps.index(done) + 1 :]) >= done - 1


def _wait_for_steps(run, n, process):
    """Until a run has done so many steps."""
    until = time.monotonic() + 200
    while time.monotonic() < until and process.poll() is None:
        if any(event.kind == "step" and event.step >= n for event in read_events(run.folder)):
            return
        time.sleep(0.2)
    raise AssertionError(f"no step {n}: {process.poll()}")
