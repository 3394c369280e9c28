"""One process that trains, or several that torchrun started. torch.distributed loads only for several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pathloop.core import TrainingError
from pathloop.learn._processes import process_number
from pathloop.networks.multitask import MultiTaskNetwork

__all__ = ["Forward", "Ranks"]

Forward = Callable[[Tensor, Mapping[str, Tensor | None]], dict[str, Tensor]]
"""As `MultiTaskNetwork.forward_rows`."""

T = TypeVar("T")

WAIT = timedelta(hours=12)
"""The others wait this long while the first one validates or the user pauses."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a training (torchrun's ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``).

    Every process draws batches of its own from the same super task, and gradients are averaged
    (`DistributedDataParallel`); batch norm sees the samples of its process alone. The first one alone writes and
    validates.

    Parameters
    ----------
    rank, size
        Number of this process, and of how many.
    local
        Number on its machine: which GPU it takes.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> "Ranks":
        """What torchrun says."""
        return cls(process_number("RANK", 0), process_number("WORLD_SIZE", 1), process_number("LOCAL_RANK", 0))

    @property
    def is_first(self) -> bool:
        """Whether this one writes and validates."""
        return self.rank == 0

    def join(self, device: torch.device) -> torch.device:
        """Meet the others; the device of this process.

        Raises
        ------
        TrainingError
            If there are fewer GPUs than processes here, or the processes do not find each other.
        """
        if self.size == 1:
            return device
        import torch.distributed as dist

        if device.type == "cuda":
            if self.local >= torch.cuda.device_count():
                raise TrainingError(
                    f"process {self.local} finds no GPU of its own ({torch.cuda.device_count()} here);"
                    " lower --nproc-per-node"
                )
            device = torch.device("cuda", self.local)
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            try:
                dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=WAIT)
            except (RuntimeError, ValueError) as error:
                raise TrainingError(
                    f"the processes do not find each other ({error}); start them with torchrun"
                ) from error
        return device

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1:
            import torch.distributed as dist

            if dist.is_initialized():
                dist.destroy_process_group()

    def forward_of(self, network: MultiTaskNetwork) -> Forward:
        """The network's `forward_rows`, whose backward pass averages gradients over the processes.

        Make it anew whenever other parameters begin to train.
        """
        if self.size == 1:
            return network.forward_rows
        from torch.nn.parallel import DistributedDataParallel

        own = [self.local] if next(network.parameters()).device.type == "cuda" else None
        # a batch holds some of the tasks, and not those of the other processes' batches
        forward: Forward = DistributedDataParallel(_Rows(network), device_ids=own, find_unused_parameters=True)
        return forward

    def same(self, value: T) -> T:
        """What the first process says."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0)
        said: T = box[0]
        return said

    def check_alike(self, step: int) -> None:
        """Check that all go on from one step.

        Raises
        ------
        TrainingError
            If some found a checkpoint that others did not.
        """
        steps = self.gathered([step])
        if len(set(steps)) > 1:
            found = ", ".join(map(str, steps))
            raise TrainingError(
                f"the processes go on from different steps ({found}); put the output folder where all of them see it"
            )

    def gathered(self, values: Sequence[T]) -> list[T]:
        """The values of all processes, in the order of their ranks."""
        if self.size == 1:
            return list(values)
        import torch.distributed as dist

        boxes: list[Any] = [None] * self.size
        dist.all_gather_object(boxes, list(values))
        return [value for box in boxes for value in box]


class _Rows(nn.Module):
    """`forward_rows` as a module's call, which is what DistributedDataParallel wraps."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, rows: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """See `MultiTaskNetwork.forward_rows`."""
        return self.network.forward_rows(x, rows)
