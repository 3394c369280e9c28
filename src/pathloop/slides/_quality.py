"""What is wrong with a slide before anything is measured on it: blur, pen, folds, a stain that is not H&E."""

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Rect, StageProgress, outcome
from pathloop.slides._folds import find_folds
from pathloop.slides._quality_words import BLURRED, FINE, FOLD, NO_TISSUE, PEN, PEN_ON_GLASS, UNLIKE, sentences, shares
from pathloop.slides._sharpness import BLURRED_BELOW, PATCH_PX, sharpness
from pathloop.slides._slide import Slide
from pathloop.slides._stain import BROWN_BELOW, BROWN_SHARE, FAINT, farness_from_hne, stain_place, stain_words
from pathloop.slides._tissue import NOMINAL_UM_PER_PX, Overview, black_pixels, find_tissue, optical_density, overview

__all__ = ["QualityNote", "quality_note", "quality_steps"]

GRID_UM = 8.0
CELL_UM = 256.0
MAX_CELLS = 1500
"""More tissue than that many cells hold is judged in larger cells: no more patches are read."""
CELL_TISSUE = 0.1
"""Share of a cell that must be tissue for it to be judged; on a small image, of what of the cell lies on it."""
SHARP_UM_PER_PX = 0.5
COARSEST_UM_PER_PX = 2.0
"""At a coarser level 0 nobody can tell whether it is in focus."""
PEN_REACH_UM = 500.0
"""Ink between tissue up to twice that wide lies on tissue."""
ABSORBS = 0.05
"""Mean optical density (log10) above which there is something."""
FOREIGN_SHARE = 0.4
"""Of the image: more that absorbs and is no tissue, and the image is none of H&E."""
STAGE = "looking for blur, pen and folds"


@dataclass(frozen=True, eq=False)
class QualityNote:
    """Where a slide is not fit to be measured.

    Attributes
    ----------
    codes
        (rows, columns) uint8, by `QUALITY_NAMES`: 0 no tissue, 1 nothing found against it (or nothing to judge by),
        2 out of focus, 3 pen on tissue, 4 fold, 5 stain unlike H&E, 6 pen beside the tissue.
    downsample
        (y, x) level-0 pixels a code.
    origin
        (y, x) level-0 pixels of the grid's first corner.
    stain
        What the stain looks like where it is unlike H&E, else "".
    """

    codes: NDArray[np.uint8]
    downsample: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)
    stain: str = ""

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of the tissue, 0 to 1, that is fine, out of focus, pen, fold, stain unlike H&E."""
        return shares(self.codes)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What was found and what it means, worst first; empty where nothing was found."""
        return sentences(self.codes, self.stain)

    def in_rect(self, rect: Rect) -> "QualityNote":
        """The note of a region, in level-0 pixels: the codes whose cells the region touches, at least one."""
        spans, origin = [], []
        for axis, (low, high) in enumerate(((rect.y, rect.bottom), (rect.x, rect.right))):
            step, n = self.downsample[axis], self.codes.shape[axis]
            first = min(max(math.floor((low - self.origin[axis]) / step), 0), n - 1)
            last = min(max(math.ceil((high - self.origin[axis]) / step), first + 1), n)
            spans.append(slice(first, last))
            origin.append(self.origin[axis] + first * step)
        codes = self.codes[spans[0], spans[1]].copy()
        return replace(self, codes=codes, origin=(origin[0], origin[1]))


def quality_note(slide: Slide, *, roi: Rect | None = None) -> QualityNote:
    """Look for blur, pen, folds and a stain unlike H&E; see `quality_steps`."""
    return outcome(quality_steps(slide, roi=roi), lambda _: None)


