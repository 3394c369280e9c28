"""A fine-tuning run from its folder: train, compare with the parent, leave candidate and comparison."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO

from pathloop.core import (
    Event,
    Failed,
    JobFinished,
    Message,
    ModelError,
    PathloopError,
    ProjectLock,
    ProjectLockedError,
    RunCancelled,
    UsageError,
)
from pathloop.learn import TUNING
from pathloop.loop.tuning._compare import compare_on
from pathloop.loop.tuning._comparison import Comparison
from pathloop.loop.tuning._runs import (
    EVENTS,
    LOCK,
    REQUEST,
    TuneRun,
    clear_wish,
    current_wish,
    find_tune_run,
    read_tune_config,
)
from pathloop.networks import read_card, write_card
from pathloop.predict import choose_engine

__all__ = ["start_process", "tune"]

ATTEMPTS, ATTEMPT_S = 20, 0.1


def tune(folder: Path) -> Generator[Event]:
    """Work on a run, from its last checkpoint if it has one, and write every event to its ``events.jsonl``.

    Only the run's folder is written. Once the candidate is made, it is compared with its parent on the held-out
    regions.

    Yields
    ------
    Event
        Those of training and comparing; the last one is `JobFinished` (its path is the folder, its summary ``model``
        and ``comparison``, see `Comparison`) or `RunCancelled`.

    Raises
    ------
    UsageError
        If another process works on it, or it is finished.
    PathloopError
        If something is missing or training fails; the run says so too.
    """
    run = find_tune_run(folder.parents[1], folder.name)
    with _alone(run), (folder / EVENTS).open("a+", encoding="utf-8") as log:
        _end_line(log)
        clear_wish(folder)
        try:
            with contextlib.closing(_events(run)) as events:
                for event in events:
                    log.write(event.to_json() + "\n")
                    log.flush()
                    yield event
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            foreseen = isinstance(error, PathloopError | OSError | MemoryError)
            told = text if foreseen else f"unforeseen {type(error).__name__}: {text}"
            log.write(Failed(told, 2 if isinstance(error, UsageError) else 1).to_json() + "\n")
            raise


def _end_line(log: IO[str]) -> None:
    """End a line that a killed process left half written, or the next event would be lost with it."""
    log.seek(0)
    text = log.read()
    if text and not text.endswith("\n"):
        log.write("\n")


@contextlib.contextmanager
def _alone(run: TuneRun) -> Generator[None]:
    """Be the only process that works on a run."""
    if run.state == "finished":
        raise UsageError(f"{run.name}: is finished; start another run")
    lock = ProjectLock(run.folder / LOCK)
    for left in reversed(range(ATTEMPTS)):
        try:
            lock.acquire()
            break
        except ProjectLockedError as error:
            if not left:
                raise UsageError(f"{run.name}: another process works on it already") from error
            # somebody may only be looking, or a process be on its way out
            time.sleep(ATTEMPT_S)
    try:
        yield
    finally:
        lock.release()


def _events(run: TuneRun) -> Generator[Event]:
    config = read_tune_config(run.folder)
    try:
        parent = read_card(config.parent)
    except ModelError as error:
        raise ModelError(f"{config.parent}: the parent model is not there any more ({error})") from error
    if parent.checksum != run.facts.parent_checksum:
        raise ModelError(f"{config.parent}: holds another model than when this run was started; start another run")
    if not (run.candidate / "model.json").is_file():
        ended = False
        with contextlib.closing(TUNING.resolve(config.recipe)(config, lambda: current_wish(run.folder))) as training:
            for event in training:
                if isinstance(event, JobFinished):
                    ended = True
                    continue
                yield event
                if isinstance(event, RunCancelled):
                    return
        if not ended:
            raise ModelError(f"{run.name}: training left no model")
    choice = choose_engine(config.device)
    comparison = yield from compare_on(
        run.folder / "data" / "held_out",
        config.parent,
        run.candidate,
        with_data=config.with_data,
        choice=choice,
        keep=run.comparison.parent,
        is_stopped=lambda: current_wish(run.folder) == "cancel",
    )
    if comparison is None:
        yield RunCancelled()
        return
    _complete_card(run, comparison)
    for text in comparison.faults:
        yield Message(f"worse than its parent: {text}", level="warning")
    yield JobFinished(run.folder, {"model": str(run.candidate), "comparison": comparison.model_dump(mode="json")})


def _complete_card(run: TuneRun, comparison: Comparison) -> None:
    """Say in the candidate's card which data and people made it, and how it did on the held-out regions."""
    card, facts = read_card(run.candidate), run.facts
    people = sorted({one.who for one in (*facts.regions, *facts.held_out)} - {""})
    about = {
        "run": run.name,
        "data_sha256": facts.data_sha256,
        "journal": facts.journal,
        "region_list": [f"{one.slide_id}/{one.region}" for one in facts.regions],
        "people": people,
        "started_by": facts.who,
        "started_at": facts.at,
        "program": f"pathloop {facts.program}",
    }
    measured = {
        task: dict(one.candidate) | {"n": float(one.n)} for task, one in comparison.tasks.items() if one.candidate
    }
    metrics = {key: values for key, values in card.metrics.items() if not key.startswith("pathloop_set")}
    metrics |= {"held-out regions": measured} if measured else {}
    write_card(run.candidate, card.model_copy(update={"training": card.training | about, "metrics": metrics}))


_CHILDREN: list["subprocess.Popen[bytes]"] = []
"""Processes that were started from here: Python warns of those that it forgets while they run."""


def start_process(run: TuneRun) -> int:
    """Start the process that works on a run, in a session of its own, so that it outlives this one; its number.

    What it prints unasked goes to ``worker.log`` in the run's folder.
    """
    command = [sys.executable, "-m", "pathloop.worker", "train", "--request", str(run.folder / REQUEST)]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    _CHILDREN[:] = [one for one in _CHILDREN if one.poll() is None]
    with (run.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            creationflags=flags,
        )
    _CHILDREN.append(process)
    return process.pid
