"""The fit loop: events, best model, resuming bit by bit, checkpoints that are wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from training_sets import JOINT, TINY, config, pool, training_image

from pathloop.core import CheckpointSaved, Evaluated, Event, StepDone, TrainingError
from pathloop.learn import TrainConfig
from pathloop.learn._checkpoint import CHECKPOINT_NAME
from pathloop.learn._fit import FitJob, Metrics, fit, score_of
from pathloop.learn._sampler import TaskSampler
from pathloop.networks.multitask import MultiTaskNetwork

pytestmark = pytest.mark.slow

Validate = Callable[[MultiTaskNetwork], Metrics]


def job_of(settings: TrainConfig, validate: Validate = lambda _: {}, kept: list[int] | None = None) -> FitJob:
    torch.manual_seed(9)
    items = (training_image(0, tissue=True), training_image(1, ("nuclei",)))
    return FitJob(
        network=MultiTaskNetwork(TINY, JOINT),
        sampler=TaskSampler(pool(*items), settings),
        config=settings,
        validate=validate,
        keep_best=lambda _, __, step: kept.append(step) if kept is not None else None,
    )


def trained(settings: TrainConfig) -> dict[str, Tensor]:
    job = job_of(settings)
    list(fit(job))
    return job.network.state_dict()


def stop_after(settings: TrainConfig, step: int) -> None:
    events = fit(job_of(settings))
    for event in events:
        if isinstance(event, StepDone) and event.step == step:
            break
    events.close()


@pytest.mark.parametrize("ema", [0.0, pytest.param(0.9, marks=pytest.mark.slow)])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, ema: float) -> None:
    """Bit by bit: weights, buffers, moments, and averages."""
    changes = {"steps": 4, "ema": ema, "segmentation_share": 0.5, "checkpoint_every": 100}
    whole, parts = config(**changes, output=tmp_path / "whole"), config(**changes, output=tmp_path / "parts")
    expected = trained(whole)
    stop_after(parts, 2)
    found = trained(parts)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    first, second = (load_file(str(one.output / CHECKPOINT_NAME)) for one in (whole, parts))
    assert first.keys() == second.keys()
    assert any(name.startswith("optimizer.exp_avg.") for name in first)
    assert any(name.startswith("average.") for name in first) == (ema > 0)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_events_of_a_run(tmp_path: Path) -> None:
    settings = config(steps=6, log_every=2, validate_every=3, checkpoint_every=4, output=tmp_path)
    events = list(fit(job_of(settings)))
    plain = [(event.kind, getattr(event, "step", None)) for event in events]
    assert plain == [("step", 2), ("evaluated", 3), ("step", 4), ("checkpoint", 4), ("step", 6), ("evaluated", 6)]
    step = events[0]
    assert isinstance(step, StepDone)
    assert step.n_steps == 6
    assert step.learning_rate == pytest.approx(1e-3)
    assert step.samples_per_s > 0
    assert step.eta_s > 0
    assert set(step.losses) <= set(JOINT.names)
    saved = events[3]
    assert isinstance(saved, CheckpointSaved)
    assert saved.path == tmp_path / CHECKPOINT_NAME


@pytest.mark.slow
def test_closing_writes_a_checkpoint(tmp_path: Path) -> None:
    settings = config(steps=50, checkpoint_every=50, output=tmp_path)
    stop_after(settings, 1)
    again = fit(job_of(settings))
    event = next(again)
    assert isinstance(event, StepDone)
    assert event.step == 2
    again.close()
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT_NAME]


@pytest.mark.slow
def test_finished_run_does_nothing_more(tmp_path: Path) -> None:
    settings = config(steps=1, output=tmp_path)
    list(fit(job_of(settings)))
    assert list(fit(job_of(settings))) == []


def scores(*values: float | None) -> Validate:
    rest = iter(values)

    def validate(_: MultiTaskNetwork) -> Metrics:
        value = next(rest)
        return {} if value is None else {"set/nuclei": {"pq": value, "dice": 1.0}}

    return validate


@pytest.mark.parametrize(
    ("values", "best"), [((0.2, 0.5, 0.4), [1, 2]), ((None, None, None), [1, 2, 3]), ((0.5, 0.5, 0.6), [1, 3])]
)
def test_best_model_is_kept_or_the_latest_without_scores(
    tmp_path: Path, values: tuple[float | None, ...], best: list[int]
) -> None:
    kept: list[int] = []
    settings = config(steps=3, validate_every=1, batch=2, patch_batch=2, output=tmp_path)
    events = list(fit(job_of(settings, scores(*values), kept)))
    assert kept == best
    assert [event.step for event in events if isinstance(event, Evaluated) and event.is_best] == best


@pytest.mark.slow
def test_best_score_survives_a_stop(tmp_path: Path) -> None:
    settings = config(steps=3, validate_every=1, batch=2, output=tmp_path, segmentation_share=1.0)
    events = fit(job_of(settings, scores(0.9)))
    for event in events:
        if isinstance(event, Evaluated):
            break
    events.close()
    kept: list[int] = []
    list(fit(job_of(settings, scores(0.3, 0.95), kept)))
    assert kept == [3]


@pytest.mark.slow
def test_validation_that_was_cut_short_is_made_up(tmp_path: Path) -> None:
    """A run stopped while it validates its last step must still leave a model."""

    def interrupted(_: MultiTaskNetwork) -> Metrics:
        raise KeyboardInterrupt

    settings = config(steps=1, batch=2, output=tmp_path, segmentation_share=1.0)
    with pytest.raises(KeyboardInterrupt):
        list(fit(job_of(settings, interrupted)))
    kept: list[int] = []
    events: list[Event] = list(fit(job_of(settings, scores(0.4), kept)))
    assert [event.kind for event in events] == ["evaluated"]
    assert kept == [1]


def test_averaged_weights_are_validated_and_training_goes_on_with_its_own(tmp_path: Path) -> None:
    seen: list[dict[str, Tensor]] = []

    def validate(network: MultiTaskNetwork) -> Metrics:
        assert not network.training
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {}

    settings = config(steps=2, ema=0.5, output=tmp_path, segmentation_share=1.0)
    job = job_of(settings, validate)
    begin = job.network.neck.weight.detach().clone()
    weights: list[Tensor] = []
    for event in fit(job):
        if isinstance(event, StepDone):
            weights.append(job.network.neck.weight.detach().clone())
    # decay min(0.5, (1 + step) / (10 + step)) = 1/10, then 2/11
    average = begin * 0.1 + weights[0] * 0.9
    average = average * (2 / 11) + weights[1] * (9 / 11)
    torch.testing.assert_close(seen[0]["neck.weight"], average)
    assert torch.equal(job.network.neck.weight, weights[1])
    assert job.network.training


@pytest.mark.slow
def test_diverged_run_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    settings = config(steps=4, batch=2, checkpoint_every=1, output=tmp_path, segmentation_share=1.0)
    job = job_of(settings)
    events = fit(job)
    while not isinstance(next(events), CheckpointSaved):
        pass
    before = (tmp_path / CHECKPOINT_NAME).read_bytes()
    job.network.encoder.conv1.weight.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="the loss became nan at step 1"):
        list(events)
    assert (tmp_path / CHECKPOINT_NAME).read_bytes() == before


def failure(settings: TrainConfig) -> str:
    job = job_of(settings)
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    with pytest.raises(TrainingError) as caught:
        next(fit(job))
    message = str(caught.value)
    assert "\n" not in message
    assert str(settings.output / CHECKPOINT_NAME) in message
    assert all(torch.equal(value, before[name]) for name, value in job.network.state_dict().items())
    return message


@pytest.mark.slow
def test_checkpoints_that_cannot_be_resumed(tmp_path: Path) -> None:
    settings = config(steps=3, batch=2, output=tmp_path, segmentation_share=1.0)
    stop_after(settings, 1)
    path = tmp_path / CHECKPOINT_NAME
    good = path.read_bytes()
    other = settings.model_copy(update={"seed": 12})
    assert "other settings" in failure(other)
    assert path.read_bytes() == good
    path.write_bytes(good[: len(good) // 2])
    assert "not readable as a checkpoint" in failure(settings)
    path.write_bytes(b"")
    assert "not readable as a checkpoint" in failure(settings)
    save_file({"x": torch.zeros(1)}, str(path))
    assert "not a checkpoint of this version" in failure(settings)
    save_file({"x": torch.zeros(1)}, str(path), metadata={"format": "1", "state": "[]"})
    assert "states no step" in failure(settings)


@pytest.mark.slow
def test_settings_that_may_change_when_a_run_resumes(tmp_path: Path) -> None:
    settings = config(steps=2, batch=2, output=tmp_path, segmentation_share=1.0)
    stop_after(settings, 1)
    fit_changes = {"workers": 0, "log_every": 2, "checkpoint_every": 7, "validate_every": 1, "precision": "bf16"}
    changed = settings.model_copy(
        update={"summary": "Another.", "device": "cpu", "fit": settings.fit.model_copy(update=fit_changes)}
    )
    events = list(fit(job_of(changed)))
    assert isinstance(events[0], StepDone | Evaluated)


def test_score_is_the_mean_over_what_was_measured() -> None:
    assert score_of({"a/nuclei": {"pq": 0.2, "dice": 1}, "a/tissue": {"f1": 0.6}, "b/gland": {"n": 3}}) == 0.4
    assert score_of({}) is None
