"""Disagreements become regions: windows where many lie together, the worst first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.queue import REGION_UM
from pathloop.loop.second_reader._records import Disagreement, ObjectAgreement
from pathloop.loop.second_reader._report import AgreementReport
from pathloop.metrics import DetectionCounts, PanopticCounts
from pathloop.store import Change, JournalEntry, Project, Reason, Region, RegionChange, SlideRecord, counted

__all__ = ["ORIGIN", "conflict_regions", "disagreement_regions", "region_changes", "store_disagreements"]

ORIGIN = "disagreement"
TOOL = "agreement"
MAX_REGIONS = 40
BINS = 8
"""Windows are first looked for in steps of an eighth of their side, then centred on what they hold."""
MAX_OVERLAP = 0.5
"""A region is not offered again where one that came from an earlier comparison covers this share of it."""


def disagreement_regions(report: AgreementReport, *, count: int = MAX_REGIONS) -> list[Region]:
    """Where two readers differ, as regions for the queue, the worst first.

    Windows of 500 x 500 um (1,000 px at 0.5 um per px), centred on disagreements that lie together. Every task counts
    as much as every other, however many objects it has, and the score says how much of all disagreement lies in a
    window, relative to the worst one.

    Parameters
    ----------
    count
        At most so many; those that hold the most.

    Returns
    -------
    list of Region
        With number 0, origin "disagreement", and the reasons in words.
    """
    return _regions(report.slides, report.disagreements, report.objects, count)


def conflict_regions(slide: SlideRecord, conflicts: Sequence[Disagreement]) -> list[Region]:
    """All conflicts of a merge, as regions."""
    return _regions((slide,), conflicts, (), len(conflicts))


def region_changes(
    project: Project, slide_id: str, regions: Sequence[Region], *, first_id: int, replace_free: bool
) -> list[RegionChange]:
    """What storing the regions of a slide changes.

    Regions that another one from a comparison covers by half are left out: that place has been looked at, or will be.

    Parameters
    ----------
    first_id
        Number of the first new region.
    replace_free
        Whether regions of earlier comparisons that nobody took up give way.
    """
    there = [one for one in project.regions(slide_id) if one.origin == ORIGIN]
    free = [one for one in there if replace_free and is_untouched(one)]
    gone = {one.rect: one for one in free}
    kept = [one.rect for one in there if one not in free]
    changes = []
    for region in regions:
        if any(region.rect.intersect(rect).area > MAX_OVERLAP * region.rect.area for rect in kept):
            continue
        old = gone.pop(region.rect, None)
        new = replace(region, id=first_id if old is None else old.id, slide_id=slide_id)
        first_id += old is None
        if new != old:
            changes.append(RegionChange(new.id, old, new))
    return changes + [RegionChange(one.id, one, None) for one in gone.values()]


def is_untouched(region: Region) -> bool:
    """Whether nobody has taken a region up."""
    return region.state == "todo" and not region.assigned and region.flag is None


def store_disagreements(
    project: Project, report: AgreementReport, *, count: int = MAX_REGIONS, who: str | None = None
) -> list[JournalEntry]:
    """Store where two readers differ as regions of the first one's queue: one entry of the journal a slide.

    Regions of earlier comparisons that nobody took up give way.

    Parameters
    ----------
    project
        The report's first project, open for writing.
    count
        At most so many regions.
    who
        Name for the journal; None = the user's.
    """
    regions = disagreement_regions(report, count=count)
    entries = []
    for slide in report.slides:
        mine = [one for one in regions if one.slide_id == slide.slide_id]
        first = project.new_region_id()
        changes = tuple(region_changes(project, slide.slide_id, mine, first_id=first, replace_free=True))
        if changes:
            n = sum(one.before is None for one in changes)
            words = f"{n} {'region' if n == 1 else 'regions'} on which the readers disagree"
            summary = f"compared with {report.second.name}: {words}"
            change = Change(regions=changes)
            entries.append(project.commit(slide.slide_id, change, tool=TOOL, summary=summary, who=who))
    return entries


def _regions(
    slides: Sequence[SlideRecord],
    disagreements: Sequence[Disagreement],
    objects: Sequence[ObjectAgreement],
    count: int,
) -> list[Region]:
    totals: dict[str, int] = {}
    for one in disagreements:
        totals[one.task] = totals.get(one.task, 0) + one.n
    found: list[tuple[float, Region]] = []
    for slide in slides:
        mine = [one for one in disagreements if one.slide_id == slide.slide_id]
        rows = [one for one in objects if one.slide_id == slide.slide_id]
        weights = np.array([one.n / totals[one.task] for one in mine], np.float64)
        for rect, inside in _windows(slide, _centres(mine), weights, count):
            held = [mine[at] for at in inside.tolist()]
            found.append((float(weights[inside].sum()), _region(slide.slide_id, rect, held, rows)))
    found.sort(key=lambda one: -one[0])
    worst = found[0][0] if found else 1.0
    return [replace(region, rank=rank, score=weight / worst) for rank, (weight, region) in enumerate(found[:count], 1)]


def _centres(disagreements: Sequence[Disagreement]) -> NDArray[np.float64]:
    rects = [one.rect for one in disagreements]
    return np.array([((r.y + r.bottom - 1) / 2, (r.x + r.right - 1) / 2) for r in rects], np.float64).reshape(-1, 2)


def _windows(
    slide: SlideRecord, centres: NDArray[np.float64], weights: NDArray[np.float64], count: int
) -> list[tuple[Rect, NDArray[np.int64]]]:
    """Windows, heaviest first, and which of the centres each holds that none before it held."""
    sides = tuple(
        min(round(REGION_UM / um), size) for um, size in zip((slide.scale.y, slide.scale.x), slide.shape, strict=True)
    )
    steps = [max(side / BINS, 1.0) for side in sides]
    shape = [int(np.ceil(size / step)) + 1 for size, step in zip(slide.shape, steps, strict=True)]
    bins = np.floor(centres / steps).astype(np.int64)
    left = np.ones(len(centres), bool)
    found: list[tuple[Rect, NDArray[np.int64]]] = []
    while left.any() and len(found) < count:
        table = np.zeros(shape)
        np.add.at(table, (bins[left, 0], bins[left, 1]), weights[left])
        row, col = np.unravel_index(np.argmax(_box_sums(table)), shape)
        near = left & (np.abs(bins - (row, col)) <= BINS // 2 - 1).all(axis=1)
        middle = (centres[near].min(axis=0) + centres[near].max(axis=0)) / 2
        top, start = (
            int(np.clip(round(float(middle[axis]) - sides[axis] / 2), 0, slide.shape[axis] - sides[axis]))
            for axis in (0, 1)
        )
        rect = Rect(top, start, *sides)
        inside = (centres >= (rect.y, rect.x)) & (centres < (rect.bottom, rect.right))
        held = np.flatnonzero(left & inside.all(axis=1))
        left[held] = False
        found.append((rect, held))
    return found


def _box_sums(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the bins that surely lie in one window around each bin."""
    reach = BINS // 2 - 1
    padded = np.pad(table, reach)
    rows = sum(padded[at : at + table.shape[0]] for at in range(2 * reach + 1))
    assert not isinstance(rows, int)
    columns = sum(rows[:, at : at + table.shape[1]] for at in range(2 * reach + 1))
    return np.asarray(columns, np.float64)


