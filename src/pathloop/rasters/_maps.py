"""Probability maps as whole numbers 0..255, and the thresholds that cut them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, PostProcessing

__all__ = ["cut_maps", "is_sure", "quantise"]


def quantise(probabilities: NDArray[Any]) -> NDArray[np.uint8]:
    """Probabilities as uint8: ``round(255 p)``, halves to even, clipped to 0..255; uint8 stays as it is.

    Parameters
    ----------
    probabilities
        Floats 0..1, or uint8 0..255.

    Raises
    ------
    DataError
        If the array is neither floating nor uint8.
    """
    if probabilities.dtype == np.uint8:
        return probabilities
    if not np.issubdtype(probabilities.dtype, np.floating):
        raise DataError(f"a probability map must hold floats 0..1 or uint8 0..255, not {probabilities.dtype}")
    if probabilities.dtype == np.float16:  # 255 p would lose bits
        probabilities = probabilities.astype(np.float32)
    return np.asarray(np.clip(np.rint(probabilities * 255), 0, 255), np.uint8)


def cut_maps(
    interior: NDArray[np.uint8], boundary: NDArray[np.uint8], post: PostProcessing
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Interior and mask pixels of an instance head's quantised maps.

    With q = ``quantise(p)`` and T(t) = floor(255 t), a pixel is interior where q_interior > T(interior_threshold)
    and q_boundary <= T(boundary_threshold); it belongs to the mask where it is interior or where
    q_interior + q_boundary > T(mask_threshold). For whole q, q > T(t) and q > 255 t are the same.

    Parameters
    ----------
    interior, boundary
        (H, W) uint8.
    post
        The task's constants.

    Returns
    -------
    inside
        (H, W) bool: interior.
    mask
        (H, W) bool: mask, a superset of the interior.
    """
    if interior.shape != boundary.shape:
        raise DataError(f"interior {interior.shape} and boundary {boundary.shape} maps differ in shape")
    inside = (interior > _level(post.interior_threshold)) & (boundary <= _level(post.boundary_threshold))
    total = interior.astype(np.uint16) + boundary
    return inside, inside | (total > _level(post.mask_threshold))


def is_sure(score_sums: NDArray[np.int64], sizes: NDArray[np.int64], threshold: float) -> NDArray[np.bool_]:
    """Which components have a mean quantised score above T(threshold) (see `cut_maps`), in whole numbers.

    Interior pixels score above 0, so a threshold of 0 keeps all components.

    Parameters
    ----------
    score_sums, sizes
        (n,) sum of the uint8 scores, and pixels, of each component.
    """
    return score_sums > _level(threshold) * sizes


def _level(threshold: float) -> int:
    # 1e-9: a threshold of k / 255 must not fall below k by the rounding of its product
    return int(threshold * 255 + 1e-9)
