"""Measurements of objects, gathered block by block in whole numbers, so that no order of blocks changes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Instances

__all__ = ["Measurer"]

_COLUMN_BITS = 32  # a pixel's rank in raster order: y * 2^32 + x

# Columns of the table
_AREA, _SUM_Y, _SUM_X, _TOP, _LEFT, _BOTTOM, _RIGHT, _FIRST = range(8)
_SUMS, _MINIMA, _MAXIMA = [_AREA, _SUM_Y, _SUM_X], [_TOP, _LEFT, _FIRST], [_BOTTOM, _RIGHT]


class Measurer:
    """Area, centroid, box and first pixel of every object, from label blocks that cover each pixel once.

    The blocks may come in any order and size; the result is the same, bit for bit.
    """

    def __init__(self) -> None:
        self._ids = np.zeros(0, np.int64)
        self._table = np.zeros((0, 8), np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._n_waiting = 0

    def add(self, labels: NDArray[Any], *, y: int, x: int) -> None:
        """Take over one block.

        Parameters
        ----------
        labels
            (h, w) integers, 0 = background.
        y, x
            Level-0 pixel of the block's first pixel, >= 0.

        Raises
        ------
        DataError
            If the block is not a 2-D integer array, holds negative ids or begins at a negative pixel.
        """
        if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"a label block must be a 2-D integer array, not {labels.dtype} of shape {labels.shape}")
        if min(y, x) < 0:
            raise DataError(f"a label block must begin inside the image, not at {(y, x)}")
        runs, rows, starts, stops = _runs(labels)
        if len(runs) == 0:
            return
        if runs.min() < 0:
            raise DataError(f"a label block at {(y, x)} holds the negative id {runs.min()}")
        rows, starts, stops = rows + y, starts + x, stops + x
        lengths = stops - starts
        table = np.empty((len(runs), 8), np.int64)
        table[:, _AREA] = lengths
        table[:, _SUM_Y] = rows * lengths
        table[:, _SUM_X] = (starts + stops - 1) * lengths // 2
        table[:, _TOP], table[:, _LEFT] = rows, starts
        table[:, _BOTTOM], table[:, _RIGHT] = rows + 1, stops
        table[:, _FIRST] = (rows << _COLUMN_BITS) + starts
        ids, merged = _merge(runs, table)
        self._waiting.append((ids, merged))
        self._n_waiting += len(ids)
        if self._n_waiting > max(len(self._ids), 100_000):
            self._settle()

    @property
    def ids(self) -> NDArray[np.int64]:
        """(N,) int64: ids seen so far, ascending; the row order of everything else here."""
        self._settle()
        return self._ids

    @property
    def first_pixels(self) -> NDArray[np.int64]:
        """(N, 2) int64: (y, x) of each object's first pixel in raster order, level 0."""
        self._settle()
        first = self._table[:, _FIRST]
        return np.stack([first >> _COLUMN_BITS, first & ((1 << _COLUMN_BITS) - 1)], axis=1)

    def instances(
        self,
        *,
        confidences: NDArray[Any] | None = None,
        class_codes: NDArray[Any] | None = None,
        class_probabilities: NDArray[Any] | None = None,
    ) -> Instances:
        """Everything measured so far, rows by ascending id.

        Parameters
        ----------
        confidences, class_codes, class_probabilities
            (N,) in the order of ``ids``; None = not known: NaN, 0 and NaN.
        """
        self._settle()
        n, table = len(self._ids), self._table
        unknown = np.full(n, np.nan, np.float32)
        return Instances(
            ids=self._ids,
            boxes=table[:, [_TOP, _LEFT, _BOTTOM, _RIGHT]],
            centroids=table[:, [_SUM_Y, _SUM_X]] / table[:, [_AREA]],
            areas_px=table[:, _AREA].copy(),
            confidences=unknown if confidences is None else np.asarray(confidences, np.float32),
            class_codes=np.zeros(n, np.int16) if class_codes is None else np.asarray(class_codes, np.int16),
            class_probabilities=(
                unknown.copy() if class_probabilities is None else np.asarray(class_probabilities, np.float32)
            ),
        )

    def _settle(self) -> None:
        if self._waiting:
            ids = np.concatenate([self._ids, *(ids for ids, _ in self._waiting)])
            table = np.concatenate([self._table, *(rows for _, rows in self._waiting)])
            self._ids, self._table = _merge(ids, table)
            self._waiting, self._n_waiting = [], 0


def _runs(
    labels: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Horizontal runs of equal nonzero ids: id, row, first column, column after the last."""
    height, width = labels.shape
    if labels.size == 0:
        empty = np.zeros(0, np.int64)
        return empty, empty, empty, empty
    begins = np.ones((height, width), bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    flat = np.flatnonzero(begins)
    ends = np.append(flat[1:], labels.size)
    ids = labels.ravel()[flat].astype(np.int64)
    keep = ids != 0
    flat, ends = flat[keep], ends[keep]
    rows = flat // width
    return ids[keep], rows, flat - rows * width, ends - rows * width


def _merge(ids: NDArray[np.int64], table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of equal id become one."""
    order = np.argsort(ids, kind="stable")
    ids, table = ids[order], table[order]
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    merged = np.empty((len(starts), 8), np.int64)
    merged[:, _SUMS] = np.add.reduceat(table[:, _SUMS], starts, axis=0)
    merged[:, _MINIMA] = np.minimum.reduceat(table[:, _MINIMA], starts, axis=0)
    merged[:, _MAXIMA] = np.maximum.reduceat(table[:, _MAXIMA], starts, axis=0)
    return ids[starts], merged