def quality_steps(slide: Slide, *, roi: Rect | None = None) -> Generator[Event, None, QualityNote]:
    """Look for blur, pen, folds and a stain unlike H&E, telling progress; closing the generator cancels.

    Pen, folds and stain are told from the slide at 8 um per px. Focus is told in cells of 256 um, by the densest patch
    of each, read at 0.5 um per px. A slide of unknown scale is taken for 0.5 um per px, and its focus is told at half
    its resolution, so that only strong blur is.

    Parameters
    ----------
    slide
        An open slide.
    roi
        Level-0 pixels: only that region's focus is judged, and the note is that region's. It equals the whole slide's
        ``note.in_rect(roi)``.

    Yields
    ------
    StageProgress
        After every few cells.

    Raises
    ------
    SlideError
        If the slide is closed or damaged.
    """
    seen = overview(slide, GRID_UM)
    grid = _Grid.of(seen)
    codes, stain = grid.codes, ""
    if not grid.is_foreign:
        unlike, stain = _unlike_hne(grid)
        codes[(codes == FINE) & find_folds(grid.density, grid.tissue, seen.um_per_px)] = FOLD
        codes[(codes == FINE) & unlike] = UNLIKE
        blurred = yield from _blurred(slide, seen, grid, roi)
        codes[(codes == FINE) & blurred] = BLURRED
    elif (codes == UNLIKE).any():
        stain = stain_words(stain_place(grid.density[codes == UNLIKE].mean(axis=0)))
    note = QualityNote(codes, seen.step, stain=stain)
    return note if roi is None else note.in_rect(roi)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The reduced slide, and what of it can be told without looking closer."""

    density: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    codes: NDArray[np.uint8]
    is_foreign: bool
    """The whole image is none of H&E: grey, inverted, fluorescence."""
    side: int
    """Of a cell, in pixels of the grid."""

    @classmethod
    def of(cls, seen: Overview) -> "_Grid":
        tissue, ink = find_tissue(seen.rgb, seen.um_per_px)
        density, black = optical_density(seen.rgb), black_pixels(seen.rgb)
        absorbs = density.mean(axis=2) > ABSORBS
        other = absorbs & ~tissue
        has_colour = float((other & ~black).mean()) > FOREIGN_SHARE
        is_foreign = has_colour or (float(other.mean()) > FOREIGN_SHARE and float((tissue | ~absorbs).mean()) < 0.1)
        codes = np.where(tissue, FINE, NO_TISSUE).astype(np.uint8)
        if is_foreign:
            codes[:] = np.where(absorbs, UNLIKE, NO_TISSUE)
        else:
            on_tissue = _between(tissue, PEN_REACH_UM / seen.um_per_px)
            codes[ink & on_tissue], codes[ink & ~on_tissue] = PEN, PEN_ON_GLASS
        area = float(tissue.sum()) * seen.um_per_px**2
        cell_um = max(CELL_UM, math.sqrt(area / MAX_CELLS))
        return cls(density, tissue, codes, is_foreign, max(1, round(cell_um / seen.um_per_px)))

    def cells(self) -> NDArray[np.bool_]:
        """(rows, columns) bool: cells with enough tissue to be judged."""
        own = cell_means((self.codes == FINE).astype(np.float32), self.side)
        return np.asarray(own >= CELL_TISSUE)

    def spread(self, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A flag a cell as one a pixel."""
        height, width = self.codes.shape
        return np.repeat(np.repeat(cells, self.side, axis=0), self.side, axis=1)[:height, :width]


