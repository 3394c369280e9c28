"""Fine-tuning runs of a project: their folders, what they are of, and how they stand."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import psutil
from pydantic import ValidationError

from pathloop.core import (
    DataError,
    Event,
    ProjectError,
    StrictConfig,
    UsageError,
    events_from_json,
    lock_holder,
    one_line,
    read_json,
)
from pathloop.learn import TuneConfig, Wish, read_wish, write_wish

__all__ = [
    "CONFIG",
    "EVENTS",
    "LOCK",
    "REQUEST",
    "RegionName",
    "RunFacts",
    "RunState",
    "TuneRun",
    "find_tune_run",
    "new_run_folder",
    "read_events",
    "read_tune_config",
    "tune_runs",
    "wish_for",
]

PREFIX = "tune-"
FACTS, CONFIG, EVENTS, REQUEST, CONTROL, LOCK = (
    "run.json",
    "config.json",
    "events.jsonl",
    "request.json",
    "control.json",
    "lock",
)
_NAME = re.compile(PREFIX + r"(\d{4,})")

RunState = Literal["waiting", "running", "paused", "finished", "cancelled", "failed", "interrupted"]
"""``interrupted``: its process is gone though nobody ended it; it goes on from its last checkpoint."""


class RegionName(StrictConfig):
    """A region of the project, with the tasks that are reviewed in it."""

    slide_id: str
    region: int
    tasks: tuple[str, ...]
    patient: str
    who: str = ""


class RunFacts(StrictConfig):
    """``run.json``: what a run is of. Never changes.

    Parameters
    ----------
    recipe
        Name of the recipe.
    parent, parent_checksum
        Card name and weights of the model that it starts from.
    name
        Of the candidate.
    regions, held_out
        What it trains on, and what is held out.
    tasks
        Tasks that it trains.
    data_sha256
        Of the regions' manifest, which names every file with its checksum.
    journal
        Number of the last journal entry that it has seen.
    who, at, program
        Who started it, when (ISO 8601, UTC), with which version.
    """

    format_version: int = 1
    recipe: str
    parent: str
    parent_checksum: str
    name: str
    regions: tuple[RegionName, ...]
    held_out: tuple[RegionName, ...]
    tasks: tuple[str, ...]
    data_sha256: str
    journal: int
    who: str
    at: str
    program: str


@dataclass(frozen=True, slots=True)
class TuneRun:
    """A fine-tuning run.

    Parameters
    ----------
    folder
        ``runs/tune-NNNN`` of the project.
    facts
        What it is of.
    """

    folder: Path
    facts: RunFacts

    @property
    def name(self) -> str:
        """``tune-0003``."""
        return self.folder.name

    @property
    def number(self) -> int:
        """3."""
        return int(self.name.removeprefix(PREFIX))

    @property
    def candidate(self) -> Path:
        """Model folder of the candidate; there once training has ended."""
        return self.folder / "model"

    @property
    def comparison(self) -> Path:
        """Where the comparison with the parent is written."""
        return self.folder / "comparison" / "comparison.json"

    @property
    def is_alive(self) -> bool:
        """Whether a process of this computer works on it, or one of another computer says so."""
        holder = lock_holder(self.folder / LOCK)
        if holder is None:
            return False
        if holder.host != socket.gethostname():
            return True
        try:
            process = psutil.Process(holder.process)
            born, status = process.create_time(), process.status()
        except psutil.Error:
            return False
        if status == psutil.STATUS_ZOMBIE:
            # killed, and whoever started it has not asked yet
            return False
        # else the number was given to another process since
        return bool(born <= datetime.fromisoformat(holder.started).timestamp() + 2)

    @property
    def state(self) -> RunState:
        """How it stands."""
        last = _last_kind(self.folder / EVENTS)
        if self.is_alive:
            return "paused" if last == "paused" else "running"
        if last is None:
            return "waiting" if not (self.folder / EVENTS).exists() else "interrupted"
        return _ENDS[last]


_ENDS: dict[str, RunState] = {
    "finished": "finished",
    "cancelled": "cancelled",
    "failed": "failed",
    "paused": "interrupted",
    "resumed": "interrupted",
    "step": "interrupted",
    "message": "interrupted",
}
"""By the last event that tells it: the state of a run without a process."""


TAIL_BYTES = 65_536
"""What the last event that tells the state lies in; the longest one, "finished", holds a comparison."""


def _last_kind(path: Path) -> str | None:
    """Kind of the last event that tells how a run stands; None where there is none."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            for n_bytes in (TAIL_BYTES, size):
                stream.seek(max(0, size - n_bytes))
                for line in reversed(stream.read().splitlines()):
                    try:
                        kind = json.loads(line)["kind"]
                    except (ValueError, KeyError, TypeError):
                        continue  # the first line of the tail is cut, the last one may be being written
                    if kind in _ENDS:
                        return str(kind)
    except OSError:
        return None
    return None


