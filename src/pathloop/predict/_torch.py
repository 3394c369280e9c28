"""The torch engine: CUDA, MPS, and the CPU where OpenVINO is missing."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pathloop.core import ModelError
from pathloop.networks import keep_large_blocks
from pathloop.networks.hardware import CopyStream, free_cache, is_out_of_memory
from pathloop.networks.multitask import InferenceNetwork, forward_tiles
from pathloop.networks.weights import load_model
from pathloop.predict._engine import EngineChoice
from pathloop.predict._strips import joined, strips

__all__ = ["TorchEngine"]

_log = logging.getLogger(__name__)


class TorchEngine:
    """Runs a model folder with torch, channels-last, under autocast for bf16; from several threads, if asked to."""

    def __init__(self, folder: Path, tasks: tuple[str, ...], choice: EngineChoice) -> None:
        keep_large_blocks()
        network, card = load_model(folder)
        self._device = torch.device(choice.device)
        network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = InferenceNetwork(network, tasks).eval()
        self._bf16 = choice.precision == "bf16"
        self._step_px, self._margin_px = card.architecture.cell_px, card.margin_px
        self._n_strips = 1

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """See `Engine.run`. Where memory runs out, this tile and all later ones go in twice as many strips.

        A strip comes with the model's margin on both sides, as a tile does; within that the maps are those of a whole
        tile but for what the network sees from further away.

        Raises
        ------
        ModelError
            If not even the smallest strips fit into the device's memory.
        """
        while True:
            n_strips = self._n_strips
            parts = strips(pixels.shape[0], n_strips, step_px=self._step_px, margin_px=self._margin_px)
            try:
                return joined([self._run(pixels[part.read]) for part in parts], parts)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(parts) < n_strips or len(parts) >= pixels.shape[0] // self._step_px:
                    raise self._too_small(pixels) from error
            # outside the handler, whose traceback keeps the tile's tensors alive
            free_cache()
            # another thread may have halved them meanwhile
            self._n_strips = max(self._n_strips, 2 * n_strips)
            _log.warning("out of memory: tiles go through the network in %d strips", self._n_strips)

    def _too_small(self, pixels: NDArray[Any]) -> ModelError:
        height, width = pixels.shape[:2]
        return ModelError(
            f"a tile of {height} x {width} px does not fit into the memory of {self._device.type}, not even in strips;"
            " use a smaller --tile-px, or --device cpu"
        )

    def _run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        tile = torch.from_numpy(np.ascontiguousarray(pixels))[None]
        scope = torch.autocast(self._device.type, dtype=torch.bfloat16) if self._bf16 else nullcontext()
        with CopyStream(self._device) as stream, scope:
            out = forward_tiles(self._network, stream.to_device(tile))
            found = {task: stream.to_host(value[0]) for task, value in out.items()}
        return {task: value.numpy() for task, value in found.items()}
