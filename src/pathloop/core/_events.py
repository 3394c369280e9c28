"""What long jobs yield. Every long job is a generator of these; closing the generator cancels the job."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

__all__ = [
    "CheckpointSaved",
    "Evaluated",
    "Event",
    "JobFinished",
    "Message",
    "RunStarted",
    "StageProgress",
    "StepDone",
    "TileDone",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    kind: ClassVar[str] = "event"

    def to_json(self) -> str:
        """One line of JSON with the event's kind and fields."""
        return json.dumps({"kind": self.kind, **asdict(self)}, default=_plain)


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
    """A segmentation run starts or resumes. Areas in mm2."""

    kind: ClassVar[str] = "run_started"
    slide: str
    run_key: str
    n_tiles: int
    n_done: int
    area_mm2: float
    engine: str
    reason: str


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
