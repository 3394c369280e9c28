"""A queue into the project, and regions as plain values for programs and other processes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pathloop.core import DataError, Rect
from pathloop.loop.queue._kept import is_kept
from pathloop.loop.queue._offer import MAX_OVERLAP, covered
from pathloop.store import Change, JournalEntry, Project, Reason, Region, RegionChange

__all__ = ["region_from_values", "region_values", "store_queue"]

TOOL = "rank"


def store_queue(
    project: Project, queue: Sequence[Region], *, slide_ids: Sequence[str], strategy: str, who: str | None = None
) -> list[JournalEntry]:
    """Store a queue: one entry of the journal a slide; none for slides on which nothing changes.

    Regions that were offered before and nobody took up give way; a region that is offered again at the same place keeps
    its number. New regions that others cover by now are left out. Regions of the queue that are stored already stay as
    the project has them.

    Parameters
    ----------
    project
        Open for writing.
    queue
        As `propose` gives it.
    slide_ids
        The slides that were ranked.
    strategy
        How; for the journal.
    who
        Name for the journal; None = the user's.

    Raises
    ------
    ProjectError
        If the project cannot be written; slides that came before are stored then.
    """
    entries = []
    next_id = project.new_region_id()
    for slide_id in slide_ids:
        changes, next_id = _changes(project, slide_id, queue, next_id)
        if changes:
            change = Change(regions=tuple(changes))
            entries.append(project.commit(slide_id, change, tool=TOOL, summary=_summary(changes, strategy), who=who))
    return entries


def _changes(project: Project, slide_id: str, queue: Sequence[Region], next_id: int) -> tuple[list[RegionChange], int]:
    """What changes on a slide, and the number after the last new one."""
    there = project.regions(slide_id)
    gone = {region.rect: region for region in there if not is_kept(region)}
    kept = [region.rect for region in there if is_kept(region)]
    changes = []
    for region in queue:
        if (
            region.slide_id != slide_id
            or region.id
            or covered(region.rect, kept) > (0 if region.holdout else MAX_OVERLAP)
        ):
            continue
        old = gone.get(region.rect)
        if old is not None and old.holdout == region.holdout:
            del gone[region.rect]
            new = replace(region, id=old.id)
            if new != old:
                changes.append(RegionChange(old.id, old, new))
        else:
            changes.append(RegionChange(next_id, None, replace(region, id=next_id)))
            next_id += 1
    changes += [RegionChange(old.id, old, None) for old in gone.values()]
    return changes, next_id


def _summary(changes: Sequence[RegionChange], strategy: str) -> str:
    new = [change.after for change in changes if change.before is None and change.after is not None]
    held = sum(region.holdout for region in new)
    gone = sum(change.after is None for change in changes)
    moved = len(changes) - len(new) - gone
    parts = [f"{len(new) - held} new", f"{held} new held out", f"{moved} moved", f"{gone} taken away"]
    return f"ranked regions by {strategy}: {', '.join(part for part in parts if not part.startswith('0 '))}"


def region_values(region: Region) -> dict[str, Any]:
    """A region as plain values, for JSON.

    Keys: id (0 = not stored), slide_id, rect [y, x, height, width] in level-0 pixels, origin, rank or null, score 0..1,
    reasons [{score, value, words}], holdout, states {task: state}, assigned, flag or null.
    """
    rect = region.rect
    return {
        "id": region.id,
        "slide_id": region.slide_id,
        "rect": [rect.y, rect.x, rect.height, rect.width],
        "origin": region.origin,
        "rank": region.rank,
        "score": region.score,
        "reasons": [{"score": one.score, "value": one.value, "words": one.words} for one in region.reasons],
        "holdout": region.holdout,
        "states": dict(region.states),
        "assigned": region.assigned,
        "flag": region.flag,
    }


def region_from_values(values: Mapping[str, Any]) -> Region:
    """The region that `region_values` took apart.

    Raises
    ------
    DataError
        If a key is missing, unknown or wrong.
    """
    try:
        rect, reasons = Rect(*values["rect"]), tuple(Reason(**one) for one in values["reasons"])
        return Region(**{**values, "rect": rect, "reasons": reasons})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not the values of a region ({error!r})") from error
