"""Pixel metrics of one foreground class, and of images of class codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.metrics._ratios import ratio
from pathloop.rasters import OverlapTable, overlap_table

__all__ = ["ClassConfusion", "PixelCounts", "class_confusion", "pixel_counts"]


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of a predicted foreground against a true one. Add counts to pool images.

    Every ratio whose denominator is 0 is NaN, "undefined", and stays out of means. So an image that is empty in
    both has no Dice at all; one that is empty in one of the two has Dice 0.

    Parameters
    ----------
    tp, fp, fn, tn
        Pixels that are foreground in both, in the prediction only, in the truth only, in neither.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: "PixelCounts") -> "PixelCounts":
        return PixelCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @classmethod
    def of_table(cls, table: OverlapTable) -> "PixelCounts":
        """Count from the overlap table of (prediction, truth)."""
        tp = int(table.overlaps_px.sum())
        fp = int(table.first_areas_px.sum()) - tp
        fn = int(table.second_areas_px.sum()) - tp
        return cls(tp, fp, fn, table.n_pixels - tp - fp - fn)

    @property
    def is_empty(self) -> bool:
        """Whether neither image has foreground."""
        return self.tp + self.fp + self.fn == 0

    @property
    def is_failure(self) -> bool:
        """Whether there is foreground but none in common: counted as a failure, since conformity has no value."""
        return self.tp == 0 and not self.is_empty

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), 0..1."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def jaccard(self) -> float:
        """TP / (TP + FP + FN), 0..1."""
        return ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0..1; NaN where nothing was predicted."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), 0..1; NaN where the truth is empty."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all, 0..1."""
        return ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def conformity(self) -> float:
        """1 - (FP + FN) / TP, at most 1, may be negative; NaN where TP = 0 (see ``is_failure``)."""
        return 1 - ratio(self.fp + self.fn, self.tp)


def pixel_counts(pred: NDArray[Any], truth: NDArray[Any]) -> PixelCounts:
    """Compare the foreground (everything but 0) of two images.

    Parameters
    ----------
    pred, truth
        (H, W) masks or label images of one shape.
    """
    return PixelCounts.of_table(overlap_table(np.asarray(pred) != 0, np.asarray(truth) != 0))


@dataclass(frozen=True, slots=True)
class ClassConfusion:
    """Pixels (or objects) by true and predicted class.

    Parameters
    ----------
    codes
        Class codes, > 0, ascending.
    matrix
        (C, C) int64: row = true class, column = predicted class, in the order of ``codes``.
    n_annotated
        Elements that have a true class, whether or not they have a predicted one.
    """

    codes: tuple[int, ...]
    matrix: NDArray[np.int64]
    n_annotated: int

    def of_class(self, code: int) -> PixelCounts:
        """One class against the rest."""
        if code not in self.codes:
            return PixelCounts(0, 0, 0, self.n_compared)
        at = self.codes.index(code)
        tp = int(self.matrix[at, at])
        fn = int(self.matrix[at].sum()) - tp
        fp = int(self.matrix[:, at].sum()) - tp
        return PixelCounts(tp, fp, fn, self.n_compared - tp - fp - fn)

    @property
    def n_compared(self) -> int:
        """Elements that have both a true and a predicted class."""
        return int(self.matrix.sum())

    @property
    def accuracy(self) -> float:
        """Share of the compared elements whose classes agree, 0..1; NaN where there is none."""
        return ratio(int(np.trace(self.matrix)), self.n_compared)

    @property
    def coverage(self) -> float:
        """Share of the elements with a true class that have a predicted one, 0..1."""
        return ratio(self.n_compared, self.n_annotated)

    @classmethod
    def pooled(cls, parts: Sequence["ClassConfusion"]) -> "ClassConfusion":
        """The sum of several confusions; codes are united."""
        codes = tuple(sorted({code for part in parts for code in part.codes}))
        matrix = np.zeros((len(codes), len(codes)), np.int64)
        for part in parts:
            at = np.searchsorted(codes, part.codes)
            matrix[np.ix_(at, at)] += part.matrix
        return cls(codes, matrix, sum(part.n_annotated for part in parts))


def class_confusion(pred: NDArray[Any], truth: NDArray[Any]) -> ClassConfusion:
    """Compare two images of class codes pixel by pixel.

    Pixels whose predicted code is 0 (nothing ran there) or whose true code is 0 (not annotated) are left out;
    ``coverage`` tells how much of the annotation was compared.

    Parameters
    ----------
    pred, truth
        (H, W) integer images of one shape.
    """
    table = overlap_table(pred, truth)
    first, second = table.first_ids[table.first_index], table.second_ids[table.second_index]
    codes = np.unique(np.concatenate([first, second]))
    matrix = np.zeros((len(codes), len(codes)), np.int64)
    matrix[np.searchsorted(codes, second), np.searchsorted(codes, first)] = table.overlaps_px
    return ClassConfusion(tuple(int(code) for code in codes), matrix, int(table.second_areas_px.sum()))
