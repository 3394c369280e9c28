"""A tile in horizontal strips, for less memory, and its maps put together again."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Strip", "joined", "strips"]


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of a tile.

    Parameters
    ----------
    read
        What goes through the network.
    core
        What is kept of it.
    """

    read: slice
    core: slice


def strips(height: int, n: int, *, step_px: int, margin_px: int) -> list[Strip]:
    """Cut a tile into at most ``n`` strips.

    Parameters
    ----------
    height
        Rows of the tile, a multiple of ``step_px`` (or the tile stays whole).
    n
        How many; fewer where there are not as many steps.
    step_px
        Strips begin and end at multiples of it: a cell of the tissue map, which is a multiple of the network's stride.
    margin_px
        Rows of context on either side, rounded up to whole steps.
    """
    n_steps = height // step_px
    if n == 1 or n_steps < 2 or height % step_px:
        return [Strip(slice(0, height), slice(0, height))]
    margin = -(-margin_px // step_px) * step_px
    cuts = [round(index * n_steps / min(n, n_steps)) * step_px for index in range(min(n, n_steps) + 1)]
    return [
        Strip(slice(max(0, top - margin), min(height, bottom + margin)), slice(top, bottom))
        for top, bottom in pairwise(cuts)
    ]


def joined(maps: Sequence[dict[str, NDArray[Any]]], parts: Sequence[Strip]) -> dict[str, NDArray[Any]]:
    """The maps of a whole tile from those of its strips.

    Parameters
    ----------
    maps
        Of every strip, by task (C, rows, columns): rows are a whole fraction of the strip's (dense maps all of them,
        tissue maps one a cell).
    parts
        The strips.
    """
    if len(maps) == 1:
        return maps[0]
    whole = {}
    for task, first in maps[0].items():
        step = (parts[0].read.stop - parts[0].read.start) // first.shape[1]
        kept = [
            found[task][:, (part.core.start - part.read.start) // step : (part.core.stop - part.read.start) // step]
            for found, part in zip(maps, parts, strict=True)
        ]
        whole[task] = np.concatenate(kept, axis=1)
    return whole
