"""Which engine is chosen, and why."""

import importlib.util
from pathlib import Path

import pytest
import torch

from pathloop.core import UsageError
from pathloop.networks.hardware import cpu_has_bf16
from pathloop.predict import DEVICES, ENGINES, choose_engine, may_have_bf16


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_openvino(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "openvino" else real(name))


def test_openvino_is_the_default_on_a_cpu(no_gpu):
    choice = choose_engine()
    assert (choice.engine, choice.device) == ("openvino", "cpu")
    assert choice.precision in ("fp32", "bf16")
    assert choice.reason == "no GPU that torch can use; OpenVINO is the quickest engine on a CPU"
    assert choice.summary == f"openvino cpu {choice.precision}"
    assert choose_engine("cpu").reason.startswith("asked for; ")


def test_wishes_are_granted(no_gpu):
    assert choose_engine(precision="fp32").precision == "fp32"
    assert choose_engine(engine="openvino", precision="bf16").summary == "openvino cpu bf16"
    assert choose_engine("cpu", engine="torch", precision="fp32").summary == "torch cpu fp32"
    assert choose_engine(engine="torch").reason == "asked for"


def test_torch_takes_over_without_openvino(no_gpu, no_openvino):
    choice = choose_engine()
    assert (choice.engine, choice.device, choice.reason) == ("torch", "cpu", "OpenVINO is not installed")
    with pytest.raises(UsageError, match="openvino engine is not installed; install openvino, or use the torch engine"):
        choose_engine(engine="openvino")


def test_a_registered_engine_can_be_asked_for(monkeypatch):
    monkeypatch.setattr(ENGINES, "_entries", {**ENGINES._entries, "mine": "somewhere:Mine"})
    assert choose_engine(engine="mine").summary == "mine cpu fp32"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(no_gpu, device):
    with pytest.raises(UsageError, match=f"device '{device}' is not available here; use --device cpu or auto"):
        choose_engine(device)
    with pytest.raises(UsageError, match="not available"):
        choose_engine(device, engine="torch")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_is_used(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: device == "mps")
    choice = choose_engine(device)
    assert (choice.engine, choice.device, choice.reason) == ("torch", device, f"torch finds {device}")
    assert choice.precision == {"cuda": "bf16", "mps": "fp32"}[device]
    with pytest.raises(UsageError, match="openvino engine runs on the CPU"):
        choose_engine(device, engine="openvino")
    assert choose_engine("cpu").engine == "openvino"


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"device": "tpu"}, ", ".join(DEVICES)),
        ({"engine": "onnx"}, "openvino, torch"),
        ({"precision": "int4"}, "fp32, bf16"),
    ],
)
def test_unknown_names_list_the_known_ones(options, known):
    with pytest.raises(UsageError, match=f"unknown .*; known: {known}"):
        choose_engine(**options)


def test_bf16_is_seen_without_torch() -> None:
    """By the kernel's own list, it is what torch finds; nowhere is it promised where torch has none."""
    assert may_have_bf16() == (cpu_has_bf16() and Path("/proc/cpuinfo").is_file())
