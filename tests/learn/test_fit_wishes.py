"""What a user can want of a run that is under way, what trains when, and where memory ends."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_sets import JOINT, TINY, config, pool, training_image

from pathloop.core import (
    Evaluated,
    Event,
    Message,
    RunCancelled,
    RunPaused,
    RunResumed,
    StepDone,
    TrainingError,
    outcome,
)
from pathloop.learn import TrainConfig, read_wish, write_wish
from pathloop.learn._fit import FitJob, fit, is_flat
from pathloop.learn._parts import EVERYTHING, Phase, branches, let_train, phase_at
from pathloop.learn._sampler import TaskSampler
from pathloop.learn._step import make_optimizer, parted, set_rate, train_step
from pathloop.learn._weights import between
from pathloop.networks.multitask import MultiTaskNetwork

pytestmark = pytest.mark.slow


def job_of(settings: TrainConfig, **changes: object) -> FitJob:
    torch.manual_seed(9)
    values: dict[str, object] = {
        "network": MultiTaskNetwork(TINY, JOINT),
        "sampler": TaskSampler(pool(training_image(0), training_image(1, ("nuclei",))), settings),
        "config": settings,
        "validate": lambda _: {"set/gland": {"pq": 0.5}},
        "keep_best": lambda *_: None,
    }
    return FitJob(**(values | changes))  # type: ignore[arg-type]


def run(job: FitJob) -> tuple[list[Event], bool]:
    """All events, and whether training has come to its end."""
    events, generator = [], fit(job)
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value is not None


def steps(events: list[Event]) -> list[int]:
    return [event.step for event in events if isinstance(event, StepDone)]


def test_cancelled_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "control.json"
    settings = config(steps=4, output=tmp_path / "run")
    job, events = job_of(settings, wish=lambda: read_wish(file)), []
    for event in fit(job):
        events.append(event)
        if steps(events) == [1, 2]:
            write_wish(file, "cancel")
    assert isinstance(events[-1], RunCancelled)
    assert steps(events) == [1, 2]
    again, is_over = run(job_of(settings))
    assert is_over
    assert steps(again) == [3, 4]


def test_pause_keeps_a_checkpoint_and_trains_nothing(tmp_path: Path) -> None:
    file = tmp_path / "control.json"
    write_wish(file, "pause")
    settings = config(steps=2, output=tmp_path / "run", checkpoint_every=100)
    events = []
    for event in fit(job_of(settings, wish=lambda: read_wish(file))):
        events.append(event)
        if isinstance(event, RunPaused):
            assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
            threading.Timer(0.5, write_wish, (file, "go on")).start()
    kinds = [event.kind for event in events]
    assert kinds[:3] == ["checkpoint", "paused", "resumed"]
    assert any(isinstance(event, RunResumed) for event in events)
    assert steps(events) == [1, 2]


def test_run_that_is_to_finish_is_validated_and_trains_no_more(tmp_path: Path) -> None:
    settings = config(steps=9, output=tmp_path / "run")
    wishes = iter(["go on", "go on", "finish"])
    events, is_over = run(job_of(settings, wish=lambda: next(wishes, "go on")))
    assert is_over
    assert steps(events) == [1, 2]
    assert isinstance(events[-1], Evaluated)
    assert any(isinstance(event, Message) and "after 2 steps" in event.text for event in events)
    again, is_over = run(job_of(settings))
    assert is_over
    assert steps(again) == []


def test_run_whose_loss_does_not_fall_ends_early(tmp_path: Path) -> None:
    settings = config(steps=50, patience=2, learning_rate=1e-12, output=tmp_path / "run")
    events, is_over = run(job_of(settings, phases=(Phase(0.0, branches(["gland"])),)))
    assert is_over
    assert 4 <= len(steps(events)) < 50


def test_flat_losses() -> None:
    falling = [1.0, 0.9, 0.8, 0.7]
    assert not is_flat(falling, 2)
    assert is_flat([*falling, 0.75, 0.75, 0.75, 0.75], 2)
    assert not is_flat([0.5] * 3, 2)
    assert not is_flat([0.5] * 9, 0)


def test_wishes_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "control.json"
    assert read_wish(file) == "go on"
    for text in ("", "[]", '{"wish": "explode"}', "{"):
        file.write_text(text)
        assert read_wish(file) == "go on"
    write_wish(file, "pause")
    assert read_wish(file) == "pause"


def moved(before: dict[str, torch.Tensor], network: MultiTaskNetwork) -> set[str]:
    after = network.state_dict()
    return {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}


def test_phases_let_parts_train_from_their_start_on(tmp_path: Path) -> None:
    phases = (Phase(0.0, branches(["gland"])), Phase(0.5, (*branches(["gland"]), "norms", "layer4")))
    assert phase_at(phases, 0.49) == phases[0]
    assert phase_at(phases, 0.5) == phases[1]
    settings = config(steps=4, ema=0.0, output=tmp_path / "run")
    job = job_of(settings, phases=phases)
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    for event in fit(job):
        if isinstance(event, StepDone):
            parts = moved(before, job.network)
            assert parts == ({"decoders", "heads"} if event.step <= 2 else {"decoders", "heads", "encoder"})
    after = job.network.state_dict()
    untouched = [name for name in before if "nuclei" in name or name.startswith(("neck", "encoder.layer2.0.conv"))]
    assert untouched
    assert all(torch.equal(before[name], after[name]) for name in untouched)
    assert not torch.equal(before["encoder.layer4.0.conv1.weight"], after["encoder.layer4.0.conv1.weight"])


def test_statistics_of_norm_layers_stay_where_the_phase_says_so(tmp_path: Path) -> None:
    phases = (Phase(0.0, ("norms", *branches(["gland"])), statistics=False),)
    job = job_of(config(steps=3, ema=0.5, output=tmp_path / "run"), phases=phases)
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    weights = outcome(fit(job), lambda event: None)
    for after in (job.network.state_dict(), weights):
        changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
        assert not [name for name in changed if "running" in name or "num_batches" in name]
        assert "encoder.layer4.0.bn1.weight" in changed
        assert any("decoders.gland" in name for name in changed)


def test_encoder_learns_at_its_own_rate() -> None:
    network = MultiTaskNetwork(TINY, JOINT)
    let_train(network, EVERYTHING[0].parts)
    fit_config = config(learning_rate=0.5, encoder_rate=0.1).fit
    optimizer = make_optimizer(network, fit_config)
    set_rate(optimizer, fit_config, 0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4, 9])
def test_parts_of_a_batch_are_the_batch(n_parts: int) -> None:
    items = (training_image(0), training_image(1, ("nuclei",)))
    batch = TaskSampler(pool(*items), config(segmentation_share=1.0)).batch(3)
    parts = parted(batch, n_parts)
    assert len(parts) == min(n_parts, 4)
    assert np.array_equal(np.concatenate([part.images for part in parts]), batch.images)
    first = np.cumsum([0, *(len(part.images) for part in parts)])
    for task, rows in batch.rows.items():
        own = [part.rows[task] + at for part, at in zip(parts, first, strict=False) if task in part.rows]
        assert np.array_equal(np.concatenate(own), rows)
        targets = [part.targets[task] for part in parts if task in part.targets]
        assert np.array_equal(np.concatenate(targets), batch.targets[task])


class Greedy(MultiTaskNetwork):
    """Needs more memory than there is for more than ``most`` samples."""

    most = 1

    def forward_rows(self, x, rows):  # type: ignore[no-untyped-def]
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward_rows(x, rows)


def test_batches_are_halved_until_they_fit(tmp_path: Path) -> None:
    torch.manual_seed(9)
    settings = config(steps=2, batch=4, patch_px=64, output=tmp_path / "run", segmentation_share=1.0)
    network = Greedy(TINY, JOINT)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    events, is_over = run(job_of(settings, network=network))
    told = [event.text for event in events if isinstance(event, Message)]
    assert is_over
    assert [text.rpartition("in ")[2] for text in told] == ["2 parts", "4 parts"]
    assert steps(events) == [1, 2]
    assert "encoder" in moved(before, network)


def test_sample_that_never_fits_is_said(tmp_path: Path) -> None:
    network = Greedy(TINY, JOINT)
    network.most = 0
    with pytest.raises(TrainingError, match="one sample does not fit into memory"):
        run(job_of(config(steps=2, output=tmp_path / "run"), network=network))


def test_other_errors_are_no_lack_of_memory(tmp_path: Path) -> None:
    class Broken(MultiTaskNetwork):
        def forward_rows(self, x, rows):  # type: ignore[no-untyped-def]
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(job_of(config(steps=2, output=tmp_path / "run"), network=Broken(TINY, JOINT)))


def test_parent_is_asked_where_there_is_no_truth() -> None:
    torch.manual_seed(3)
    network, teacher = MultiTaskNetwork(TINY, JOINT), MultiTaskNetwork(TINY, JOINT).eval().requires_grad_(False)
    settings = config(segmentation_share=1.0, distil=2.0, learning_rate=1e-3, batch=2)
    batch = TaskSampler(pool(training_image(0, ("nuclei",))), settings).batch(0)
    let_train(network, ["all"])
    optimizer = make_optimizer(network, settings.fit)
    losses = train_step(network, optimizer, batch, settings.fit, teacher=teacher)
    # the tissue head has no dense maps to agree on
    assert set(losses) == {"nuclei", "gland (parent)", "total"}
    for _ in range(15):
        last = train_step(network, optimizer, batch, settings.fit, teacher=teacher)
    assert last["gland (parent)"] < losses["gland (parent)"]
    assert set(train_step(network, optimizer, batch, settings.fit)) == {"nuclei", "total"}
    unasked = replace(batch, step=settings.fit.distil_every + 1)
    assert set(train_step(network, optimizer, unasked, settings.fit, teacher=teacher)) == {"nuclei", "total"}


def test_a_network_agrees_with_itself() -> None:
    network = MultiTaskNetwork(TINY, JOINT).eval()
    settings = config(segmentation_share=1.0, distil=1.0, batch=2)
    batch = TaskSampler(pool(training_image(0, ("nuclei",))), settings).batch(0)
    let_train(network, branches(["nuclei"]))
    losses = train_step(network, make_optimizer(network, settings.fit), batch, settings.fit, teacher=network)
    assert losses["gland (parent)"] == pytest.approx(0.0, abs=1e-6)


def test_weights_between_parent_and_child() -> None:
    parent = {"a": torch.zeros(2), "n": torch.tensor(3), "b": torch.zeros(2)}
    child = {"a": torch.ones(2) * 4, "n": torch.tensor(7), "b": torch.ones(3), "c": torch.ones(1)}
    found = between(parent, child, 0.25)
    assert found["a"].tolist() == [1.0, 1.0]
    assert found["n"] == 7
    assert found["b"].tolist() == [1.0, 1.0, 1.0]
    assert found["c"] is not child["c"]
    assert all(torch.equal(value, child[name]) for name, value in between(parent, child, 1.0).items())
    assert torch.equal(between(parent, child, 0.0)["a"], parent["a"])
