"""Losses. Every function takes logits and integer targets with 255 = unknown, and returns a scalar."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pathloop.core import LabelSchema
from pathloop.learn._pool import IGNORE

__all__ = ["cross_entropy", "distillation", "soft_dice", "subtype_loss", "task_loss"]

EPSILON = 1e-3


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the known pixels of each sample, then over the samples that have any.

    Parameters
    ----------
    logits
        (n, C, H, W).
    target
        (n, H, W) integer, 255 = unknown.
    """
    losses = F.cross_entropy(logits, target.long(), ignore_index=IGNORE, reduction="none").flatten(1)
    known = (target != IGNORE).flatten(1).sum(dim=1)
    per_sample = losses.sum(dim=1) / known.clamp(min=1)
    return per_sample.sum() / (known > 0).sum().clamp(min=1)


def soft_dice(logits: Tensor, target: Tensor) -> Tensor:
    """One minus the soft Dice of each foreground class over the batch's known pixels, mean over the classes."""
    known = (target != IGNORE).unsqueeze(1)
    truth = F.one_hot(torch.where(target == IGNORE, 0, target).long(), logits.shape[1]).movedim(-1, 1) * known
    prob = torch.softmax(logits, dim=1) * known
    overlap = (truth * prob).sum(dim=(0, 2, 3))[1:]
    total = (truth.sum(dim=(0, 2, 3)) + prob.sum(dim=(0, 2, 3)))[1:]
    return (1 - (2 * overlap + EPSILON) / (total + EPSILON)).mean()


def subtype_loss(logits: Tensor, target: Tensor) -> Tensor:
    """L_CE + L_Dice over foreground pixels, summed over the classes (Graham et al. 2023, subtyping decoder).

    Parameters
    ----------
    logits
        (n, C, H, W); channel 0 is "none" and takes part in the softmax alone.
    target
        (n, H, W): 1..C-1 the class of the object that owns the pixel, 0 outside objects, 255 unknown.

    Notes
    -----
    With v the foreground pixels and v_k those of true class k:
    L_CE = - sum_k (1 / |v_k|) sum_{i in v_k} log p_ik;
    L_Dice = sum_k [1 - (2 sum_v y p + eps) / (sum_v y + sum_v p + eps)], eps = 1e-3.
    Classes without a pixel in the batch add no cross-entropy.
    """
    foreground = (target > 0) & (target != IGNORE)
    rows = logits.movedim(1, -1)[foreground]
    truth = target[foreground].long()
    n_classes = logits.shape[1]
    log_prob = F.log_softmax(rows, dim=1)
    counts = torch.bincount(truth, minlength=n_classes).to(log_prob.dtype)
    own = log_prob.gather(1, truth[:, None])[:, 0]
    loss_ce = -(own / counts[truth]).sum()
    one_hot = F.one_hot(truth, n_classes).to(log_prob.dtype)
    prob = log_prob.exp()
    overlap = (one_hot * prob).sum(dim=0)[1:]
    total = (one_hot.sum(dim=0) + prob.sum(dim=0))[1:]
    loss_dice = (1 - (2 * overlap + EPSILON) / (total + EPSILON)).sum()
    return loss_ce + loss_dice


def distillation(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of softened outputs from another network's (Hinton et al. 2015, at T = 1).

    Parameters
    ----------
    logits, wanted
        (n, C, H, W) of the network in training and of the one to agree with.
    """
    truth = torch.log_softmax(wanted.float(), dim=1)
    return (truth.exp() * (truth - torch.log_softmax(logits.float(), dim=1))).sum(dim=1).mean()


def task_loss(task: str, logits: Tensor, target: Tensor, *, labels: LabelSchema, dice: float) -> Tensor:
    """The loss of one task on the rows that own it."""
    logits = logits.float()
    if labels[task].output == "type":
        return subtype_loss(logits, target)
    loss = cross_entropy(logits, target)
    if dice and labels[task].output == "instance":
        loss = loss + dice * soft_dice(logits, target)
    return loss
