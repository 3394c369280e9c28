"""Instance labels to training targets and back: the two functions here are each other's inverse."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, PostProcessing
from pathloop.rasters import (
    close_each,
    cut_maps,
    drop_small,
    fill_enclosed,
    grow,
    is_sure,
    label_components,
    label_parts,
    quantise,
    rank_by_first_pixel,
)
from pathloop.targets._repair import repair_interiors

__all__ = ["BACKGROUND", "BOUNDARY", "INTERIOR", "clip_labels", "decode_instances", "encode_instances"]

BACKGROUND, INTERIOR, BOUNDARY = 0, 1, 2


def encode_instances(labels: NDArray[Any], kernel_px: int) -> NDArray[np.uint8]:
    """Instance labels to the three classes that an instance head learns.

    Interior = each object eroded by OpenCV's ellipse of ``kernel_px`` (an even size counts as the next odd one);
    boundary = the object dilated by it, minus all interiors, so the band lies on both sides of the edge
    (Cerberus: kernel 3 for nuclei and lumina, 11 for glands). Each 4-connected part of an id is an object of its
    own. Beyond the image counts as more of the same object: crops cut objects, and no band is drawn along the
    image's edge.

    Two repairs keep one object one object, so that ``decode_instances`` finds it again. An object that the
    erosion empties keeps the pixels farthest from its edge (first of them in raster order, and its plateau).
    An object whose interior falls apart is rejoined by 4-connected paths one pixel wide along its middle. A
    repair never touches another object's interior by an edge; where that leaves no room, an emptied object stays
    empty and an interior part that cannot be reached is left to the boundary.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background.
    kernel_px
        Side of the kernel, pixels, >= 3 (below, touching objects would merge).

    Returns
    -------
    (H, W) uint8: 0 background, 1 interior, 2 boundary.

    Raises
    ------
    DataError
        If the labels are not a 2-D integer array or the kernel is smaller than 3.
    """
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"instance labels must be a 2-D integer array, not {labels.dtype} of shape {labels.shape}")
    if kernel_px < 3:
        raise DataError(f"kernel_px must be at least 3 to keep touching objects apart, got {kernel_px}")
    parts, n = label_parts(labels)
    targets = np.zeros(labels.shape, np.uint8)
    if n == 0:
        return targets
    side = kernel_px // 2 * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # OpenCV's grey morphology takes no int32; float32 holds whole numbers below 2^24.
    grey: NDArray[np.floating[Any]] = parts.astype(np.float32 if n < 2**24 else np.float64)
    highest = cv2.dilate(grey, kernel)
    interior = (parts > 0) & (cv2.erode(grey, kernel) == highest)
    repair_interiors(parts, n, interior)
    targets[highest > 0] = BOUNDARY
    targets[interior] = INTERIOR
    return targets


def decode_instances(
    interior: NDArray[Any],
    boundary: NDArray[Any],
    post: PostProcessing,
    *,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Interior and boundary probabilities to instance labels, in whole-number arithmetic on quantised maps.

    1. Maps become uint8 (``rasters.quantise``) and are cut (``rasters.cut_maps``).
    2. 4-connected components of interior pixels are objects; those below ``min_interior_px`` are dropped, and those
       whose mean interior probability does not exceed ``min_confidence`` (``rasters.is_sure``).
       Objects rank by their first interior pixel in raster order.
    3. Every mask pixel joins the nearest interior pixel within ``grow_px`` (``rasters.grow``).
    4. Each object is closed by itself with a disc of ``closing_px`` onto background; a pixel that two objects
       claim goes to the lower rank (``rasters.close_each``).
    5. Background that one object encloses is filled (``rasters.fill_enclosed``), if ``fill_holes``.
    6. Objects below ``min_size_px`` are dropped; the others are numbered by their first pixel.

    Parameters
    ----------
    interior, boundary
        (H, W): floats 0..1 or uint8 0..255.
    post
        The task's constants; ``clip_to`` is the caller's business (``clip_labels``).
    valid
        (H, W) bool: False = no map there; it counts as beyond the image's edge. None = all valid.

    Returns
    -------
    (H, W) int32: 0 background, objects 1..n by first pixel in raster order.

    Raises
    ------
    DataError
        If a map is neither floating nor uint8, or shapes differ.
    """
    scores = quantise(interior)
    inside, mask = cut_maps(scores, quantise(boundary), post)
    if valid is None:
        valid = np.ones(inside.shape, bool)
    elif valid.shape != inside.shape:
        raise DataError(f"valid {valid.shape} and the maps {inside.shape} differ in shape")
    seeds, n = label_components(inside & valid)
    seeds = _without_faint(drop_small(seeds, n, post.min_interior_px), n, scores, post.min_confidence)
    labels = grow(seeds, mask & valid, post.grow_px)
    labels = close_each(labels, post.closing_px, allowed=valid)
    if post.fill_holes:
        labels = fill_enclosed(labels, valid)
    return rank_by_first_pixel(drop_small(labels, n, post.min_size_px), n)[0]


def _without_faint(seeds: NDArray[np.int32], n: int, scores: NDArray[np.uint8], threshold: float) -> NDArray[np.int32]:
    """Components 1..n without those that the network is not sure enough of; the others keep their number."""
    if threshold == 0:
        return seeds
    flat = seeds.ravel()
    sizes = np.bincount(flat, minlength=n + 1).astype(np.int64)
    # Sums of bytes are whole numbers far below 2^53: float64 weights are exact.
    sums = np.bincount(flat, weights=scores.ravel(), minlength=n + 1).astype(np.int64)
    return np.where(is_sure(sums, sizes, threshold), np.arange(n + 1), 0).astype(np.int32)[seeds]


def clip_labels(labels: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.int32]:
    """Objects cut to a mask: lumina to glands.

    Pixels outside the mask are removed, objects with nothing left vanish, an object cut in two keeps one id, and
    ids are ranked again by first pixel.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background.
    mask
        (H, W), nonzero = keep.

    Returns
    -------
    (H, W) int32: 0 background, 1..n by first pixel in raster order.

    Raises
    ------
    DataError
        If the shapes differ.
    """
    if labels.shape != mask.shape:
        raise DataError(f"labels {labels.shape} and the mask to clip to {mask.shape} differ in shape")
    clipped = np.where(mask != 0, labels, 0)
    if int(clipped.max(initial=0)) > clipped.size:  # ids far apart: a table up to the largest would be huge
        present = np.union1d(clipped, [0])
        clipped = np.searchsorted(present, clipped)
    return rank_by_first_pixel(clipped, int(clipped.max(initial=0)))[0]
