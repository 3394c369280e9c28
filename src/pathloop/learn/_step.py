"""One optimiser step and what it needs: device, optimiser, learning rate."""

import math
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from pathloop.core import TrainingError
from pathloop.learn._config import FitConfig
from pathloop.learn._losses import distillation, task_loss
from pathloop.learn._ranks import Forward
from pathloop.learn._sampler import Batch
from pathloop.networks.hardware import cpu_has_bf16
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["choose_device", "learning_rate", "make_optimizer", "parted", "precision_scope", "set_rate", "train_step"]


def choose_device(name: str) -> torch.device:
    """``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    TrainingError
        If a device is asked for that is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in present.items() if there))
    if not present[name]:
        raise TrainingError(f"device {name!r} is not available here; use --device cpu or auto")
    return torch.device(name)


def make_optimizer(network: MultiTaskNetwork, fit: FitConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over what trains now (see `let_train`); encoder and neck at ``fit.encoder_rate`` of the rate."""
    kind = torch.optim.AdamW if fit.optimizer == "adamw" else torch.optim.Adam
    shared = {id(one) for module in (network.encoder, network.neck) for one in module.parameters()}
    training = [one for one in network.parameters() if one.requires_grad]
    groups = [
        {"params": [one for one in training if id(one) not in shared], "factor": 1.0},
        {"params": [one for one in training if id(one) in shared], "factor": fit.encoder_rate},
    ]
    return kind([group for group in groups if group["params"]], lr=fit.learning_rate, weight_decay=fit.weight_decay)


def set_rate(optimizer: torch.optim.Optimizer, fit: FitConfig, step: int) -> None:
    """Give every group the rate of a step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(fit, step) * group["factor"]


def learning_rate(fit: FitConfig, step: int) -> float:
    """The rate of a step: linear warm-up, then the step or cosine schedule."""
    if step < fit.warmup_steps:
        return fit.learning_rate * (step + 1) / fit.warmup_steps
    if fit.schedule == "step":
        return fit.learning_rate * (0.1 if step >= fit.steps * 7 // 9 else 1.0)
    progress = (step - fit.warmup_steps) / max(1, fit.steps - fit.warmup_steps)
    return fit.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def train_step(
    network: MultiTaskNetwork,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    fit: FitConfig,
    *,
    teacher: MultiTaskNetwork | None = None,
    n_parts: int = 1,
    forward: Forward | None = None,
) -> dict[str, float]:
    """One optimiser step; returns the loss of each task and their sum, "total".

    A branch without samples in the batch does not run: its gradients are None, which the optimiser skips, and
    its batch-norm buffers stay as they are.

    Parameters
    ----------
    teacher
        Frozen network, in evaluation mode, that the tasks without truth in a sample shall go on agreeing with; its
        losses are named ``task (parent)`` and weighted by ``fit.distil``; it is asked in every ``fit.distil_every``-th
        step. None = only what has truth trains.
    n_parts
        Parts that the batch goes through the network in, for less memory; gradients add up, batch norm sees each part
        by itself.
    forward
        As the network's own `forward_rows`, which None stands for; that of several processes averages gradients.

    Raises
    ------
    TrainingError
        If the loss is no finite number; the weights are as they were.
    """
    optimizer.zero_grad(set_to_none=True)
    asked = teacher if batch.step % fit.distil_every == 0 else None
    sums: dict[str, float] = {}
    for part in parted(batch, n_parts):
        share = len(part.images) / len(batch.images)
        losses = _losses(network, part, fit, asked, forward or network.forward_rows)
        each = torch.stack(list(losses.values()))
        total = each.sum() * share
        # one copy from the device a part
        values = (each.detach() * share).tolist()
        if not math.isfinite(sum(values)):
            raise TrainingError(
                f"the loss became {sum(values)} at step {batch.step};"
                " lower fit.learning_rate and start in another folder"
            )
        total.backward()  # type: ignore[no-untyped-call]
        for name, value in zip(losses, values, strict=True):
            sums[name] = sums.get(name, 0.0) + value
    optimizer.step()
    return sums | {"total": sum(sums.values())}


def parted(batch: Batch, n_parts: int) -> list[Batch]:
    """A batch in parts of about one size, each with its own rows and targets; no part is empty."""
    if n_parts == 1:
        return [batch]
    found = []
    for places in np.array_split(np.arange(len(batch.images)), min(n_parts, len(batch.images))):
        rows, targets = {}, {}
        for task, index in batch.rows.items():
            own = np.isin(index, places)
            if own.any():
                rows[task], targets[task] = index[own] - places[0], batch.targets[task][own]
        found.append(Batch(batch.step, batch.images[places], rows, targets))
    return found


def _losses(
    network: MultiTaskNetwork, batch: Batch, fit: FitConfig, teacher: MultiTaskNetwork | None, forward: Forward
) -> dict[str, Tensor]:
    device = next(network.parameters()).device
    x = torch.from_numpy(batch.images).to(device, non_blocking=True).permute(0, 3, 1, 2)
    x = x.float().div_(255).contiguous(memory_format=torch.channels_last)
    size = x.shape[0]
    owned = {task: torch.from_numpy(index).to(device) for task, index in batch.rows.items()}
    left = {} if teacher is None else _without_truth(teacher, batch, device)
    rows = {
        task: None if task in left or len(owned[task]) == size else owned[task]
        for task in dict.fromkeys((*owned, *left))
    }
    with precision_scope(fit.precision, device):
        logits = forward(x, rows)
    losses: dict[str, Tensor] = {}
    for task, index in owned.items():
        value = logits[task] if rows[task] is not None or len(index) == size else logits[task][index]
        target = torch.from_numpy(batch.targets[task]).to(device)
        losses[task] = task_loss(task, value, target, labels=network.labels, dice=fit.dice)
    if teacher is not None and left:
        with torch.no_grad(), precision_scope(fit.precision, device):
            wanted = teacher.forward_rows(x, left)
        for task, index in left.items():
            losses[f"{task} (parent)"] = fit.distil * distillation(logits[task][index], wanted[task])
    return losses


def _without_truth(teacher: MultiTaskNetwork, batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """By dense task of the teacher: the rows that do not own it."""
    everything = np.arange(len(batch.images))
    left = {}
    for task in teacher.decoders:
        rows = np.setdiff1d(everything, batch.rows.get(task, ()))
        if rows.size:
            left[task] = torch.from_numpy(rows).to(device)
    return left


def precision_scope(name: str, device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where it is asked for, or ``auto`` and the device has instructions for it."""
    if name == "auto":
        name = "bf16" if device.type == "cuda" or (device.type == "cpu" and cpu_has_bf16()) else "fp32"
    return torch.autocast(device.type, dtype=torch.bfloat16) if name == "bf16" else nullcontext()
