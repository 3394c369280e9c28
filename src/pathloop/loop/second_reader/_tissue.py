"""Cells of the tissue map: comparing two readers', and merging them."""

import math

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.second_reader._records import Disagreement, TissueAgreement
from pathloop.loop.second_reader._sides import Copies, Side
from pathloop.loop.second_reader._since import Place
from pathloop.metrics import class_confusion
from pathloop.store import CellChange, TissueCell

__all__ = ["TISSUE", "compare_cells", "merge_cells"]

TISSUE = "tissue"
Grid = tuple[tuple[float, float], tuple[float, float]]


def compare_cells(copies: Copies) -> tuple[TissueAgreement | None, list[Disagreement], list[str]]:
    """Kappa over the cells that both reviewed: what both said since the copies parted, and all of regions done in both.

    Returns
    -------
    tuple
        The agreement, None where no cell was reviewed by both; where the readers differ; what to mind, in words.
    """
    mine, theirs = copies.mine, copies.theirs
    grids = _grid(mine), _grid(theirs)
    said = [set(_said(side)) for side in (mine, theirs)]
    common = [
        rect
        for one in mine.regions(TISSUE)
        for other in theirs.regions(TISSUE)
        if (rect := one.rect.intersect(other.rect)).area
    ]
    if grids[0] is None or grids[1] is None or not (common or (said[0] and said[1])):
        return None, [], []
    if not np.allclose(np.ravel(grids[0]), np.ravel(grids[1])):
        words = "the tissue maps have grids of their own, so their cells cannot be compared"
        return None, [], [f"{mine.slide_id}: {words}"]
    places = (said[0] & said[1]) | {place for rect in common for place in _cells_in(rect, grids[0], mine.whole)}
    first, second = _names(mine), _names(theirs)
    reviewed = sorted(place for place in places if first.get(place) and second.get(place))
    if not reviewed:
        return None, [], []
    names = tuple(dict.fromkeys(name for place in reviewed for name in (first[place], second[place])))
    codes = np.array([[names.index(table[place]) + 1 for place in reviewed] for table in (first, second)], np.int64)
    agreement = TissueAgreement(mine.slide_id, class_confusion(codes[:1], codes[1:]), names)
    differ = [place for place in reviewed if first[place] != second[place]]
    return agreement, [_disagreement(mine, place, grids[0]) for place in differ], []


def _said(side: Side) -> list[Place]:
    """Cells that a person reviewed since the copies parted."""
    cells = side.project.tissue_cells(side.slide_id)
    before = side.since.cells
    return [place for place in cells if side.is_alone or place in before]


def _grid(side: Side) -> Grid | None:
    tissue = side.project.tissue(side.slide_id)
    return side.project.tissue_grid(side.slide_id) if tissue is None else (tissue.cell_px, tissue.origin_px)


def _names(side: Side) -> dict[Place, str]:
    """Class by cell; cells where nothing ran are left out."""
    tissue = side.project.tissue(side.slide_id)
    if tissue is None:
        return {}
    rows, cols = np.nonzero(tissue.codes)
    codes: NDArray[np.uint8] = tissue.codes[rows, cols]
    return {
        (row, col): tissue.class_names[code - 1]
        for row, col, code in zip(rows.tolist(), cols.tolist(), codes.tolist(), strict=True)
    }


def _cells_in(rect: Rect, grid: Grid, whole: Rect) -> list[Place]:
    """Cells whose middle lies in a rectangle."""
    (height, width), (top, left) = grid
    inside = rect.intersect(whole)
    rows = range(math.ceil((inside.y - top) / height - 0.5), math.ceil((inside.bottom - top) / height - 0.5))
    cols = range(math.ceil((inside.x - left) / width - 0.5), math.ceil((inside.right - left) / width - 0.5))
    return [(row, col) for row in rows for col in cols]


def _disagreement(side: Side, place: Place, grid: Grid) -> Disagreement:
    (height, width), (top, left) = grid
    y, x = top + place[0] * height, left + place[1] * width
    rect = Rect.from_bounds(math.floor(y), math.floor(x), math.ceil(y + height), math.ceil(x + width))
    return Disagreement(side.slide_id, TISSUE, "cell", rect.intersect(side.whole))


def merge_cells(copies: Copies, *, prefer_theirs: bool) -> tuple[list[CellChange], list[Disagreement], list[str]]:
    """What the other copy says of cells of the tissue map.

    Returns
    -------
    tuple
        Changes of the first copy; cells on which both said different things; what to mind, in words.
    """
    mine, theirs = copies.mine, copies.theirs
    said = mine.project.tissue_cells(mine.slide_id)
    other = theirs.project.tissue_cells(theirs.slide_id)
    before = dict(theirs.since.cells)
    before |= {place: None for place in other if theirs.is_alone and place not in before}
    changed = {place: other.get(place) for place, cell in sorted(before.items()) if other.get(place) != cell}
    grids = _grid(mine), theirs.project.tissue_grid(theirs.slide_id)
    if not changed or grids[1] is None:
        return [], [], []
    if grids[0] is not None and not np.allclose(np.ravel(grids[0]), np.ravel(grids[1])):
        words = "their cells of the tissue map stay out, because the maps have grids of their own"
        return [], [], [f"{mine.slide_id}: {words}"]
    changes, conflicts = [], []
    for place, cell in changed.items():
        present = said.get(place)
        if present == cell:
            continue
        if _is_conflict(copies, place, present, cell):
            conflicts.append(_disagreement(mine, place, grids[1]))
            if not prefer_theirs:
                continue
        after = _stronger(present, cell)
        if after != present:
            changes.append(CellChange(*place, present, after))
    return changes, conflicts, []


def _is_conflict(copies: Copies, place: Place, present: TissueCell | None, cell: TissueCell | None) -> bool:
    """Whether both readers said something since the copies parted, and not the same."""
    since = copies.mine.since
    if present == since.cells.get(place, None if copies.mine.is_alone else present):
        return False
    if present is not None and cell is not None and present.class_name == cell.class_name:
        return False
    # what an earlier merge brought is theirs as well
    was_theirs = present in copies.theirs.since.cell_history.get(place, ())
    return not (was_theirs and present in since.merged_cells.get(place, ()))


def _stronger(present: TissueCell | None, cell: TissueCell | None) -> TissueCell | None:
    """Theirs, but what was accepted stays so where the class is the same."""
    if present is not None and cell is not None and present.class_name == cell.class_name:
        return present if present.state == "accepted" else cell
    return cell
