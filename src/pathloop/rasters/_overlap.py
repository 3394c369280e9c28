"""How the objects of two label images overlap, as one sparse table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pathloop.core import UsageError

__all__ = ["OverlapTable", "overlap_table"]

# first value, second value, pixels
_Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

# Pixels looked at in one go: some tens of MB at most, however large the images are.
_BLOCK_PX = 1 << 22


@dataclass(frozen=True, slots=True)
class OverlapTable:
    """Areas of all objects of two label images and of all their non-empty intersections.

    Parameters
    ----------
    first_ids, second_ids
        (N,), (M,) int64: ids > 0 that occur, ascending.
    first_areas_px, second_areas_px
        (N,), (M,) int64: pixels of each object.
    first_index, second_index
        (K,) int64: rows of ``first_ids`` and ``second_ids`` that intersect, ordered by first, then second.
    overlaps_px
        (K,) int64, > 0: pixels of each intersection.
    n_pixels
        Pixels of one image.
    """

    first_ids: NDArray[np.int64]
    first_areas_px: NDArray[np.int64]
    second_ids: NDArray[np.int64]
    second_areas_px: NDArray[np.int64]
    first_index: NDArray[np.int64]
    second_index: NDArray[np.int64]
    overlaps_px: NDArray[np.int64]
    n_pixels: int

    @property
    def unions_px(self) -> NDArray[np.int64]:
        """(K,) int64: pixels of the union of each intersecting pair."""
        return self.first_areas_px[self.first_index] + self.second_areas_px[self.second_index] - self.overlaps_px

    @property
    def ious(self) -> NDArray[np.float64]:
        """(K,) float64, 0..1: intersection over union of each intersecting pair."""
        return self.overlaps_px / self.unions_px

    def transposed(self) -> "OverlapTable":
        """The table of the same images in the other order."""
        order = np.lexsort((self.first_index, self.second_index))
        return OverlapTable(
            first_ids=self.second_ids,
            first_areas_px=self.second_areas_px,
            second_ids=self.first_ids,
            second_areas_px=self.first_areas_px,
            first_index=self.second_index[order],
            second_index=self.first_index[order],
            overlaps_px=self.overlaps_px[order],
            n_pixels=self.n_pixels,
        )

    def best_partners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each object of the first image, the object of the second that overlaps it most.

        Returns
        -------
        partners
            (N,) int64: row in ``second_ids``, -1 where nothing overlaps; of equals the one with the smallest id.
        overlaps
            (N,) int64: pixels of that overlap, 0 where there is none.
        """
        partners = np.full(len(self.first_ids), -1, np.int64)
        overlaps = np.zeros(len(self.first_ids), np.int64)
        order = np.lexsort((self.second_index, -self.overlaps_px, self.first_index))
        first, start = np.unique(self.first_index[order], return_index=True)
        partners[first] = self.second_index[order][start]
        overlaps[first] = self.overlaps_px[order][start]
        return partners, overlaps


def overlap_table(first: NDArray[Any], second: NDArray[Any]) -> OverlapTable:
    """Count, in one pass, the pixels of every object and of every intersection of two label images.

    Works on runs of equal values in blocks of rows: time grows with pixels + objects, memory with objects, and
    neither with the largest id.

    Parameters
    ----------
    first, second
        (H, W) integer or boolean label images of one shape; 0 = background; ids need not be consecutive.

    Raises
    ------
    UsageError
        If the images are not two-dimensional, differ in shape, are not integer, or hold negative ids.
    """
    _check(first, second)
    parts = [*_block_pairs(first, second)]
    a, b, areas = _merge(*(np.concatenate([part[column] for part in parts]) for column in range(3)))
    if min(a.min(initial=0), b.min(initial=0)) < 0:
        raise UsageError("label images must not hold negative ids")
    # the leading 0 makes row and column 0 the background even where an image has none
    first_ids, rows = np.unique(np.concatenate([[0], a]), return_inverse=True)
    second_ids, columns = np.unique(np.concatenate([[0], b]), return_inverse=True)
    rows, columns = rows[1:], columns[1:]
    inside = (rows > 0) & (columns > 0)
    return OverlapTable(
        first_ids=first_ids[1:],
        first_areas_px=_sums(rows, areas, len(first_ids)),
        second_ids=second_ids[1:],
        second_areas_px=_sums(columns, areas, len(second_ids)),
        first_index=rows[inside] - 1,
        second_index=columns[inside] - 1,
        overlaps_px=areas[inside],
        n_pixels=first.size,
    )


def _check(first: NDArray[Any], second: NDArray[Any]) -> None:
    for image in (first, second):
        if image.ndim != 2:
            raise UsageError(f"a label image has two dimensions, got shape {image.shape}")
        if image.dtype.kind not in "biu":
            raise UsageError(f"a label image holds whole numbers, got {image.dtype}")
    if first.shape != second.shape:
        raise UsageError(f"label images differ in shape: {first.shape} and {second.shape}")


def _sums(index: NDArray[np.int64], areas: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    total = np.zeros(n, np.int64)
    np.add.at(total, index, areas)
    return total[1:]


def _block_pairs(first: NDArray[Any], second: NDArray[Any]) -> Iterator[_Pairs]:
    """Yield the pairs of values of each block of rows, counted by runs of equal pairs."""
    height, width = first.shape
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    if first.size == 0:
        return
    step = max(1, _BLOCK_PX // width)
    for top in range(0, height, step):
        a, b = np.ravel(first[top : top + step]), np.ravel(second[top : top + step])
        changes = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
        lengths = np.diff(starts, append=len(a))
        yield _merge(a[starts].astype(np.int64), b[starts].astype(np.int64), lengths)


def _merge(a: NDArray[np.int64], b: NDArray[np.int64], areas: NDArray[np.int64]) -> _Pairs:
    """Each pair of values once, ordered by first, then second, with the sum of its areas."""
    first_ids, rows = np.unique(a, return_inverse=True)
    second_ids, columns = np.unique(b, return_inverse=True)
    table = coo_array((areas, (rows, columns)), shape=(len(first_ids), len(second_ids))).tocsr()
    table.sum_duplicates()
    table = table.tocoo()
    return first_ids[table.row], second_ids[table.col], table.data
