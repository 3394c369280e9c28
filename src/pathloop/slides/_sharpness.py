"""Whether a patch is in focus: how much fine detail there is beside coarse, in the spectrum of its optical density."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLURRED_BELOW", "MIN_PATCH_PX", "PATCH_PX", "sharpness"]

PATCH_PX = 128
MIN_PATCH_PX = 64
COARSE = (0.012, 0.1)
FINE = (0.15, 0.3)
"""Bands, cycles per px. At 0.5 um per px a nucleus lies in the first, its rim and chromatin in the second."""
NOISE = (0.4, 0.5)
"""Band that holds hardly anything but noise; what it holds is taken off the others."""
AXES = 0.012
"""Frequencies this near to an axis are left out: the edges of JPEG's blocks lie there."""
MIN_CONTRAST = 0.004
"""Standard deviation of optical density (log10) below which there is nothing that could be sharp."""
BLURRED_BELOW = -2.75
"""Chosen with open images in view, some of them those by which benchmarks/quality.py tells the error rates."""


def sharpness(rgb: NDArray[np.uint8]) -> float | None:
    """Log10 of fine over coarse detail of a patch.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8, at least `MIN_PATCH_PX` a side.

    Returns
    -------
    float or None
        Near -1.5 for tissue in focus at 0.5 um per px, below `BLURRED_BELOW` out of focus; None where the patch is too
        small or has too little contrast to tell.
    """
    if min(rgb.shape[:2]) < MIN_PATCH_PX:
        return None
    density = np.log10(256 / (rgb.astype(np.float32) + 1)).mean(axis=2)
    density -= density.mean()
    if density.std() < MIN_CONTRAST:
        return None
    window, coarse, fine, noise = _masks(rgb.shape[0], rgb.shape[1])
    power = np.abs(np.fft.rfft2(density * window)) ** 2
    floor = power[noise].mean()
    shares = [max(float(power[band].mean() - floor), 1e-6 * float(power[coarse].mean())) for band in (fine, coarse)]
    return float(np.log10(shares[0] / shares[1]))


@lru_cache(maxsize=8)
def _masks(
    height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Window (h, w) and the three bands of its half spectrum."""
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    radius, is_off = np.hypot(y, x), (np.abs(y) > AXES) & (np.abs(x) > AXES)
    coarse, fine, noise = (is_off & (radius >= low) & (radius < high) for low, high in (COARSE, FINE, NOISE))
    return window, coarse, fine, noise
