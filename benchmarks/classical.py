"""Nuclei, glands and lumina without learning: stain deconvolution, Otsu's threshold, watershed. What a model must beat.

Constants are textbook values in um, not tuned on any set.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes, remove_small_objects
from skimage.segmentation import watershed

NUCLEUS_UM = 3.0
"""Least distance between the centres of two nuclei."""
GLAND_BLUR_UM = 6.0
MIN_UM2 = {"nuclei": 10.0, "gland": 500.0, "lumen": 40.0}

Labels = NDArray[np.int32]


def nuclei(image: NDArray[np.uint8], um_per_px: float) -> Labels:
    """Otsu on smoothed haematoxylin; touching nuclei are parted by a watershed of the distance map."""
    stain = ndimage.gaussian_filter(rgb2hed(image)[..., 0], 0.5 / um_per_px)
    mask = _cleaned(stain > threshold_otsu(stain), "nuclei", um_per_px)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 0.5 / um_per_px)
    distance = max(1, round(NUCLEUS_UM / um_per_px))
    peaks = peak_local_max(depth, min_distance=distance, labels=mask.astype(np.int32), exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-depth, seeds, mask=mask), np.int32)


def glands(image: NDArray[np.uint8], um_per_px: float) -> Labels:
    """Otsu on haematoxylin blurred over cells; what epithelium encloses belongs to it."""
    stain = ndimage.gaussian_filter(rgb2hed(image)[..., 0], GLAND_BLUR_UM / um_per_px)
    mask = ndimage.binary_fill_holes(stain > threshold_otsu(stain))
    return np.asarray(ndimage.label(_cleaned(mask, "gland", um_per_px))[0], np.int32)


def lumina(image: NDArray[np.uint8], um_per_px: float, owners: Labels) -> Labels:
    """Otsu on brightness, inside glands."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0 / um_per_px)
    mask = _cleaned((grey > threshold_otsu(grey)) & (owners > 0), "lumen", um_per_px)
    return np.asarray(ndimage.label(mask)[0], np.int32)


def objects(image: NDArray[np.uint8], um_per_px: float) -> dict[str, Labels]:
    """All three tasks."""
    found = glands(image, um_per_px)
    return {"nuclei": nuclei(image, um_per_px), "gland": found, "lumen": lumina(image, um_per_px, found)}


def _cleaned(mask: NDArray[np.bool_], task: str, um_per_px: float) -> NDArray[np.bool_]:
    area = max(1, round(MIN_UM2[task] / um_per_px**2))
    return np.asarray(remove_small_holes(remove_small_objects(mask, max_size=area), max_size=area), bool)
