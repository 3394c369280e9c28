"""What long jobs yield. Every long job is a generator of these; closing the generator cancels the job."""

import functools
import json
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from pathloop.core._config import one_line
from pathloop.core._errors import DataError
from pathloop.core._geometry import Rect

__all__ = [
    "Assembled",
    "CheckpointSaved",
    "Evaluated",
    "Event",
    "Failed",
    "JobFinished",
    "MapsBlock",
    "MapsDone",
    "Message",
    "RunCancelled",
    "RunIdle",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "StageProgress",
    "StepDone",
    "TileDone",
    "WorkerPrepared",
    "events_from_json",
    "outcome",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    kind: ClassVar[str] = "event"

    def to_json(self) -> str:
        """One line of JSON with the event's kind and fields."""
        return json.dumps({"kind": self.kind, **asdict(self)}, default=_plain)


def events_from_json(line: str | bytes) -> Event:
    """The event of one line that `Event.to_json` wrote, or a later version of it: keys that are not known are left out.

    Raises
    ------
    DataError
        If the line is no JSON object, its kind is not known, or a key is missing or wrong.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise DataError(f"an event must be a line of JSON ({error})") from error
    kind = values.get("kind") if isinstance(values, dict) else None
    readers = _readers()
    if not isinstance(kind, str) or kind not in readers:
        raise DataError(f"unknown kind of event {kind!r}")
    try:
        event: Event = readers[kind].validate_python(values)
    except ValidationError as error:
        raise DataError(f"event {kind!r}: {one_line(error)}") from error
    return event


def outcome(events: Generator[Event, None, T], hear: Callable[[Event], Any]) -> T:
    """What a job's generator returns, after ``hear`` was called with each of its events."""
    while True:
        try:
            event = next(events)
        except StopIteration as stop:
            result: T = stop.value
            return result
        hear(event)


@functools.cache
def _readers() -> dict[str, TypeAdapter[Any]]:
    # a class with slots is a copy of the class as written, which may still be about: the later one is the right one
    kinds = {kind.kind: kind for kind in Event.__subclasses__()}
    return {name: TypeAdapter(kind) for name, kind in kinds.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


@dataclass(frozen=True, slots=True)
class Message(Event):
    """Something the user should know; ``level`` is "info" or "warning"."""

    kind: ClassVar[str] = "message"
    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A segmentation run starts or resumes. Areas in mm2.

    The last three are for whoever keeps the project while another process runs the tiles: the run's scratch folder,
    the parameters to record and the tasks that yield objects. They are None and empty where the run keeps it itself.
    """

    kind: ClassVar[str] = "run_started"
    slide: str
    run_key: str
    n_tiles: int
    n_done: int
    area_mm2: float
    engine: str
    reason: str
    folder: Path | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    instance_tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TileDone(Event):
    """A tile is finished and recorded. Areas in mm2, times in seconds; the ETA is None until it can be told."""

    kind: ClassVar[str] = "tile_done"
    slide: str
    row: int
    col: int
    n_done: int
    n_tiles: int
    done_mm2: float
    s_per_mm2: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class StageProgress(Event):
    """Progress of a named stage that has no tiles of its own (joining, writing pyramids)."""

    kind: ClassVar[str] = "stage"
    slide: str
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """A training step (or the mean of the last few). Losses by task."""

    kind: ClassVar[str] = "step"
    step: int
    n_steps: int
    loss: float
    losses: dict[str, float]
    learning_rate: float
    samples_per_s: float
    eta_s: float


@dataclass(frozen=True, slots=True)
class Evaluated(Event):
    """Metrics on the validation fold, by task and name."""

    kind: ClassVar[str] = "evaluated"
    step: int
    metrics: dict[str, dict[str, float]]
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointSaved(Event):
    """A checkpoint was written from which the run can go on."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class JobFinished(Event):
    """The last event of a job: where the result is, and a summary of plain values."""

    kind: ClassVar[str] = "finished"
    path: Path
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The last event of a job that went wrong: what to do about it, and the exit code that a command would have."""

    kind: ClassVar[str] = "failed"
    message: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class WorkerPrepared(Event):
    """The worker holds a warm engine. Its pace is seconds per mm2 of a blank tile, None where it was not measured."""

    kind: ClassVar[str] = "prepared"
    engine: str
    reason: str
    s_per_mm2: float | None


@dataclass(frozen=True, slots=True)
class RunPaused(Event):
    """A run rests until it is resumed or cancelled; finished tiles are on disk."""

    kind: ClassVar[str] = "paused"


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """A run that was paused goes on."""

    kind: ClassVar[str] = "resumed"


@dataclass(frozen=True, slots=True)
class RunCancelled(Event):
    """The last event of a run that was cancelled; its finished tiles are kept."""

    kind: ClassVar[str] = "cancelled"


@dataclass(frozen=True, slots=True)
class RunIdle(Event):
    """A live run has finished all that is in view and waits for the view to move."""

    kind: ClassVar[str] = "idle"


@dataclass(frozen=True, slots=True)
class Assembled(Event):
    """The last event of a run whose tiles are all done: the folder of its result, ready to be taken over."""

    kind: ClassVar[str] = "assembled"
    folder: Path


@dataclass(frozen=True, slots=True)
class MapsBlock(Event):
    """A block of a region's maps is written: its file, and the level-0 pixels that it covers."""

    kind: ClassVar[str] = "maps_block"
    path: Path
    rect: Rect
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MapsDone(Event):
    """The last event of a request for maps: all blocks are written."""

    kind: ClassVar[str] = "maps_done"
