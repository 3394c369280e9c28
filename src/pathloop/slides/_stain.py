"""How far a stain is from the hematoxylin and eosin of the open training images.

A colour is placed by what it absorbs, whatever how much of it: the hue plane of hue-saturation-density
(van der Laak et al., Cytometry 2000). Faded and dark slides lie where others do; brown (DAB), blue and green do not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BROWN_BELOW", "BROWN_SHARE", "FAINT", "farness_from_hne", "stain_place", "stain_words"]

# Made by benchmarks/quality.py from the open training images of one half of the cases: the convex hull of the images'
# places, without the outermost 2 % of a set. One set is mostly hematoxylin alone, one has strong eosin.
HULL = np.array(
    [
        (0.018, 0.942),
        (-0.127, 1.022),
        (-0.34, 0.987),
        (-0.586, 0.305),
        (-0.053, 0.195),
        (0.098, 0.205),
        (0.174, 0.565),
        (0.185, 0.709),
    ],
    np.float32,
)
MARGIN = 0.05
"""How far outside the hull a stain may lie; set beforehand, not fitted."""
FAINT = 0.02
"""Mean optical density (log10) below which a colour says nothing."""

BROWN_BELOW = 0.1
"""Second coordinate of a place; blue is absorbed about as much as green, or more."""
BROWN_SHARE = 0.15
"""Of what a cell absorbs, by brown pixels; brown beside much blue is not seen in the mean. EBHI-Seg: 1 % above."""

BROWN, BLUE, MAGENTA = "brown: perhaps immunohistochemistry", "blue or green: perhaps a special stain", "magenta"


def stain_place(density: NDArray[np.floating]) -> NDArray[np.float32]:
    """Place in the hue plane.

    Parameters
    ----------
    density
        (..., 3) mean optical density of red, green and blue.

    Returns
    -------
    ndarray
        (..., 2) float32: grey lies at (0, 0), eosin near (-0.7, 0.8), hematoxylin near (0.2, 0.4).
    """
    mean = np.maximum(density.mean(axis=-1), 1e-6)
    across = density[..., 0] / mean - 1
    along = (density[..., 1] - density[..., 2]) / (np.sqrt(3) * mean)
    return np.stack([across, along], axis=-1).astype(np.float32)


def farness_from_hne(places: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far places (n, 2) lie outside the stains of training, beyond the margin; 0 or less = like them."""
    inside = [cv2.pointPolygonTest(HULL, (float(x), float(y)), measureDist=True) for x, y in places]
    return -np.array(inside, np.float64) - MARGIN


def stain_words(place: NDArray[np.float32]) -> str:
    """What a place outside looks like."""
    across, along = float(place[0]), float(place[1])
    if np.hypot(across, along) < 0.1:
        return "grey"
    if across > 0.2:
        return BLUE
    return BROWN if along < 0.45 else MAGENTA
