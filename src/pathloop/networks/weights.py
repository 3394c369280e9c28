"""Weights files: fp16 safetensors beside a card. No pickle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pathloop.core import ModelError, atomic_path, file_sha256
from pathloop.networks._card import WEIGHTS_NAME, ModelCard, read_card, write_card
from pathloop.networks._library import find_model
from pathloop.networks.multitask import InferenceNetwork, MultiTaskNetwork

__all__ = ["load_model", "save_model", "traceable"]


def save_model(folder: Path, network: MultiTaskNetwork, card: ModelCard, *, half: bool = True) -> ModelCard:
    """Write ``weights.safetensors`` (fp16; integer buffers as they are) and ``model.json``.

    The weights are written first, so a folder with a card always holds the weights that it names or fails the
    checksum.

    Parameters
    ----------
    half
        False keeps the weights as they are: those of others shall give what they gave there.

    Returns
    -------
    ModelCard
        The card with the checksum filled in.
    """
    state = {
        name: (_narrow(value) if half else value).contiguous().cpu() for name, value in network.state_dict().items()
    }
    target = folder / WEIGHTS_NAME
    with atomic_path(target) as temporary:
        save_file(state, str(temporary))
    card = card.model_copy(update={"checksum": file_sha256(target)})
    write_card(folder, card)
    return card


def _narrow(value: torch.Tensor) -> torch.Tensor:
    """In fp16, unless a number is too large for it."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if bool(torch.isfinite(half).all()) else value


def load_model(name_or_folder: str | Path) -> tuple[MultiTaskNetwork, ModelCard]:
    """Load a bundled model by name, or a model folder, as float32 in evaluation mode.

    Raises
    ------
    ModelError
        If there is no such model, the checksum differs, or the weights do not fit the card's architecture.
    """
    folder = find_model(name_or_folder)
    card = read_card(folder)
    network = MultiTaskNetwork(card.architecture, card.labels)
    weights = folder / WEIGHTS_NAME
    try:
        state = load_file(str(weights))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights}: not readable as weights ({str(error).splitlines()[0]})") from error
    expected = network.state_dict()
    wrong = [name for name, value in expected.items() if name not in state or state[name].shape != value.shape]
    wrong += [name for name in state if name not in expected]
    if wrong:
        raise ModelError(f"{weights}: does not fit its card, {len(wrong)} tensors differ ({wrong[0]} is the first)")
    network.load_state_dict(state)
    return network.eval(), card


def traceable(folder: Path, tasks: tuple[str, ...]) -> tuple[InferenceNetwork, torch.Tensor]:
    """A model folder's inference network and an example input, for converters that trace."""
    network, card = load_model(folder)
    side = card.architecture.cell_px * 2
    return InferenceNetwork(network, tasks).eval(), torch.zeros((1, side, side, 3), dtype=torch.uint8)
