"""Building reduced levels of a slide that has none, in one pass and in little memory."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, JobFinished, Message, Rect, StageProgress
from pathloop.slides._open import open_slide
from pathloop.slides._pyramid_store import CHUNK_PX, new_pyramid, pyramid_path
from pathloop.slides._slide import SMALL_LEVEL_PX, Slide

__all__ = ["build_pyramid"]

COARSEST_PX = 1024
STRIP_ROWS = 256
BLOCK_PX = 2 * CHUNK_PX

Pixels = NDArray[np.uint8]


def build_pyramid(path: Path) -> Generator[Event]:
    """Build the levels that a slide lacks, each half as large as the one before, into the user's cache.

    `open_slide` finds them from then on. The slide's file stays as it is; the levels are stored without loss, about a
    byte for every pixel of level 0 or less. A build that is stopped or killed leaves no pyramid.

    Parameters
    ----------
    path
        The slide.

    Yields
    ------
    Event
        `StageProgress` in bands of the slide; the last one is `JobFinished` with the file. Close the generator to
        cancel.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    ProjectLockedError
        If another process is building one.
    """
    with open_slide(path) as slide:
        if max(slide.levels[-1].shape) <= SMALL_LEVEL_PX:
            yield Message(f"{path.name}: has small levels already; nothing to build")
            yield JobFinished(path, {"levels": len(slide.levels), "built": 0})
            return
        base = slide.levels[-1].shape
        shapes = [_half(base)]
        while max(shapes[-1]) > COARSEST_PX:
            shapes.append(_half(shapes[-1]))
        total = -(-shapes[0][0] // CHUNK_PX)
        with new_pyramid(slide.fingerprint, path, base, shapes) as arrays:
            levels = [_Level(array) for array in arrays]
            yield StageProgress(path.name, "pyramid", 0, total)
            for done, band in enumerate(_bands(slide), start=1):
                _add(levels, band)
                yield StageProgress(path.name, "pyramid", done, total)
        file = pyramid_path(slide.fingerprint)
    yield JobFinished(file, {"levels": len(shapes), "built": len(shapes), "bytes": file.stat().st_size})


class _Level:
    """A level that is written from top to bottom, a whole row of chunks at a time."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._waiting: list[Pixels] = []
        self._top = 0

    def add(self, rows: Pixels) -> Pixels | None:
        """Take rows, at most a chunk's height; gives what was written, if they complete a row of chunks."""
        self._waiting.append(rows)
        height = sum(len(each) for each in self._waiting)
        if height < CHUNK_PX and self._top + height < self._array.shape[0]:
            return None
        band = np.concatenate(self._waiting)
        self._array[self._top : self._top + height] = band
        self._waiting, self._top = [], self._top + height
        return band


def _add(levels: list[_Level], band: Pixels) -> None:
    """Write a band of the finest level, and what it completes of the others."""
    rows = band
    for level in levels:
        written = level.add(rows)
        if written is None:
            return
        rows = _halved(written)


def _bands(slide: Slide) -> Iterator[Pixels]:
    """The slide's coarsest level at half its size, in bands of a chunk's height."""
    level = len(slide.levels) - 1
    height, width = slide.levels[level].shape
    is_strips = slide.levels[level].tile[1] >= width
    block_h, block_w = (STRIP_ROWS, width) if is_strips else (BLOCK_PX, BLOCK_PX)
    for top in range(0, height, BLOCK_PX):
        bottom = min(top + BLOCK_PX, height)
        band = np.empty((-(-(bottom - top) // 2), -(-width // 2), 3), np.uint8)
        for y in range(top, bottom, block_h):
            for x in range(0, width, block_w):
                rect = Rect.from_bounds(y, x, min(y + block_h, bottom), min(x + block_w, width))
                block = _halved(slide.read_level(level, rect))
                at_y, at_x = (y - top) // 2, x // 2
                band[at_y : at_y + block.shape[0], at_x : at_x + block.shape[1]] = block
        yield band


def _halved(pixels: Pixels) -> Pixels:
    """Means of 2 x 2 pixels; an odd last row or column is repeated."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else pixels
    size = even.shape[1] // 2, even.shape[0] // 2
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)


def _half(shape: tuple[int, int]) -> tuple[int, int]:
    return -(-shape[0] // 2), -(-shape[1] // 2)
