"""The fit loop: one generator of events that every recipe and test drives."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pathloop.core import CheckpointSaved, Evaluated, Event, StepDone, TrainingError
from pathloop.learn._checkpoint import CHECKPOINT_NAME, RunState, load_checkpoint, save_checkpoint
from pathloop.learn._config import FitConfig, TrainConfig
from pathloop.learn._sampler import Batch, TaskSampler
from pathloop.learn._step import choose_device, freeze_all_but, learning_rate, make_optimizer, train_step
from pathloop.networks import keep_large_blocks
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["FitJob", "Metrics", "Steps", "config_key", "fit", "score_of"]

Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class FitJob:
    """What `fit` works on.

    Parameters
    ----------
    network
        Trained in place.
    sampler
        Batches.
    config
        Schedule, seed, output folder.
    validate
        Called with the network (averaged weights where there are any); returns metrics by "set/task".
    trainable
        Tasks whose branches alone train (subtyping); None = everything.
    keep_best
        Called when validation is the best so far.
    """

    network: MultiTaskNetwork
    sampler: TaskSampler
    config: TrainConfig
    validate: Callable[[MultiTaskNetwork], Metrics]
    keep_best: Callable[[MultiTaskNetwork, Metrics, int], None]
    trainable: tuple[str, ...] | None = None


class Steps(IterableDataset[Batch]):
    """Deals the steps from ``start`` on to the loader's workers in turn, so that they come back in order."""

    def __init__(self, sampler: TaskSampler, start: int) -> None:
        self.sampler = sampler
        self.start = start

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        first, stride = (0, 1) if info is None else (info.id, info.num_workers)
        if info is not None:
            cv2.setNumThreads(0)
        for step in range(self.start + first, self.sampler.config.fit.steps, stride):
            yield self.sampler.batch(step)


def config_key(config: TrainConfig) -> str:
    """Digest of everything that must stay the same when a run resumes."""
    value = config.model_dump(mode="json", exclude={"output", "device", "summary", "name", "version"})
    for key in ("workers", "log_every", "checkpoint_every", "validate_every", "validation_images", "precision"):
        value["fit"].pop(key)
    for data in value["data"]:
        data.pop("path")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def score_of(metrics: Metrics) -> float | None:
    """One number to compare validations by: the mean of every set's PQ (instance tasks) or F1 (the others).

    None where nothing was measured.
    """
    values = [one[name] for one in metrics.values() for name in ("pq", "f1") if name in one]
    return sum(values) / len(values) if values else None


def fit(job: FitJob) -> Iterator[Event]:
    """Train until ``config.fit.steps``, resuming from the checkpoint in the output folder if there is one.

    Yields
    ------
    Event
        `StepDone` every ``log_every`` steps, `Evaluated`, `CheckpointSaved`. Closing the generator writes a
        checkpoint and stops.

    Raises
    ------
    TrainingError
        If the loss is no longer finite (the last checkpoint stays as it was), or the checkpoint in the output
        folder cannot be resumed.
    """
    keep_large_blocks()
    config, network = job.config, job.network
    device = choose_device(config.device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze_all_but(network, job.trainable)
    optimizer = make_optimizer(network, config.fit)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()} if config.fit.ema else None
    state = RunState(config_key=config_key(config))
    checkpoint = config.output / CHECKPOINT_NAME
    if checkpoint.is_file():
        state = load_checkpoint(checkpoint, state.config_key, network=network, optimizer=optimizer, average=average)
    diverged = False
    try:
        yield from _run(job, state, optimizer, average)
    except TrainingError:
        diverged = True
        raise
    finally:
        if not diverged:
            save_checkpoint(checkpoint, state, network=network, optimizer=optimizer, average=average)


def _run(
    job: FitJob, state: RunState, optimizer: torch.optim.Optimizer, average: dict[str, Tensor] | None
) -> Iterator[Event]:
    config, network, fit_config = job.config, job.network, job.config.fit
    if _validation_is_due(state, fit_config):
        # the run stopped during this validation
        yield _validate(job, state, average)
    loader = DataLoader(Steps(job.sampler, state.step), batch_size=None, num_workers=fit_config.workers)
    window: list[dict[str, float]] = []
    started, first, n_samples = time.monotonic(), state.step, 0
    for batch in loader:
        # the seed of a step is its own, so dropout repeats when a run resumes
        torch.manual_seed(config.seed * 1_000_003 + batch.step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(fit_config, batch.step)
        window.append(train_step(network, optimizer, batch, fit_config))
        if average is not None:
            _update_average(average, network, _decay(fit_config.ema, batch.step))
        state.step = batch.step + 1
        n_samples += len(batch.images)
        if state.step % fit_config.log_every == 0 or state.step == fit_config.steps:
            elapsed = max(time.monotonic() - started, 1e-9)
            seconds = elapsed / (state.step - first)
            yield _step_done(state.step, fit_config, window, rate=n_samples / elapsed, seconds=seconds)
            window = []
        if _validation_is_due(state, fit_config):
            yield _validate(job, state, average)
        if state.step % fit_config.checkpoint_every == 0:
            path = config.output / CHECKPOINT_NAME
            save_checkpoint(path, state, network=network, optimizer=optimizer, average=average)
            yield CheckpointSaved(state.step, path)


def _validation_is_due(state: RunState, fit: FitConfig) -> bool:
    done = bool(state.history) and state.history[-1]["step"] == state.step
    return not done and state.step > 0 and (state.step % fit.validate_every == 0 or state.step == fit.steps)


def _decay(target: float, step: int) -> float:
    # a young average follows the weights quickly
    return min(target, (1 + step) / (10 + step))


@torch.no_grad()
def _update_average(average: dict[str, Tensor], network: MultiTaskNetwork, decay: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


def _step_done(step: int, fit: FitConfig, window: list[dict[str, float]], *, rate: float, seconds: float) -> StepDone:
    tasks = sorted({task for row in window for task in row if task != "total"})
    means = {task: _mean([row[task] for row in window if task in row]) for task in tasks}
    return StepDone(
        step=step,
        n_steps=fit.steps,
        loss=_mean([row["total"] for row in window]),
        losses=means,
        learning_rate=learning_rate(fit, step - 1),
        samples_per_s=rate,
        eta_s=seconds * (fit.steps - step),
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _validate(job: FitJob, state: RunState, average: dict[str, Tensor] | None) -> Evaluated:
    """Validate the averaged weights in place of the trained ones, then put these back."""
    network = job.network
    trained = {name: value.clone() for name, value in network.state_dict().items()} if average is not None else None
    if average is not None:
        network.load_state_dict(average)
    network.eval()
    try:
        metrics = job.validate(network)
        score = score_of(metrics)
        # without a score the latest model is kept
        is_best = score is None or state.best_score is None or score > state.best_score
        if is_best:
            state.best_score = score
            job.keep_best(network, metrics, state.step)
    finally:
        if trained is not None:
            network.load_state_dict(trained)
        freeze_all_but(network, job.trainable)
    state.history.append({"step": state.step, "score": score, "metrics": metrics})
    return Evaluated(state.step, metrics, is_best)
