"""The fit loop: one generator of events that every recipe and test drives."""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pathloop.core import (
    CheckpointSaved,
    Evaluated,
    Event,
    Message,
    RunCancelled,
    RunPaused,
    RunResumed,
    TrainingError,
)
from pathloop.learn._checkpoint import CHECKPOINT_NAME, RunState, load_checkpoint, save_checkpoint
from pathloop.learn._config import FitConfig, TrainConfig
from pathloop.learn._control import Wish
from pathloop.learn._log_rows import is_flat, step_done
from pathloop.learn._memory import HalvedSteps
from pathloop.learn._parts import EVERYTHING, Phase, let_train, phase_at
from pathloop.learn._ranks import Ranks
from pathloop.learn._sampler import Batch, TaskSampler
from pathloop.learn._step import choose_device, make_optimizer, set_rate
from pathloop.learn._weights import decay_at, update_average
from pathloop.networks import keep_large_blocks
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["FitJob", "Metrics", "Steps", "config_key", "fit", "is_flat", "score_of"]

Metrics = dict[str, dict[str, float]]

PAUSE_S = 0.2


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
    keep_best
        Called when validation is the best so far.
    phases
        What trains when.
    teacher
        The network that tasks without truth shall go on agreeing with; None = none.
    wish
        Asked before every step what the user wants; see `Wish`.
    """

    network: MultiTaskNetwork
    sampler: TaskSampler
    config: TrainConfig
    validate: Callable[[MultiTaskNetwork], Metrics]
    keep_best: Callable[[MultiTaskNetwork, Metrics, int], None]
    phases: tuple[Phase, ...] = EVERYTHING
    teacher: MultiTaskNetwork | None = None
    wish: Callable[[], Wish] = lambda: "go on"


class Steps(IterableDataset[Batch]):
    """Deals the steps from ``start`` on to the loader's workers in turn, so that they come back in order."""

    def __init__(self, sampler: TaskSampler, start: int, rank: int = 0) -> None:
        self.sampler = sampler
        self.start = start
        self.rank = rank

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        first, stride = (0, 1) if info is None else (info.id, info.num_workers)
        if info is not None:
            cv2.setNumThreads(0)
        for step in range(self.start + first, self.sampler.config.fit.steps, stride):
            yield self.sampler.batch(step, self.rank)


def config_key(config: TrainConfig) -> str:
    """Digest of everything that must stay the same when a run resumes."""
    value = config.model_dump(mode="json", exclude={"output", "device", "summary", "name", "version"})
    for key in ("workers", "log_every", "checkpoint_every", "validate_every", "validation_images", "precision"):
        value["fit"].pop(key)
    if config.encoder_from is None:  # as it was before there was this key
        del value["encoder_from"]
    else:
        value["encoder_from"] = config.encoder_from.name
    for data in value["data"]:
        data.pop("path")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def score_of(metrics: Metrics) -> float | None:
    """One number to compare validations by: the mean of every set's PQ (instance tasks) or F1 (the others).

    None where nothing was measured.
    """
    values = [one[name] for one in metrics.values() for name in ("pq", "f1") if name in one]
    return sum(values) / len(values) if values else None


def fit(job: FitJob) -> Generator[Event, None, dict[str, Tensor] | None]:
    """Train until ``config.fit.steps``, resuming from the checkpoint in the output folder if there is one.

    Of several processes that torchrun started, each takes batches of its own, and the first one validates and writes.
    Stops early where ``config.fit.patience`` says so, or the user wishes it.

    Yields
    ------
    Event
        `StepDone` every ``log_every`` steps, `Evaluated`, `CheckpointSaved`, `RunPaused` and `RunResumed`, messages.
        Closing the generator writes a checkpoint and stops.

    Returns
    -------
    dict or None
        The averaged weights (those in training where there is no average) once training has come to its end; None where
        it was cancelled (`RunCancelled` was the last event) and can go on another time.

    Raises
    ------
    TrainingError
        If the loss is no longer finite (the last checkpoint stays as it was), or the checkpoint in the output
        folder cannot be resumed.
    """
    keep_large_blocks()
    config, network, ranks = job.config, job.network, Ranks.of_environment()
    device = ranks.join(choose_device(config.device))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if job.teacher is not None:
        job.teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        job.teacher.eval().requires_grad_(requires_grad=False)
    let_train(network, [part for phase in job.phases for part in phase.parts])
    optimizer = make_optimizer(network, config.fit)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()} if config.fit.ema else None
    state = RunState(config_key=config_key(config))
    checkpoint = config.output / CHECKPOINT_NAME
    if checkpoint.is_file():
        state = load_checkpoint(checkpoint, state.config_key, network=network, optimizer=optimizer, average=average)
    ranks.check_alike(state.step)
    diverged = False
    try:
        is_over = yield from _run(job, state, optimizer, average, ranks)
    except TrainingError:
        diverged = True
        raise
    finally:
        if not diverged:
            _keep(job, state, optimizer, average, ranks)
        ranks.leave()
    return (average or network.state_dict()) if is_over else None


