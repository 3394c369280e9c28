"""What torch finds here: accelerators, their memory and streams, and bfloat16 by instructions of the CPU's own."""

import threading
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self

import torch

__all__ = ["CopyStream", "cpu_has_bf16", "free_cache", "gpus", "is_out_of_memory"]

_NO_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
"""What the allocators of the CPU, MPS, cuDNN and cuBLAS say in a plain RuntimeError."""


def gpus() -> list[str]:
    """Accelerators that torch can use here, best first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, there in found.items() if there]


def cpu_has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 by instructions of its own; elsewhere bfloat16 is emulated and slow."""
    # older torch cannot tell, and takes fp32
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def free_cache() -> None:
    """Give back what torch keeps of the accelerators' memory."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


_idle_streams: dict[torch.device, list[Any]] = {}
_taking = threading.Lock()


class CopyStream:
    """Work on a device whose copies run beside the computing of other threads.

    On CUDA everything inside the ``with`` block is queued in a stream of its own, copies through pinned memory, and the
    end of the block waits for it. Elsewhere copies are plain.

    Parameters
    ----------
    device
        Where is computed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = None
        self._scope: Any = nullcontext()

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            self._stream = _idle_stream(self._device)
            # what was queued before, such as the weights' way to the device, comes first
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            self._scope = torch.cuda.stream(self._stream)
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stream is not None:
                self._stream.synchronize()
        finally:
            self._scope.__exit__(kind, error, trace)
            if self._stream is not None:
                with _taking:
                    _idle_streams[self._device].append(self._stream)

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of a tensor in main memory on the device."""
        if self._stream is None:
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def to_host(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy in main memory, whole once the block has ended."""
        if self._stream is None:
            return tensor.cpu()
        out = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return out.copy_(tensor, non_blocking=True)


def _idle_stream(device: torch.device) -> Any:
    """A stream that nobody uses: the allocator keeps memory by stream, so there are no more than are needed at once."""
    with _taking:
        idle = _idle_streams.setdefault(device, [])
        return idle.pop() if idle else torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
