"""One object, one interior: objects that erosion empties or splits keep exactly one connected interior."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from pathloop.rasters import label_components

__all__ = ["repair_interiors"]

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def repair_interiors(parts: NDArray[np.int32], n: int, interior: NDArray[np.bool_]) -> None:
    """Give every object one 4-connected interior, in place, without touching another object's interior.

    Parameters
    ----------
    parts
        (H, W) int32: 4-connected objects 1..n, 0 = background.
    n
        Number of objects.
    interior
        (H, W) bool: the eroded objects; changed in place.
    """
    pieces, n_pieces = label_components(interior)
    owners = np.zeros(n_pieces + 1, np.int64)
    owners[pieces[interior]] = parts[interior]
    counts = np.bincount(owners[1:], minlength=n + 1)
    counts[0] = 1
    emptied, split = np.flatnonzero(counts == 0), np.flatnonzero(counts > 1)
    if len(emptied) + len(split) == 0:
        return
    depth = _depth(parts)
    boxes = find_objects(parts) if len(emptied) else []
    windows = [(int(id_), _frame(boxes[id_ - 1], parts.shape)) for id_ in emptied]
    for id_, window in windows:
        _keep_peak(parts[window], id_, interior[window], depth[window])
    if len(split):
        _rejoin(parts, counts > 1, interior, depth)
    for id_, window in windows:
        _keep_plateau(parts[window], id_, interior[window], depth[window])


def _depth(parts: NDArray[np.int32]) -> NDArray[np.float32]:
    """1 + distance to the object's own rim (pixels with another id beside them; the image's edge is no rim)."""
    grey = parts.astype(np.float64)
    rim = cv2.dilate(grey, _CROSS) != cv2.erode(grey, _CROSS)
    if not rim.any():
        return np.ones(parts.shape, np.float32)
    return np.asarray(cv2.distanceTransform((~rim).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)) + 1


def _frame(box: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The box with one pixel more on every side, inside the image."""
    rows, cols = box
    return (
        slice(max(rows.start - 1, 0), min(rows.stop + 1, shape[0])),
        slice(max(cols.start - 1, 0), min(cols.stop + 1, shape[1])),
    )


def _free(parts: NDArray[np.int32], id_: int, interior: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The object's pixels that no other object's interior touches by an edge."""
    others = (interior & (parts != id_)).view(np.uint8)
    return np.asarray((parts == id_) & (cv2.dilate(others, _CROSS) == 0), bool)


def _keep_peak(parts: NDArray[np.int32], id_: int, interior: NDArray[np.bool_], depth: NDArray[np.float32]) -> None:
    """The deepest free pixel, the first of equals, becomes interior; none where no pixel is free."""
    free_depth = np.where(_free(parts, id_, interior), depth, 0)
    peak = np.unravel_index(np.argmax(free_depth), depth.shape)
    if free_depth[peak] > 0:
        interior[peak] = True


def _keep_plateau(parts: NDArray[np.int32], id_: int, interior: NDArray[np.bool_], depth: NDArray[np.float32]) -> None:
    """Free pixels as deep as the peak and connected to it become interior too."""
    peak = np.flatnonzero(interior & (parts == id_))
    if len(peak) == 0:
        return
    level = np.abs(depth - depth.flat[peak[0]]) < 1e-3
    plateau, _ = label_components(level & _free(parts, id_, interior))
    interior |= plateau == plateau.flat[peak[0]]


@dataclass(frozen=True, slots=True)
class _Routes:
    """Cheapest ways from the interior pieces into the rest of their objects; one entry a pixel node.

    Parameters
    ----------
    places
        (V,) int64: flat pixel index of each node.
    back
        (V,) int64: the node before it on the way from the nearest piece; negative at the piece itself.
    pieces
        (V,) int64: the nearest piece, 0-based; -1 = not reached.
    costs
        (V,) float64: cost of the way.
    steps
        (E, 2) int64: nodes that lie beside each other in one object.
    """

    places: NDArray[np.int64]
    back: NDArray[np.int64]
    pieces: NDArray[np.int64]
    costs: NDArray[np.float64]
    steps: NDArray[np.int64]


def _rejoin(
    parts: NDArray[np.int32], is_split: NDArray[np.bool_], interior: NDArray[np.bool_], depth: NDArray[np.float32]
) -> None:
    """Connect the interior pieces of all split objects at once by a minimum spanning forest of cheapest paths."""
    inside = is_split[parts]
    pieces, n = label_components(interior & inside)
    routes = _routes(parts, inside & ~_touches_other(parts, interior), pieces, depth)
    for one, other in _crossings(routes, n):
        _lay_path(parts, interior, routes.places[_way(routes, one) + _way(routes, other)])
    # A piece that no path reaches becomes boundary: of each object the largest connected interior stays.
    groups, n_groups = label_components(interior & inside)
    found = groups > 0
    sizes = np.bincount(groups[found], minlength=n_groups + 1)
    owners = np.zeros(n_groups + 1, np.int64)
    owners[groups[found]] = parts[found]
    order = np.lexsort((-sizes, owners))
    largest = np.zeros(n_groups + 1, bool)
    largest[order[np.unique(owners[order], return_index=True)[1]]] = True
    interior[found] = largest[groups[found]]


def _touches_other(parts: NDArray[np.int32], interior: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels beside an interior pixel of another object."""
    touches = np.zeros(parts.shape, bool)
    for here, there in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    ):
        touches[here] |= interior[there] & (parts[there] != parts[here])
    return touches


