"""Hatches, so that colour is never the only difference between classes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.display._chunk_cache import CHUNK

__all__ = ["N_PATTERNS", "PATTERN_PIXELS", "SOLID", "pattern_bit", "pattern_tile"]

PERIOD_PX: Final = 8
SOLID: Final = 1


def _draw() -> tuple[NDArray[np.bool_], ...]:
    """One period of every pattern, (8, 8) bool: which pixels are filled. In an order in which neighbours differ."""
    y, x = np.indices((PERIOD_PX, PERIOD_PX))
    up, down = (x + y) % PERIOD_PX, (x - y) % PERIOD_PX
    dots = ((y % 4 - 1.5) ** 2 + (x % 4 - 1.5) ** 2) < 2
    return (
        np.ones((PERIOD_PX, PERIOD_PX), bool),
        up < 4,
        dots,
        down < 4,
        y % 4 < 2,
        (up < 2) | (down < 2),
        x % 4 < 2,
        (x % 4 < 1) | (y % 4 < 1),
    )


_TILES = _draw()
N_PATTERNS = len(_TILES)
_SHIFTS = np.arange(N_PATTERNS, dtype=np.uint8)[:, None, None]
_ONE_PERIOD = np.bitwise_or.reduce(np.stack(_TILES).astype(np.uint8) << _SHIFTS, axis=0)

PATTERN_PIXELS: NDArray[np.uint8] = np.tile(_ONE_PERIOD, (CHUNK // PERIOD_PX, CHUNK // PERIOD_PX))
"""(512, 512) uint8: bit p is set where pattern p fills. A chunk holds whole periods, so patterns run on over chunks."""


def pattern_bit(pattern: int) -> int:
    """The bit of a pattern; patterns repeat after `N_PATTERNS`, 0 is solid."""
    return SOLID << (pattern % N_PATTERNS)


def pattern_tile(pattern: int) -> NDArray[np.bool_]:
    """(8, 8) bool: one period of a pattern, for legends."""
    return _TILES[pattern % N_PATTERNS].copy()
