"""Objects of two tasks that cannot both be right, from the label pyramids: lumina outside glands, nuclei in lumina."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.loop.queue._grid import Candidate, Grid
from pathloop.loop.queue._score import Score, saturated
from pathloop.loop.queue._words import counted, listed
from pathloop.rasters import LabelPyramid
from pathloop.store import Project

__all__ = ["conflict_pyramids", "conflict_score"]

LUMEN, GLAND, NUCLEI = "lumen", "gland", "nuclei"

LOOK_UM = 4.0
"""Pixels of the pyramids that are looked at: not coarser than this. The smallest lumina have two of them."""

BLOCK_PX = 2048
"""Side of what is read at once, pixels of that level: whole chunks, and 8 mm, so that few nuclei lie across an edge."""

REACH_PX = 16
"""Nuclei are looked at up to here around lumina: all of a nucleus of at most 64 um."""

HALF_LUMINA, HALF_NUCLEI = 2.0, 10.0
"""Lumina outside glands, or nuclei in lumina, that make a score of one half."""

WEIGHT = 0.8


def conflict_pyramids(project: Project, slide_id: str) -> dict[str, LabelPyramid]:
    """The pyramids of the tasks that can contradict each other, by task; empty where there are none."""
    tasks = project.tasks(slide_id)
    if LUMEN not in tasks or not {GLAND, NUCLEI}.intersection(tasks):
        return {}
    return {task: project.labels(slide_id, task) for task in (LUMEN, GLAND, NUCLEI) if task in tasks}


def conflict_score(
    pyramids: Mapping[str, LabelPyramid], um_per_px: float, grid: Grid, candidates: Sequence[Candidate]
) -> Score:
    """Lumina most of which lie outside glands, and nuclei most of which lie in lumina.

    Parameters
    ----------
    pyramids
        Of `conflict_pyramids`, not empty. Nothing else of the project is read: may run in a thread of its own.
    um_per_px
        Of level 0.
    grid, candidates
        Of the same slide.
    """
    lumina, nuclei = _tallies(pyramids, um_per_px)
    numbers = [
        np.array([plane[one.row, one.col] for one in candidates])
        for plane in (grid.counts(lumina.centres()), grid.counts(nuclei.centres()))
    ]
    amount = numbers[0] / HALF_LUMINA + numbers[1] / HALF_NUCLEI
    words = tuple(_words(*counts) for counts in zip(*(one.tolist() for one in numbers), strict=True))
    return Score("conflict", saturated(amount), words, WEIGHT)


def _words(lumina: float, nuclei: float) -> str:
    said = []
    if lumina:
        said.append(f"{counted(lumina, LUMEN)} {'lies' if lumina == 1 else 'lie'} outside any gland")
    if nuclei:
        said.append(f"{counted(nuclei, NUCLEI)} {'lies' if nuclei == 1 else 'lie'} in a lumen")
    return listed(said) if said else ""


def _tallies(pyramids: Mapping[str, LabelPyramid], um_per_px: float) -> tuple["_Tally", "_Tally"]:
    """Lumina and nuclei, block by block, wherever there are lumina."""
    lumen, gland, nuclei = (pyramids.get(task) for task in (LUMEN, GLAND, NUCLEI))
    assert lumen is not None
    fine = [level for level, factor in enumerate(lumen.factors) if factor * um_per_px <= LOOK_UM]
    level = fine[-1] if fine else 0
    tallies = _Tally(lumen.factors[level]), _Tally(lumen.factors[level])
    kernel = np.ones((2 * REACH_PX + 1,) * 2, np.uint8)
    for rect in _blocks(lumen.levels[level].shape):
        ids = lumen.read(rect, level=level)
        if not ids.any():
            continue
        if gland is not None:
            tallies[0].add(ids, ids > 0, gland.read(rect, level=level) == 0, rect)
        if nuclei is not None:
            near = cv2.dilate((ids > 0).view(np.uint8), kernel) > 0
            tallies[1].add(nuclei.read(rect, level=level), near, ids > 0, rect)
    return tallies


def _blocks(shape: tuple[int, int]) -> Iterator[Rect]:
    for y in range(0, shape[0], BLOCK_PX):
        for x in range(0, shape[1], BLOCK_PX):
            yield Rect.from_bounds(y, x, min(y + BLOCK_PX, shape[0]), min(x + BLOCK_PX, shape[1]))


class _Tally:
    """Pixels of objects, and those of them that are wrong, over all blocks."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._parts: list[NDArray[np.float64]] = []

    def add(self, ids: NDArray[np.int32], near: NDArray[np.bool_], wrong: NDArray[np.bool_], rect: Rect) -> None:
        """Count a block: the objects' pixels that are near, and which of them are wrong."""
        places = np.flatnonzero(near & (ids > 0))
        bad = wrong.ravel()[places]
        y, x = np.divmod(places, ids.shape[1])
        one, index = np.unique(ids.ravel()[places], return_inverse=True)
        weights = (np.ones(len(places)), bad, bad * (y + rect.y), bad * (x + rect.x))
        self._parts.append(np.stack([one, *(np.bincount(index, weights=part) for part in weights)], axis=1))

    def centres(self) -> NDArray[np.float64]:
        """(n, 2) level-0 pixels: centres of the wrong pixels of objects that are wrong for more than half of theirs."""
        rows = np.concatenate([np.zeros((0, 5)), *self._parts])
        ids, index = np.unique(rows[:, 0], return_inverse=True)
        pixels, bad, y, x = (np.bincount(index, weights=rows[:, column], minlength=len(ids)) for column in range(1, 5))
        mostly = bad > 0.5 * pixels
        return np.stack([y[mostly] / bad[mostly], x[mostly] / bad[mostly]], axis=1) * self._factor
