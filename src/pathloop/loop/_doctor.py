"""Is everything here that pathloop needs? One check after the other, in words that say what to do."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from pathloop import __version__
from pathloop.core import ModelError, PathloopError
from pathloop.networks import find_model, known_models, read_card
from pathloop.predict import choose_engine

__all__ = ["Check", "check_up"]

CheckState = Literal["ok", "note", "warning", "failed"]

LIBRARIES = ("torch", "openvino", "numpy", "opencv-python-headless", "zarr", "tifffile", "openslide-python", "pydantic")
OPTIONAL = (
    ("napari", "the window", "pip install 'pathloop[gui]'"),
    ("PySide6_Essentials", "Qt for the window; another Qt binding does as well", "pip install 'pathloop[gui]'"),
    ("pyarrow", "export --format parquet", "pip install 'pathloop[tables]'"),
)
GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK = 4 * GIB, 5 * GIB
TEST_PX, TEST_SEED = 1024, 20_260
TEST_DICE = 0.8
"""Gland Dice on the drawn slide of the self-test; the bundled model reaches 0.97 there."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Parameters
    ----------
    name
        What was looked at.
    state
        ``ok``; ``note``: something optional is not there; ``warning``: works, but not well; ``failed``: does not work.
    text
        What was found and, unless all is well, what to do.
    """

    name: str
    state: CheckState
    text: str


def check_up(device: str = "auto", model: str = "fast", folder: Path | None = None) -> Iterator[Check]:
    """Versions, machine, device, disk, models, and a self-test of some seconds; a check that fails stops no other.

    Parameters
    ----------
    device, model
        What the self-test runs, as `pathloop segment` would.
    folder
        Where projects shall be written; the working directory by default.
    """
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("pathloop", _program),
        ("libraries", _libraries),
        *((name, lambda name=name, use=use, how=how: _optional(name, use, how)) for name, use, how in OPTIONAL),
        ("memory", _memory),
        ("device", lambda: _device(device)),
        ("disk", lambda: _disk(folder or Path.cwd(), "projects")),
        ("temporary files", lambda: _disk(Path(tempfile.gettempdir()), "temporary files")),
        ("models", _models),
        ("self-test", lambda: _self_test(device, model)),
    )
    for name, check in checks:
        try:
            yield check()
        except PathloopError as error:
            yield Check(name, "failed", " ".join(str(error).split()))
        except Exception as error:  # noqa: BLE001 - whatever is broken here is what the user asks about
            yield Check(name, "failed", f"{type(error).__name__}: {' '.join(str(error).split())}")


def _program() -> Check:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Check("pathloop", "ok", f"{__version__}, Python {platform.python_version()}, {system}")


def _libraries() -> Check:
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("libraries", "failed", f"not installed: {', '.join(missing)}; install pathloop again with pip")
    return Check("libraries", "ok", ", ".join(found))


def _optional(name: str, use: str, how: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "note", f"not installed ({use}): {how}")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free, {os.cpu_count()} CPU cores"
    if memory.available < LITTLE_MEMORY:
        return Check("memory", "warning", f"{text}; segmenting takes up to 4 GiB: close other programs")
    return Check("memory", "ok", text)


def _device(device: str) -> Check:
    choice = choose_engine(device)
    text = f"{choice.summary}: {choice.reason}"
    if choice.device == "cpu" and choice.precision == "fp32":
        return Check("device", "note", f"{text}; this CPU has no bf16, which would be two to three times as quick")
    return Check("device", "ok", text)


def _disk(folder: Path, what: str) -> Check:
    name = "disk" if what == "projects" else what
    # a folder that is not there yet will be made
    there = next((one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir()), folder)
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or error
        return Check(name, "failed", f"{folder}: cannot be written ({reason}); work in another folder, or pass -o")
    free = shutil.disk_usage(there).free
    text = f"{free / GIB:.1f} GiB free for {what} in {folder}"
    if free < LITTLE_DISK:
        return Check(name, "warning", f"{text}; a large slide's project takes up to 2 bytes a pixel: free some")
    return Check(name, "ok", text)


def _models() -> Check:
    found, faults = [], []
    for name, folder in known_models().items():
        try:
            found.append(f"{name} {read_card(folder).version}")
        except ModelError as error:
            faults.append(f"{name}: {error}")
    if faults or not found:
        return Check("models", "failed", "; ".join(faults) or "none; install pathloop again with pip")
    return Check("models", "ok", ", ".join(found))


def _self_test(device: str, model: str) -> Check:
    """Segment a drawn slide whose truth is known, with the engine that a run would take."""
    from pathloop.learn import drawn_slide, predicted, score_image
    from pathloop.metrics import summarise_objects
    from pathloop.predict import load_engine

    folder = find_model(model)
    card, choice = read_card(folder), choose_engine(device)
    tasks = tuple(card.labels.names)
    began = time.perf_counter()
    engine = load_engine(folder, tasks, choice)
    item = drawn_slide(card.labels, card.um_per_px, TEST_PX, TEST_SEED)
    cell = card.architecture.cell_px
    predicted(engine.run, item.image, card.labels, zoom=1.0, cell_px=cell)
    loaded = time.perf_counter()
    found = predicted(engine.run, item.image, card.labels, zoom=1.0, cell_px=cell)
    seconds = time.perf_counter() - loaded
    rate = seconds / (TEST_PX * card.um_per_px / 1000) ** 2
    speed = f"{rate:.1f} s per mm2 of tissue ({choice.summary}), {loaded - began:.1f} s to load"
    if "gland" not in card.labels or "gland" not in item.labels:
        return Check("self-test", "ok", f"{model} runs; {speed}")
    scores = score_image(found, item, card.labels, cell_px=cell, tasks=["gland"]).objects["gland"]
    dice = summarise_objects([scores]).dice
    if dice < TEST_DICE:
        text = f"glands of a drawn slide reach a Dice of {dice:.2f}, less than {TEST_DICE}"
        advice = "try --device cpu; on another model it may only mean that drawings are strange to it"
        return Check("self-test", "warning", f"{text}; {speed}; {advice}")
    return Check("self-test", "ok", f"glands of a drawn slide: Dice {dice:.2f}; {speed}")
