"""Optical density and the haematoxylin-eosin basis."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["STAIN_OD", "density_to_rgb", "rgb_to_density"]

STAIN_OD: NDArray[np.float32] = np.array(
    [[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]], np.float32
)
"""Rows: optical density of haematoxylin, eosin and a residual in (R, G, B); Ruifrok and Johnston 2001, unit length."""

_DENSITY_OF_BYTE = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)


def rgb_to_density(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density of each channel, (..., 3) float32 in 0..2.41; white is 0 (Beer-Lambert)."""
    return _DENSITY_OF_BYTE[image]


def density_to_rgb(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Inverse of `rgb_to_density`; densities below 0 become white."""
    light = np.rint(256 * np.power(np.float32(10), -density) - 1)
    return np.asarray(np.clip(light, 0, 255), np.uint8)
