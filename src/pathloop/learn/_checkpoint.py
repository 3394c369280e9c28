"""Checkpoints: everything that a run needs to go on, as one safetensors file. No pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pathloop.core import TrainingError, atomic_path
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["CHECKPOINT_NAME", "RunState", "check_resumable", "load_checkpoint", "save_checkpoint"]

CHECKPOINT_NAME = "checkpoint.safetensors"

FORMAT = 1


@dataclass(slots=True)
class RunState:
    """Where a run stands, beside its tensors.

    Parameters
    ----------
    step
        Steps done.
    config_key
        Digest of the settings that must not change when a run resumes.
    best_score
        Best validation score so far, or None.
    history
        One row a validation.
    losses
        Mean loss of every row of the log.
    stopped
        Whether it ended before its last step.
    """

    step: int = 0
    config_key: str = ""
    best_score: float | None = None
    history: list[dict[str, object]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    stopped: bool = False


def save_checkpoint(
    path: Path,
    state: RunState,
    *,
    network: MultiTaskNetwork,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
) -> None:
    """Write atomically; the previous checkpoint stays until the new one is complete."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{names[id(parameter)]}"] = torch.as_tensor(value)
    for name, value in (average or {}).items():
        tensors[f"average.{name}"] = value
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(plain, str(temporary), metadata={"format": str(FORMAT), "state": json.dumps(asdict(state))})


def load_checkpoint(
    path: Path,
    config_key: str,
    *,
    network: MultiTaskNetwork,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
) -> RunState:
    """Restore network, optimiser and average in place; returns where the run stood.

    Raises
    ------
    TrainingError
        If the file is no checkpoint, or one of a run with other settings; nothing is restored then.
    """
    state, tensors = _read(path, config_key, with_tensors=True)
    try:
        network.load_state_dict(_part(tensors, "network."))
        parameters = dict(network.named_parameters())
        for name, value in _part(tensors, "optimizer.").items():
            key, _, owner = name.partition(".")
            optimizer.state[parameters[owner]][key] = _placed(key, value, parameters[owner])
        for name, value in (average or {}).items():
            value.copy_(tensors[f"average.{name}"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{path}: does not fit this network; choose another output folder") from error
    return state


def check_resumable(path: Path, config_key: str) -> None:
    """Check that a run with these settings can go on from a checkpoint, without loading it.

    Raises
    ------
    TrainingError
        As `load_checkpoint`.
    """
    _read(path, config_key, with_tensors=False)


def _read(path: Path, config_key: str, *, with_tensors: bool) -> tuple[RunState, dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as stream:
            state = _state(path, stream.metadata() or {}, config_key)
            names = stream.keys() if with_tensors else []
            return state, {name: stream.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path}: not readable as a checkpoint ({reason}); delete it to start anew") from error


def _state(path: Path, metadata: dict[str, str], config_key: str) -> RunState:
    if metadata.get("format") != str(FORMAT):
        raise TrainingError(f"{path}: not a checkpoint of this version; choose another output folder")
    try:
        state = RunState(**json.loads(metadata["state"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path}: states no step to go on from; delete it to start anew") from error
    if state.config_key != config_key:
        raise TrainingError(f"{path}: belongs to a run with other settings; choose another output folder")
    return state


def _placed(key: str, value: Tensor, parameter: Tensor) -> Tensor:
    # Adam keeps its step counter on the CPU; moments lie in memory as their parameter does
    return value if key == "step" else torch.empty_like(parameter).copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
