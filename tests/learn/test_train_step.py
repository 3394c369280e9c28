"""Optimiser steps: dynamic freezing, masks of the samples, frozen networks, precision, schedule."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_sets import ALL_KINDS, JOINT, TINY, TYPED, config, pool, training_image

from pathloop.core import LabelSchema, TrainingError
from pathloop.learn import FitConfig
from pathloop.learn._parts import branches, let_train
from pathloop.learn._sampler import Batch, TaskSampler
from pathloop.learn._step import choose_device, learning_rate, make_optimizer, train_step
from pathloop.networks.multitask import MultiTaskNetwork

pytestmark = pytest.mark.slow


def network_of(labels: LabelSchema = JOINT) -> MultiTaskNetwork:
    torch.manual_seed(5)
    network = MultiTaskNetwork(TINY, labels)
    network.to(memory_format=torch.channels_last)
    network.train()
    return network


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(before: dict[str, Tensor], network: nn.Module) -> set[str]:
    """Names of parameters and buffers of which any bit differs."""
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def branch_names(network: MultiTaskNetwork, task: str) -> set[str]:
    return {name for name in network.state_dict() if f".{task}." in name}


def only(batch: Batch, *tasks: str) -> Batch:
    return Batch(
        batch.step,
        batch.images,
        {task: batch.rows[task] for task in tasks},
        {task: batch.targets[task] for task in tasks},
    )


@pytest.fixture
def started() -> tuple[MultiTaskNetwork, torch.optim.Optimizer, Batch]:
    """A network after two steps with all tasks, so that every parameter has momentum, and a batch of dense tasks."""
    network = network_of()
    fit = config().fit
    optimizer = make_optimizer(network, fit)
    found = pool(training_image(0, tissue=True), training_image(1, tissue=True))
    dense = TaskSampler(found, config(segmentation_share=1.0))
    cells = TaskSampler(found, config(segmentation_share=0.0))
    train_step(network, optimizer, dense.batch(0), fit)
    train_step(network, optimizer, cells.batch(1), fit)
    assert all(bool(optimizer.state[parameter]["exp_avg"].any()) for parameter in network.parameters())
    return network, optimizer, dense.batch(2)


@pytest.mark.parametrize("absent", ["nuclei", "gland"])
def test_absent_decoder_stands_still_in_spite_of_momentum(
    started: tuple[MultiTaskNetwork, torch.optim.Optimizer, Batch], absent: str
) -> None:
    network, optimizer, batch = started
    present = "gland" if absent == "nuclei" else "nuclei"
    before = state_of(network)
    steps = {name: float(optimizer.state[p]["step"]) for name, p in network.named_parameters()}
    train_step(network, optimizer, only(batch, present), config().fit)
    moved = changed(before, network)
    still = branch_names(network, absent) | branch_names(network, "tissue")
    assert not moved & still
    assert {name for name in still if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    for task in (absent, "tissue"):
        for module in network.branch(task):
            assert all(parameter.grad is None for parameter in module.parameters())
    # everything else moved, the encoder's buffers included
    assert moved == set(before) - still
    for name, parameter in network.named_parameters():
        assert float(optimizer.state[parameter]["step"]) == steps[name] + (name not in still)


def test_patch_batch_moves_encoder_and_patch_head_alone(
    started: tuple[MultiTaskNetwork, torch.optim.Optimizer, Batch],
) -> None:
    network, optimizer, _ = started
    before = state_of(network)
    found = pool(training_image(2, tissue=True))
    batch = TaskSampler(found, config(segmentation_share=0.0)).batch(3)
    train_step(network, optimizer, batch, config().fit)
    trunk = {name for name in before if name.startswith("encoder.")}
    assert changed(before, network) == trunk | branch_names(network, "tissue")


def test_fixed_batches_freeze_the_other_decoders() -> None:
    network = network_of()
    settings = config(batching="fixed", segmentation_share=1.0, batch=2)
    optimizer = make_optimizer(network, settings.fit)
    sampler = TaskSampler(pool(training_image(0, ("nuclei",)), training_image(1, ("gland",))), settings)
    batches = [sampler.batch(step) for step in range(12)]
    one = {task: next(batch for batch in batches if task in batch.rows) for task in ("nuclei", "gland")}
    for batch in one.values():
        train_step(network, optimizer, batch, settings.fit)
    before = state_of(network)
    train_step(network, optimizer, one["nuclei"], settings.fit)
    assert changed(before, network) == {
        name for name in before if not name.startswith("heads.tissue") and name not in branch_names(network, "gland")
    }


def test_samples_without_a_task_do_not_reach_its_decoder() -> None:
    """Loss and gradients of a branch, given encoder statistics, depend on the rows that own the task alone."""
    network = network_of()
    # batch norm of the encoder would mix the rows of a batch by itself
    network.encoder.eval()
    found = pool(training_image(0), training_image(1, ("nuclei",)))
    batch = TaskSampler(found, config(batch=6, segmentation_share=1.0)).batch(0)
    owners = batch.rows["gland"]
    assert 0 < len(owners) < 6
    images = batch.images.copy()
    images[np.setdiff1d(np.arange(6), owners)] = 255 - images[np.setdiff1d(np.arange(6), owners)]
    other = Batch(batch.step, images, batch.rows, batch.targets)
    results = []
    buffers = state_of(network)
    for one in (batch, other):
        network.load_state_dict(buffers)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
        losses = train_step(network, optimizer, one, config().fit)
        grads = [p.grad.clone() for module in network.branch("gland") for p in module.parameters()]
        kept = {name: network.state_dict()[name].clone() for name in branch_names(network, "gland")}
        results.append((losses, grads, kept))
    (first, first_grads, first_state), (second, second_grads, second_state) = results
    assert first["gland"] == second["gland"]
    assert first["nuclei"] != second["nuclei"]
    assert all(torch.equal(a, b) for a, b in zip(first_grads, second_grads, strict=True))
    assert all(torch.equal(first_state[name], second_state[name]) for name in first_state)


def test_total_is_the_sum_of_the_tasks() -> None:
    network = network_of()
    found = pool(training_image(0))
    batch = TaskSampler(found, config(segmentation_share=1.0)).batch(0)
    losses = train_step(network, make_optimizer(network, config().fit), batch, config().fit)
    assert set(losses) == {"nuclei", "gland", "total"}
    assert losses["total"] == pytest.approx(losses["nuclei"] + losses["gland"], rel=1e-6)


def test_task_of_which_nothing_is_known_does_no_harm() -> None:
    network = network_of()
    optimizer = make_optimizer(network, config().fit)
    batch = TaskSampler(pool(training_image(0)), config(segmentation_share=1.0)).batch(0)
    batch.targets["gland"][:] = 255
    losses = train_step(network, optimizer, batch, config(dice=0.5).fit)
    assert losses["gland"] == 0
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def test_loss_that_is_not_finite_stops_before_the_weights_move() -> None:
    network = network_of()
    network.heads["nuclei"].layers[-1].bias.data[0] = math.inf
    before = {name: value.clone() for name, value in network.named_parameters()}
    batch = TaskSampler(pool(training_image(0)), config(segmentation_share=1.0)).batch(0)
    with pytest.raises(TrainingError, match=r"at step 0; lower fit\.learning_rate"):
        train_step(network, make_optimizer(network, config().fit), batch, config().fit)
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())


def test_subtyping_moves_type_branches_alone() -> None:
    network = network_of(TYPED)
    let_train(network, branches(["nuclei_type"]))
    settings = config(TYPED)
    optimizer = make_optimizer(network, settings.fit)
    item = training_image(0, ("nuclei_type",))
    sampler = TaskSampler(pool(item, labels=TYPED), settings)
    before = state_of(network)
    for step in range(3):
        train_step(network, optimizer, sampler.batch(step), settings.fit)
        if step == 0:
            assert all(p.grad is not None for module in network.branch("nuclei_type") for p in module.parameters())
            assert all(p.grad is None for module in (network.encoder, network.neck) for p in module.parameters())
    assert changed(before, network) == branch_names(network, "nuclei_type")
    assert not network.encoder.training
    assert network.heads["nuclei_type"].training
    let_train(network, ["all"])
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_bf16_step_is_finite_and_close_to_fp32() -> None:
    batch = TaskSampler(pool(training_image(0)), config(segmentation_share=1.0)).batch(0)
    losses = {}
    for precision in ("fp32", "bf16"):
        network = network_of()
        assert network.encoder.layer4[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
        fit = config(precision=precision).fit
        losses[precision] = train_step(network, make_optimizer(network, fit), batch, fit)["total"]
        assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        assert network.encoder.layer4[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert losses["bf16"] != losses["fp32"]


def test_step_schedule_is_the_published_one() -> None:
    fit = FitConfig(steps=90_000)
    assert [learning_rate(fit, step) for step in (0, 69_999, 70_000, 89_999)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


def test_warmup_rises_in_equal_steps() -> None:
    fit = FitConfig(steps=100, warmup_steps=4, learning_rate=0.8)
    assert [learning_rate(fit, step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])


def test_cosine_falls_to_a_hundredth() -> None:
    fit = FitConfig(steps=1000, warmup_steps=10, schedule="cosine", learning_rate=1.0)
    rates = [learning_rate(fit, step) for step in range(10, 1000)]
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
    assert all(a > b for a, b in pairwise(rates))
    assert rates[495] == pytest.approx(0.505, abs=1e-3)


def test_optimizers() -> None:
    network = network_of(ALL_KINDS)
    adam = make_optimizer(network, FitConfig(learning_rate=0.1))
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["betas"] == (0.9, 0.999)
    decayed = make_optimizer(network, FitConfig(optimizer="adamw", weight_decay=0.01))
    assert type(decayed) is torch.optim.AdamW
    assert decayed.defaults["weight_decay"] == 0.01


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    if not torch.backends.mps.is_available():
        with pytest.raises(TrainingError, match="'mps' is not available"):
            choose_device("mps")
