"""Labels that no annotator drew: glands split from a mask, and tissue classes from glands.

All of it is derived from the image and the gland outline alone, tuned by eye on EBHI-Seg (Shi et al. 2023,
Frontiers in Medicine 10, 1114673) and to be described as derived wherever it is used. Where the evidence is
thin, a pixel is ignored instead of guessed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from pathloop.core import UsageError

__all__ = [
    "TISSUE_CLASSES",
    "UNKNOWN_TISSUE",
    "derive_tissue",
    "relative_stain",
    "split_touching",
]

TISSUE_CLASSES = ("background", "stroma_other", "normal_epi", "abnormal_epi")
UNKNOWN_TISSUE = 255

# Pixels at about 1 um: gland outlines of EBHI-Seg are 224 x 224.
_SPECK_PX = 60
_PINHOLE_PX = 40
_MIN_SPLIT_RADIUS_PX = 7.0
_MIN_GLASS_PX = 500


def split_touching(mask: NDArray[np.bool_], *, neck_ratio: float = 0.45) -> NDArray[np.int32]:
    """Turn a gland mask into instances, cutting thin bridges between glands.

    Connected components, then a watershed of the distance to the rim from its relative maxima: two bodies part
    where the neck between them is narrower than ``neck_ratio`` times the smaller one's inner radius. The
    image's edge is no rim, so that a gland cut by it keeps its shape.

    Parameters
    ----------
    mask
        (H, W) bool.
    neck_ratio
        Neck radius over body radius below which two bodies are two glands, in (0, 1).

    Returns
    -------
    NDArray[np.int32]
        (H, W) ids 1..n; specks under 60 px are gone, pinholes under 40 px are filled.
    """
    if not 0 < neck_ratio < 1:
        raise UsageError(f"neck_ratio is {neck_ratio}: give a value between 0 and 1")
    smooth = _without_pinholes(cv2.medianBlur(mask.astype(np.uint8), 3) > 0)
    smooth = _components_over(smooth, _SPECK_PX) > 0
    if not smooth.any():
        return np.zeros(mask.shape, np.int32)
    if smooth.all():
        return np.ones(mask.shape, np.int32)
    distance = cv2.distanceTransform(smooth.astype(np.uint8), cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance, (0, 0), 1.0)
    # A relative depth of a saddle is an absolute depth of the logarithm.
    height = np.where(smooth, np.log(np.maximum(distance, 0.5)), np.log(0.5)).astype(np.float32)
    # Extended maxima, so that two equal peaks above a shallow saddle are one seed.
    lowered = reconstruction(height + np.log(neck_ratio), height)  # type: ignore[no-untyped-call]
    peaks = local_maxima(lowered)  # type: ignore[no-untyped-call]
    seeds, n_seeds = ndimage.label(peaks, np.ones((3, 3)))
    radii = np.asarray(ndimage.maximum(distance, seeds, np.arange(n_seeds + 1)))
    seeds = np.where((radii >= _MIN_SPLIT_RADIUS_PX)[seeds], seeds, 0)
    parts = np.zeros(mask.shape, np.int32)
    if n_seeds:
        parts = watershed(-distance, seeds, mask=smooth)  # type: ignore[no-untyped-call]
    # Components too thin for a seed stay whole.
    rest, _ = ndimage.label(smooth & (parts == 0))
    return _consecutive(np.where(parts > 0, parts, np.where(rest > 0, rest + n_seeds, 0)))


def derive_tissue(
    image: NDArray[np.uint8], glands: NDArray[np.int32], lumen: NDArray[np.int32], gland_class: int
) -> NDArray[np.uint8]:
    """Hint a tissue class for every pixel from the gland outlines.

    Parameters
    ----------
    image, glands, lumen
        As in and from `derive_lumen`.
    gland_class
        Index into `TISSUE_CLASSES` of the image's glands, or `UNKNOWN_TISSUE`.

    Returns
    -------
    NDArray[np.uint8]
        (H, W): glass outside glands is background, glands are `gland_class`, tissue outside glands is
        stroma_other. Lumina, clefts, and 3 px about every gland's rim are `UNKNOWN_TISSUE`.
    """
    stain = relative_stain(image)
    mean = cv2.blur(stain, (7, 7))
    texture = np.sqrt(np.maximum(cv2.blur(stain * stain, (7, 7)) - mean * mean, 0))
    inside = glands > 0
    pale = (stain < 0.10) & ~inside
    flat = cv2.morphologyEx((pale & (texture < 0.02)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    glass = _components_over(flat > 0, _MIN_GLASS_PX) > 0
    tissue = np.full(glands.shape, TISSUE_CLASSES.index("stroma_other"), np.uint8)
    tissue[cv2.dilate(pale.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = UNKNOWN_TISSUE
    tissue[glass] = TISSUE_CLASSES.index("background")
    tissue[inside] = gland_class
    body = inside.astype(np.uint8)
    kernel = np.ones((7, 7), np.uint8)
    tissue[(cv2.dilate(body, kernel) > cv2.erode(body, kernel)) & ~glass] = UNKNOWN_TISSUE
    tissue[lumen > 0] = UNKNOWN_TISSUE
    return tissue


def relative_stain(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure stain against the image's own white, so that cameras and lamps of any colour compare.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.

    Returns
    -------
    NDArray[np.float32]
        (H, W): mean optical density plus 0.7 times its spread over the channels, slightly blurred; 0 = as clear as
        the clearest 0.5 % of the image.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32) + 1
    white = np.percentile(smooth.reshape(-1, 3), 99.5, axis=0).astype(np.float32)
    density = np.maximum(np.log10(white) - np.log10(smooth), 0)
    stain = density.mean(axis=2) + 0.7 * (density.max(axis=2) - density.min(axis=2))
    return np.asarray(stain, np.float32)


def _without_pinholes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, _ = ndimage.label(~mask)
    sizes = np.bincount(labels.ravel())
    return np.asarray(mask | ((sizes < _PINHOLE_PX)[labels] & (labels > 0)), bool)


def _components_over(mask: NDArray[np.bool_], min_px: int) -> NDArray[np.int32]:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    return _consecutive(np.where((sizes >= min_px)[labels], labels, 0))


def _consecutive(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    ids, inverse = np.unique(labels, return_inverse=True)
    start = 0 if ids[0] == 0 else 1
    return np.asarray(inverse.reshape(labels.shape) + start, np.int32)
