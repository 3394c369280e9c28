"""Which objects a table shows: all conditions as one boolean mask."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.gui.objects._columns import column_values
from pathloop.gui.objects._words import object_id
from pathloop.loop import ObjectFrame

__all__ = ["Filters", "Span", "boxes_meet", "centres_in", "parse_ids", "passes"]


@dataclass(frozen=True, slots=True)
class Span:
    """Smallest and largest wanted value, both included; None = no bound. Objects without a value are left out."""

    low: float | None = None
    high: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether everything passes, objects without a value too."""
        return self.low is None and self.high is None


@dataclass(frozen=True, slots=True)
class Filters:
    """What an object must fulfil to be shown; the default shows all.

    Parameters
    ----------
    classes
        Class codes, 0 = objects without a class; None = any.
    states
        Review states by code; None = any.
    locked_only
        Leave out what is not locked.
    confidence, probability
        0 to 1.
    area
        um2, px where the scale is unknown.
    ids
        As `parse_ids` reads it; empty = any.
    view
        Level-0 pixels that the object's box must meet.
    region
        Level-0 pixels that the object's centre must lie in.
    asked_only
        Leave out what no pathologist is asked about.
    asked
        Ids of the objects that are asked about.
    """

    classes: frozenset[int] | None = None
    states: frozenset[int] | None = None
    locked_only: bool = False
    confidence: Span = Span()
    probability: Span = Span()
    area: Span = Span()
    ids: str = ""
    view: Rect | None = None
    region: Rect | None = None
    asked_only: bool = False
    asked: frozenset[int] = frozenset()


def passes(frame: ObjectFrame, filters: Filters) -> NDArray[np.bool_]:
    """(N,) bool: the objects that fulfil every condition.

    Raises
    ------
    UsageError
        If ``filters.ids`` cannot be read.
    """
    keep = np.ones(len(frame), np.bool_)
    if filters.classes is not None:
        keep &= _among(frame.instances.class_codes, filters.classes)
    if filters.states is not None:
        keep &= _among(frame.states, filters.states)
    if filters.locked_only:
        keep &= frame.locked
    for key in ("confidence", "probability", "area"):
        span: Span = getattr(filters, key)
        if not span.is_open:
            keep &= _within(column_values(frame, key), span)
    if filters.ids.strip():
        keep &= _has_id(frame.instances.ids, parse_ids(filters.ids))
    if filters.view is not None:
        keep &= boxes_meet(frame.instances.boxes, filters.view)
    if filters.region is not None:
        keep &= centres_in(frame.instances.centroids, filters.region)
    if filters.asked_only:
        keep &= np.isin(frame.instances.ids, sorted(filters.asked))
    return keep


def parse_ids(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges of object numbers, both ends included.

    Raises
    ------
    UsageError
        If a word is neither a number nor a range.

    Examples
    --------
    >>> parse_ids("812, 100-199")
    ((812, 812), (100, 199))
    """
    ranges = []
    for word in re.split(r"[\s,;]+", re.sub(r"\s*[-–]\s*", "-", text.strip())):
        if not word:
            continue
        first, dash, last = word.partition("-")
        low = object_id(first)
        high = object_id(last) if dash else low
        if high < low:
            raise UsageError(f"{word!r}: the first number of a range must be the smaller one")
        ranges.append((low, high))
    return tuple(ranges)


def boxes_meet(boxes: NDArray[np.int64], rect: Rect) -> NDArray[np.bool_]:
    """(N,) bool: half-open boxes (N, 4) of which a part lies in a rectangle."""
    top, left, bottom, right = boxes.T
    return np.asarray((bottom > rect.y) & (top < rect.bottom) & (right > rect.x) & (left < rect.right))


def centres_in(centroids: NDArray[np.float64], rect: Rect) -> NDArray[np.bool_]:
    """(N,) bool: centres (N, 2) that lie on the pixels of a rectangle; of rectangles side by side, in one only."""
    y, x = centroids.T + 0.5  # pixel centres are integers: pixel r reaches from r - 0.5 to r + 0.5
    return np.asarray((y >= rect.y) & (y < rect.bottom) & (x >= rect.x) & (x < rect.right))


def _among(codes: NDArray[Any], wanted: frozenset[int]) -> NDArray[np.bool_]:
    keep = np.zeros(len(codes), np.bool_)
    for code in wanted:
        keep |= codes == code
    return keep


def _within(values: NDArray[Any], span: Span) -> NDArray[np.bool_]:
    keep = np.ones(len(values), np.bool_)
    # in the column's own precision: 0.9 as float32 is below 0.9 as float64
    own = values.dtype.type if values.dtype.kind == "f" else np.float64
    if span.low is not None:
        keep &= values >= own(span.low)
    if span.high is not None:
        keep &= values <= own(span.high)
    return keep


def _has_id(ids: NDArray[np.int64], ranges: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    keep = np.zeros(len(ids), np.bool_)
    for low, high in ranges:
        keep[np.searchsorted(ids, low) : np.searchsorted(ids, high, side="right")] = True
    return keep