def _routes(
    parts: NDArray[np.int32], free: NDArray[np.bool_], pieces: NDArray[np.int32], depth: NDArray[np.float32]
) -> _Routes:
    """Search from all pieces at once; steps cost 1 / depth^2 (mean of both pixels), so ways keep to the middle."""
    open_ = free & (pieces == 0)
    beside = cv2.dilate(open_.view(np.uint8), _CROSS) > 0
    usable = open_ | (beside & (pieces > 0))
    places = np.flatnonzero(usable)
    nodes = np.full(parts.shape, -1, np.int64)
    nodes[usable] = np.arange(len(places))
    steps = np.concatenate(
        [
            np.stack([nodes[one][pair], nodes[other][pair]], axis=1)
            for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))
            for pair in [usable[one] & usable[other] & (parts[one] == parts[other])]
        ]
    )
    piece_of = pieces.ravel()[places].astype(np.int64) - 1
    price = 1.0 / np.square(depth.ravel()[places].astype(np.float64))
    weights = price[steps].mean(axis=1)
    graph = csr_array(
        (np.tile(weights, 2), (steps.T.ravel(), steps[:, ::-1].T.ravel())), shape=(len(places), len(places))
    )
    starts = np.flatnonzero(piece_of >= 0)
    if len(starts) == 0:
        nothing = np.zeros(0, np.int64)
        return _Routes(nothing, nothing, nothing, np.zeros(0), np.zeros((0, 2), np.int64))
    costs, back, sources = dijkstra(graph, indices=starts, min_only=True, return_predecessors=True)
    reached = np.isfinite(costs)
    nearest = np.where(reached, piece_of[np.where(reached, sources, 0)], -1)
    return _Routes(places, back.astype(np.int64), nearest, costs, steps)


def _crossings(routes: _Routes, n: int) -> list[tuple[int, int]]:
    """Steps (node, node) that link pieces into a spanning forest at the least cost."""
    one, other = routes.steps.T
    low, high = np.sort(routes.pieces[routes.steps], axis=1).T
    meets = (low >= 0) & (low != high)
    one, other, low, high = one[meets], other[meets], low[meets], high[meets]
    total = routes.costs[one] + routes.costs[other] + 1e-9  # a stored zero would be no edge
    order = np.lexsort((one, total, high, low))
    pair = low[order] * n + high[order]
    best = order[np.unique(pair, return_index=True)[1]]
    forest = minimum_spanning_tree(csr_array((total[best], (low[best], high[best])), shape=(n, n))).tocoo()
    used = best[np.isin(low[best] * n + high[best], forest.row.astype(np.int64) * n + forest.col)]
    return list(zip(one[used].tolist(), other[used].tolist(), strict=True))


def _way(routes: _Routes, node: int) -> list[int]:
    """Nodes from one node back to its piece."""
    way = []
    while node >= 0:
        way.append(node)
        node = int(routes.back[node])
    return way


def _lay_path(parts: NDArray[np.int32], interior: NDArray[np.bool_], places: NDArray[np.int64]) -> None:
    """Make a path interior, unless a path laid before in another object runs beside it."""
    rows, cols = np.unravel_index(places, parts.shape)
    id_ = parts[rows[0], cols[0]]
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        there = np.clip(rows + dy, 0, parts.shape[0] - 1), np.clip(cols + dx, 0, parts.shape[1] - 1)
        if (interior[there] & (parts[there] != id_)).any():
            return
    interior[rows, cols] = True
