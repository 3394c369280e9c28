"""The final refinement: somebody vouches for regions in which everything is reviewed."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pathloop.core import ProjectError, Rect
from pathloop.loop.correct._cells import cells_inside
from pathloop.loop.correct._committed import Committed
from pathloop.store import Change, JournalEntry, Project, Region, RegionChange, who_am_i

__all__ = ["RegionReview", "require_verified", "review_regions", "verify_regions"]

TOOL = "verify"


@dataclass(frozen=True, slots=True)
class RegionReview:
    """How far the review of a region is.

    Parameters
    ----------
    region
        As stored.
    open_points
        What is to be done before anybody can vouch for it, in words; empty = nothing.
    verified_by, verified_at
        Who vouches for it as it is now, and since when (ISO 8601, UTC); "" = nobody.
    changed_since
        Number of the first entry that changed something in it after it was verified; None = none did.
    """

    region: Region
    open_points: tuple[str, ...]
    verified_by: str = ""
    verified_at: str = ""
    changed_since: int | None = None


def review_regions(project: Project, slide_id: str | None = None) -> list[RegionReview]:
    """How far every region is, by slide and number.

    A region is reviewed when all its tasks are done and no question is open, about it or about an object in it.
    Whoever changes an object, a tissue cell or a question in a verified region takes the word of its verifier away.
    """
    slides = [slide_id] if slide_id is not None else [one.slide_id for one in project.slides()]
    found = []
    for one in slides:
        history = _History(project, one)
        asked = list(_asked_boxes(project, one))
        for region in sorted(project.regions(one), key=lambda region: region.id):
            found.append(_review(history, region, asked))
    return found


def verify_regions(
    project: Project, slide_id: str, numbers: Sequence[int] | None = None, *, by: str = "", who: str | None = None
) -> Committed | None:
    """Write down that somebody vouches for regions of a slide, in one entry.

    Parameters
    ----------
    numbers
        None = all regions of the slide.
    by
        Who vouches; "" = whoever works here.
    who
        Who writes it down; None = whoever works here.

    Returns
    -------
    Committed or None
        None where that person vouches for all of them already.

    Raises
    ------
    ProjectError
        If something in one of them is not reviewed yet, or there is no such region on the slide; nothing is changed.
    """
    name = " ".join(by.split()) or who_am_i()
    reviews = {one.region.id: one for one in review_regions(project, slide_id)}
    wanted = sorted(reviews if numbers is None else set(numbers))
    unknown = [number for number in wanted if number not in reviews]
    if unknown:
        raise ProjectError(f"{project.path}: slide {slide_id!r} has no region {unknown[0]}")
    not_ready = [reviews[number] for number in wanted if reviews[number].open_points]
    if not_ready:
        raise ProjectError(_refusal(not_ready))
    regions = [reviews[number].region for number in wanted if reviews[number].verified_by != name]
    if not regions:
        return None
    change = Change(regions=tuple(_vouched(region, name) for region in regions))
    words = f"{_named([region.id for region in regions])} verified by {name}"
    return Committed(project.commit(slide_id, change, tool=TOOL, summary=words, who=who), change)


def require_verified(reviews: Sequence[RegionReview]) -> None:
    """Refuse a set of which somebody does not vouch for everything.

    Raises
    ------
    ProjectError
        That names what is missing and what to do.
    """
    open_ones = [one for one in reviews if one.open_points]
    if open_ones:
        raise ProjectError(_refusal(open_ones))
    unsigned = [one.region.id for one in reviews if not one.verified_by]
    if unsigned:
        raise ProjectError(
            f"nobody has verified {_named(unsigned)} as {'it is' if len(unsigned) == 1 else 'they are'} now;"
            " look once more, then 'pathloop verify PROJECT --by NAME'"
        )
    if not reviews:
        raise ProjectError("there is no region to verify; add regions in the panel Queue and review them first")


class _History:
    """The journal of a slide; what an entry changed is unpacked once for all regions.

    Parameters
    ----------
    project, slide_id
        Whose.
    """

    def __init__(self, project: Project, slide_id: str) -> None:
        self.project = project
        self.entries = list(project.journal(slide_id))
        self.change = functools.cache(project.journal_change)
        undone: set[int] = set()
        for entry in self.entries:
            if entry.target is not None:
                (undone.add if entry.kind == "undo" else undone.discard)(entry.target)
        self.words = {one.number for one in self.entries if one.tool == TOOL and one.target is None} - undone
        """Numbers of the entries that verify, and stand."""


def _vouched(region: Region, name: str) -> RegionChange:
    return RegionChange(region.id, region, replace(region, verified_by=name))


def _review(history: _History, region: Region, asked: Sequence[tuple[str, int, Rect]]) -> RegionReview:
    points = [
        f"{task} {'to do' if state == 'todo' else 'begun'}" for task, state in region.states.items() if state != "done"
    ]
    points += [] if region.states else ["nothing is to be reviewed in it"]
    points += [] if region.flag is None else [f"question open: {region.flag}"]
    inside = [(task, number) for task, number, box in asked if box.intersect(region.rect).area]
    points += [f"question open about {task} {number}" for task, number in inside]
    signed = None if not region.verified_by else _signed(history, region)
    if points or signed is None:
        return RegionReview(region, tuple(points))
    later = (one for one in history.entries if one.number > signed.number and _touches(history, one, region))
    changed = next(later, None)
    if changed is not None:
        return RegionReview(region, (), changed_since=changed.number)
    return RegionReview(region, (), region.verified_by, signed.at)


def _signed(history: _History, region: Region) -> JournalEntry | None:
    """The last entry that stands by which the region was verified, or verified again by a redo."""
    for entry in reversed(history.entries):
        number = entry.number if entry.target is None else entry.target
        if number in history.words and entry.kind != "undo":
            after = [one.after for one in history.change(number).regions if one.id == region.id]
            if any(one is not None and one.verified_by == region.verified_by for one in after):
                return entry
    return None


def _touches(history: _History, entry: JournalEntry, region: Region) -> bool:
    """Whether an entry changed something in a region; predictions never do where all is done."""
    change, rect, project = history.change(entry.number), region.rect, history.project
    rows = [row for one in change.objects for row in (one.before, one.after) if row is not None]
    return (
        any(Rect.from_bounds(*row.box).intersect(rect).area for row in rows)
        or any(one.rect.intersect(rect).area for one in change.pixels)
        or any(one.id == region.id and _said(one.before) != _said(one.after) for one in change.regions)
        or _flag_inside(project, entry, change, rect)
        or bool(cells_inside(project, entry.slide_id, [(one.row, one.col) for one in change.cells], rect))
    )


def _said(region: Region | None) -> object:
    """What the verifier saw of a region; its place in the queue may change."""
    return None if region is None else (region.rect, region.states, region.flag)


def _flag_inside(project: Project, entry: JournalEntry, change: Change, rect: Rect) -> bool:
    rows = (project.object_row(entry.slide_id, one.task, one.id) for one in change.flags)
    return any(row is not None and bool(Rect.from_bounds(*row.box).intersect(rect).area) for row in rows)


def _asked_boxes(project: Project, slide_id: str) -> Iterator[tuple[str, int, Rect]]:
    for flag in project.flags(slide_id):
        row = project.object_row(slide_id, flag.task, flag.id)
        if row is not None:
            yield flag.task, flag.id, Rect.from_bounds(*row.box)


def _refusal(reviews: Sequence[RegionReview]) -> str:
    first = reviews[0]
    rest = f" (and {len(reviews) - 1} more)" if len(reviews) > 1 else ""
    where = f"region {first.region.id} of slide {first.region.slide_id!r}"
    return f"{where} is not ready: {', '.join(first.open_points)}{rest}; finish or remove it in the panel Queue"


def _named(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"region{'' if len(numbers) == 1 else 's'} {shown}{more}"
