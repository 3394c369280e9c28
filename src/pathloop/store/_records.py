"""What the store hands out: frozen records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, Scale

__all__ = ["ObjectCounts", "ObjectStates", "RunRecord", "SlideRecord", "TissueMap", "UncertaintyMap"]


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """A slide of the project.

    Parameters
    ----------
    slide_id
        Its name in the project: the file's stem, with ``-2``, ``-3``, ... where stems are equal.
    path
        Where the file was seen last, absolute.
    fingerprint
        What the file is, wherever it lies.
    shape
        (height, width), level-0 pixels.
    scale
        um per px of level 0.
    reader
        Name of the reader that opened it.
    """

    slide_id: str
    path: Path
    fingerprint: str
    shape: tuple[int, int]
    scale: Scale
    reader: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A segmentation run of one slide.

    Parameters
    ----------
    slide_id, run_key
        Whose run, and the key of everything that determines its result.
    parameters
        As given to ``begin_run``.
    state
        ``running`` until ``finish_run``, then ``finished``; ``replaced`` once another run put objects into a part of
        a finished run's area.
    first_ids
        By task: the first id that was free when the run began.
    areas
        By task: the area whose objects are this run's. Absent before its objects are in, and once replaced.
    started, finished
        ISO 8601, UTC.
    folder
        The run's own folder for scratch files.
    """

    slide_id: str
    run_key: str
    parameters: dict[str, Any]
    state: Literal["running", "finished", "replaced"]
    first_ids: dict[str, int]
    areas: dict[str, Rect]
    started: str
    finished: str | None
    folder: Path


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """How many objects a slide and task has: in all, by state, and locked (any state)."""

    total: int
    predicted: int
    edited: int
    accepted: int
    locked: int


@dataclass(frozen=True, slots=True)
class ObjectStates:
    """Review state of objects, row by row.

    Parameters
    ----------
    ids
        (N,) int64, ascending.
    states
        (N,) uint8: index into ``OBJECT_STATES``.
    locked
        (N,) bool.
    """

    ids: NDArray[np.int64]
    states: NDArray[np.uint8]
    locked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TissueMap:
    """Tissue class of every cell of a grid over the slide.

    Parameters
    ----------
    codes
        (rows, columns) uint8: 1-based class codes, 0 = not run.
    class_names, class_colors
        By code - 1; colours sRGB, 0..255.
    cell_px
        (y, x) size of a cell, level-0 pixels, not always whole numbers.
    origin_px
        (y, x) of the first cell's corner in level-0 pixels, where (0, 0) is the corner of the slide.
    run_key
        The run that wrote it last.
    states
        (rows, columns) uint8: index into ``OBJECT_STATES``, what people said of a cell; None = nothing of any.
    """

    codes: NDArray[np.uint8]
    class_names: tuple[str, ...]
    class_colors: tuple[tuple[int, int, int], ...]
    cell_px: tuple[float, float]
    origin_px: tuple[float, float]
    run_key: str
    states: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class UncertaintyMap:
    """How unsure the model was, at low resolution.

    Parameters
    ----------
    values
        (rows, columns) uint8: 0 = sure or not run, 255 = as unsure as can be.
    measure
        What it says, for example "entropy of the interior probability".
    cell_px, origin_px
        As in ``TissueMap``.
    run_key
        The run that wrote it last.
    """

    values: NDArray[np.uint8]
    measure: str
    cell_px: tuple[float, float]
    origin_px: tuple[float, float]
    run_key: str
