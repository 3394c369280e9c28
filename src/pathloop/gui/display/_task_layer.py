"""One task's objects as colour codes: what the way of colouring, the style and the selection come to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, UsageError
from pathloop.gui.display._codes import SELECTED, CodePyramid, Look, Style
from pathloop.gui.display._id_levels import IdPyramid
from pathloop.gui.display._lookup import FrameIndex
from pathloop.gui.display._modes import ColourBy, Colouring, colour
from pathloop.gui.display._palettes import LegendEntry, color_table
from pathloop.loop import ObjectFrame

__all__ = ["Drawing", "TaskCodes"]

FILL_ALPHA, LARGE_FILL_ALPHA = 0.45, 0.2
LARGE = ("gland", "lumen")
"""Nuclei and stain must stay visible through these."""

RIMMED_DIAMETER_PX = 7
"""Filled objects get an edge in levels in which a usual one is at least this wide."""
MEASURED_ROWS = 50_000

Roots = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a slide's objects are drawn, the same for all tasks."""

    by: ColourBy = "class"
    style: Style = "fill"
    patterns: bool = False
    near: bool = False
    """Level-0 pixels are large on the screen: outlines of one pixel are wide enough."""


class TaskCodes:
    """Codes, colours and legend of a task. Main thread, except for reading ``codes``.

    Parameters
    ----------
    task
        Its name.
    ids
        Its ids.
    """

    def __init__(self, task: str, ids: IdPyramid) -> None:
        self._fill_alpha = LARGE_FILL_ALPHA if task in LARGE else FILL_ALPHA
        self.codes = CodePyramid(ids)
        self.frame = ObjectFrame.empty(task)
        self.hidden: frozenset[int] = frozenset()
        self._drawing = Drawing()
        self._selected: NDArray[np.int64] = np.zeros(0, np.int64)
        self._index = FrameIndex(self.frame.instances.ids)
        self._colouring: Colouring = colour(self.frame, "class")

    @property
    def legend(self) -> list[LegendEntry]:
        """What the colours mean."""
        return list(self._colouring.legend)

    @property
    def classes(self) -> tuple[ClassSpec, ...]:
        """The task's classes, which the colour table depends on."""
        return self.frame.classes

    def colors(self) -> NDArray[np.float32]:
        """(256, 4) RGBA of the codes."""
        return color_table(self.frame.classes, fill_alpha=self._fill_alpha)

    def set_frame(self, frame: ObjectFrame, roots: Roots | None) -> None:
        """Take other objects.

        Raises
        ------
        UsageError
            If their ids are not ascending.
        """
        ids = frame.instances.ids
        if len(ids) and (ids[0] < 1 or np.any(np.diff(ids) <= 0)):
            raise UsageError(f"{frame.task}: objects to show need ascending ids from 1 on")
        self.frame = frame
        self._index = FrameIndex(ids, *(roots or ()))
        self._recolour()

    def draw(self, drawing: Drawing) -> None:
        """Draw in another way."""
        recolour = drawing.by != self._drawing.by
        self._drawing = drawing
        if recolour:
            self._recolour()
        else:
            self._relook()

    def hide(self, code: int, *, hidden: bool) -> bool:
        """Leave the objects of a class out, or take them in again; whether that changes anything."""
        if (code in self.hidden) == hidden:
            return False
        self.hidden = self.hidden ^ {code}
        self._recolour()
        return True

    def select(self, ids: Iterable[int] | NDArray[Any]) -> bool:
        """Highlight some objects; whether that changes anything."""
        wanted = np.sort(np.asarray(ids, np.int64).reshape(-1))
        if np.array_equal(wanted, self._selected):
            return False
        self._selected = wanted
        self._relook()
        return True

    def row_at(self, y: float, x: float, shown_level: int) -> int:
        """The frame's row of the visible object at a level-0 position; -1 where there is none."""
        # a layer that has not been on a canvas yet says that it shows its coarsest level
        level = shown_level if shown_level < len(self.codes.levels) - 1 else 0
        object_id = self.codes.ids.at(y, x, shown_level=level)
        row = self._index.row(object_id) if object_id else -1
        return row if row >= 0 and self._colouring.codes[row] else -1

    def rooted(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Ids with those of parts replaced by their object's."""
        return self.codes.look.lookup.rooted(ids)

    def _recolour(self) -> None:
        self._colouring = colour(self.frame, self._drawing.by, self.hidden)
        self._relook()

    def _relook(self) -> None:
        codes = self._colouring.codes
        rows = self.frame.rows(self._selected)
        if len(rows):
            codes = codes.copy()
            codes[rows] = SELECTED
        self.codes.set_look(
            Look(
                self._index.lookup(codes),
                self._drawing.style,
                self._colouring.pattern_bits() if self._drawing.patterns else None,
                self._rims(),
            )
        )

    def _rims(self) -> tuple[int, ...]:
        factors = self.codes.ids.factors
        if self._drawing.style == "outline":
            return tuple(1 if factor == 1 and self._drawing.near else 2 for factor in factors)
        areas = self.frame.instances.areas_px
        sample = areas[:: max(1, len(areas) // MEASURED_ROWS)]
        diameter = 2 * math.sqrt(float(np.median(sample)) / math.pi) if len(sample) else 0.0
        return tuple(int(diameter / factor >= RIMMED_DIAMETER_PX) for factor in factors)
