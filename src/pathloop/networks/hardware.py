"""What torch finds here: accelerators, and whether the CPU computes in bfloat16 by instructions of its own."""

from typing import Any

import torch

__all__ = ["cpu_has_bf16", "gpus"]


def gpus() -> list[str]:
    """Accelerators that torch can use here, best first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, there in found.items() if there]


def cpu_has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 by instructions of its own; elsewhere bfloat16 is emulated and slow."""
    # older torch cannot tell, and takes fp32
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