def _run(
    job: FitJob,
    state: RunState,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
    ranks: Ranks,
) -> Generator[Event, None, bool]:
    config, network, fit_config = job.config, job.network, job.config.fit
    if _validation_is_due(state, fit_config):
        # the run stopped during this validation
        yield _validate(job, state, average, ranks)
    if state.stopped:
        return True
    loader = DataLoader(Steps(job.sampler, state.step, ranks.rank), batch_size=None, num_workers=fit_config.workers)
    window: list[dict[str, float]] = []
    started, first, n_samples = time.monotonic(), state.step, 0
    keep = partial(_keep, job, state, optimizer, average, ranks)
    steps, phase = HalvedSteps(network, optimizer, fit_config, job.teacher, ranks), None

    for batch in loader:
        wish, rested = yield from _rest(job, keep, ranks)
        started += rested
        if wish != "go on":
            yield _farewell(wish, state.step)
            if wish == "cancel":
                return False
            break
        if phase != (phase := phase_at(job.phases, batch.step / fit_config.steps)):
            let_train(network, phase.parts, statistics=phase.statistics)
            steps.let_train_changed()
        # the seed of a step is its own, so dropout repeats when a run resumes
        torch.manual_seed(config.seed * 1_000_003 + batch.step)
        set_rate(optimizer, fit_config, batch.step)
        window.append((yield from steps(batch)))
        update_average(average or {}, network.state_dict(), decay_at(fit_config.ema, batch.step))
        state.step = batch.step + 1
        n_samples += len(batch.images) * ranks.size
        if state.step % fit_config.log_every == 0 or state.step == fit_config.steps:
            window = ranks.gathered(window)
            elapsed = max(time.monotonic() - started, 1e-9)
            seconds = elapsed / (state.step - first)
            done, window = step_done(state.step, fit_config, window, rate=n_samples / elapsed, seconds=seconds), []
            state.losses.append(done.loss)
            yield done
        if _validation_is_due(state, fit_config):
            yield _validate(job, state, average, ranks)
            let_train(network, phase.parts, statistics=phase.statistics)
        if state.step % fit_config.checkpoint_every == 0:
            yield keep()
        if is_flat(state.losses, fit_config.patience) and state.step < fit_config.steps:
            yield Message(f"training ends after {state.step} steps: the loss no longer falls")
            break
    yield from _ended(job, state, average, ranks)
    return True


def _keep(
    job: FitJob,
    state: RunState,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
    ranks: Ranks,
) -> CheckpointSaved:
    path = job.config.output / CHECKPOINT_NAME
    if ranks.is_first:
        save_checkpoint(path, state, network=job.network, optimizer=optimizer, average=average)
    return CheckpointSaved(state.step, path)


def _farewell(wish: Wish, step: int) -> Event:
    return RunCancelled() if wish == "cancel" else Message(f"training ends after {step} steps, as asked for")


def _rest(job: FitJob, keep: Callable[[], CheckpointSaved], ranks: Ranks) -> Generator[Event, None, tuple[Wish, float]]:
    """Wait while the user wants a pause; returns what is wanted then, and the seconds that passed."""
    began, wish = time.monotonic(), ranks.same(job.wish())
    if wish != "pause":
        return wish, 0.0
    yield keep()
    yield RunPaused()
    while (wish := ranks.same(job.wish())) == "pause":
        time.sleep(PAUSE_S)
    yield RunResumed()
    return wish, time.monotonic() - began


def _ended(job: FitJob, state: RunState, average: dict[str, Tensor] | None, ranks: Ranks) -> Iterator[Event]:
    """Validate what a run that stopped early has come to; it will not train any more."""
    if state.step < job.config.fit.steps and not state.stopped:
        state.stopped = True
        if not state.history or state.history[-1]["step"] != state.step:
            yield _validate(job, state, average, ranks)


def _validation_is_due(state: RunState, fit: FitConfig) -> bool:
    done = bool(state.history) and state.history[-1]["step"] == state.step
    return not done and state.step > 0 and (state.step % fit.validate_every == 0 or state.step == fit.steps)


def _validate(job: FitJob, state: RunState, average: dict[str, Tensor] | None, ranks: Ranks) -> Evaluated:
    """Validate the averaged weights in place of the trained ones, then put these back; only the first process does."""
    if not ranks.is_first:
        state.history.append({"step": state.step})
        return Evaluated(state.step, {}, is_best=False)
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
    state.history.append({"step": state.step, "score": score, "metrics": metrics})
    return Evaluated(state.step, metrics, is_best)
