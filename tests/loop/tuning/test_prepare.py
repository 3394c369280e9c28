"""From a project to a run folder: what it holds, what it hides, what cannot be started."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tuning_kit import HELD, TASKS, TRAIN

import pathloop.loop.tuning._prepare as preparing
from pathloop.core import ClassSpec, Message, ModelError, ProjectError, Rect, UsageError, outcome, read_json
from pathloop.interchange import iter_dataset
from pathloop.loop.correct import accept_region, change_region, set_objects
from pathloop.loop.tuning import TuneRequest, find_tune_run, prepare, read_tune_config, same_run, tune_runs
from pathloop.store import Project


def prepared(request):
    return outcome(prepare(request), lambda event: None)


def test_a_run_holds_the_done_regions_with_their_rims(done, model):
    run = prepared(TuneRequest(done, model=str(model)))
    assert (run.name, run.state) == ("tune-0001", "waiting")
    regions = {one.name: one for one in iter_dataset("pathloop_set", run.folder / "data" / "regions")}
    held = list(iter_dataset("pathloop_set", run.folder / "data" / "held_out"))
    assert len(regions) == len(TRAIN)
    assert len(held) == len(HELD)
    first = regions["blobs_region1"]
    whole = TRAIN[0].expand(256).intersect(Rect(0, 0, 330, 410))
    assert first.image.shape[:2] == whole.shape
    assert first.ignore is not None
    known = ~first.ignore["gland"]
    assert np.array_equal(np.argwhere(known).min(axis=0), (0, 0))
    assert known.sum() == TRAIN[0].area
    assert {*first.labels} == {*TASKS}


def test_what_is_held_out_is_hidden_from_training(done, model):
    with Project.open(done, write=True) as project:
        held = next(one for one in project.regions() if one.holdout)
        train = next(one for one in project.regions() if not one.holdout)
        change_region(project, replace(train, rect=Rect(100, 0, 100, 200)))
    run = prepared(TuneRequest(done, model=str(model)))
    region = next(one for one in iter_dataset("pathloop_set", run.folder / "data" / "regions") if "region1" in one.name)
    known = ~region.ignore["nuclei"]
    overlap = Rect(100, 0, 100, 200).intersect(held.rect)
    assert overlap.area > 0
    assert known.sum() == 100 * 200 - sum(Rect(100, 0, 100, 200).intersect(rect).area for rect in HELD)


def test_a_run_says_what_it_is_of(done, model):
    run = prepared(TuneRequest(done, model=str(model), who="Ada"))
    facts = run.facts
    assert (facts.recipe, facts.parent, facts.name, facts.who) == ("quick", "drawn", "drawn-r1", "Ada")
    assert [one.region for one in facts.regions] == [1, 2]
    assert [one.region for one in facts.held_out] == [3, 4, 5, 6]
    assert facts.tasks == TASKS
    assert facts.journal > 0
    assert len(facts.data_sha256) == 64
    config = read_tune_config(run.folder)
    assert config.regions == run.folder / "data" / "regions"
    assert config.parent == model.resolve()
    assert prepared(TuneRequest(done, model=str(model))).name == "tune-0002"
    assert [one.name for one in tune_runs(done)] == ["tune-0001", "tune-0002"]
    assert find_tune_run(done, "2") == tune_runs(done)[1]
    with pytest.raises(ProjectError, match="no fine-tuning run '9'; there is: tune-0001, tune-0002"):
        find_tune_run(done, "9")


def test_who_trains_and_judges_by_one_patient_is_told(done, model, monkeypatch):
    def warnings():
        events = []
        outcome(prepare(TuneRequest(done, model=str(model))), events.append)
        return [one.text for one in events if isinstance(one, Message)]

    assert warnings() == []  # of so few patients nobody can be spared
    monkeypatch.setattr(preparing, "ENOUGH_PATIENTS", 1)
    [text] = warnings()
    assert text.startswith("regions of blobs train and others of that patient judge")


def test_regions_that_are_not_done_do_not_train(done, model):
    with Project.open(done, write=True) as project:
        region = project.regions()[0]
        states = {"nuclei": "done", "gland": "doing", "lumen": "todo"}
        change_region(project, replace(region, states=states))
    run = prepared(TuneRequest(done, model=str(model)))
    assert run.facts.regions[0].tasks == ("nuclei",)
    assert run.facts.regions[1].tasks == TASKS


def test_without_a_done_region_nothing_is_started(segmented, model):
    path, _ = segmented
    with pytest.raises(ProjectError, match="no region is done, besides held-out ones"):
        prepared(TuneRequest(path, model=str(model)))
    assert tune_runs(path) == []
    assert not any(one.name.startswith((".tune", "tune")) for one in (path / "runs").iterdir())


def test_new_objects_get_a_task_of_their_own(done, tmp_path, model):
    from drawn_slides import PLAIN, drawn_model

    from pathloop.core import LabelSchema

    small = drawn_model(tmp_path / "small", LabelSchema(tasks=PLAIN.tasks[:1]), name="small")
    with pytest.raises(UsageError, match="needs a task; name one of gland, lumen"):
        prepared(TuneRequest(done, recipe="new-task", model=str(small)))
    with pytest.raises(UsageError, match="cannot take the task 'nuclei'; possible: gland, lumen"):
        prepared(TuneRequest(done, recipe="new-task", task="nuclei", model=str(small)))
    run = prepared(TuneRequest(done, recipe="new-task", task="gland", model=str(small)))
    task = read_tune_config(run.folder).task
    assert (task.name, task.output, task.post.kernel_px) == ("gland", "instance", 11)
    assert run.facts.tasks == ("gland",)
    assert prepared(TuneRequest(done, recipe="quick", model=str(small))).facts.tasks == ("nuclei",)
    with pytest.raises(UsageError, match="the project has none to learn"):
        prepared(TuneRequest(done, recipe="new-task", model=str(model)))


def test_classes_of_ones_own_become_a_type_task(done, model):
    with pytest.raises(UsageError, match="needs a task; the project has none to learn"):
        prepared(TuneRequest(done, recipe="subtype", model=str(model)))
    with Project.open(done, write=True) as project:
        project.register_classes("nuclei", [ClassSpec(name=name, color=(1, 2, 3)) for name in ("mitosis", "other")])
        slide_id = project.slides()[0].slide_id
        classes = [one.name for one in project.classes("nuclei")]
        _set_classes(project, slide_id, classes.index("mitosis") + 1)
        for region in project.regions():
            accept_region(project, region.id)
    run = prepared(TuneRequest(done, recipe="subtype", model=str(model)))
    task = read_tune_config(run.folder).task
    assert (task.name, task.of, [one.name for one in task.classes]) == ("nuclei_type", "nuclei", ["mitosis", "other"])
    region = next(iter(iter_dataset("pathloop_set", run.folder / "data" / "regions")))
    codes = {*np.unique(region.labels["nuclei_type"][~region.ignore["nuclei_type"]])}
    assert codes == {0, 1}
    assert read_json(run.folder / "data" / "regions" / "nuclei" / "classes.json")["codes"].keys() == {"0", "1", "2"}


def _set_classes(project, slide_id, code):
    """Give the first half of the nuclei a class."""
    ids = project.objects(slide_id, "nuclei").ids.tolist()
    set_objects(project, slide_id, "nuclei", ids[: len(ids) // 2], class_code=code)


def test_what_is_not_there_is_said(done, model, tmp_path):
    with pytest.raises(ModelError, match="no model 'nowhere'"):
        prepared(TuneRequest(done, model="nowhere"))
    with pytest.raises(UsageError, match="at least one step"):
        prepared(TuneRequest(done, model=str(model), steps=0))
    with pytest.raises(UsageError, match="trains all reviewed tasks"):
        prepared(TuneRequest(done, model=str(model), task="gland"))
    with pytest.raises(ProjectError, match="no such project"):
        prepared(TuneRequest(tmp_path / "none", model=str(model)))


def test_an_interrupted_run_is_found_again_while_nothing_has_changed(done, model):
    request = TuneRequest(done, model=str(model), steps=5)
    assert same_run(request) is None
    run = prepared(request)
    assert same_run(request) == run
    assert same_run(TuneRequest(done, model=str(model))) == run
    assert same_run(TuneRequest(done, model=str(model), steps=6)) is None
    assert same_run(TuneRequest(done, model=str(model), recipe="full")) is None
    with Project.open(done, write=True) as project:
        region = project.regions()[0]
        change_region(project, replace(region, assigned="Ada"))
    assert same_run(request) is None


PLANNED = """
import sys
from pathlib import Path
from pathloop.core import outcome
from pathloop.loop.tuning import TuneRequest, plan_text, prepare
print(plan_text(outcome(prepare(TuneRequest(Path(sys.argv[1]), model=sys.argv[2])), lambda event: None)))
assert not {"torch", "openvino"} & {*sys.modules}, "a window prepares runs, and loads neither"
"""


def test_preparing_a_run_loads_no_engine(done, model):
    command = [sys.executable, "-c", PLANNED, str(done), str(model)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("tune-0001 (quick): trains nuclei, gland, lumen and the layers below")
