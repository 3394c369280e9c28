"""The vocabulary that every room shares: geometry, tiles, tasks, objects, events, errors, files."""

from pathloop.core._config import StrictConfig, one_line
from pathloop.core._errors import (
    DataError,
    ModelError,
    PathloopError,
    ProjectError,
    ProjectLockedError,
    SlideError,
    SlideNotFoundError,
    TrainingError,
    UnknownScaleError,
    UsageError,
)
from pathloop.core._events import (
    CheckpointSaved,
    Evaluated,
    Event,
    JobFinished,
    Message,
    RunStarted,
    StageProgress,
    StepDone,
    TileDone,
)
from pathloop.core._files import atomic_path, file_sha256, read_json, write_json, write_text
from pathloop.core._geometry import Rect, Scale
from pathloop.core._instances import Instances
from pathloop.core._locks import LockHolder, ProjectLock
from pathloop.core._registry import Registry
from pathloop.core._schema import ClassSpec, LabelSchema, PostProcessing, TaskSpec
from pathloop.core._tiles import Tile, TileGrid

__all__ = [
    "CheckpointSaved",
    "ClassSpec",
    "DataError",
    "Evaluated",
    "Event",
    "Instances",
    "JobFinished",
    "LabelSchema",
    "LockHolder",
    "Message",
    "ModelError",
    "PathloopError",
    "PostProcessing",
    "ProjectError",
    "ProjectLock",
    "ProjectLockedError",
    "Rect",
    "Registry",
    "RunStarted",
    "Scale",
    "SlideError",
    "SlideNotFoundError",
    "StageProgress",
    "StepDone",
    "StrictConfig",
    "TaskSpec",
    "Tile",
    "TileDone",
    "TileGrid",
    "TrainingError",
    "UnknownScaleError",
    "UsageError",
    "atomic_path",
    "file_sha256",
    "one_line",
    "read_json",
    "write_json",
    "write_text",
]
