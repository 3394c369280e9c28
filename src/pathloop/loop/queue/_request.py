"""What is to be ranked, and what strategies are given."""

import hashlib
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pathloop.core import Event, Rect, UsageError
from pathloop.loop.queue._grid import REGION_UM, Candidate
from pathloop.loop.queue._score import Ranking, Score
from pathloop.loop.queue._views import VIEWS
from pathloop.store import Project, SlideRecord

__all__ = ["NetworkPass", "RankRequest", "Strategy", "Work", "lot"]

TOP = 200
"""Candidates that go through the network at most."""


@dataclass(frozen=True, slots=True)
class NetworkPass:
    """How the strategies that need the network run it.

    Parameters
    ----------
    model
        Known model's name or a model folder; None = the one that segmented each slide.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    engine, precision
        Overrule the choice of engine; None = choose.
    top
        Candidates that go through it, the most difficult ones by what is stored.
    views
        4 (flips) or 8 (flips and rotations); None = 8 on a GPU, 4 on a CPU.

    Raises
    ------
    UsageError
        If ``top`` is below 1 or ``views`` is neither 4 nor 8.
    """

    model: str | None = None
    device: str = "auto"
    engine: str | None = None
    precision: str | None = None
    top: int = TOP
    views: int | None = None

    def __post_init__(self) -> None:
        if self.top < 1:
            raise UsageError(f"at least one region must go through the network, not {self.top}")
        if self.views not in (None, *VIEWS):
            raise UsageError(f"a picture is looked at in 4 or 8 ways, not {self.views}")


@dataclass(frozen=True, slots=True)
class RankRequest:
    """What to rank, and how.

    Parameters
    ----------
    project
        Project folder; or an open project, in the thread that opened it. One that is open for reading is only read.
    slide_ids
        Slides; None = all that were segmented.
    strategy
        Name in `STRATEGIES`.
    count
        Regions that are waiting in the queue afterwards, if there are so many.
    tasks
        Tasks that are to be reviewed in the regions; None = the slide's object tasks.
    network
        For strategies that need the network; ``network.model`` is also the model whose calibration holds.
    region_um
        Side of a region, um.
    store
        False = only say what the queue would be.
    who
        Name for the journal; None = the user's.

    Raises
    ------
    UsageError
        If ``count`` is below 1, or ``slide_ids`` or ``tasks`` name nothing.
    """

    project: Path | Project
    slide_ids: tuple[str, ...] | None = None
    strategy: str = "difficulty"
    count: int = 40
    tasks: tuple[str, ...] | None = None
    network: NetworkPass = field(default_factory=NetworkPass)
    region_um: float = REGION_UM
    store: bool = True
    who: str | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"a queue has at least one region, not {self.count}")
        if self.slide_ids == () or self.tasks == ():
            raise UsageError("name at least one slide and one task, or none to take all")


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a strategy is given.

    Parameters
    ----------
    project
        Open; only read.
    slides
        By id: those that are ranked.
    candidates
        Of all slides, slide by slide and row by row.
    scores
        Everything that is known of them without the network.
    network
        How to run it.
    count
        How many regions are wanted.
    """

    project: Project
    slides: Mapping[str, SlideRecord]
    candidates: tuple[Candidate, ...]
    scores: tuple[Score, ...]
    network: NetworkPass
    count: int


class Strategy(Protocol):
    """Puts candidates in order; yields events while it works, closed to cancel."""

    def __call__(self, work: Work) -> Generator[Event, None, Ranking]:
        """Rank."""
        ...


def lot(project: uuid.UUID, slide_id: str, rect: Rect, purpose: str) -> str:
    """A region's lot in a draw: the same for ever, and without any relation to what is in the region."""
    name = f"{project}/{slide_id}/{rect.y}/{rect.x}/{rect.height}/{rect.width}/{purpose}"
    return hashlib.sha256(name.encode()).hexdigest()
