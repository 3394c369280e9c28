"""What torch finds here: accelerators, and whether the CPU computes in bfloat16 by instructions of its own."""

from typing import Any

import torch

__all__ = ["cpu_has_bf16", "free_cache", "gpus", "is_out_of_memory"]

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
