"""The project's model: promoted, refused, rolled back; the record of it."""

import pytest
from drawn_slides import drawn_model
from tuning_kit import comparison, with_weights

from pathloop.cli import _segment, main
from pathloop.core import DataError, JobFinished, ModelError, ProjectError, Rect, UsageError, read_json
from pathloop.loop.tuning import (
    Promotion,
    _promote,
    current_model,
    model_history,
    model_of_project,
    promote,
    repredict,
    rollback,
)
from pathloop.networks import read_card
from pathloop.store import Project


def between(old, new, gains=None, **changes):
    """A comparison of two model folders."""
    one = comparison({"gland": 0.1} if gains is None else gains, **changes)
    names = [{"name": card.name, "checksum": card.checksum} for card in map(read_card, (old, new))]
    return one.__class__.model_validate(one.model_dump() | {"parent": names[0], "candidate": names[1]})


@pytest.fixture
def writer(done, model, monkeypatch):
    """The project; its slide was segmented with a model that is known by name."""
    monkeypatch.setattr("pathloop.loop._model_of.known_models", lambda: {"drawn": model})
    monkeypatch.setattr("pathloop.loop.tuning._promote.known_models", lambda: {"drawn": model})
    monkeypatch.setattr("pathloop.loop.tuning._current.find_model", lambda name: {"drawn": model}[name])
    with Project.open(done, write=True) as project:
        yield project


def test_a_better_model_is_copied_and_becomes_the_projects(writer, model, other):
    assert current_model(writer.path) is None
    assert model_of_project(writer) == model
    entry = promote(writer, Promotion(other, between(model, other), run="tune-0001", who="Ada"))
    assert (entry.kind, entry.model, entry.run, entry.who, entry.reason) == ("promote", "other", "tune-0001", "Ada", "")
    assert entry.gains["gland"]["value"] == 0.1
    assert current_model(writer.path) == writer.path / "models" / "other" == model_of_project(writer)
    assert read_card(current_model(writer.path)) == read_card(other)
    assert [one.kind for one in model_history(writer.path)] == ["start", "promote"]


def test_a_worse_model_is_refused_unless_a_reason_is_given(writer, model, other):
    worse = between(model, other, {"gland": -0.5})
    with pytest.raises(ModelError, match=r"gland loses 0\.500 PQ; to promote it all the same, give a reason"):
        promote(writer, Promotion(other, worse))
    with pytest.raises(ModelError, match="give a reason"):
        promote(writer, Promotion(other, worse, reason="  ", confirmed=True))
    assert model_history(writer.path) == ()
    assert not (writer.path / "models" / "other").exists()
    assert promote(writer, Promotion(other, worse, reason="glands do not matter")).reason == "glands do not matter"


def test_too_little_evidence_must_be_confirmed(writer, model, other):
    few = between(model, other, n_regions=1)
    with pytest.raises(ModelError, match="not enough evidence: 1 held-out region is done, at least 4 are needed"):
        promote(writer, Promotion(other, few))
    assert promote(writer, Promotion(other, few, confirmed=True)).reason == "too little was held out; confirmed"


def test_a_comparison_with_another_model_does_not_count(writer, model, other, worse):
    with pytest.raises(UsageError, match="compare other with that first"):
        promote(writer, Promotion(other, between(worse, other)))
    with pytest.raises(UsageError, match="the comparison is of worse with drawn"):
        promote(writer, Promotion(other, between(model, worse)))


def test_promotions_are_taken_back_one_by_one(writer, model, other, worse):
    with pytest.raises(UsageError, match="no promotion to roll back"):
        rollback(writer)
    promote(writer, Promotion(other, between(model, other)))
    promote(writer, Promotion(worse, between(other, worse)))
    assert rollback(writer, who="Bo").model == "other"
    assert current_model(writer.path) == writer.path / "models" / "other"
    assert rollback(writer).model == "drawn"
    assert current_model(writer.path) == model
    with pytest.raises(UsageError, match="no promotion to roll back"):
        rollback(writer)
    kinds = [one.kind for one in model_history(writer.path)]
    assert kinds == ["start", "promote", "promote", "rollback", "rollback"]
    # nothing is deleted, so what was taken back can be promoted again
    promote(writer, Promotion(other, between(model, other)))
    assert current_model(writer.path) == writer.path / "models" / "other"
    assert rollback(writer).model == "drawn"


