"""Weights files of other programs. The one place that reads a pickle, and only through torch's restricted loader."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from pathloop.core import ModelError

__all__ = ["COUNTER", "difference", "read_state"]

COUNTER = ".num_batches_tracked"
"""End of the names of batch norm's counters; files of old versions of torch have none, and nothing here reads them."""

WRAPPERS = ("desc", "state_dict")
"""Keys under which a file may keep its tensors."""
_PARALLEL = "module."
_NAMED = 3


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a ``.safetensors`` file, or from one that ``torch.save`` wrote.

    A pickle is read by the restricted loader, which builds tensors and plain containers and runs nothing else. Tensors
    may lie under the key ``desc`` or ``state_dict``; a ``module.`` before every name is taken off.

    Returns
    -------
    dict
        On the CPU, in the file's order; at least one.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds anything but named tensors of finite numbers.
    """
    content: Any
    try:
        if path.suffix == ".safetensors":
            content = load_file(str(path))
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path}: holds more than tensors, or is damaged; it was not read") from error
    except Exception as error:  # bytes that are no pickle can end in any error of the restricted loader
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path}: not readable as weights ({reason})") from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path}: holds no tensors by name")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ModelError(f"{path}: {name!r} is not a tensor; a file of weights alone is needed")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"{path}: {name} holds numbers that are not finite; download the file again")
    state = dict(content)
    if all(name.startswith(_PARALLEL) for name in state):
        state = {name.removeprefix(_PARALLEL): value for name, value in state.items()}
    return state


def difference(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What is wrong with tensors, in words that name them; empty if all fit. Counters may be missing."""
    missing = [name for name in expected if name not in found and not name.endswith(COUNTER)]
    unknown = [name for name in found if name not in expected]
    shapes = [
        f"{name} is {_size(found[name])} instead of {_size(value)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    parts = [
        _counted(missing, "missing"),
        _counted(shapes, "of another shape"),
        _counted(unknown, "unknown"),
    ]
    return "; ".join(part for part in parts if part)


def _size(value: Tensor) -> str:
    return " x ".join(str(side) for side in value.shape) or "one number"


def _counted(names: Sequence[str], what: str) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{what}: {', '.join(names[:_NAMED])}{rest}"
