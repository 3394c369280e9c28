"""The OpenVINO engine: the quickest way through the network on a CPU."""

import contextlib
import hashlib
import json
import shutil
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pathloop.core import ModelError, cache_folder, file_sha256, write_json
from pathloop.networks import read_card
from pathloop.predict._engine import EngineChoice

__all__ = ["OpenVinoEngine", "cpu_has_bf16"]

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_MODEL, _WEIGHTS, _SUMS = "model.xml", "model.bin", "sha256.json"


_CORES: list[ov.Core] = []
_loading = threading.Lock()


def _core() -> ov.Core:
    """The process's only one, kept for good.

    The CPU plugin takes over the stack on which signals are handled in the thread that loads it, and unmaps it when the
    last one who uses the plugin lets go. Where that is another thread, the next signal ends the process: Ctrl-C, or a
    crash before anything is told of it.
    """
    with _loading:
        if not _CORES:
            _CORES.append(ov.Core())
            # else a file that another process mends would be pulled from under this one
            _CORES[0].set_property({"ENABLE_MMAP": False})
        return _CORES[0]


def cpu_has_bf16() -> bool:
    """Whether OpenVINO can compute in bfloat16 on this CPU."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoEngine:
    """Runs a model folder with OpenVINO on the CPU.

    The converted network is kept in the user's cache folder (``PATHLOOP_CACHE`` or ``~/.cache/pathloop``), so that
    only the first run of a model converts it, which takes seconds and loads torch.

    Raises
    ------
    ModelError
        If OpenVINO cannot run the model.
    """

    def __init__(self, folder: Path, tasks: tuple[str, ...], choice: EngineChoice) -> None:
        self._tasks = tasks
        core = _core()
        settings = {"INFERENCE_PRECISION_HINT": _PRECISIONS[choice.precision], "PERFORMANCE_HINT": "LATENCY"}
        try:
            compiled = core.compile_model(_converted(core, folder, tasks), "CPU", settings)
        except RuntimeError as error:
            raise ModelError(f"{folder}: OpenVINO cannot run this model ({str(error).splitlines()[0]})") from error
        self._request = compiled.create_infer_request()

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """See `Engine.run`."""
        self._request.infer([np.ascontiguousarray(pixels)[None]])
        # the request's buffers are written again by the next tile
        return {task: self._request.get_output_tensor(index).data[0].copy() for index, task in enumerate(self._tasks)}


def _converted(core: ov.Core, folder: Path, tasks: tuple[str, ...]) -> ov.Model:
    card = read_card(folder)
    key = hashlib.sha256("/".join([card.checksum, *tasks, ov.get_version()]).encode()).hexdigest()[:24]
    kept = cache_folder() / key
    if _is_whole(kept):
        # a file that is whole may still be of no use to another build of OpenVINO
        with contextlib.suppress(RuntimeError):
            return core.read_model(kept / _MODEL)
    model = _convert(folder, tasks)
    # a network read from a file is compiled a little differently from the one that was converted: read it back, so
    # that the first run of a model and all others give the same maps; a cache that cannot be written costs only time
    with contextlib.suppress(OSError):
        _keep(model, kept)
        return core.read_model(kept / _MODEL)
    with tempfile.TemporaryDirectory(prefix="pathloop-") as passing:
        ov.save_model(model, Path(passing) / _MODEL, compress_to_fp16=False)
        return core.read_model(Path(passing) / _MODEL)


def _convert(folder: Path, tasks: tuple[str, ...]) -> ov.Model:
    # torch is loaded here only, by the networks room, and only when nothing is cached
    from pathloop.networks.weights import traceable

    network, example = traceable(folder, tasks)
    with warnings.catch_warnings():
        # tracing warns about the check of the input's sides, which holds for every tile
        warnings.simplefilter("ignore")
        return ov.convert_model(
            network,
            example_input=example,
            input=[(ov.PartialShape([1, -1, -1, 3]), ov.Type.u8)],
        )


def _is_whole(kept: Path) -> bool:
    """Whether a cached network is there and what was written."""
    try:
        sums = json.loads((kept / _SUMS).read_text(encoding="utf-8"))
        return bool({name: file_sha256(kept / name) for name in (_MODEL, _WEIGHTS)} == sums)
    except (OSError, ValueError):
        return False


def _keep(model: ov.Model, kept: Path) -> None:
    """Save under a private name first: another process may convert the same model at the same time."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        ov.save_model(model, private / _MODEL, compress_to_fp16=False)
        write_json(private / _SUMS, {name: file_sha256(private / name) for name in (_MODEL, _WEIGHTS)})
        if _is_whole(kept):  # another process was faster
            return
        if kept.exists():
            shutil.rmtree(kept)
        private.rename(kept)
    finally:
        shutil.rmtree(private, ignore_errors=True)
