"""Masks to outlines along pixel edges and back, exactly.

Corner coordinates: (y, x) with (0, 0) at the outer corner of pixel (0, 0), so that pixel (r, c) covers
``r .. r + 1`` by ``c .. c + 1``. That is the position of pixel centres (integers everywhere else) plus 0.5, and what
QuPath and GeoJSON use (as (x, y)).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from pathloop.core import Rect, UsageError

__all__ = ["Outline", "Outlines", "fill_outlines", "trace_outlines"]

Ring = NDArray[Any]
Outline = tuple[tuple[Ring, ...], ...]
"""One object: its parts; a part is its shell followed by its holes; a ring is (n, 2) corners (y, x), not closed."""

_FILL_CHUNK_VERTICES = 1 << 19
_FILL_CHUNK_PIXELS = 1 << 22
# Sides of a pixel, clockwise on screen: top, right, bottom, left. An edge runs clockwise round its pixel, so the
# object lies on its right hand. The corner at which the edge of a side starts, relative to the pixel's first corner:
_CORNER_Y = np.array([0, 0, 1, 1], np.int32)
_CORNER_X = np.array([0, 1, 1, 0], np.int32)


@dataclass(frozen=True, slots=True)
class Outlines:
    """Outlines of many objects as a struct of arrays; iterating yields ``(id, outline)`` by ascending id.

    Parameters
    ----------
    ids
        (N,) int64, ascending.
    object_starts
        (N + 1,) int64: object i owns the rings ``object_starts[i] .. object_starts[i + 1] - 1``.
    is_shell
        (R,) bool: the ring is a shell; the holes of a part follow its shell.
    ring_starts
        (R + 1,) int64: ring j owns the corners ``ring_starts[j] .. ring_starts[j + 1] - 1``.
    corners
        (C, 2) int32: (y, x) of the corners, pixel-edge coordinates. Shells run clockwise on screen (y down), which is
        counter-clockwise by the numbers as RFC 7946 wants it; holes run the other way.
    """

    ids: NDArray[np.int64]
    object_starts: NDArray[np.int64]
    is_shell: NDArray[np.bool_]
    ring_starts: NDArray[np.int64]
    corners: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[int, Outline]]:
        for index in range(len(self.ids)):
            yield int(self.ids[index]), self.outline(index)

    def outline(self, index: int) -> Outline:
        """The outline of the object at a place in ``ids``; its rings are views of ``corners``."""
        first, last = self.object_starts[index : index + 2].tolist()
        starts = self.ring_starts[first : last + 1].tolist()
        parts: list[list[Ring]] = []
        for place, shell in enumerate(self.is_shell[first:last].tolist()):
            ring = self.corners[starts[place] : starts[place + 1]]
            if shell:
                parts.append([ring])
            else:
                parts[-1].append(ring)
        return tuple(tuple(part) for part in parts)


def trace_outlines(labels: NDArray[Any], *, origin: tuple[int, int] = (0, 0)) -> Outlines:
    """Trace every object of a label image along its pixel edges.

    Parts are 4-connected. Rings never touch themselves: where an 8-connected hole, or a notch of the shell, touches
    itself at a corner, it becomes several rings that touch at that point. So every part is a polygon that is valid by
    the rules of OGC Simple Features, whose area is its number of pixels. Corners on straight lines are left out;
    nothing else is. O(pixels + boundary), whatever the number of objects.

    Parameters
    ----------
    labels
        (h, w) integer or boolean: object ids, 0 = background.
    origin
        (y, x) of the first pixel, added to all corners.

    Raises
    ------
    UsageError
        If ``labels`` is not a two-dimensional integer or boolean array.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "biu":
        raise UsageError(f"outlines need an (h, w) label image of integers, got {labels.dtype} {labels.shape}")
    padded = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2), labels.dtype)
    padded[1:-1, 1:-1] = labels
    pixel, side, follower, part = _boundary_edges(padded)
    if not len(pixel):
        nothing, start = np.zeros(0, np.int64), np.zeros(1, np.int64)
        return Outlines(nothing, start, nothing.astype(bool), start, np.zeros((0, 2), np.int32))
    ids = padded.ravel()[pixel].astype(np.int64)
    ring = _components(follower)
    # Edges are numbered in raster order, so the first edge of a part belongs to its shell.
    first = _first_places(ring)
    part_first = _first_places(part)[part[first]]
    order = np.lexsort((first, part_first, ids[first]))
    starts = first[order]
    before = np.empty_like(follower)
    before[follower] = np.arange(len(follower), dtype=follower.dtype)
    sequence = _in_ring_order(follower, before, starts)

    sequence = sequence[side[before[sequence]] != side[sequence]]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    row, col = np.divmod(pixel[sequence], padded.shape[1])
    turn = side[sequence]
    corners = np.stack([row - 1 + _CORNER_Y[turn] + origin[0], col - 1 + _CORNER_X[turn] + origin[1]], axis=1)
    found, object_starts = np.unique(ids[starts], return_index=True)
    return Outlines(
        ids=found,
        object_starts=np.append(object_starts, len(starts)).astype(np.int64),
        is_shell=starts == part_first[order],
        ring_starts=np.concatenate([[0], np.cumsum(np.bincount(rank[ring[sequence]], minlength=len(order)))]),
        corners=corners.astype(np.int32),
    )