def tune_runs(project: Path) -> list[TuneRun]:
    """All fine-tuning runs of a project folder, in the order of their numbers; damaged ones are left out."""
    found = []
    for folder in sorted((project / "runs").glob(f"{PREFIX}*")):
        if _NAME.fullmatch(folder.name) and (folder / FACTS).is_file():
            try:
                found.append(_read(folder))
            except DataError:
                continue
    return sorted(found, key=lambda run: run.number)


def find_tune_run(project: Path, name: str) -> TuneRun:
    """A run by its name or number.

    Raises
    ------
    ProjectError
        If there is none.
    """
    wanted = f"{PREFIX}{int(name):04d}" if name.isdecimal() else name
    folder = project / "runs" / wanted
    if not _NAME.fullmatch(wanted) or not (folder / FACTS).is_file():
        known = ", ".join(run.name for run in tune_runs(project)) or "none"
        raise ProjectError(f"{project}: no fine-tuning run {name!r}; there is: {known}")
    return _read(folder)


def _read(folder: Path) -> TuneRun:
    try:
        return TuneRun(folder, RunFacts.model_validate(read_json(folder / FACTS)))
    except ValidationError as error:
        raise DataError(f"{folder / FACTS}: damaged, or of a newer version ({one_line(error)})") from error


def new_run_folder(project: Path) -> Path:
    """Where the next run will lie."""
    numbers = [int(match[1]) for one in (project / "runs").glob(f"{PREFIX}*") if (match := _NAME.fullmatch(one.name))]
    return project / "runs" / f"{PREFIX}{max(numbers, default=0) + 1:04d}"


def read_tune_config(folder: Path) -> TuneConfig:
    """The configuration of a run, with the paths of where it lies now.

    Raises
    ------
    DataError
        If it is missing or damaged.
    """
    path = folder / CONFIG
    try:
        config = TuneConfig.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"{path}: damaged, or of a newer version ({one_line(error)})") from error
    held = folder / "data" / "held_out"
    places = {"output": folder, "regions": folder / "data" / "regions", "held_out": held if held.is_dir() else None}
    return config.model_copy(update=places)


def read_events(folder: Path) -> Iterator[Event]:
    """All events of a run so far; a line that is being written, or of a later version, is passed over."""
    try:
        text = (folder / EVENTS).read_text(encoding="utf-8")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield events_from_json(line)
        except DataError:
            continue


def wish_for(run: TuneRun, wish: Wish) -> None:
    """Tell a run what is wanted of it; it listens between two steps.

    Raises
    ------
    UsageError
        If nothing works on it.
    """
    if not run.is_alive:
        raise UsageError(f"{run.name}: is not running; resume it first")
    write_wish(run.folder / CONTROL, wish)


def current_wish(folder: Path) -> Wish:
    """What is wanted of a run."""
    return read_wish(folder / CONTROL)


def clear_wish(folder: Path) -> None:
    """Forget what was wanted before."""
    (folder / CONTROL).unlink(missing_ok=True)
