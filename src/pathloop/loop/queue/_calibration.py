"""From how unsure a model says it is to how often it is wrong, where its card knows."""

from dataclasses import dataclass

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
    """

    entropy: NDArray[np.float64]
    error: NDArray[np.float64]

    def table(self) -> NDArray[np.float64]:
        """(256,): share of wrong pixels by stored byte."""
        return np.asarray(np.interp(np.arange(256) / 255, self.entropy, self.error), np.float64)


def read_calibration(card: ModelCard) -> Calibration | None:
    """The calibration of a card: lists ``entropy`` and ``error`` in its ``training.calibration``; None if it has none.

    Raises
    ------
    ModelError
        If what is there is no calibration.
    """
    found = card.training.get(KEY)
    if found is None:
        return None
    try:
        entropy, error = (np.array(found[name], np.float64) for name in ("entropy", "error"))
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelError(f"model {card.name!r}: its calibration needs lists 'entropy' and 'error'") from problem
    shaped = entropy.ndim == 1 and len(entropy) >= 2 and entropy.shape == error.shape
    if not shaped or (np.diff(entropy) <= 0).any() or not _shares(entropy) or not _shares(error):
        raise ModelError(f"model {card.name!r}: its calibration needs two or more points, rising, all within 0 .. 1")
    return Calibration(entropy, error)


def _shares(values: NDArray[np.float64]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())