def _region(slide_id: str, rect: Rect, held: Sequence[Disagreement], rows: Sequence[ObjectAgreement]) -> Region:
    tasks = tuple(dict.fromkeys(one.task for one in held))
    total = sum(one.n for one in held)
    reasons = []
    for task in tasks:
        pq = _panoptic(rect, task, held, rows)
        for difference, words in _WORDS.items():
            n = sum(one.n for one in held if (one.task, one.difference) == (task, difference))
            if n:
                quality = f" (PQ {pq:.2f})" if difference == "outline" and pq is not None else ""
                what = counted(task, n) if task != "tissue" else f"{n:,} tissue {'cell' if n == 1 else 'cells'}"
                reasons.append(Reason(difference, n / total, words.format(what) + quality))
    reasons.sort(key=lambda one: -one.value)
    return Region(
        id=0,
        slide_id=slide_id,
        rect=rect,
        origin=ORIGIN,
        reasons=tuple(reasons),
        states=dict.fromkeys(tasks, "todo"),
    )


_WORDS = {
    "outline": "the readers disagree on {}",
    "first only": "{} only in yours",
    "second only": "{} only in theirs",
    "class": "the readers give {} different classes",
    "cell": "the readers give {} different classes",
}


def _panoptic(rect: Rect, task: str, held: Sequence[Disagreement], rows: Sequence[ObjectAgreement]) -> float | None:
    """PQ between the readers in a window; None where objects were not compared."""
    found = [one.matched for one in rows if one.task == task]
    if not found:
        return None
    low, high = np.array([rect.y, rect.x]) - 0.5, np.array([rect.bottom, rect.right]) - 0.5
    inside = (found[0].centres >= low).all(axis=1) & (found[0].centres < high).all(axis=1)
    alone = {"outline": (1, 1), "first only": (1, 0), "second only": (0, 1)}
    counts = [alone.get(one.difference, (0, 0)) for one in held if one.task == task]
    fp, fn = (sum(one[side] for one in counts) for side in (0, 1))
    ious = found[0].ious[inside]
    return PanopticCounts(DetectionCounts(len(ious), fp, fn), float(ious.sum())).pq
