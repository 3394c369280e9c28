"""Cells of the tissue map."""

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping

from pathloop.core import Rect, UsageError
from pathloop.loop.correct._committed import Committed
from pathloop.store import CellChange, Change, Project, TissueCell

__all__ = ["cells_inside", "set_cells"]

Place = tuple[int, int]


def set_cells(
    project: Project,
    slide_id: str,
    cells: Mapping[Place, str | None],
    *,
    state: str = "edited",
    who: str | None = None,
) -> Committed | None:
    """Say which tissue lies in cells of the slide's grid.

    Parameters
    ----------
    cells
        Class name by (row, col) of the tissue map; None = as the model says. Names that are new become classes.
    state
        ``edited`` or ``accepted``.

    Returns
    -------
    Committed or None
        None where nothing changes.

    Raises
    ------
    UsageError
        If the slide has no grid yet (no tissue map, and none was set), a cell lies outside it, or the state is wrong.
    """
    if state not in ("edited", "accepted"):
        raise UsageError(f"a cell is edited or accepted, not {state!r}")
    _ensure_grid(project, slide_id)
    tissue = project.tissue(slide_id)
    rows, cols = _grid_shape(project, slide_id) if tissue is None else tissue.codes.shape
    outside = next((one for one in cells if not (0 <= one[0] < rows and 0 <= one[1] < cols)), None)
    if outside is not None:
        raise UsageError(f"the tissue map has {rows} x {cols} cells, none at row {outside[0]}, column {outside[1]}")
    present = project.tissue_cells(slide_id)
    changes = []
    for place, name in sorted(cells.items()):
        before = present.get(place)
        after = None if name is None else TissueCell(name.strip(), state)
        if before != after:
            changes.append(CellChange(*place, before, after))
    if not changes:
        return None
    colors = {} if tissue is None else dict(zip(tissue.class_names, tissue.class_colors, strict=True))
    for name in dict.fromkeys(one.after.class_name for one in changes if one.after):
        project.class_code("tissue", name, colors.get(name))
    counts = Counter(one.after.class_name if one.after else "as predicted" for one in changes)
    words = ", ".join(f"{n} {'cell' if n == 1 else 'cells'} {name}" for name, n in counts.most_common())
    change = Change(cells=tuple(changes))
    entry = project.commit(slide_id, change, tool="tissue", summary=words, who=who)
    return Committed(entry, change)


def cells_inside(project: Project, slide_id: str, places: Iterable[Place], rect: Rect) -> list[Place]:
    """Those cells, (row, col) of the slide's grid, whose centre lies in a level-0 rectangle."""
    grid = project.tissue_grid(slide_id)
    if grid is None:
        return []
    (height, width), (top, left) = grid
    return [
        (row, col)
        for row, col in places
        if rect.y <= top + (row + 0.5) * height < rect.bottom and rect.x <= left + (col + 0.5) * width < rect.right
    ]


def _ensure_grid(project: Project, slide_id: str) -> None:
    predicted = project.predicted_tissue(slide_id)
    if predicted is not None:
        with contextlib.suppress(UsageError):  # fixed since cells were corrected: the map keeps that grid
            project.set_tissue_grid(slide_id, predicted.cell_px, predicted.origin_px)
    elif project.tissue_grid(slide_id) is None:
        raise UsageError(f"slide {slide_id!r} has no tissue map yet: segment it, or set a grid first")


def _grid_shape(project: Project, slide_id: str) -> tuple[int, int]:
    grid, shape = project.tissue_grid(slide_id), project.slide(slide_id).shape
    assert grid is not None
    rows, cols = (math.ceil((n - origin) / cell) for n, cell, origin in zip(shape, *grid, strict=True))
    return max(rows, 1), max(cols, 1)
