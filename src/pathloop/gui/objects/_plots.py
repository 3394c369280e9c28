"""What histograms and scatter plots show, as arrays, and which objects a brush stroke over them takes in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.objects._columns import Column, column_values, find_column
from pathloop.gui.objects._order import Shown
from pathloop.loop import ObjectFrame

__all__ = [
    "MAX_POINTS",
    "Group",
    "Histogram",
    "Scatter",
    "brushed_range",
    "brushed_rectangle",
    "histogram",
    "scatter",
]

MAX_POINTS = 20_000
"""More points than this are drawn as a density image."""
N_BINS = 50
MAX_BINS = 1_000
DENSITY_BINS = 160
_TAILS = (0.5, 99.5)  # percentiles: what lies outside is not shown at first

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one class: name and colour, None = no class."""

    name: str
    color: RGB | None


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How many objects have which value.

    Parameters
    ----------
    column
        What was counted.
    is_log
        Values, and with them ``edges`` and ``range``, are decimal logarithms.
    edges
        (B + 1,) of the bins.
    groups, counts
        By class: (G, B) int64.
    selected
        (B,) int64: how many of them are selected.
    range
        What to show at first: without the longest tails.
    n_without
        Objects without a value (or with none that has a logarithm).
    """

    column: Column
    is_log: bool
    edges: NDArray[np.float64]
    groups: tuple[Group, ...]
    counts: NDArray[np.int64]
    selected: NDArray[np.int64]
    range: tuple[float, float]
    n_without: int


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Two columns against each other: points, or where there are many of them a density.

    Parameters
    ----------
    x, y
        The columns.
    points
        (P, 2) float64 (x, y); empty where ``density`` is given.
    codes
        (P,) int64: index into ``groups``.
    groups
        By class.
    density
        (rows = y, columns = x) int64 counts over ``ranges``, or None.
    ranges
        ((x low, x high), (y low, y high)): what to show at first.
    selected
        (S, 2) selected points, at most `MAX_POINTS` of them.
    n, n_selected, n_without
        Objects with both values, selected ones of them, and objects without.
    """

    x: Column
    y: Column
    points: NDArray[np.float64]
    codes: NDArray[np.int64]
    groups: tuple[Group, ...]
    density: NDArray[np.int64] | None
    ranges: tuple[tuple[float, float], tuple[float, float]]
    selected: NDArray[np.float64]
    n: int
    n_selected: int
    n_without: int


def histogram(shown: Shown, key: str, selected: NDArray[np.int64], *, is_log: bool = False) -> Histogram:
    """Count the shown objects.

    Parameters
    ----------
    shown
        The shown objects.
    key
        A numeric column.
    selected
        Rows of the frame.
    is_log
        Count decimal logarithms; what is not above 0 has none.
    """
    frame = shown.frame
    values = _plotted(column_values(frame, key), is_log=is_log)
    is_there = np.isfinite(values)
    rows = shown.order[is_there[shown.order]]
    edges, first_range = _edges(values[rows])
    n_bins = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, n_bins - 1)
    groups, codes = _grouped(frame, rows)
    flat = np.bincount(codes * n_bins + bins[rows], minlength=len(groups) * n_bins)
    is_selected = np.zeros(len(frame), np.bool_)
    is_selected[selected] = True
    return Histogram(
        column=find_column(frame, key),
        is_log=is_log,
        edges=edges,
        groups=groups,
        counts=flat.reshape(len(groups), n_bins).astype(np.int64),
        selected=np.bincount(bins[rows[is_selected[rows]]], minlength=n_bins).astype(np.int64),
        range=first_range,
        n_without=len(shown) - len(rows),
    )


