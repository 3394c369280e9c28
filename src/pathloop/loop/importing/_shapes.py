"""Outlines that other programs wrote: where they lie, what they cover, and mending those that are no valid polygons."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, TileGrid
from pathloop.rasters import Outline, fill_outlines

__all__ = ["SMALL_SIDE", "cover", "covers", "is_rectangle", "mended", "pieces", "pixel_bounds", "rounded_bounds"]

PIECE_PX = 2048
"""Larger outlines are painted piece by piece."""
SMALL_SIDE = 256
CANVAS_PX = 2048
FAR = 1e9


def pixel_bounds(outlines: Sequence[Outline]) -> list[Rect]:
    """Boxes of all pixels whose centres outlines may hold; they may reach beyond the slide."""
    if not outlines:
        return []
    rings = [ring for outline in outlines for part in outline for ring in part]
    corners = np.concatenate(rings)
    sizes = np.array([sum(len(ring) for part in outline for ring in part) for outline in outlines], np.int64)
    starts = np.cumsum(sizes) - sizes
    # far numbers are cut: they may be too large for an integer
    low = np.floor(np.minimum.reduceat(corners, starts, axis=0).clip(-FAR, FAR)).astype(np.int64)
    high = np.ceil(np.maximum.reduceat(corners, starts, axis=0).clip(-FAR, FAR)).astype(np.int64)
    return [Rect(y, x, h, w) for y, x, h, w in np.concatenate([low, high - low], axis=1).tolist()]


def rounded_bounds(outline: Outline) -> Rect:
    """The box of an outline in whole pixels."""
    corners = np.concatenate([ring for part in outline for ring in part]).clip(-FAR, FAR)
    low, high = np.rint(corners.min(axis=0)), np.rint(corners.max(axis=0))
    return Rect.from_bounds(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def is_rectangle(outline: Outline) -> bool:
    """Whether an outline is one ring of four corners with sides along the axes."""
    if len(outline) != 1 or len(outline[0]) != 1:
        return False
    ring = outline[0][0]
    if len(ring) != 4 or len(np.unique(ring, axis=0)) != 4:
        return False
    step = ring - np.roll(ring, 1, axis=0)
    return bool(((step == 0).sum(axis=1) == 1).all())


def pieces(rect: Rect) -> Iterator[Rect]:
    """A rectangle in pieces that are small enough to be painted at once."""
    if max(rect.shape) <= PIECE_PX:
        if rect.area:
            yield rect
        return
    for tile in TileGrid(rect, PIECE_PX):
        yield tile.core


def cover(outline: Outline, rect: Rect) -> NDArray[np.bool_]:
    """Which pixels of a rectangle an outline covers."""
    found: NDArray[np.bool_] = fill_outlines([(1, outline)], rect) != 0
    return found


def covers(outlines: Sequence[Outline], boxes: Sequence[Rect]) -> Iterator[NDArray[np.bool_]]:
    """As `cover` for many outlines, each in its own box: painted side by side, which costs a tenth.

    Parameters
    ----------
    outlines
        Any number.
    boxes
        Hold all of their outlines; at most `SMALL_SIDE` wide and high.
    """
    start = 0
    while start < len(outlines):
        cells = _cells(boxes, start)
        moved = []
        for number, (cell, box) in enumerate(zip(cells, boxes[start:], strict=False), 1):
            offset = np.array((box.y - cell.y, box.x - cell.x), np.float64)
            outline = outlines[start + number - 1]
            moved.append((number, tuple(tuple(ring - offset for ring in part) for part in outline)))
        canvas = fill_outlines(moved, Rect(0, 0, max(cell.bottom for cell in cells), CANVAS_PX)) != 0
        for cell in cells:
            yield canvas[cell.slices]
        start += len(cells)


def _cells(boxes: Sequence[Rect], start: int) -> list[Rect]:
    """Places of boxes on a canvas, row by row, until it is full."""
    cells: list[Rect] = []
    y = x = row_height = 0
    for box in boxes[start:]:
        if x + box.width > CANVAS_PX:
            y, x, row_height = y + row_height, 0, 0
        if y + box.height > CANVAS_PX:
            break
        cells.append(Rect(y, x, box.height, box.width))
        x, row_height = x + box.width, max(row_height, box.height)
    return cells


def mended(outline: Outline) -> Outline | None:
    """An outline as valid polygons by the rules of OGC Simple Features; None where it is valid already.

    Crossing rings become the areas that they enclose, overlapping parts are joined (GEOS MakeValid, method
    "structure"); what has no area is left out, so the result may be empty.
    """
    # 0.1 s to import, and most files need none of it
    import shapely

    polygons = [shapely.Polygon(part[0][:, ::-1], [hole[:, ::-1] for hole in part[1:]]) for part in outline]
    geometry = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    if geometry.is_valid:
        return None
    mend = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    found = []
    for polygon in shapely.get_parts(mend).tolist():
        for one in shapely.get_parts(polygon).tolist():
            if one.geom_type == "Polygon" and not one.is_empty:
                rings = [one.exterior, *one.interiors]
                found.append(tuple(np.asarray(ring.coords, np.float64)[:-1, 1::-1] for ring in rings))
    return tuple(found)
