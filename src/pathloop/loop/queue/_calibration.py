"""From how unsure a model says it is to how often it is wrong, where its card knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ModelError
from pathloop.networks import ModelCard

__all__ = ["Calibration", "read_calibration"]

KEY = "calibration"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What share of the pixels is wrong where the uncertainty map shows a value; straight lines between the points.

    Parameters
    ----------
    entropy
        (k,) float64, 0..1, rising: values of the uncertainty map.
    error
        (k,) float64, 0..1: share of wrong pixels there, measured on data that the model was not trained on.
    objects
        By task: confidences of objects, rising, and the share of objects there that are right (IoU > 0.5 with a true
        one), each (k,) float64, 0..1.
    """

    entropy: NDArray[np.float64]
    error: NDArray[np.float64]
    objects: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)

    def table(self) -> NDArray[np.float64]:
        """(256,): share of wrong pixels by stored byte."""
        return np.asarray(np.interp(np.arange(256) / 255, self.entropy, self.error), np.float64)

    def right_from(self, task: str, share: float) -> float | None:
        """The confidence from which on at least this share of a task's objects is right; None = not measured."""
        if task not in self.objects:
            return None
        confidences = np.linspace(0, 1, 1001)
        wrong = np.flatnonzero(np.interp(confidences, *self.objects[task]) < share)
        return float(confidences[wrong[-1]]) if wrong.size else 0.0


def read_calibration(card: ModelCard) -> Calibration | None:
    """The calibration of a card, ``training.calibration``; None if it has none.

    It holds lists ``entropy`` and ``error``, and ``objects``: by task lists ``confidence`` and ``right``.

    Raises
    ------
    ModelError
        If what is there is no calibration.
    """
    found = card.training.get(KEY)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise ModelError(f"model {card.name!r}: its calibration needs lists 'entropy' and 'error'")
    objects = found.get("objects", {})
    if not isinstance(objects, dict):
        raise ModelError(f"model {card.name!r}: 'objects' of its calibration needs lists by task")
    curves = {task: _curve(card, one, "confidence", "right") for task, one in objects.items()}
    return Calibration(*_curve(card, found, "entropy", "error"), curves)


def _curve(card: ModelCard, found: object, first: str, second: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        said, there = (np.array(found[name], np.float64) for name in (first, second))  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelError(f"model {card.name!r}: its calibration needs lists {first!r} and {second!r}") from problem
    shaped = said.ndim == 1 and len(said) >= 2 and said.shape == there.shape
    if not shaped or (np.diff(said) <= 0).any() or not _shares(said) or not _shares(there):
        raise ModelError(f"model {card.name!r}: its calibration needs two or more points, rising, all within 0 .. 1")
    return said, there


def _shares(values: NDArray[np.float64]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())
