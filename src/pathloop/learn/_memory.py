"""Steps that halve their batches where memory runs out."""

from collections.abc import Generator

import torch

from pathloop.core import Event, Message, TrainingError
from pathloop.learn._config import FitConfig
from pathloop.learn._ranks import Ranks
from pathloop.learn._sampler import Batch
from pathloop.learn._step import train_step
from pathloop.networks.hardware import free_cache, is_out_of_memory
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["HalvedSteps"]


class HalvedSteps:
    """Runs optimiser steps; where one does not fit into memory, it and all later ones go in twice as many parts.

    Parameters
    ----------
    network, optimizer, fit, teacher
        As of `train_step`.
    ranks
        The processes that train together. Several cannot agree on parts: where memory runs out, they stop.
    """

    def __init__(
        self,
        network: MultiTaskNetwork,
        optimizer: torch.optim.Optimizer,
        fit: FitConfig,
        teacher: MultiTaskNetwork | None,
        ranks: Ranks,
    ) -> None:
        self._network, self._optimizer, self._fit, self._teacher = network, optimizer, fit, teacher
        self._ranks, self._forward = ranks, ranks.forward_of(network)
        self._n_parts = 1

    def let_train_changed(self) -> None:
        """Other parameters train from now on."""
        self._forward = self._ranks.forward_of(self._network)

    def __call__(self, batch: Batch) -> Generator[Event, None, dict[str, float]]:
        """One step; returns the losses, see `train_step`.

        Raises
        ------
        TrainingError
            If not even one sample at a time fits.
        """
        while True:
            try:
                return train_step(
                    self._network,
                    self._optimizer,
                    batch,
                    self._fit,
                    teacher=self._teacher,
                    n_parts=self._n_parts,
                    forward=self._forward,
                )
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._ranks.size > 1:
                    raise TrainingError(
                        f"the batch of process {self._ranks.rank} does not fit into memory; lower fit.batch, which is"
                        " the batch of each process"
                    ) from error
                if self._n_parts >= len(batch.images):
                    raise TrainingError(
                        "one sample does not fit into memory; lower fit.patch_px, or train on the CPU"
                    ) from error
            # outside the handler, whose traceback keeps the step's tensors alive
            self._optimizer.zero_grad(set_to_none=True)
            free_cache()
            self._n_parts = min(2 * self._n_parts, len(batch.images))
            yield Message(
                f"out of memory: batches now go through the network in {self._n_parts} parts", level="warning"
            )
