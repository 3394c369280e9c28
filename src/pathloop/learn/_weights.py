"""Weights between weights: the running average of a training, and points between a parent and what it became."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["between", "decay_at", "update_average"]


def decay_at(target: float, step: int) -> float:
    """Decay of the running average at a step: a young average follows the weights quickly."""
    return min(target, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: Mapping[str, Tensor], values: Mapping[str, Tensor], decay: float) -> None:
    """Move each tensor of the average towards its value, in place; counters are taken over."""
    for name, mean in average.items():
        if mean.is_floating_point():
            mean.lerp_(values[name], 1 - decay)
        else:
            mean.copy_(values[name])


def between(parent: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights on the straight line from a parent (share 0) to what was tuned from it (share 1), as new tensors.

    Tuned weights and their parent's lie in one valley of the loss, so that points between them keep most of what
    either knows (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). What the parent does not have, or
    has in another shape, is the tuned network's own.
    """
    found = {}
    for name, value in tuned.items():
        old = parent.get(name)
        fits = old is not None and old.shape == value.shape and value.is_floating_point()
        found[name] = torch.lerp(old, value, share) if old is not None and fits else value.clone()
    return found
