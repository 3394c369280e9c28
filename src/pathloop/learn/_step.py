"""One optimiser step and what it needs: device, frozen parts, optimiser, learning rate."""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from pathloop.core import TrainingError
from pathloop.learn._config import FitConfig
from pathloop.learn._losses import task_loss
from pathloop.learn._sampler import Batch
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["choose_device", "freeze_all_but", "learning_rate", "make_optimizer", "train_step"]


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


def freeze_all_but(network: MultiTaskNetwork, tasks: tuple[str, ...] | None) -> None:
    """Let only the branches of ``tasks`` train; the rest takes no gradient and its batch norm stands still.

    ``None`` lets everything train.
    """
    network.train(tasks is None)
    network.requires_grad_(requires_grad=tasks is None)
    for task in tasks or ():
        for module in network.branch(task):
            module.train()
            module.requires_grad_(requires_grad=True)


def make_optimizer(network: MultiTaskNetwork, fit: FitConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over what trains now (see `freeze_all_but`)."""
    kind = torch.optim.AdamW if fit.optimizer == "adamw" else torch.optim.Adam
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return kind(parameters, lr=fit.learning_rate, weight_decay=fit.weight_decay)


def learning_rate(fit: FitConfig, step: int) -> float:
    """The rate of a step: linear warm-up, then the step or cosine schedule."""
    if step < fit.warmup_steps:
        return fit.learning_rate * (step + 1) / fit.warmup_steps
    if fit.schedule == "step":
        return fit.learning_rate * (0.1 if step >= fit.steps * 7 // 9 else 1.0)
    progress = (step - fit.warmup_steps) / max(1, fit.steps - fit.warmup_steps)
    return fit.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def train_step(
    network: MultiTaskNetwork, optimizer: torch.optim.Optimizer, batch: Batch, fit: FitConfig
) -> dict[str, float]:
    """One optimiser step; returns the loss of each task and their sum, "total".

    A branch without samples in the batch does not run: its gradients are None, which the optimiser skips, and
    its batch-norm buffers stay as they are.
    """
    device = next(network.parameters()).device
    x = torch.from_numpy(batch.images).to(device, non_blocking=True).permute(0, 3, 1, 2)
    x = x.float().div_(255).contiguous(memory_format=torch.channels_last)
    size = x.shape[0]
    rows = {
        task: None if len(index) == size else torch.from_numpy(index).to(device) for task, index in batch.rows.items()
    }
    optimizer.zero_grad(set_to_none=True)
    with _precision(fit.precision, device):
        logits = network.forward_rows(x, rows)
    losses: dict[str, Tensor] = {}
    for task, value in logits.items():
        target = torch.from_numpy(batch.targets[task]).to(device)
        losses[task] = task_loss(task, value, target, labels=network.labels, dice=fit.dice)
    each = torch.stack(list(losses.values()))
    total = each.sum()
    # one copy from the device a step
    values = torch.cat([each.detach(), total.detach()[None]]).tolist()
    if not math.isfinite(values[-1]):
        raise TrainingError(
            f"the loss became {values[-1]} at step {batch.step}; lower fit.learning_rate and start in another folder"
        )
    total.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return dict(zip([*losses, "total"], values, strict=True))


def _precision(name: str, device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, dtype=torch.bfloat16) if name == "bf16" else nullcontext()
