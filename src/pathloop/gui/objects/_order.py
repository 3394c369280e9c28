"""In which order objects are shown, and where in that order given objects are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.objects._columns import column_values
from pathloop.gui.objects._filters import Filters, passes
from pathloop.loop import ObjectFrame

__all__ = ["Ranges", "Shown", "Sort", "ascending", "shown_objects", "to_ranges"]

Ranges = NDArray[np.int64]
"""(K, 2) first and last place of runs of places that follow each other; ascending, both included."""


@dataclass(frozen=True, slots=True)
class Sort:
    """By which column; objects that are equal in it stay in the order of their numbers."""

    key: str = "id"
    descending: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a table shows.

    Parameters
    ----------
    frame
        All objects of the task.
    order
        (M,) int64: the row in ``frame`` of each line of the table.
    """

    frame: ObjectFrame
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    def ids_at(self, ranges: Ranges) -> NDArray[np.int64]:
        """Ids of the objects in ranges of lines, ascending."""
        chosen = np.zeros(len(self.frame), np.bool_)
        for first, last in ranges.tolist():
            chosen[self.order[first : last + 1]] = True
        return self.frame.instances.ids[chosen]

    def lines_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lines, ascending, that show some of the frame's rows; rows that are filtered out are left out."""
        if len(rows) == 1:  # a click
            return np.flatnonzero(self.order == rows[0])
        wanted = np.zeros(len(self.frame), np.bool_)
        wanted[rows] = True
        return np.flatnonzero(wanted[self.order])


def shown_objects(frame: ObjectFrame, filters: Filters, sort: Sort) -> Shown:
    """Filter and sort. Objects without a value in the column come last in both directions.

    Raises
    ------
    UsageError
        If ``filters.ids`` cannot be read.
    """
    rows = np.flatnonzero(passes(frame, filters))
    if sort.key == "id":  # the frame's own order
        return Shown(frame, rows[::-1] if sort.descending else rows)
    values = column_values(frame, sort.key)[rows]
    if sort.descending:
        values = -values if values.dtype.kind == "f" else -values.astype(np.int64)
    return Shown(frame, rows[np.argsort(values, kind="stable")])


def ascending(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same ids, ascending and each once; sorts only where that is needed."""
    own = np.asarray(ids, np.int64).reshape(-1)
    return own if (np.diff(own) > 0).all() else np.unique(own)


def to_ranges(places: NDArray[np.int64]) -> Ranges:
    """Runs of ascending places.

    Examples
    --------
    >>> to_ranges(np.array([2, 3, 4, 9])).tolist()
    [[2, 4], [9, 9]]
    """
    if len(places) == 0:
        return np.zeros((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(places) != 1)
    first = np.concatenate([places[:1], places[breaks + 1]])
    last = np.concatenate([places[breaks], places[-1:]])
    return np.stack([first, last], axis=1)
