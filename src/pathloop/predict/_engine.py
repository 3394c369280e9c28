"""Which engine runs a network, on which device, at which precision, and why. Imports neither torch nor OpenVINO."""

import ctypes
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from pathloop.core import Registry, UsageError

__all__ = [
    "DEVICES",
    "ENGINES",
    "Engine",
    "EngineChoice",
    "choose_engine",
    "load_engine",
    "may_have_bf16",
    "may_have_gpu",
]

DEVICES = ("auto", "cpu", "cuda", "mps")

ENGINES = Registry(
    "engine",
    {
        "openvino": "pathloop.predict._openvino:OpenVinoEngine",
        "torch": "pathloop.predict._torch:TorchEngine",
    },
)
"""Engines by name; each is built as ``Engine(model_folder, tasks, choice)``."""


class Engine(Protocol):
    """Runs a network on one tile. On CUDA the torch engine is asked from two threads, all others from one."""

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Quantised maps of a tile, by task.

        Parameters
        ----------
        pixels
            (H, W, 3) uint8 RGB at the model's scale; sides are multiples of the network's stride.

        Returns
        -------
        dict
            Instance tasks (2, H, W) uint8 interior and boundary probability x 255; type tasks (1, H, W) uint8
            class codes; patch tasks (C, H // cell, W // cell) float32 probabilities.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Engine, device and precision of a run, with the reason in words; whether it goes patch by patch."""

    engine: str
    device: str
    precision: str
    reason: str
    patchwise: bool = False

    @property
    def summary(self) -> str:
        """``openvino cpu bf16``, or ``openvino cpu bf16 patchwise``."""
        return f"{self.engine} {self.device} {self.precision}" + (" patchwise" if self.patchwise else "")


def choose_engine(device: str = "auto", *, engine: str | None = None, precision: str | None = None) -> EngineChoice:
    """The one place that chooses device, engine and precision.

    Parameters
    ----------
    device
        ``auto`` takes a CUDA or MPS GPU if torch finds one, else the CPU.
    engine
        ``openvino``, ``torch``, another registered engine (which minds device and precision itself), or None to
        choose.
    precision
        ``fp32``, ``bf16`` or None to choose.

    Raises
    ------
    UsageError
        If a name is unknown, the device or the engine is not there, or the engine cannot use the device.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    if precision not in (None, "fp32", "bf16"):
        raise UsageError(f"unknown precision {precision!r}; known: fp32, bf16")
    if engine is not None and engine not in ENGINES.names():
        raise UsageError(f"unknown engine {engine!r}; known: {', '.join(ENGINES.names())}")
    if engine not in (None, "openvino", "torch"):
        return EngineChoice(engine, "cpu" if device == "auto" else device, precision or "fp32", "asked for")
    gpu = None if engine == "openvino" and device == "auto" else _gpu(device)
    if gpu is not None:
        if engine == "openvino":
            raise UsageError("the openvino engine runs on the CPU; use --device cpu or the torch engine")
        return EngineChoice("torch", gpu, precision or ("bf16" if gpu == "cuda" else "fp32"), f"torch finds {gpu}")
    if engine == "torch":
        return _torch_on_cpu(precision, "asked for")
    if importlib.util.find_spec("openvino") is None:
        if engine == "openvino":
            raise UsageError("the openvino engine is not installed; install openvino, or use the torch engine")
        return _torch_on_cpu(precision, "OpenVINO is not installed")
    from pathloop.predict._openvino import cpu_has_bf16

    fitting = precision or ("bf16" if cpu_has_bf16() else "fp32")
    reason = "no GPU that torch can use" if device == "auto" else "asked for"
    return EngineChoice("openvino", "cpu", fitting, f"{reason}; OpenVINO is the quickest engine on a CPU")


def _gpu(device: str) -> str | None:
    """The GPU that torch finds for a wish; None for the CPU, and where ``auto`` finds none."""
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return None
    from pathloop.networks.hardware import gpus

    found = gpus()
    if device == "auto":
        return found[0] if found else None
    if device not in found:
        raise UsageError(f"device {device!r} is not available here; use --device cpu or auto")
    return device


def may_have_gpu() -> bool:
    """Whether a GPU driver is there at all: asking torch costs a second and its memory."""
    if sys.platform == "darwin":
        return True
    names = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libamdhip64.so")
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def may_have_bf16() -> bool:
    """Whether Linux says that the CPU computes in bfloat16; False where it cannot be told without torch or OpenVINO."""
    try:
        # x86: "flags", once a core; 64-bit Arm: "Features"
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def _torch_on_cpu(precision: str | None, reason: str) -> EngineChoice:
    from pathloop.networks.hardware import cpu_has_bf16

    # where the CPU has no instructions for it, bf16 is emulated and far slower than fp32
    return EngineChoice("torch", "cpu", precision or ("bf16" if cpu_has_bf16() else "fp32"), reason)


def load_engine(folder: Path, tasks: Sequence[str], choice: EngineChoice) -> Engine:
    """Build the chosen engine for a model folder.

    Raises
    ------
    ModelError
        If the model cannot be loaded by any engine.
    """
    engine: Engine = ENGINES.resolve(choice.engine)(folder, tuple(tasks), choice)
    if choice.patchwise:
        from pathloop.predict._patchwise import PatchwiseEngine

        return PatchwiseEngine(engine)
    return engine
