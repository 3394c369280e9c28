"""What touches what over the seams of the tiles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.objects._mosaic import Mosaic, Place

__all__ = ["Edges", "seam_pairs"]


@dataclass(frozen=True, slots=True)
class Edges:
    """The outermost pixels of a tile's labels, numbered over all tiles (0 = none)."""

    top: NDArray[np.int64]
    bottom: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[np.int32], offset: int) -> "Edges":
        """Edges of local labels 1..n whose numbers over all tiles are offset + 1 .. offset + n."""
        sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        return cls(*(np.where(side > 0, side.astype(np.int64) + offset, 0) for side in sides))


def seam_pairs(mosaic: Mosaic, edges: dict[Place, Edges], *, diagonal: bool) -> NDArray[np.int64]:
    """Numbers that touch over the seams of the tiles.

    Parameters
    ----------
    mosaic
        The tiles.
    edges
        Edges of each tile that holds something.
    diagonal
        Whether pixels that share a corner touch.

    Returns
    -------
    (K, 2) int64: pairs of numbers minus one, without repeats.
    """
    pairs = [np.zeros((0, 2), np.int64)]
    for (row, col), own in edges.items():
        core = mosaic.cores[row, col]
        for step in (0, 1, -1) if diagonal else (0,):
            below = edges.get((row + 1, col + step))
            if below is not None and mosaic.cores[row + 1, col + step].y == core.bottom:
                pairs.append(_touching_pairs(own.bottom, below.top, step, diagonal=diagonal))
        beside = edges.get((row, col + 1))
        if beside is not None and mosaic.cores[row, col + 1].x == core.right:
            pairs.append(_touching_pairs(own.right, beside.left, 0, diagonal=diagonal))
    return np.unique(np.concatenate(pairs), axis=0) - 1


def _touching_pairs(
    one: NDArray[np.int64], other: NDArray[np.int64], step: int, *, diagonal: bool
) -> NDArray[np.int64]:
    """Pairs over one seam, or over the corner of tiles that are ``step`` columns apart."""
    if step:
        sides = [(one[-1:], other[:1]) if step > 0 else (one[:1], other[-1:])]
    else:
        sides = [(one, other)]
        if diagonal:
            sides += [(one[1:], other[:-1]), (one[:-1], other[1:])]
    found = [np.stack(side, axis=1) for side in sides]
    pairs = np.concatenate(found)
    return pairs[(pairs > 0).all(axis=1)]
