"""Connected components, their first pixels and ranks. Ids always follow the first pixel in raster order."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label as label_equal

__all__ = ["drop_small", "first_pixels", "label_components", "label_parts", "link", "rank_by_first_pixel"]


def label_components(mask: NDArray[Any], *, connectivity: int = 4) -> tuple[NDArray[np.int32], int]:
    """Number the connected components of a mask.

    Parameters
    ----------
    mask
        (H, W), nonzero = inside.
    connectivity
        4 or 8.

    Returns
    -------
    labels
        (H, W) int32: 0 outside, components 1..n by their first pixel in raster order.
    n
        Number of components.
    """
    if mask.size == 0:
        return np.zeros(mask.shape, np.int32), 0
    inside = np.ascontiguousarray(mask, dtype=bool).view(np.uint8)
    count, labels = cv2.connectedComponents(inside, connectivity=connectivity, ltype=cv2.CV_32S)
    return rank_by_first_pixel(np.asarray(labels, np.int32), count - 1)


def label_parts(labels: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Number the 4-connected parts of equal id, so that an object in several pieces becomes several.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background.

    Returns
    -------
    parts
        (H, W) int32: 0 where ``labels`` is 0, parts 1..n by their first pixel in raster order.
    n
        Number of parts.
    """
    if labels.size == 0:
        return np.zeros(labels.shape, np.int32), 0
    parts = np.asarray(label_equal(labels, background=0, connectivity=1), np.int32)  # type: ignore[no-untyped-call]
    return rank_by_first_pixel(parts, int(parts.max()))


def drop_small(labels: NDArray[np.int32], n: int, min_px: int) -> NDArray[np.int32]:
    """Labels without the ids of 1..n that have fewer than ``min_px`` pixels; the others keep their number."""
    if min_px <= 1:
        return labels
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    table = np.where(sizes >= min_px, np.arange(n + 1), 0).astype(np.int32)
    return table[labels]


def first_pixels(labels: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Flat index of the first pixel, in raster order, of each of the ids 1..n.

    Parameters
    ----------
    labels
        (H, W) integers 0..n.
    n
        Largest id.

    Returns
    -------
    (n,) int64: flat index ``y * W + x``; H * W for an id that does not occur.
    """
    first = np.full(n + 1, labels.size, np.int64)
    flat = labels.ravel()
    # Only pixels whose left neighbour differs can be first; assigned last to first, the smallest index stays.
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([np.zeros(min(flat.size, 1), starts.dtype), starts])[::-1]
    first[flat[starts]] = starts
    return first[1:]


def rank_by_first_pixel(labels: NDArray[Any], n: int) -> tuple[NDArray[np.int32], int]:
    """Renumber ids 1..n to 1..m in the raster order of their first pixels; ids that do not occur are left out.

    Parameters
    ----------
    labels
        (H, W) integers 0..n.
    n
        Largest id.

    Returns
    -------
    ranked
        (H, W) int32.
    m
        Number of ids that occur.
    """
    first = first_pixels(labels, n)
    order = np.argsort(first, kind="stable")
    m = int(np.count_nonzero(first < labels.size))
    if m == n and np.array_equal(order, np.arange(n)):
        return labels.astype(np.int32, copy=False), n
    table = np.zeros(n + 1, np.int32)
    table[order[:m] + 1] = np.arange(1, m + 1)
    return table[labels], m


def link(n: int, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Union of n things over pairs that belong together.

    Parameters
    ----------
    n
        Number of things, 0..n-1.
    pairs
        (K, 2) int64: each row joins two things.

    Returns
    -------
    groups
        (n,) int64: group of each thing, 0..count-1, numbered by each group's first member.
    count
        Number of groups.
    """
    if n == 0:
        return np.zeros(0, np.int64), 0
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, groups = connected_components(graph, directed=False)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(count, np.int64)
    rank[np.argsort(first)] = np.arange(count)
    return rank[inverse], int(count)
