"""The published Cerberus weights under our names.

The published keys: ``backbone.*`` as of torchvision's ResNet34, its unused ``fc`` included; ``conv_map.weight``;
``decoder_head.<Task>.<0..3>.block.<0|1>.{conv,bn}``; ``output_head.<Task>.<INST|TYPE>.x.*``;
``decoder_head.Patch-Class.{bn1,conv1,bn2,conv2}``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pathloop.core import ModelError
from pathloop.networks._cerberus_card import CERBERUS_LABELS, PUBLISHED_TASKS
from pathloop.networks._config import CERBERUS
from pathloop.networks._foreign_state import difference
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["is_published_cerberus", "load_published"]

_HEAD = re.compile(r"(output_head\.[^.]+\.(?:INST|TYPE)\.x)\.(.+)\.([^.]+)$")
_HEAD_ROLES = {"0": "(first)", "1": "(norm)", "3": "(last)"}
_PATCH_LAYERS = {"0": "bn1", "3": "conv1", "4": "bn2", "6": "conv2"}


def is_published_cerberus(state: Mapping[str, Tensor]) -> bool:
    """Whether a file's names look like those of the published weights."""
    return any(name.startswith("decoder_head.") for name in state)


def load_published(state: Mapping[str, Tensor], path: Path) -> MultiTaskNetwork:
    """The network with the published weights, float32, in evaluation mode.

    Parameters
    ----------
    state
        From ``read_state``; names as published.
    path
        For the error.

    Raises
    ------
    ModelError
        If a tensor is missing, unknown or of another shape; the message names the first ones.
    """
    network = MultiTaskNetwork(CERBERUS, CERBERUS_LABELS)
    own = network.state_dict()
    found = _without_biases(_with_roles({name: value for name, value in state.items() if not _is_unused(name)}))
    expected = {_published(name): value for name, value in own.items()}
    wrong = difference(expected, found)
    if wrong:
        raise ModelError(f"{path}: not the published Cerberus weights; {wrong}")
    network.load_state_dict({name: found.get(_published(name), value) for name, value in own.items()})
    return network.eval()


def _is_unused(name: str) -> bool:
    return name in ("backbone.fc.weight", "backbone.fc.bias")


def _published(name: str) -> str:
    """Our name of a tensor -> the published one; heads' layers by role, see `_with_roles`."""
    part, _, rest = name.partition(".")
    if part == "encoder":
        return f"backbone.{rest}"
    if part == "neck":
        return f"conv_map.{rest}"
    task, _, rest = rest.partition(".")
    published = PUBLISHED_TASKS[task]
    if part == "decoders":
        _, stage, block, layer, value = rest.split(".")
        return f"decoder_head.{published}.{stage}.block.{block}.{layer}.{value}"
    _, layer, value = rest.split(".")
    if CERBERUS_LABELS[task].output == "patch":
        return f"decoder_head.{published}.{_PATCH_LAYERS[layer]}.{value}"
    kind = "INST" if CERBERUS_LABELS[task].output == "instance" else "TYPE"
    return f"output_head.{published}.{kind}.x.{_HEAD_ROLES[layer]}.{value}"


def _with_roles(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Layers of dense heads by what they are: how they are named below ``x`` is not known, their shapes tell.

    The first convolution takes 64 channels and the last one gives as many as there are classes from 96; batch norm is
    what has a running mean. A layer that is none of these, or the second of its kind, keeps its name.
    """
    width_in, width = 64, CERBERUS.head_channels
    roles: dict[tuple[str, str], str] = {}
    for name, value in state.items():
        found = _HEAD.match(name)
        if found is None:
            continue
        head, layer, what = found.groups()
        role = None
        if what == "running_mean":
            role = "(norm)"
        elif what == "weight" and value.dim() == 4 and value.shape[1] in (width_in, width):
            role = "(first)" if value.shape[1] == width_in else "(last)"
        if role is not None and role not in {given for (of, _), given in roles.items() if of == head}:
            roles[head, layer] = role
    renamed = {}
    for name, value in state.items():
        found = _HEAD.match(name)
        role = None if found is None else roles.get((found[1], found[2]))
        renamed[name if found is None or role is None else f"{found[1]}.{role}.{found[3]}"] = value
    return renamed


def _without_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take biases of convolutions before a batch norm into its mean, which changes nothing.

    The published parameter counts leave no room for them, but a file that has them computes the same network.
    """
    pairs = {name: name.replace("(first).bias", "(norm).running_mean") for name in state if "(first).bias" in name}
    pairs["decoder_head.Patch-Class.conv1.bias"] = "decoder_head.Patch-Class.bn2.running_mean"
    for bias, mean in pairs.items():
        if bias in state and mean in state and state[bias].shape == state[mean].shape:
            state[mean] = state[mean] - state.pop(bias)
    return state
