"""Where the section lies folded or is as dense: far denser than the slide's own tissue in every colour, in long strips.

That folds are dark and saturated at once is Bautista and Yagi's (J. Biomed. Opt. 2009) observation, that the limit must
come from the slide itself Kothari et al.'s (J. Am. Med. Inform. Assoc. 2013). Here both stains must be doubled: dense
nuclei (lymphocytes, tumour) raise hematoxylin alone, blood raises eosin alone. Thick keratin is dense in both; nothing
here tells it from a fold.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["find_folds"]

# Chosen by looking at drawn folds, and at open images without any.
MIN_TISSUE_UM2 = 300_000.0
"""Below that the slide's own tissue is too little to compare with."""
SMOOTHING_UM = 12.0
DENSER = 2.0
"""Times the median of the slide's tissue, in each colour."""
MIN_DENSITY = 0.4
"""Of green, whatever the slide: a pale slide's ordinary tissue is no fold."""
MIN_AREA_UM2 = 10_000.0
LONGER_THAN_WIDE = 3.0
JOINING_UM = 24.0


def find_folds(density: NDArray[np.float32], tissue: NDArray[np.bool_], um_per_px: float) -> NDArray[np.bool_]:
    """Folds of a reduced slide.

    Parameters
    ----------
    density
        (h, w, 3) optical density (log10).
    tissue
        (h, w) bool.
    um_per_px
        Size of a pixel.

    Returns
    -------
    ndarray
        (h, w) bool, only on tissue.
    """
    none = np.zeros(tissue.shape, bool)
    if tissue.sum() * um_per_px**2 < MIN_TISSUE_UM2:
        return none
    usual = np.median(density[tissue], axis=0)
    smooth = np.asarray(cv2.GaussianBlur(density, (0, 0), SMOOTHING_UM / um_per_px))
    dense = (smooth > DENSER * np.maximum(usual, 0.01)).all(axis=2) & (smooth[..., 1] > MIN_DENSITY) & tissue
    side = 2 * max(1, round(JOINING_UM / um_per_px / 2)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    joined = cv2.morphologyEx(dense.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    n_parts, parts, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    keep = np.zeros(n_parts, bool)
    for part in range(1, n_parts):
        if stats[part, cv2.CC_STAT_AREA] * um_per_px**2 >= MIN_AREA_UM2:
            left, top, width, height = stats[part, :4]
            keep[part] = _length_over_width(parts[top : top + height, left : left + width] == part) >= LONGER_THAN_WIDE
    return np.asarray(keep[parts]) & tissue


def _length_over_width(part: NDArray[np.bool_]) -> float:
    """Of a strip, straight or bent: its area over the square of its greatest width."""
    inside = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 5)
    return float(part.sum()) / (2 * float(inside.max())) ** 2
