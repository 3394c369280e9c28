"""Weights of other programs: the published Cerberus network, and residual encoders as torchvision keeps them."""

import tempfile
from pathlib import Path

from pathloop.core import ModelError
from pathloop.networks._card import ModelCard
from pathloop.networks._cerberus_card import cerberus_card
from pathloop.networks._cerberus_state import is_published_cerberus, load_published
from pathloop.networks._foreign_state import difference, read_state
from pathloop.networks._library import add_model
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import save_model

__all__ = ["add_weights", "convert_weights", "load_encoder"]

_UNUSED = ("fc.weight", "fc.bias")
"""torchvision's classifier."""


def add_weights(path: Path, name: str | None = None) -> tuple[str, Path, ModelCard]:
    """Convert a file of published weights and add it to the user's models; see `add_model`.

    Parameters
    ----------
    path
        The downloaded file; it is only read.
    name
        How it shall be called; None = ``cerberus``.

    Returns
    -------
    tuple
        Its name, where it lies, and its card.

    Raises
    ------
    ModelError, UsageError
        As `convert_weights` and `add_model`.
    """
    with tempfile.TemporaryDirectory(prefix="pathloop-") as passing:
        folder = Path(passing) / "model"
        card = convert_weights(path, folder)
        name, place = add_model(folder, name)
    return name, place, card


def convert_weights(path: Path, folder: Path) -> ModelCard:
    """Make a model folder of the officially published Cerberus weights (``weights.tar``), in full precision.

    The file is read by the restricted loader alone. The card has the licence of the weights, CC BY-NC-SA 4.0, the
    published classes and constants, and the file's checksum.

    Parameters
    ----------
    path
        The downloaded file.
    folder
        Where the model goes; created if missing.

    Returns
    -------
    ModelCard
        As written.

    Raises
    ------
    ModelError
        If the file cannot be read, or its tensors are not those of the published network; nothing is written then.
    """
    state = read_state(path)
    if not is_published_cerberus(state):
        first = next(iter(state))
        raise ModelError(f"{path}: not the published Cerberus weights; it has no decoder_head.*, but {first} and so on")
    network = load_published(state, path)
    return save_model(folder, network, cerberus_card(path), half=False)


def load_encoder(network: MultiTaskNetwork, path: Path) -> None:
    """Put a ResNet18 or ResNet34 as torchvision keeps it (``.pth``, ``.safetensors``) into a network's encoder.

    The classifier is left out. Shapes do not depend on the stem's stride. Those weights were trained on pictures with
    another mean and spread; the network takes RGB / 255 all the same (Graham et al. 2023).

    Raises
    ------
    ModelError
        If the file cannot be read, or is not of the network's encoder; the network stays as it was then.
    """
    state = {name: value for name, value in read_state(path).items() if name not in _UNUSED}
    own = network.encoder.state_dict()
    wrong = difference(own, state)
    if wrong:
        raise ModelError(f"{path}: not the weights of a {network.config.encoder}; {wrong}")
    network.encoder.load_state_dict(own | state)