def _between(tissue: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Tissue with the gaps in it up to twice ``reach`` px wide; the image's edge is no gap."""
    if not tissue.any():
        return tissue
    margin = math.ceil(reach) + 1
    padded = cv2.copyMakeBorder(tissue.astype(np.uint8), *(margin,) * 4, cv2.BORDER_REPLICATE)
    grown = cv2.distanceTransform(1 - padded, cv2.DIST_L2, 5) <= reach
    closed = cv2.distanceTransform(grown.astype(np.uint8), cv2.DIST_L2, 5) > reach if not grown.all() else grown
    return np.asarray(closed[margin:-margin, margin:-margin])


def cell_means(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of (h, w[, n]) over cells of ``side`` px; cells at the far edges are cut."""
    rows, columns = (np.arange(0, size, side) for size in values.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff(np.append(starts, size)) for starts, size in zip((rows, columns), values.shape[:2], strict=True)
    )
    n = np.outer(heights, widths)
    return np.asarray(sums / (n if values.ndim == 2 else n[..., None]), np.float32)


def _unlike_hne(grid: _Grid) -> tuple[NDArray[np.bool_], str]:
    """Where the stain is unlike H&E, (h, w) bool, and what it looks like there."""
    weight = (grid.codes == FINE).astype(np.float32)
    tissue = cell_means(weight, grid.side)
    density = cell_means(grid.density * weight[..., None], grid.side) / np.maximum(tissue, 1e-6)[..., None]
    judged = grid.cells() & (density.mean(axis=2) > FAINT)
    if not judged.any():
        return np.zeros(grid.codes.shape, bool), ""
    far = np.zeros(judged.shape, bool)
    strength = grid.density.mean(axis=2) * weight * (grid.density.mean(axis=2) > ABSORBS)
    brown = cell_means(strength * (stain_place(grid.density)[..., 1] < BROWN_BELOW), grid.side)
    far[judged] = farness_from_hne(stain_place(density[judged])) > 0
    far |= judged & (brown > BROWN_SHARE * np.maximum(cell_means(strength, grid.side), 1e-6))
    far &= _agrees(far, judged)
    if not far.any():
        return np.zeros(grid.codes.shape, bool), ""
    return grid.spread(far), stain_words(stain_place(np.average(density[far], axis=0, weights=tissue[far])))


def _agrees(flags: NDArray[np.bool_], judged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether most judged cells around each one, itself included, are flagged: a cell alone is likely mistaken."""
    kernel = np.ones((3, 3), np.float32)
    n, flagged = (
        cv2.filter2D(each.astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT) for each in (judged, flags)
    )
    return np.asarray(flagged * 2 > n)


def _blurred(slide: Slide, seen: Overview, grid: _Grid, roi: Rect | None) -> Generator[Event, None, NDArray[np.bool_]]:
    """Where the slide is out of focus, (h, w) bool."""
    cells = grid.cells()
    if slide.scale is not None and slide.scale.um_per_px > COARSEST_UM_PER_PX:
        return np.zeros(grid.codes.shape, bool)
    wanted = np.argwhere(cells & _touched(cells.shape, grid.side, seen.step, roi))
    found = np.full(cells.shape, np.nan)
    strength = grid.density.mean(axis=2) * (grid.codes == FINE)
    for index, (row, column) in enumerate(wanted):
        if index % 16 == 0:
            yield StageProgress(slide.path.name, STAGE, index, len(wanted))
        cell = Rect(int(row) * grid.side, int(column) * grid.side, grid.side, grid.side)
        value = sharpness(_patch(slide, seen, strength, cell.intersect(Rect(0, 0, *strength.shape))))
        found[row, column] = np.nan if value is None else value
    judged = ~np.isnan(found)
    flags = judged & (np.nan_to_num(found) < BLURRED_BELOW)
    return grid.spread(flags & _agrees(flags, judged))


def _touched(shape: tuple[int, ...], side: int, step: tuple[float, float], roi: Rect | None) -> NDArray[np.bool_]:
    """Cells that a region touches, and those around them, which help to judge them."""
    touched = np.ones(shape, bool)
    if roi is not None:
        for axis, (low, high) in enumerate(((roi.y, roi.bottom), (roi.x, roi.right))):
            first = math.floor(low / step[axis] / side) - 1
            last = math.ceil(high / step[axis] / side) + 1
            index = np.arange(shape[axis])
            inside = (index >= first) & (index < last)
            touched &= inside[:, None] if axis == 0 else inside[None]
    return touched


def _patch(slide: Slide, seen: Overview, strength: NDArray[np.float32], cell: Rect) -> NDArray[np.uint8]:
    """The densest patch of a cell, as fine as focus is judged."""
    if slide.scale is None:
        step, shape = 2.0, slide.shape_downsampled(2.0)
    else:
        um_per_px = max(SHARP_UM_PER_PX, slide.scale.um_per_px)
        step, shape = um_per_px, slide.shape_at(um_per_px)
    part = strength[cell.slices]
    own = seen.um_per_px / (step if slide.scale is not None else step * NOMINAL_UM_PER_PX)  # patch pixels a grid pixel
    side = max(1, round(PATCH_PX / own))
    around = cv2.blur(np.ascontiguousarray(part), (min(side, part.shape[1]), min(side, part.shape[0])))
    y, x = np.unravel_index(int(np.argmax(around)), around.shape)
    height, width = (min(PATCH_PX, size) for size in shape)
    # inside its cell, where that is large enough: the next one may be sharp
    centre_y, centre_x = round((cell.y + float(y) + 0.5) * own), round((cell.x + float(x) + 0.5) * own)
    top = _placed(centre_y, height, (round(cell.y * own), round(cell.bottom * own)), shape[0])
    left = _placed(centre_x, width, (round(cell.x * own), round(cell.right * own)), shape[1])
    rect = Rect(top, left, height, width)
    return slide.read_downsampled(rect, step) if slide.scale is None else slide.read(rect, step)


def _placed(centre: int, size: int, cell: tuple[int, int], end: int) -> int:
    """Where a patch of ``size`` px around a centre begins: inside ``0 .. end``, and inside a cell if it fits."""
    start = min(max(centre - size // 2, cell[0]), max(cell[1] - size, cell[0]))
    return min(max(start, 0), end - size)
