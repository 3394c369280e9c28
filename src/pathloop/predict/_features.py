"""Encoder features of whole pictures: what two regions look like, as one vector each. Loads torch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pathloop.core import ModelError
from pathloop.networks import keep_large_blocks
from pathloop.networks.weights import load_model

__all__ = ["EncoderFeatures"]


class EncoderFeatures:
    """The deepest map of a model's encoder, averaged over a picture.

    Parameters
    ----------
    folder
        Model folder.
    device
        ``cpu``, ``cuda`` or ``mps``.

    Attributes
    ----------
    size : int
        Numbers a picture.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """

    def __init__(self, folder: Path, device: str) -> None:
        keep_large_blocks()
        network, _ = load_model(folder)
        self._device = torch.device(device)
        self._encoder = network.encoder.to(self._device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._stride = network.config.total_stride
        self.size: int = network.encoder.channels[-1]

    @torch.inference_mode()
    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of one picture.

        Parameters
        ----------
        pixels
            (H, W, 3) uint8 RGB at the model's scale; sides are multiples of the network's stride.

        Returns
        -------
        (size,) float32.

        Raises
        ------
        ModelError
            If a side does not fit, or the picture is too large for the device's memory.
        """
        height, width = pixels.shape[:2]
        if height % self._stride or width % self._stride:
            raise ModelError(f"input {height} x {width} px: both sides must be multiples of {self._stride}")
        batch = torch.from_numpy(np.ascontiguousarray(pixels))[None].to(self._device)
        try:
            deepest = self._encoder(batch.permute(0, 3, 1, 2).float() / 255)[-1]
        except torch.OutOfMemoryError as error:
            raise ModelError(f"{height} x {width} px do not fit into the memory of {self._device.type}") from error
        found: NDArray[np.float32] = deepest.mean(dim=(2, 3))[0].cpu().numpy()
        return found
