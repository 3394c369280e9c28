"""The torch engine: CUDA, MPS, and the CPU where OpenVINO is missing."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
        self._network = InferenceNetwork(network, tasks).eval().requires_grad_(requires_grad=False)
        self._bf16 = choice.precision == "bf16"
        self._step_px, self._margin_px = card.architecture.cell_px, card.margin_px
        self._n_strips = 1
        # only on CUDA is there more than one tile on its way
        self._one_at_a_time = self._device.type != "cuda"
        self._n_running, self._changed = 0, threading.Condition()

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """See `Engine.run`. Where memory runs out, this tile and all later ones go alone, then in twice as many strips.

        A strip comes with the model's margin on both sides, as a tile does; within that the maps are those of a whole
        tile but for what the network sees from further away.

        Raises
        ------
        ModelError
            If not even the smallest strips fit into the device's memory.
        """
        while True:
            with self._turn() as is_alone:
                n_strips = self._n_strips
                parts = strips(pixels.shape[0], n_strips, step_px=self._step_px, margin_px=self._margin_px)
                try:
                    return joined([self._run(pixels[part.read]) for part in parts], parts)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    if not is_out_of_memory(error):
                        raise
                    is_smallest = len(parts) < n_strips or len(parts) >= pixels.shape[0] // self._step_px
                    if is_alone and is_smallest:
                        raise self._too_small(pixels) from error
            # outside the handler, whose traceback keeps the tile's tensors alive
            free_cache()
            self._make_room(n_strips, is_alone=is_alone)

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether this tile has the device to itself, which all have once two did not fit."""
        with self._changed:
            self._changed.wait_for(lambda: not self._one_at_a_time or self._n_running == 0)
            self._n_running += 1
            is_alone = self._one_at_a_time
        try:
            yield is_alone
        finally:
            with self._changed:
                self._n_running -= 1
                self._changed.notify_all()

    def _make_room(self, n_strips: int, *, is_alone: bool) -> None:
        with self._changed:
            if not is_alone and not self._one_at_a_time:
                self._one_at_a_time = True
                _log.warning("out of memory: tiles go through the network one at a time")
            elif is_alone and self._n_strips == n_strips:
                self._n_strips *= 2
                _log.warning("out of memory: tiles go through the network in %d strips", self._n_strips)

    def _too_small(self, pixels: NDArray[Any]) -> ModelError:
        height, width = pixels.shape[:2]
        return ModelError(
            f"a tile of {height} x {width} px does not fit into the memory of {self._device.type}, not even in strips;"
            " use a smaller --tile-px, or --device cpu"
        )

    def _run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        tile = torch.from_numpy(np.ascontiguousarray(pixels))[None]
        # autocast's cache of weights is one for all threads, whose streams do not wait for each other
        scope = (
            torch.autocast(self._device.type, dtype=torch.bfloat16, cache_enabled=False)
            if self._bf16
            else nullcontext()
        )
        with CopyStream(self._device) as stream, scope:
            out = forward_tiles(self._network, stream.to_device(tile))
            found = {task: stream.to_host(value[0]) for task, value in out.items()}
        return {task: value.numpy() for task, value in found.items()}
