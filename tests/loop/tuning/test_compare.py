"""Two models on held-out regions: scores, gains, verdicts, what is kept for the eye."""

import json

import drawn_slides
import numpy as np
import pytest
from tuning_kit import HELD, TASKS, comparison, with_weights

from pathloop.core import DataError, JobFinished, LabelSchema, ProjectError
from pathloop.loop.tuning import (
    CompareRequest,
    compare,
    compare_on,
    comparison_text,
    read_comparison,
    write_comparison,
)
from pathloop.loop.tuning._regions import write_regions
from pathloop.predict import choose_engine
from pathloop.store import Project


def ended(generator):
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value


@pytest.fixture
def held(done, tmp_path):
    with Project.open(done, write=False) as project:
        assert len(write_regions(project, tmp_path / "held", held_out=True)) == len(HELD)
    return tmp_path / "held"


def compared(held, old, new, **changes):
    return ended(compare_on(held, old, new, choice=choose_engine(engine="uneven"), **changes))[1]


def test_a_model_that_made_the_truth_is_right_everywhere(held, worse, model):
    found = compared(held, worse, model)
    assert (found.n_regions, found.n_patients, found.engine) == (4, 1, "uneven cpu fp32")
    assert {*found.tasks} == {*TASKS}
    for task in ("nuclei", "gland"):
        one = found.tasks[task]
        # rims and edges cut objects for both alike
        assert one.candidate["pq"] > 0.9
        assert one.parent["pq"] == 0
        assert one.gain.value == pytest.approx(one.candidate["pq"])
        assert one.gain.low > 0
        assert one.gain.is_sure
        assert one.n == 4
    assert found.faults == ()
    assert found.is_enough
    assert found.regions[0].gain >= 0


def test_a_worse_model_is_called_worse_and_its_losses_come_first(held, worse, model):
    found = compared(held, model, worse)
    assert any(fault.startswith(("nuclei loses 1.0", "nuclei loses 0.9")) for fault in found.faults)
    gains = [row.gain for row in found.regions]
    assert gains == sorted(gains)
    assert gains[0] < -0.5
    row = found.regions[0]
    assert row.slide_id == "blobs"
    assert row.region.startswith("blobs_region")
    text = comparison_text(found)
    assert "worse: nuclei loses" in text
    assert "largest losses: " in text
    assert "it can be promoted" not in text


def test_equal_models_gain_nothing_and_more_regions_do_not_help(held, model, other):
    found = compared(held, model, other)
    assert all(one.gain.value == 0 and not one.gain.is_sure for one in found.tasks.values())
    text = comparison_text(found)
    assert "gland: the gain of +0.000 (+0.000 to +0.000) PQ may be chance; more regions of this kind no longer" in text
    assert "not worse anywhere: it can be promoted" in text
    assert found.forgetting == 0


def test_a_comparison_can_be_stopped_after_every_image(held, worse, model, tmp_path):
    answers = iter([False, True])
    steps = compare_on(
        held,
        worse,
        model,
        choice=choose_engine(engine="uneven"),
        keep=tmp_path / "keep",
        is_stopped=lambda: next(answers),
    )
    events, found = ended(steps)
    assert found is None
    assert [event.done for event in events if event.kind == "stage"] == [1, 2]
    assert not (tmp_path / "keep").exists()


def test_objects_of_both_models_are_kept_for_each_region(held, worse, model, tmp_path):
    found = compared(held, worse, model, keep=tmp_path / "keep")
    assert read_comparison(tmp_path / "keep" / "comparison.json") == found
    files = sorted(file.name for file in (tmp_path / "keep").glob("*.npz"))
    assert files == [f"blobs_region{number}.npz" for number in (3, 4, 5, 6)]
    with np.load(tmp_path / "keep" / files[0]) as arrays:
        assert not arrays["parent/gland"].any()
        assert arrays["candidate/gland"].any()
        assert arrays["candidate/gland"].dtype == np.int32


def test_a_task_that_one_model_lacks_has_no_gain(held, model, tmp_path):
    small = LabelSchema(tasks=drawn_slides.PLAIN.tasks[:1])
    old = with_weights(drawn_slides.drawn_model(tmp_path / "small", small, name="small"), b"small")
    found = compared(held, old, model)
    assert found.tasks["gland"].parent is None
    assert found.tasks["gland"].gain is None
    assert found.tasks["nuclei"].gain.value == 0
    assert "gland: only one of the two models knows it" in comparison_text(found)


def test_without_held_out_regions_only_old_skills_are_compared(model, other, tmp_path):
    found = compared(tmp_path / "none", model, other)
    assert found.n_regions == 0
    assert found.tasks == {}
    assert not found.is_enough
    assert {*found.old_skills} <= {f"drawn/{task}" for task in TASKS}
    assert "no held-out region is done" in comparison_text(found)


def test_the_project_is_compared_as_it_is(done, worse, model, monkeypatch):
    monkeypatch.setattr(
        "pathloop.loop.tuning._compare.choose_engine", lambda device: choose_engine(device, engine="uneven")
    )
    events, found = ended(compare(CompareRequest(done, worse, model, device="cpu")))
    assert found.n_regions == len(HELD)
    assert found.tasks["gland"].gain.value > 0.9
    assert isinstance(events[-1], JobFinished)
    assert events[-1].summary == found.model_dump(mode="json")


def test_nothing_held_out_is_said(segmented, model, other):
    with pytest.raises(ProjectError, match="no held-out region is done"):
        ended(compare(CompareRequest(segmented[0], model, other)))


@pytest.mark.parametrize(
    ("gains", "lost", "faults"),
    [
        ({"gland": 0.1}, 0.0, 0),
        ({"gland": -0.019, "nuclei": 0.02}, 0.0, 0),
        ({"gland": -0.021, "nuclei": 0.3}, 0.0, 1),
        ({"gland": -0.015, "nuclei": 0.0}, 0.0, 1),
        ({"gland": -0.004}, 0.0, 0),
        ({"gland": 0.2}, 0.009, 0),
        ({"gland": 0.2}, 0.011, 1),
        ({"gland": -0.3, "nuclei": -0.3}, 0.2, 3),
        ({}, 0.0, 0),
    ],
)
def test_what_worse_means(gains, lost, faults):
    assert len(comparison(gains, lost=lost).faults) == faults


def test_comparisons_are_read_as_written(tmp_path):
    path = tmp_path / "c.json"
    one = comparison({"gland": 0.1})
    write_comparison(path, one)
    assert read_comparison(path) == one
    values = json.loads(path.read_text())
    values["surprise"] = 1
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="surprise"):
        read_comparison(path)