def test_a_name_that_another_model_has_is_refused(writer, model, other, tmp_path):
    promote(writer, Promotion(other, between(model, other)))
    rollback(writer)
    twin = with_weights(drawn_model(tmp_path / "twin", name="other"), b"twin")
    with pytest.raises(ModelError, match="holds another model of this name"):
        promote(writer, Promotion(twin, between(model, twin)))
    assert current_model(writer.path) == model


def test_readers_change_nothing(done, model, other):
    with Project.open(done, write=False) as project:
        with pytest.raises(ProjectError, match="open for reading only"):
            promote(project, Promotion(other, between(model, other)))
        with pytest.raises(ProjectError, match="open for reading only"):
            rollback(project)


def test_a_model_that_is_gone_or_changed_is_said(writer, model, other, worse):
    promote(writer, Promotion(other, between(model, other)))
    promote(writer, Promotion(worse, between(other, worse)))
    kept = writer.path / "models" / "other"
    kept.rename(writer.path / "models" / "elsewhere")
    with pytest.raises((ModelError, KeyError)):
        rollback(writer)
    (writer.path / "models" / "elsewhere").rename(kept)
    (kept / "weights.safetensors").write_bytes(b"changed")
    with pytest.raises(ModelError, match="does not match the checksum"):
        rollback(writer)
    assert current_model(writer.path) == writer.path / "models" / "worse"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format_version": 1}', '{"format_version": 1, "entries": [{"kind": 1}]}']
)
def test_a_damaged_record_is_said_and_kept(done, text):
    path = done / "models" / "history.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(DataError, match=r"history\.json"):
        current_model(done)
    assert path.read_text() == text


def test_a_newer_record_is_not_guessed_at(done):
    path = done / "models" / "history.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"format_version": 2, "entries": []}')
    with pytest.raises(DataError, match="newer pathloop"):
        current_model(done)
    assert read_json(path)["format_version"] == 2


def test_segmenting_takes_the_promoted_model(writer, model, other, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(_segment, "segment", asked.append)
    monkeypatch.setattr(_segment, "follow", lambda events, as_json: JobFinished(tmp_path, {"objects": {}}))
    promote(writer, Promotion(other, between(model, other)))
    slide = str(tmp_path / "slide.svs")
    main(["segment", slide, "-o", str(writer.path)])
    main(["segment", slide, "-o", str(tmp_path / "new.pathloop")])
    main(["segment", slide, "-o", str(writer.path), "--model", "fast"])
    assert [one.model for one in asked] == [str(writer.path / "models" / "other"), "fast", "fast"]


def test_what_another_model_found_is_segmented_anew(writer, model, other, monkeypatch):
    asked = []
    done = JobFinished(writer.path, {"slides": 1, "objects": {"gland": 2}})
    monkeypatch.setattr(_promote, "segment", lambda request: asked.append(request) or iter([done]))
    assert list(repredict(writer.path))[-1].summary == {"slides": 0, "objects": {}}
    promote(writer, Promotion(other, between(model, other)))
    slide = writer.slides()[0]
    assert list(repredict(writer.path))[-1].summary == {"slides": 1, "objects": {"gland": 2}}
    [request] = asked
    assert request.model == str(writer.path / "models" / "other")
    assert (request.slides, request.roi) == ((slide.path,), Rect(0, 0, *slide.shape))
    # a file that is gone ends nothing
    writer.add_slide(
        slide.path.with_name("gone.tif"), fingerprint=slide.fingerprint, shape=slide.shape,
        um_per_px_y=slide.scale.y, um_per_px_x=slide.scale.x, reader=slide.reader,
    )  # fmt: skip
    message, end = repredict(writer.path)
    assert "gone.tif" in message.text
    assert message.level == "warning"
    assert end.summary["slides"] == 0
