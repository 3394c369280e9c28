"""Several processes that torchrun started: one super task, averaged gradients, one writer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_sets import JOINT, TINY, config, pool, training_image, write_toml

from pathloop.core import TrainingError
from pathloop.learn._checkpoint import CHECKPOINT_NAME
from pathloop.learn._fit import FitJob, fit
from pathloop.learn._memory import HalvedSteps
from pathloop.learn._ranks import Ranks
from pathloop.learn._sampler import TaskSampler
from pathloop.learn._step import make_optimizer, train_step
from pathloop.networks.multitask import MultiTaskNetwork

pytestmark = pytest.mark.slow

STEPS = 3
MOMENT, FIRST = "optimizer.exp_avg.", "encoder.conv1.weight"
SETTINGS = {"steps": STEPS, "segmentation_share": 0.5, "checkpoint_every": 100, "log_every": 1, "precision": "fp32"}


def job_of(output: Path, **changes: object) -> FitJob:
    torch.manual_seed(9)
    settings = config(**{**SETTINGS, **changes}, output=output)
    items = (training_image(0, tissue=True), training_image(1, ("nuclei",)))
    return FitJob(MultiTaskNetwork(TINY, JOINT), TaskSampler(pool(*items), settings), settings, lambda _: {}, print)


def one_process(output: str, share: str = "") -> None:
    """What each of the two processes does; run as a program by torchrun."""
    torch.set_num_threads(1)
    ranks = Ranks.of_environment()
    changes = {"steps": 1, "segmentation_share": float(share)} if share else {}
    job = job_of(Path(output) / "run", **changes)
    losses = [event.loss for event in fit(job) if event.kind == "step"]
    torch.save({"weights": job.network.state_dict(), "losses": losses}, Path(output) / f"{ranks.rank}.pt")


def torchrun(*command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([*sys.path, ""])}
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command]
    return subprocess.run(start, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_two_processes_stay_alike_and_one_writes(tmp_path: Path) -> None:
    done = torchrun(__file__, str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    # statistics of batch norm are each process's own; those of the first are saved
    trained = [name for name, _ in MultiTaskNetwork(TINY, JOINT).named_parameters()]
    assert all(torch.equal(first["weights"][name], second["weights"][name]) for name in trained)
    assert first["losses"] == second["losses"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CHECKPOINT_NAME]


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_gradients_are_the_mean_of_both_batches(tmp_path: Path, share: float) -> None:
    """Of a batch of segmentation, in which the processes own different tasks, and of one of the tissue map."""
    done = torchrun(__file__, str(tmp_path), str(share))
    assert done.returncode == 0, done.stderr
    # the first moment after Adam's first step is a tenth of the gradient
    moments = load_file(str(tmp_path / "run" / CHECKPOINT_NAME))
    found = {name.removeprefix(MOMENT): 10 * value for name, value in moments.items() if name.startswith(MOMENT)}
    job = job_of(tmp_path / "by-hand", steps=1, segmentation_share=share)
    network, settings = job.network, job.config
    network.train()
    sums: dict[str, torch.Tensor] = {}
    for rank in (0, 1):
        # a rate of zero leaves gradients behind and weights alone
        still = torch.optim.SGD(network.parameters(), lr=0.0)
        torch.manual_seed(settings.seed * 1_000_003)
        train_step(network, still, job.sampler.batch(0, rank), settings.fit)
        if rank == 0:
            alone = dict(network.named_parameters())[FIRST].grad.clone()
        for name, value in network.named_parameters():
            if value.grad is not None:
                sums[name] = sums.get(name, torch.zeros_like(value)) + value.grad / 2
    assert found.keys() == sums.keys(), "branches without samples in either batch do not train"
    for name, wanted in sums.items():
        scale = max(float(wanted.abs().max()), 1e-4)
        assert float((found[name] - wanted).abs().max()) <= 0.01 * scale, name
    wrong = float((found[FIRST] - alone).abs().max()) / float(alone.abs().max())
    assert wrong > 0.1, "the gradient of one batch alone would be noticed"


def test_all_processes_draw_the_same_super_task_and_other_samples(tmp_path: Path) -> None:
    sampler = job_of(tmp_path).sampler
    kinds = set()
    for step in range(20):
        batches = [sampler.batch(step, rank) for rank in range(3)]
        patches = ["tissue" in batch.rows for batch in batches]
        assert len(set(patches)) == 1
        kinds.add(patches[0])
        assert len({batch.images.tobytes() for batch in batches}) == 3
    assert kinds == {True, False}


def test_the_first_process_draws_what_one_alone_draws(tmp_path: Path) -> None:
    sampler = job_of(tmp_path).sampler
    for step in range(4):
        alone, first = sampler.batch(step), sampler.batch(step, 0)
        assert alone.images.tobytes() == first.images.tobytes()


def test_the_command_under_torchrun_speaks_once_and_resumes(tmp_path: Path) -> None:
    path = write_toml(tmp_path)
    command = ("-m", "pathloop", "train", str(path), "-o", str(tmp_path / "run"), "--device", "cpu")
    done = torchrun(*command, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["step"] for event in events if event["kind"] == "step"] == [1, 2]
    assert events[-1]["kind"] == "finished"
    assert (tmp_path / "run" / "model" / "model.json").is_file()
    before = load_file(str(tmp_path / "run" / CHECKPOINT_NAME))
    longer = torchrun(*command, "--steps", "2", "--json")
    assert longer.returncode == 0, longer.stderr
    after = load_file(str(tmp_path / "run" / CHECKPOINT_NAME))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_several_processes_that_run_out_of_memory_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = job_of(tmp_path)
    two = Ranks(rank=1, size=2)
    monkeypatch.setattr(Ranks, "forward_of", lambda _, network: network.forward_rows)
    steps = HalvedSteps(job.network, make_optimizer(job.network, job.config.fit), job.config.fit, None, two)

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pathloop.learn._memory.train_step", full)
    with pytest.raises(TrainingError, match=r"process 1 does not fit into memory; lower fit.batch"):
        list(steps(job.sampler.batch(0)))


def test_processes_that_see_other_checkpoints_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranks, "gathered", lambda _, values: [*values, 40])
    with pytest.raises(TrainingError, match=r"from different steps \(0, 40\); put the output folder where all"):
        Ranks(rank=0, size=2).check_alike(0)
    Ranks(rank=0, size=2).check_alike(40)


def test_alone_nothing_is_distributed() -> None:
    ranks = Ranks()
    assert (ranks.is_first, ranks.same("x"), ranks.gathered([1, 2])) == (True, "x", [1, 2])
    network = MultiTaskNetwork(TINY, JOINT)
    assert ranks.forward_of(network) == network.forward_rows
    assert ranks.join(torch.device("cpu")) == torch.device("cpu")


if __name__ == "__main__":
    one_process(*sys.argv[1:])
