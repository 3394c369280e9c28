"""The torch engine: CUDA, MPS, and the CPU where OpenVINO is missing."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pathloop.core import ModelError
from pathloop.networks import keep_large_blocks
from pathloop.networks.multitask import InferenceNetwork, forward_tiles
from pathloop.networks.weights import load_model
from pathloop.predict._engine import EngineChoice

__all__ = ["TorchEngine"]


class TorchEngine:
    """Runs a model folder with torch, channels-last, under autocast for bf16."""

    def __init__(self, folder: Path, tasks: tuple[str, ...], choice: EngineChoice) -> None:
        keep_large_blocks()
        network, _ = load_model(folder)
        self._device = torch.device(choice.device)
        network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = InferenceNetwork(network, tasks).eval()
        self._bf16 = choice.precision == "bf16"

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """See `Engine.run`.

        Raises
        ------
        ModelError
            If the tile does not fit into the device's memory.
        """
        try:
            return self._run(pixels)
        except torch.OutOfMemoryError as error:
            height, width = pixels.shape[:2]
            raise ModelError(
                f"a tile of {height} x {width} px does not fit into the memory of {self._device.type};"
                " use a smaller --tile-px, or --device cpu"
            ) from error

    def _run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        batch = torch.from_numpy(np.ascontiguousarray(pixels))[None].to(self._device)
        scope = torch.autocast(self._device.type, dtype=torch.bfloat16) if self._bf16 else nullcontext()
        with scope:
            out = forward_tiles(self._network, batch)
        return {task: value[0].cpu().numpy() for task, value in out.items()}
