"""Comparing two readers' copies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.second_reader._area import compared_area
from pathloop.loop.second_reader._matching import Matching, match_copies
from pathloop.loop.second_reader._records import Disagreement, MatchedPlaces, ObjectAgreement, TissueAgreement
from pathloop.loop.second_reader._report import AgreementReport
from pathloop.loop.second_reader._sides import Copies, both_sides, slide_pairs
from pathloop.loop.second_reader._since import last_common_entry
from pathloop.loop.second_reader._tissue import TISSUE, compare_cells
from pathloop.metrics import class_confusion, match_objects, object_dice, panoptic_counts
from pathloop.store import Project

__all__ = ["compare_readers"]

MIN_SHARE = 0.1
"""Two objects without a partner are one disagreement about an outline where they share this much of the smaller."""


def compare_readers(
    first: Project,
    second: Project,
    slide_ids: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> AgreementReport:
    """How far two readers agree, who corrected copies of one project, or the same slides in two projects.

    Slides are matched by what their files contain. A task's objects are compared in the regions that are done for it
    in both copies; where there is none, in the places that either reader edited since the copies parted; where nobody
    edited anything, everywhere. The report says which, and what to mind. Objects match where their IoU exceeds 0.5.
    Memory grows with the number of objects, not with the slide's size.

    Parameters
    ----------
    first, second
        Open projects; both are only read. The first one's slide names are used.
    slide_ids
        Slides of the first; None = all that both hold.
    tasks
        Object tasks and "tissue"; None = all.

    Raises
    ------
    UsageError
        If both are the same project, or share no slide that was asked for.
    ProjectError
        If a slide is missing, or has another size in the other copy.
    """
    pairs, notes = slide_pairs(first, second, slide_ids)
    last = last_common_entry(first, second)
    legend = _Legend(first, second)
    objects: list[ObjectAgreement] = []
    tissue: list[TissueAgreement] = []
    disagreements: list[Disagreement] = []
    for pair in pairs:
        copies = both_sides(first, second, pair, last)
        notes += _unfinished(copies)
        for task in copies.tasks:
            if tasks is None or task in tasks:
                compared = _compare_task(copies, task, legend.of(task))
                objects.append(compared.agreement)
                disagreements += compared.disagreements
                notes += [compared.note] if compared.note else []
        if tasks is None or TISSUE in tasks:
            cells, differing, words = compare_cells(copies)
            tissue += [cells] if cells is not None else []
            disagreements += differing
            notes += words
    return AgreementReport(
        first.path,
        second.path,
        tuple(one for one, _ in pairs),
        tuple(objects),
        tuple(tissue),
        tuple(disagreements),
        tuple(dict.fromkeys(notes)),
    )


def _unfinished(copies: Copies) -> list[str]:
    """Labels that are being replaced are a mixture."""
    return [
        f"{side.slide_id}: {', '.join(found)} in {side.project.path.name} are being segmented now or were when that was"
        " interrupted: compare again when that is finished"
        for side in (copies.mine, copies.theirs)
        if (found := side.project.pending(side.slide_id))
    ]


class _Legend:
    """One code a class name and task for both projects."""

    def __init__(self, first: Project, second: Project) -> None:
        self._projects = (first, second)

    def of(self, task: str) -> tuple[tuple[str, ...], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Names, and the code of each project's codes; 0 stays 0."""
        names = list(dict.fromkeys(spec.name for project in self._projects for spec in project.classes(task)))
        first, second = (
            np.array([0, *(names.index(spec.name) + 1 for spec in project.classes(task))], np.int64)
            for project in self._projects
        )
        return tuple(names), (first, second)


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    agreement: ObjectAgreement
    disagreements: list[Disagreement]
    note: str


def _compare_task(
    copies: Copies, task: str, legend: tuple[tuple[str, ...], tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> _Compared:
    area = compared_area(copies, task)
    found = match_copies(copies, task, area)
    names, codes = legend
    pairs = match_objects(found.table)
    first_codes = codes[0][found.first.class_codes[pairs.pred_index]]
    second_codes = codes[1][found.second.class_codes[pairs.truth_index]]
    agreement = ObjectAgreement(
        copies.mine.slide_id,
        task,
        area.compared_on,
        area.area_px,
        panoptic_counts(found.table),
        object_dice(found.table),
        found.pixels,
        class_confusion(first_codes[None, :], second_codes[None, :]),
        names,
        MatchedPlaces(found.first.centroids[pairs.pred_index], pairs.ious),
    )
    differ = (first_codes != second_codes) & (first_codes > 0) & (second_codes > 0)
    disagreements = [
        Disagreement(copies.mine.slide_id, task, "class", Rect.from_bounds(*box))
        for box in found.first.boxes[pairs.pred_index[differ]].tolist()
    ]
    disagreements += _alone(copies.mine.slide_id, task, found, pairs.pred_index, pairs.truth_index)
    return _Compared(agreement, disagreements, area.note)


def _alone(
    slide_id: str, task: str, found: Matching, matched_first: NDArray[np.int64], matched_second: NDArray[np.int64]
) -> Iterator[Disagreement]:
    """Objects without a partner: two that lie on each other are one disagreement."""
    table = found.table
    smaller = np.minimum(table.first_areas_px[table.first_index], table.second_areas_px[table.second_index])
    left = np.ones(len(table.first_ids), bool), np.ones(len(table.second_ids), bool)
    left[0][matched_first] = left[1][matched_second] = False
    near = left[0][table.first_index] & left[1][table.second_index] & (table.overlaps_px >= MIN_SHARE * smaller)
    index = np.flatnonzero(near)
    for at in index[np.argsort(-table.overlaps_px[index], kind="stable")].tolist():
        row, column = int(table.first_index[at]), int(table.second_index[at])
        if left[0][row] and left[1][column]:
            left[0][row] = left[1][column] = False
            one, other = found.first.boxes[row], found.second.boxes[column]
            hull = [*np.minimum(one, other)[:2].tolist(), *np.maximum(one, other)[2:].tolist()]
            yield Disagreement(slide_id, task, "outline", Rect.from_bounds(*hull))
    for row in np.flatnonzero(left[0]).tolist():
        yield Disagreement(slide_id, task, "first only", Rect.from_bounds(*found.first.boxes[row].tolist()))
    for column in np.flatnonzero(left[1]).tolist():
        yield Disagreement(slide_id, task, "second only", Rect.from_bounds(*found.second.boxes[column].tolist()))