def scatter(shown: Shown, x_key: str, y_key: str, selected: NDArray[np.int64]) -> Scatter:
    """Put the shown objects on two axes; ``selected`` are rows of the frame."""
    frame = shown.frame
    xs, ys = (np.asarray(column_values(frame, key), np.float64) for key in (x_key, y_key))
    is_there = np.isfinite(xs) & np.isfinite(ys)
    rows = shown.order[is_there[shown.order]]
    ranges = _padded(_robust(xs[rows])), _padded(_robust(ys[rows]))
    groups, codes = _grouped(frame, rows)
    many = len(rows) > MAX_POINTS
    is_selected = np.zeros(len(frame), np.bool_)
    is_selected[selected] = True
    chosen = rows[is_selected[rows]]
    drawn = chosen[:: max(1, -(-len(chosen) // MAX_POINTS))]
    return Scatter(
        x=find_column(frame, x_key),
        y=find_column(frame, y_key),
        points=np.zeros((0, 2)) if many else np.stack([xs[rows], ys[rows]], axis=1),
        codes=np.zeros(0, np.int64) if many else codes,
        groups=groups,
        density=_density(xs[rows], ys[rows], ranges) if many else None,
        ranges=ranges,
        selected=np.stack([xs[drawn], ys[drawn]], axis=1),
        n=len(rows),
        n_selected=len(chosen),
        n_without=len(shown) - len(rows),
    )


def brushed_range(shown: Shown, key: str, low: float, high: float, *, is_log: bool = False) -> NDArray[np.int64]:
    """Rows of the frame, ascending, of shown objects whose value lies in a range as the histogram's axis has it."""
    return _taken(shown, _between(_plotted(column_values(shown.frame, key), is_log=is_log), low, high))


def brushed_rectangle(
    shown: Shown, x_key: str, y_key: str, x_range: tuple[float, float], y_range: tuple[float, float]
) -> NDArray[np.int64]:
    """Rows of the frame, ascending, of shown objects inside a rectangle of the scatter plot."""
    inside = _between(np.asarray(column_values(shown.frame, x_key), np.float64), *x_range)
    inside &= _between(np.asarray(column_values(shown.frame, y_key), np.float64), *y_range)
    return _taken(shown, inside)


def _taken(shown: Shown, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    is_shown = np.zeros(len(shown.frame), np.bool_)
    is_shown[shown.order] = True
    return np.flatnonzero(inside & is_shown)


def _between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    return np.asarray((values >= min(low, high)) & (values <= max(low, high)))


def _plotted(values: NDArray[np.float64], *, is_log: bool) -> NDArray[np.float64]:
    numbers = np.asarray(values, np.float64)
    if not is_log:
        return numbers
    logarithms = np.full(len(numbers), np.nan)
    np.log10(numbers, out=logarithms, where=numbers > 0)
    return logarithms


def _grouped(frame: ObjectFrame, rows: NDArray[np.int64]) -> tuple[tuple[Group, ...], NDArray[np.int64]]:
    """The classes that occur, objects without one last, and for each row which of them it has."""
    n = len(frame.classes)
    codes = frame.instances.class_codes[rows].astype(np.int64)
    codes = np.where((codes > 0) & (codes <= n), codes - 1, n)
    there = np.flatnonzero(np.bincount(codes, minlength=n + 1))
    place = np.zeros(n + 1, np.int64)
    place[there] = np.arange(len(there))
    groups = [
        Group(frame.classes[code].name, frame.classes[code].color) if code < n else Group("no class", None)
        for code in there.tolist()
    ]
    return tuple(groups), place[codes]


def _robust(values: NDArray[np.float64]) -> tuple[float, float]:
    """Where the values lie, without the longest tails; never empty."""
    if len(values) == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, _TAILS).tolist()
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        half = max(abs(low) * 0.05, 0.5)
        return low - half, high + half
    return low, high


def _padded(limits: tuple[float, float]) -> tuple[float, float]:
    margin = 0.04 * (limits[1] - limits[0])
    return limits[0] - margin, limits[1] + margin


def _edges(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Bins of one width over all values, about `N_BINS` of them over those without the tails."""
    low, high = _robust(values)
    width = (high - low) / N_BINS
    first, last = (float(values.min()), float(values.max())) if len(values) else (low, high)
    first, last = min(first, low), max(last, high)
    width = max(width, (last - first) / MAX_BINS)
    start = low - np.ceil((low - first) / width) * width
    count = max(1, int(np.ceil((last - start) / width - 1e-9)))
    return start + width * np.arange(count + 1), (low, high)


def _density(
    xs: NDArray[np.float64], ys: NDArray[np.float64], ranges: tuple[tuple[float, float], tuple[float, float]]
) -> NDArray[np.int64]:
    inside = np.ones(len(xs), np.bool_)
    places = []
    for values, (low, high) in zip((ys, xs), (ranges[1], ranges[0]), strict=True):
        place = np.floor((values - low) / (high - low) * DENSITY_BINS)
        inside &= (place >= 0) & (place < DENSITY_BINS)
        places.append(place)
    flat = (places[0][inside] * DENSITY_BINS + places[1][inside]).astype(np.int64)
    return np.bincount(flat, minlength=DENSITY_BINS**2).reshape(DENSITY_BINS, DENSITY_BINS).astype(np.int64)
