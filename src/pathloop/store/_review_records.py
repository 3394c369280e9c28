"""What people say of a slide, as frozen records: object rows, cells, regions, flags, and lines of the journal."""

from dataclasses import dataclass, field
from typing import Literal

from pathloop.core import Rect

__all__ = [
    "REGION_ORIGINS",
    "REGION_STATES",
    "Flag",
    "JournalEntry",
    "ObjectRow",
    "Reason",
    "Region",
    "RegionState",
    "TissueCell",
]

RegionState = Literal["todo", "doing", "done"]
REGION_STATES: tuple[RegionState, ...] = ("todo", "doing", "done")
REGION_ORIGINS = ("ranked", "random", "manual", "imported", "disagreement")
"""How a region came into the queue; those that are "random" and held out measure models."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object as its table holds it.

    Parameters
    ----------
    box
        top, left, bottom, right; level-0 pixels, half-open.
    centroid
        Mean (y, x) of its pixels.
    area_px
        Pixels, at least 1.
    class_code
        1-based code in the project's classes of its task; 0 = not known.
    class_probability
        0..1, None where no type head said anything.
    confidence
        0..1.
    state
        ``predicted``, ``edited`` or ``accepted``.
    locked
        Whether it may be changed at all.
    run
        Number of the run that predicted it; None if none did.
    """

    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    area_px: int
    class_code: int = 0
    class_probability: float | None = None
    confidence: float = 1.0
    state: str = "predicted"
    locked: bool = False
    run: int | None = None


@dataclass(frozen=True, slots=True)
class TissueCell:
    """What a person said of a cell of the tissue map; ``state`` is ``edited`` or ``accepted``."""

    class_name: str
    state: str = "edited"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a region is in the queue: one score and what it says in words."""

    score: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle to be looked at by a person.

    Parameters
    ----------
    id
        Number in the project, never used twice; 0 before it is stored.
    slide_id, rect
        Where; level-0 pixels inside the slide.
    origin
        One of `REGION_ORIGINS`.
    rank
        Place in the queue, 1 = first; None where it was not ranked.
    score
        Difficulty; larger = look here first.
    reasons
        Why, strongest first.
    holdout
        Whether it measures models instead of training them. Never changes once stored.
    states
        By task: ``todo``, ``doing`` or ``done``. Tasks that are not named are not to be reviewed here.
    assigned
        Who shall do it; "" = anybody.
    flag
        What a pathologist is asked about it; None = nothing.
    verified_by
        Who vouches for all of it in the final refinement; "" = nobody.
    """

    id: int
    slide_id: str
    rect: Rect
    origin: str = "manual"
    rank: int | None = None
    score: float = 0.0
    reasons: tuple[Reason, ...] = ()
    holdout: bool = False
    states: dict[str, RegionState] = field(default_factory=dict)
    assigned: str = ""
    flag: str | None = None
    verified_by: str = ""

    @property
    def state(self) -> RegionState:
        """Of all tasks together: done when all are done, todo when none is begun."""
        found = set(self.states.values())
        if found == {"done"}:
            return "done"
        return "todo" if found <= {"todo"} else "doing"


@dataclass(frozen=True, slots=True)
class Flag:
    """A question to a pathologist about an object."""

    task: str
    id: int
    comment: str
    who: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal.

    Parameters
    ----------
    number
        Grows by time over the whole project.
    kind
        ``edit``, ``run`` (predictions that came in), ``import``, ``merge``, ``undo`` or ``redo``.
    tool
        ``brush``, ``lasso``, ``split``, ``accept``, ...
    target
        The entry that an undo takes back or a redo does again; None for all others.
    summary
        In words what was done.
    who, at
        Name; ISO 8601, UTC.
    models
        Names of the models whose predictions were changed.
    """

    number: int
    slide_id: str
    kind: str
    tool: str
    target: int | None
    summary: str
    who: str
    at: str
    models: tuple[str, ...] = ()
