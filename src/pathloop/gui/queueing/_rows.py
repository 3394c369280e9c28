"""Regions and questions as lines of a list, in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from pathloop.core import Rect
from pathloop.gui.objects._words import noun
from pathloop.gui.queueing._view import Key, QueueRow
from pathloop.store import REGION_STATES, Flag, Region

__all__ = [
    "FILTERS",
    "ORIGINS",
    "RANDOM",
    "REGION",
    "STATE_WORDS",
    "Filter",
    "Flagged",
    "QueueContent",
    "counts_text",
    "flag_row",
    "people",
    "region_key",
    "region_row",
    "rows",
    "task_name",
    "tasks_of",
]

Filter = Literal["all", "todo", "done", "mine", "flagged", "random"]
FILTERS: dict[Filter, tuple[str, str]] = {
    "all": ("All", "Every region of this slide"),
    "todo": ("To do", "Regions that are not done for every task"),
    "done": ("Done", "Regions that are done for every task"),
    "mine": ("Mine", "Regions that are assigned to you"),
    "flagged": ("Asked", "Regions and objects about which a pathologist is asked"),
    "random": ("Random", "Regions drawn by lot; they measure models and are never trained on"),
}
"""By filter: what it is called, and what it means."""
assert tuple(FILTERS) == get_args(Filter)

STATE_WORDS = {"todo": "to do", "doing": "begun", "done": "done"}
"""By state of review."""

REGION = "region"
RANDOM = "random, kept for measuring the model"
ORIGINS = {
    "ranked": "",
    "random": "random",
    "manual": "added by hand",
    "imported": "imported",
    "disagreement": "readers disagree",
}
NO_REASON = {
    "manual": "Added by hand.",
    "imported": "Came with an import.",
    "disagreement": "Two readers drew different objects here.",
}


@dataclass(frozen=True, slots=True)
class Flagged:
    """A question about an object, and the object's box, level-0 pixels."""

    flag: Flag
    box: Rect


@dataclass(frozen=True, slots=True)
class QueueContent:
    """What a project holds of a slide's queue: regions by rank, questions about objects, who vouches for a region."""

    regions: tuple[Region, ...] = ()
    flagged: tuple[Flagged, ...] = ()
    verified: Mapping[int, str] = field(default_factory=dict)


def region_key(region: Region) -> Key:
    """The key of a region's line."""
    return REGION, region.id


def passes(region: Region, chosen: Filter, me: str) -> bool:
    """Whether a filter leaves a region in."""
    match chosen:
        case "todo":
            return region.state != "done"
        case "done":
            return region.state == "done"
        case "mine":
            return region.assigned == me
        case "flagged":
            return region.flag is not None
        case "random":
            return region.holdout or region.origin == "random"
    return True


def rows(content: QueueContent, chosen: Filter, me: str) -> list[QueueRow]:
    """The lines that a filter leaves; with "flagged" those of objects come after the regions."""
    shown = (region for region in content.regions if passes(region, chosen, me))
    found = [region_row(region, content.verified.get(region.id, "")) for region in shown]
    return found + [flag_row(one) for one in content.flagged] if chosen == "flagged" else found


def region_row(region: Region, verified_by: str = "") -> QueueRow:
    """A region's line."""
    origin = RANDOM if region.holdout else ORIGINS.get(region.origin, region.origin)
    origin = f"verified by {verified_by}" if verified_by else origin
    reasons = tuple(_sentence(one.words) for one in region.reasons if one.words)
    if region.holdout:
        reasons = ("Drawn by lot, whatever is in it: it tells whether a new model is better.",)
    reasons = reasons or (NO_REASON.get(region.origin, "Nothing stands out."),)
    states = by_state(region.states)
    row = QueueRow(
        key=region_key(region),
        title=f"Region {region.id}" if region.rank is None else str(region.rank),
        origin=origin,
        state=region.state,
        states=states,
        reasons=reasons,
        assigned=region.assigned,
        question=region.flag,
        tip="",
        rect=region.rect,
    )
    return replace(row, tip=_tip(region, row))


def by_state(states: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """States with the names of their tasks, done first.

    Examples
    --------
    >>> by_state({"nuclei": "done", "gland": "todo", "lumen": "todo"})
    (('done', 'nuclei'), ('todo', 'glands, lumina'))
    """
    found: list[tuple[str, str]] = []
    for state in reversed(REGION_STATES):
        names = [task_name(task) for task, own in states.items() if own == state]
        if names:
            found.append((state, ", ".join(names)))
    return tuple(found)


def task_name(task: str) -> str:
    """What a task's objects are called."""
    return "tissue" if task == "tissue" else noun(task, 2)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"


def _tip(region: Region, row: QueueRow) -> str:
    rect = region.rect
    place = f"Region {region.id}, {rect.width:,} × {rect.height:,} px at x {rect.x:,}, y {rect.y:,}"
    lines = [f"{place}{'' if region.rank is None else f'; place {region.rank} of the queue'}"]
    lines += [f"{STATE_WORDS[state]}: {tasks}".capitalize() for state, tasks in row.states]
    lines += [f"{row.origin[:1].upper()}{row.origin[1:]}"] if row.origin else []
    lines += [f"Assigned to {row.assigned}"] if row.assigned else []
    lines += [f"Ask a pathologist: {row.question}"] if row.question is not None else []
    return "\n".join([*lines, "", *row.reasons])


def flag_row(one: Flagged) -> QueueRow:
    """The line of a question about an object."""
    flag = one.flag
    title = f"{noun(flag.task).capitalize()} {flag.id}"
    asked = " ".join(part for part in (f"asked by {flag.who}" if flag.who else "asked", flag.at[:10]) if part)
    return QueueRow(
        key=(flag.task, flag.id),
        title=title,
        origin=asked,
        state="",
        states=(),
        reasons=(),
        assigned="",
        question=flag.comment,
        tip=f"{title}, {asked}\nAsk a pathologist: {flag.comment}\n\nDouble click goes there.",
        rect=one.box,
    )


def counts_text(content: QueueContent, n_shown: int, chosen: Filter) -> str:
    """How much there is: ``12 of 40 done, 3 asked``."""
    n, done = len(content.regions), sum(region.state == "done" for region in content.regions)
    asked = sum(region.flag is not None for region in content.regions) + len(content.flagged)
    parts = [f"{done:,} of {n:,} done"] if n else []
    parts += [f"{asked:,} asked"] if asked else []
    text = ", ".join(parts)
    return f"{text}; {n_shown:,} shown" if chosen != "all" and text else text


def tasks_of(regions: Iterable[Region]) -> tuple[str, ...]:
    """Tasks that are reviewed in any of some regions, in their order."""
    return tuple(dict.fromkeys(task for region in regions for task in region.states))


def people(regions: Sequence[Region], me: str) -> list[str]:
    """Who can be chosen for a region: the user, then whoever has one."""
    return list(dict.fromkeys([me, *sorted({region.assigned for region in regions if region.assigned})]))
