"""What one tile contributes to the objects of a slide: components and votes, no floats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, PostProcessing, Rect
from pathloop.rasters import cut_maps, label_components, quantise

__all__ = ["TilePart", "tile_part"]


@dataclass(frozen=True, slots=True, eq=False)
class TilePart:
    """One tile's cut maps, restricted to the tile's core, at the model's scale.

    Parameters
    ----------
    core
        The pixels that the tile owns, absolute coordinates at the model's scale.
    interior
        (h, w) int32: 4-connected components of the interior pixels in the core, 1..n by first pixel; 0 = none.
    mask
        (h, w) bool: mask pixels, a superset of the interior.
    score_sums
        (n,) int64: sum of the quantised interior probability (0..255) over each component.
    sizes
        (n,) int64: pixels of each component.
    class_counts
        (n, C) int64: pixels of each component that a type head calls class 1..C; "none" is not counted.
        C = 0 without a type head.
    """

    core: Rect
    interior: NDArray[np.int32]
    mask: NDArray[np.bool_]
    score_sums: NDArray[np.int64]
    sizes: NDArray[np.int64]
    class_counts: NDArray[np.int64]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for ``numpy.savez`` (two bits a pixel and the tables); ``from_arrays`` reads them back."""
        return {
            "core": np.array([self.core.y, self.core.x, self.core.height, self.core.width], np.int64),
            "interior": np.packbits(self.interior > 0),
            "mask": np.packbits(self.mask),
            "score_sums": self.score_sums,
            "class_counts": self.class_counts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "TilePart":
        """The inverse of ``to_arrays``.

        Raises
        ------
        DataError
            If the arrays do not fit together.
        """
        try:
            core = Rect(*(int(value) for value in arrays["core"]))
            inside, mask = (
                np.unpackbits(arrays[name], count=core.area).reshape(core.shape).view(bool)
                for name in ("interior", "mask")
            )
            score_sums, class_counts = arrays["score_sums"], arrays["class_counts"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"a stored tile is damaged ({error}): segment the tile again") from None
        interior, n = label_components(inside)
        if score_sums.shape != (n,) or class_counts.shape[:1] != (n,):
            raise DataError(f"a stored tile is damaged ({n} components, {len(score_sums)} scores): segment it again")
        sizes = np.bincount(interior.ravel(), minlength=n + 1)[1:].astype(np.int64)
        return cls(core, interior, mask, score_sums, sizes, class_counts)


def tile_part(
    core: Rect,
    interior_map: NDArray[Any],
    boundary_map: NDArray[Any],
    post: PostProcessing,
    *,
    type_map: NDArray[Any] | None = None,
    n_classes: int = 0,
) -> TilePart:
    """Cut one tile's maps.

    Parameters
    ----------
    core
        The tile's core at the model's scale.
    interior_map, boundary_map
        (h, w) floats 0..1 or uint8 0..255: the maps over the core, the margin already cut off.
    post
        The task's constants.
    type_map
        (h, w) integers: most probable class of a type head, 0 = none, 1..n_classes.
    n_classes
        Classes of the type head without "none"; 0 without one.

    Raises
    ------
    DataError
        If a map does not have the core's shape or holds other values.
    """
    maps = {"interior": interior_map, "boundary": boundary_map}
    if type_map is not None:
        maps["type"] = type_map
    for name, array in maps.items():
        if array.shape != core.shape:
            raise DataError(f"the {name} map has shape {array.shape}, its tile's core {core.shape}")
    scores = quantise(interior_map)
    inside, mask = cut_maps(scores, quantise(boundary_map), post)
    interior, n = label_components(inside)
    owners = interior[inside]
    sizes = np.bincount(owners, minlength=n + 1)[1:].astype(np.int64)
    # Sums of bytes are whole numbers far below 2^53: float64 weights are exact.
    score_sums = np.bincount(owners, weights=scores[inside], minlength=n + 1)[1:].astype(np.int64)
    counts = np.zeros((n, n_classes), np.int64)
    if type_map is not None:
        codes = type_map[inside].astype(np.int64)
        if codes.size and not 0 <= codes.min() <= codes.max() <= n_classes:
            raise DataError(f"the type map holds codes {codes.min()}..{codes.max()}, expected 0..{n_classes}")
        votes = np.bincount(owners * (n_classes + 1) + codes, minlength=(n + 1) * (n_classes + 1))
        counts = votes.reshape(n + 1, n_classes + 1)[1:, 1:].astype(np.int64)
    return TilePart(core, interior, mask, score_sums, sizes, counts)
