"""kill -9 of `pathloop train`: what it leaves goes on to the very weights of a run that nobody disturbed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_sets import write_toml

from pathloop.learn._checkpoint import CHECKPOINT_NAME

pytestmark = pytest.mark.slow

STEPS = 6


def training(config: Path, output: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pathloop", "train", str(config), "-o", str(output), "--device", "cpu", "--json"]
    # sums depend on how many threads add them up
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def finish(config: Path, output: Path) -> list[int]:
    """Steps that the run logged."""
    with training(config, output) as process:
        events = [json.loads(line) for line in process.stdout or ()]
    assert process.returncode == 0
    return [event["step"] for event in events if event["kind"] == "step"]


def kill_at(config: Path, output: Path, step: int) -> None:
    """Kill it where it is, once it has logged a step."""
    with training(config, output) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            if event["kind"] == "step" and event["step"] == step:
                process.kill()
                break
    assert process.returncode != 0


def test_a_killed_and_resumed_training_equals_an_undisturbed_one(tmp_path: Path) -> None:
    config = write_toml(tmp_path, steps=STEPS, checkpoint_every=2)
    assert finish(config, tmp_path / "whole") == [1, 2, 3, 4, 5, 6]
    kill_at(config, tmp_path / "parts", 3)
    rest = finish(config, tmp_path / "parts")
    assert rest[0] in (3, 5), "goes on from a checkpoint, not from the beginning"
    for name in (CHECKPOINT_NAME, "model/weights.safetensors"):
        whole, parts = (load_file(str(tmp_path / run / name)) for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
