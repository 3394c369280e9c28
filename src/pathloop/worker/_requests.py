"""Requests to the long-lived worker: one JSON object a line."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pathloop.core import Rect, StrictConfig, UsageError, one_line
from pathloop.loop import DEFAULT_TILE_PX
from pathloop.networks import DEFAULT_MODEL

__all__ = [
    "Gentleness",
    "Look",
    "Maps",
    "Order",
    "Prepare",
    "Quit",
    "Request",
    "SegmentRun",
    "job_of",
    "parse_request",
    "rect",
]

Box = tuple[int, int, int, int]
"""[y, x, height, width], level-0 pixels."""


class Prepare(StrictConfig):
    """Load an engine and warm it, so that a run that follows starts at once."""

    do: Literal["prepare"]
    job: int
    model: str = DEFAULT_MODEL
    device: str = "auto"
    tasks: tuple[str, ...] | None = None


class SegmentRun(StrictConfig):
    """Run one slide into the scratch folder of a project's run; the meaning is that of `loop.SegmentJobRequest`."""

    do: Literal["segment"]
    job: int
    slide: Path
    project: Path
    slide_id: str = Field(pattern=r"^[^/\\]+$")
    um_per_px: float | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    tasks: tuple[str, ...] | None = None
    region: Box | None = None
    use_tissue_mask: bool = True
    tile_px: int = DEFAULT_TILE_PX
    force: bool = False
    live: bool = False
    view: Box | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for box in (self.region, self.view):
            rect(box)
        if self.live and self.region is not None:
            raise ValueError("a live run follows the view; it takes no region")
        return self


class Maps(StrictConfig):
    """Write the network's maps of a region; the meaning is that of `loop.MapsRequest`."""

    do: Literal["maps"]
    job: int
    slide: Path
    rect: Box
    folder: Path
    um_per_px: float | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    tasks: tuple[str, ...] | None = None
    first: Box | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for box in (self.rect, self.first):
            rect(box)
        return self


class Look(StrictConfig):
    """The view moved."""

    do: Literal["look"]
    view: Box | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        rect(self.view)
        return self


class Order(StrictConfig):
    """What a run, or with ``cancel`` a request for maps, that was asked for shall do."""

    do: Literal["pause", "resume", "cancel"]
    job: int


class Gentleness(StrictConfig):
    """Keep to one core, or no longer."""

    do: Literal["gentle"]
    on: bool


class Quit(StrictConfig):
    """Leave at once."""

    do: Literal["quit"]


Request = Prepare | SegmentRun | Maps | Look | Order | Gentleness | Quit

_READER: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


def parse_request(line: bytes) -> Request:
    """The request of a line.

    Raises
    ------
    UsageError
        If it is not one; all that is wrong is named.
    """
    try:
        return _READER.validate_json(line, strict=True)
    except ValidationError as error:
        raise UsageError(f"request: {one_line(error)}") from error


def job_of(line: bytes) -> int:
    """The job number in a line that is no request; 0 where none can be found."""
    try:
        values: Any = json.loads(line)
    except ValueError:
        return 0
    job = values.get("job") if isinstance(values, dict) else None
    return job if isinstance(job, int) else 0


def rect(box: Box | None) -> Rect | None:
    """A box as a rectangle."""
    return None if box is None else Rect(*box)
