"""Which parts of a network train, by name and by share of the steps that are done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["EVERYTHING", "Phase", "branches", "let_train", "phase_at"]

TASK = "task:"


@dataclass(frozen=True, slots=True)
class Phase:
    """What trains from a share of the steps on.

    Parameters
    ----------
    start
        Share of the steps, 0..1, at which it begins.
    parts
        ``all``; ``encoder``; ``layer1`` .. ``layer4`` (the encoder's stages); ``norms`` (the encoder's batch norm
        layers); ``neck``; ``task:NAME``, the branch of one task.
    statistics
        Whether batch norm in these parts works with the statistics of the batch and learns them. False = it works with
        those that it has, and only its scale and shift train.
    """

    start: float
    parts: tuple[str, ...]
    statistics: bool = True


EVERYTHING = (Phase(0.0, ("all",)),)
"""All parts from the first step on."""


def branches(tasks: Sequence[str]) -> tuple[str, ...]:
    """The parts that are these tasks' own."""
    return tuple(f"{TASK}{task}" for task in tasks)


def phase_at(phases: Sequence[Phase], progress: float) -> Phase:
    """The phase at a share of the steps; they are in the order of their starts."""
    return [phase for phase in phases if phase.start <= progress][-1]


def let_train(network: MultiTaskNetwork, parts: Sequence[str], *, statistics: bool = True) -> None:
    """Let only these parts train; the rest takes no gradient and its batch norm stands still. See `Phase`."""
    network.eval()
    network.requires_grad_(requires_grad=False)
    for part in parts:
        for module in _modules(network, part):
            module.train()
            module.requires_grad_(requires_grad=True)
    if not statistics:
        for norm in _norms(network):
            norm.eval()


def _modules(network: MultiTaskNetwork, part: str) -> Iterator[nn.Module]:
    if part == "all":
        yield network
    elif part == "norms":
        yield from _norms(network.encoder)
    elif part.startswith(TASK):
        yield from network.branch(part.removeprefix(TASK))
    elif part in ("encoder", "neck"):
        yield getattr(network, part)
    else:
        yield getattr(network.encoder, part)


def _norms(module: nn.Module) -> Iterator[nn.Module]:
    yield from (one for one in module.modules() if isinstance(one, nn.BatchNorm2d))
