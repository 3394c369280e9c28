"""Rows of a training's log: means of the losses since the last one, and whether they still fall."""

from collections.abc import Sequence

from pathloop.core import StepDone
from pathloop.learn._config import FitConfig
from pathloop.learn._step import learning_rate

__all__ = ["is_flat", "step_done"]

FLAT = 0.01
"""A loss that falls by less than this share has come to rest."""


def is_flat(losses: Sequence[float], patience: int) -> bool:
    """Whether the last ``patience`` losses are on average less than 1 % below as many before; never for 0."""
    if patience == 0 or len(losses) < 2 * patience:
        return False
    before, last = _mean(losses[-2 * patience : -patience]), _mean(losses[-patience:])
    return last > before - FLAT * abs(before)


def step_done(step: int, fit: FitConfig, window: list[dict[str, float]], *, rate: float, seconds: float) -> StepDone:
    """The row of a step: ``window`` holds the losses by task of the steps (and processes) since the last row."""
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


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