def _boundary_edges(
    padded: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Pixel (flat index), side, following edge and 4-connected part of every pixel edge between differing labels."""
    flat = padded.ravel()
    boundary = np.flatnonzero(_is_boundary(padded))
    step = np.array([-padded.shape[1], 1, padded.shape[1], -1])
    differs = flat[boundary][:, None] != flat[boundary[:, None] + step]
    slot = np.flatnonzero(differs)
    pixel, side = boundary[slot >> 2], slot & 3

    # Only the entries of boundary pixels are ever written or read, so the tables need no initial value.
    place = np.empty(flat.size, np.int32)
    place[boundary] = np.arange(len(boundary), dtype=np.int32)
    number = np.empty(4 * len(boundary), np.int32)
    number[slot] = np.arange(len(slot), dtype=np.int32)

    label = flat[pixel]
    ahead_right = pixel + step[(side + 1) & 3]
    ahead_left = ahead_right + step[side]
    same_right, same_left = flat[ahead_right] == label, flat[ahead_left] == label
    target = np.where(same_right, np.where(same_left, ahead_left, ahead_right), pixel)
    turn = np.where(same_right, np.where(same_left, 3, 0), 1)
    follower = number[4 * place[target].astype(np.int64) + ((side + turn) & 3)]

    # A row of pixels of one label has one left and one right edge, and they alternate in raster order. Linking them
    # joins every hole to the ring on its left and so, in the end, to the shell of its part.
    part = _components(follower, np.flatnonzero(side == 3), np.flatnonzero(side == 1))
    # At a checkerboard corner the right turn above separates the two pixels. If they belong to one part, the left
    # turn is wanted: it separates the two pixels of background instead, and rings stay simple.
    crossing = np.flatnonzero(same_left & ~same_right)
    across = number[4 * place[ahead_left[crossing]].astype(np.int64) + ((side[crossing] + 3) & 3)]
    joined = part[across] == part[crossing]
    follower[crossing[joined]] = across[joined]
    return pixel, side, follower, part


def _is_boundary(padded: NDArray[Any]) -> NDArray[np.bool_]:
    result = np.zeros(padded.shape, bool)
    inner = result[1:-1, 1:-1]
    across_rows = padded[1:, 1:-1] != padded[:-1, 1:-1]
    np.logical_or(across_rows[:-1], across_rows[1:], out=inner)
    across_cols = padded[1:-1, 1:] != padded[1:-1, :-1]
    inner |= across_cols[:, :-1]
    inner |= across_cols[:, 1:]
    inner &= padded[1:-1, 1:-1] != 0
    return result


def _components(
    follower: NDArray[np.int32], left: NDArray[np.int64] | None = None, right: NDArray[np.int64] | None = None
) -> NDArray[np.int32]:
    """Connected components of the edges under "is followed by" and, if given, the links left[i] - right[i]."""
    n = len(follower)
    indices, counts = follower, np.ones(n, np.int32)
    if left is not None and right is not None:
        counts[left] += 1
        starts = np.cumsum(counts) - counts
        indices = np.empty(n + len(left), np.int32)
        indices[starts] = follower
        indices[starts[left] + 1] = right
    pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    graph = csr_array((np.ones(len(indices), np.float64), indices, pointers), shape=(n, n))
    component: NDArray[np.int32] = connected_components(graph, directed=True, connection="weak")[1]
    return component


def _first_places(groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """Index of the first member of each group 0 .. max."""
    first = np.empty(int(groups.max()) + 1, np.int64)
    first[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)
    return first


def _in_ring_order(
    follower: NDArray[np.int32], before: NDArray[np.int32], starts: NDArray[np.int64]
) -> NDArray[np.int32]:
    """All edges, ring after ring in the order of ``starts``, each ring from its start on."""
    chained = follower.copy()
    chained[before[starts]] = np.roll(starts, -1)
    n = len(chained)
    graph = csr_array((np.ones(n, np.float64), chained, np.arange(n + 1, dtype=np.int32)), shape=(n, n))
    sequence: NDArray[np.int32] = breadth_first_order(graph, starts[0], directed=True, return_predecessors=False)
    return sequence


def fill_outlines(outlines: Iterable[tuple[int, Outline]], rect: Rect) -> NDArray[np.int32]:
    """Paint outlines into a label image; the inverse of `trace_outlines`.

    A pixel belongs to an object when its centre lies inside by the even-odd rule over all rings; centres on a left or
    upper line are inside. Where objects overlap, the later one wins.

    Parameters
    ----------
    outlines
        ``(id, outline)`` pairs, an `Outlines` among others; corners may be fractional.
    rect
        The window to paint; what lies outside is cut off.

    Returns
    -------
    NDArray
        ``rect.shape`` int32, 0 = background.
    """
    labels = np.zeros(rect.shape, np.int32)
    rings: list[Ring] = []
    owners: list[int] = []
    n_vertices = 0
    for object_id, outline in outlines:
        for part in outline:
            rings.extend(part)
            owners.extend([object_id] * len(part))
            n_vertices += sum(map(len, part))
        if n_vertices >= _FILL_CHUNK_VERTICES:
            _paint(labels, rings, owners, rect)
            rings, owners, n_vertices = [], [], 0
    _paint(labels, rings, owners, rect)
    return labels


def _paint(labels: NDArray[np.int32], rings: list[Ring], owners: list[int], rect: Rect) -> None:
    if not rings or not rect.area:
        return
    # Consecutive rings of one id are one object: even-odd runs over all of them.
    ring_ids = np.array(owners, np.int64)
    ring_order = np.concatenate([[0], np.cumsum(ring_ids[1:] != ring_ids[:-1])])
    order, row, col = _crossings(rings, ring_order, rect)
    key = np.sort((order * rect.height + row) * (rect.width + 1) + col)
    start, stop = key[0::2], key[1::2]
    line, first_col = np.divmod(start, rect.width + 1)
    object_ids = ring_ids[_first_places(ring_order.astype(np.int32))]
    length = stop - start
    ids = object_ids[line // rect.height]
    first_pixel = (line % rect.height) * rect.width + first_col
    flat = labels.reshape(-1)
    total = np.cumsum(length)
    begin = 0
    while begin < len(length):
        painted = int(total[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(total, painted + _FILL_CHUNK_PIXELS)), begin + 1)
        some = length[begin:end]
        within = np.arange(int(some.sum())) - np.repeat(np.cumsum(some) - some, some)
        flat[np.repeat(first_pixel[begin:end], some) + within] = np.repeat(ids[begin:end], some)
        begin = end


def _crossings(
    rings: list[Ring], ring_order: NDArray[np.int64], rect: Rect
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Object order, row and first column on the right, where lines cross the centre line of a row of the window."""
    sizes = np.array([len(ring) for ring in rings])
    ends = np.cumsum(sizes)
    start = np.concatenate(rings).astype(np.float64) - (rect.y, rect.x)
    following = np.arange(1, len(start) + 1)
    following[ends - 1] = ends - sizes
    stop = start[following]
    top = np.ceil(np.minimum(start[:, 0], stop[:, 0]) - 0.5).clip(0, rect.height).astype(np.int64)
    bottom = np.ceil(np.maximum(start[:, 0], stop[:, 0]) - 0.5).clip(0, rect.height).astype(np.int64)
    count = bottom - top
    line = np.repeat(np.arange(len(start)), count)
    row = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count) + top[line]
    slope = (stop[line, 1] - start[line, 1]) / (stop[line, 0] - start[line, 0])
    x = start[line, 1] + (row + 0.5 - start[line, 0]) * slope
    col = np.ceil(x - 0.5).clip(0, rect.width).astype(np.int64)
    return np.repeat(ring_order, sizes)[line], row, col
