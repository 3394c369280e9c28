"""How a run stands: told from its lock and its last events, whatever happened to its process."""

import signal
import subprocess
import sys
import time

import pytest
from test_prepare import prepared

from pathloop.core import (
    Failed,
    JobFinished,
    Message,
    ModelError,
    ProjectLock,
    RunCancelled,
    RunPaused,
    RunResumed,
    StageProgress,
    StepDone,
    UsageError,
)
from pathloop.loop.tuning import TuneRequest, read_events, tune, wish_for


@pytest.fixture
def run(done, model):
    return prepared(TuneRequest(done, model=str(model)))


STEP = StepDone(3, 9, 0.5, {"gland": 0.5}, 1e-3, 2.0, 9.0)


def write(run, *events):
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.writelines(event.to_json() + "\n" for event in events)


@pytest.mark.parametrize(
    ("events", "idle", "alive"),
    [
        ([STEP], "interrupted", "running"),
        ([STEP, RunPaused()], "interrupted", "paused"),
        ([RunPaused(), RunResumed(), STEP], "interrupted", "running"),
        ([STEP, RunCancelled()], "cancelled", "running"),
        ([STEP, Failed("no space", 1)], "failed", "running"),
        ([Failed("no space", 1), Message("again"), STEP], "interrupted", "running"),
    ],
)
def test_states(run, events, idle, alive):
    assert run.state == "waiting"
    write(run, *events)
    assert run.state == idle
    with ProjectLock(run.folder / "lock", program="test"):
        assert run.state == alive
    assert run.state == idle
    assert [event.kind for event in read_events(run.folder)] == [event.kind for event in events]


def test_the_last_event_counts_however_long_it_is(run):
    write(run, STEP, JobFinished(run.folder, {"comparison": {"text": "x" * 100_000}}))
    assert run.state == "finished"
    write(run, StageProgress("a", "b", 1, 2))
    assert run.state == "finished"
    with pytest.raises(UsageError, match="tune-0001: is finished; start another run"):
        next(tune(run.folder))


def test_a_line_that_is_being_written_is_passed_over(run):
    write(run, STEP)
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.write('{"kind": "finis')
    assert run.state == "interrupted"
    assert [event.kind for event in read_events(run.folder)] == ["step"]


HOLD = """
import sys, time
from pathlib import Path
from pathloop.core import ProjectLock
ProjectLock(Path(sys.argv[1]), program="test").acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_process_works_on_nothing(run):
    write(run, STEP)
    command = [sys.executable, "-c", HOLD, str(run.folder / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    assert run.is_alive
    wish_for(run, "pause")
    process.send_signal(signal.SIGKILL)
    # nobody has waited for it: it is still in the table of processes
    process.stdout.read()
    process.stdout.close()
    try:
        until = time.monotonic() + 10
        while run.is_alive and time.monotonic() < until:
            time.sleep(0.02)
        assert not run.is_alive
        assert run.state == "interrupted"
        with pytest.raises(UsageError, match="is not running; resume it first"):
            wish_for(run, "cancel")
    finally:
        process.wait()


def test_a_process_of_another_computer_is_believed(run):
    (run.folder / "lock").write_text(
        '{"program": "x", "process": 1, "host": "elsewhere", "started": "2026-01-01T00:00:00+00:00"}'
    )
    assert run.is_alive


def test_a_number_that_another_process_has_now_is_no_sign_of_life(run):
    import os
    import socket

    (run.folder / "lock").write_text(
        f'{{"program": "x", "process": {os.getpid()}, "host": "{socket.gethostname()}",'
        ' "started": "2001-01-01T00:00:00+00:00"}'
    )
    assert not run.is_alive


def test_what_a_killed_process_left_half_written_costs_no_event(run):
    write(run, STEP)
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.write('{"kind": "ste')
    # the drawn model has no weights to train: the run fails, and says so in a line of its own
    with pytest.raises(ModelError):
        list(tune(run.folder))
    assert [event.kind for event in read_events(run.folder)] == ["step", "failed"]
    assert run.state == "failed"
