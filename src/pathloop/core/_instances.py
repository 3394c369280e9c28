"""Objects as a struct of arrays: one row an object, never one Python object an object."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core._errors import UsageError

__all__ = ["Instances"]


@dataclass(frozen=True, slots=True)
class Instances:
    """Objects of one task on one slide. All coordinates are level-0 pixels, (y, x), pixel centres at integers.

    Parameters
    ----------
    ids
        (N,) int64, > 0, unique.
    boxes
        (N, 4) int64: top, left, bottom, right; half-open.
    centroids
        (N, 2) float64: mean (y, x) of the object's pixels.
    areas_px
        (N,) int64: pixels.
    confidences
        (N,) float32, 0..1: mean interior probability over the object's interior.
    class_codes
        (N,) int16: 1-based code of the object's class in its task; 0 = no class known.
    class_probabilities
        (N,) float32, 0..1; NaN where no type head ran.
    """

    ids: NDArray[np.int64]
    boxes: NDArray[np.int64]
    centroids: NDArray[np.float64]
    areas_px: NDArray[np.int64]
    confidences: NDArray[np.float32]
    class_codes: NDArray[np.int16]
    class_probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.ids)
        shapes = {"boxes": (n, 4), "centroids": (n, 2)}
        for field in fields(self):
            wanted = shapes.get(field.name, (n,))
            found = getattr(self, field.name).shape
            if found != wanted:
                raise UsageError(f"Instances.{field.name} has shape {found}, expected {wanted}")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> "Instances":
        """No objects."""
        return cls(
            ids=np.zeros(0, np.int64),
            boxes=np.zeros((0, 4), np.int64),
            centroids=np.zeros((0, 2), np.float64),
            areas_px=np.zeros(0, np.int64),
            confidences=np.zeros(0, np.float32),
            class_codes=np.zeros(0, np.int16),
            class_probabilities=np.zeros(0, np.float32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["Instances"]) -> "Instances":
        """All rows of all parts, in order."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def take(self, index: NDArray[Any]) -> "Instances":
        """Rows by boolean mask or integer index."""
        return Instances(*(getattr(self, field.name)[index] for field in fields(self)))
