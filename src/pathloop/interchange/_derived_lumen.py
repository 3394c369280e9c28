"""Lumina inside annotated glands, found in the image: no annotator drew them.

Tuned by eye on EBHI-Seg (Shi et al. 2023, Frontiers in Medicine 10, 1114673). Where the evidence is thin, a pixel
is ignored instead of guessed.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.interchange._derived import relative_stain

__all__ = ["DerivedLumen", "derive_lumen", "open_lumina"]

# Lengths in px at about 1 um.
_MIN_LUMEN_PX = 30
_MAX_GOBLET_PX = 250
_MIN_REACH_PX = 8.0
_MAX_REACH_PX = 40.0
# In units of `relative_stain`: glass is 0, mucin about 0.1 to 0.25, epithelium 0.3 and more.
_CLEAR_STAIN = 0.07
_PALE_STAIN = 0.16
_THRESHOLDS = (0.03, 0.045, 0.06, 0.08, 0.10, 0.125, 0.15, 0.18, 0.22)


@dataclass(frozen=True, slots=True)
class DerivedLumen:
    """Lumina found inside annotated glands.

    Attributes
    ----------
    labels
        (H, W) int32, 0 = not lumen, 1..n = instances.
    ignore
        (H, W) bool: bright areas that may be lumen or mucin; neither class is to be trained there.
    """

    labels: NDArray[np.int32]
    ignore: NDArray[np.bool_]


def derive_lumen(image: NDArray[np.uint8], glands: NDArray[np.int32]) -> DerivedLumen:
    """Find the lumina of annotated glands: bright, colourless, central and smooth areas.

    Stain is measured against the image's own white level and each gland's own rim of nuclei, so cameras and
    stains of different colour give the same answer. Goblet mucin is pale too: what is pale but not clearly
    lumen is ignored near the gland's centre and background near its rim.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB, about 1 um per px.
    glands
        (H, W) ids, lumen included in each gland.
    """
    stain = relative_stain(image)
    lumen = np.zeros(glands.shape, bool)
    ignore = np.zeros(glands.shape, bool)
    height, width = glands.shape
    for gland_id, box in enumerate(ndimage.find_objects(glands), start=1):
        if box is None:
            continue
        rows = slice(max(box[0].start - 1, 0), min(box[0].stop + 1, height))
        columns = slice(max(box[1].start - 1, 0), min(box[1].stop + 1, width))
        body = glands[rows, columns] == gland_id
        found, unsure = _lumen_of_gland(stain[rows, columns], body)
        lumen[rows, columns] |= found
        ignore[rows, columns] |= unsure
    labels, _ = ndimage.label(lumen, np.ones((3, 3)))
    return DerivedLumen(labels.astype(np.int32), ignore & ~lumen)


def open_lumina(image: NDArray[np.uint8], glands: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Clear areas that glands enclose but an annotator left out: lumina that open to the surface or image edge.

    They are neither background nor annotated, so both the gland and the lumen task ignore them.

    Parameters
    ----------
    image, glands
        As in `derive_lumen`.

    Returns
    -------
    NDArray[np.bool_]
        (H, W): clear areas outside glands with glands along at least 65 % of their rim.
    """
    stain = relative_stain(image)
    clear = (glands == 0) & (stain < 0.12)
    labels, n = ndimage.label(cv2.morphologyEx(clear.astype(np.uint8), cv2.MORPH_OPEN, _disk(1)))
    padded = np.pad(labels, 1, mode="edge")
    rim = (labels > 0) & (cv2.erode(padded.astype(np.float32), _disk(1))[1:-1, 1:-1] != labels)
    beside = cv2.dilate((glands > 0).astype(np.uint8), _disk(4)) > 0
    rims = np.bincount(labels[rim], minlength=n + 1)
    contacts = np.bincount(labels[rim & beside], minlength=n + 1)
    held = (contacts >= 0.65 * np.maximum(rims, 1)) & (np.bincount(labels.ravel(), minlength=n + 1) >= _MIN_LUMEN_PX)
    held[0] = False
    return np.asarray((cv2.dilate(held[labels].astype(np.uint8), _disk(2)) > 0) & (glands == 0), bool)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A bright component of a gland at one threshold, in the gland's box."""

    mask: NDArray[np.bool_]
    level: float
    contrast: float
    score: float
    solidity: float
    area: int
    max_depth: float
    at_rim: float


def _lumen_of_gland(stain: NDArray[np.float32], body: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(lumen, unsure) of one gland in its box."""
    depth = np.asarray(cv2.distanceTransform(body.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    reach = min(float(depth.max()), _MAX_REACH_PX)
    lumen = np.zeros(body.shape, bool)
    if reach < _MIN_REACH_PX:
        return lumen, body & (stain < 0.2)
    brightest = float(np.percentile(stain[depth >= 0.5 * reach], 5))
    found = [c for t in _THRESHOLDS for c in _candidates(stain, body, depth, t) if _is_lumen(c, reach, brightest)]
    found.sort(key=lambda c: -c.score * min(1.0, c.max_depth / reach))
    parts: list[_Candidate] = []
    taken = np.zeros(body.shape, bool)
    for candidate in found:
        if not (candidate.mask & taken).any():
            parts.append(candidate)
            taken |= candidate.mask
    if not parts:
        return lumen, body & (stain < 0.2) & (depth >= 0.45 * reach)
    spots = [p for p in parts[1:] if p.area < _MAX_GOBLET_PX and p.solidity > 0.75]
    goblets = len(spots) >= 2
    for part in parts:
        is_spot = any(part is spot for spot in spots)
        # Among goblets only what lies in the very middle, or is too large for one, is the lumen.
        if goblets and not is_spot and (part.area >= _MAX_GOBLET_PX or part.max_depth >= 0.9 * reach):
            lumen |= _without_petals(part.mask)
        elif not goblets and not (is_spot and part.contrast < 0.2):
            lumen |= part.mask
    closed = cv2.morphologyEx(np.pad(lumen, 4).astype(np.uint8), cv2.MORPH_CLOSE, _disk(3))[4:-4, 4:-4] > 0
    lumen = ndimage.binary_fill_holes(lumen | (closed & (stain < 0.25)))
    lumen = cv2.medianBlur(lumen.astype(np.uint8), 3).astype(bool) & body
    near = cv2.dilate(lumen.astype(np.uint8), _disk(2)) > 0
    alike = stain < parts[0].level + min(0.05, 0.5 * parts[0].contrast)
    return lumen, body & (alike | taken | near) & ~lumen


def _without_petals(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A lumen without the goblets that open into it: an opening by two fifths of its inner radius."""
    padded = np.pad(mask, 8).astype(np.uint8)
    radius = int(0.4 * cv2.distanceTransform(padded, cv2.DIST_L2, 5).max())
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, _disk(min(radius, 8))) if radius else padded
    return np.asarray(opened[8:-8, 8:-8] > 0)


def _candidates(
    stain: NDArray[np.float32], body: NDArray[np.bool_], depth: NDArray[np.float32], threshold: float
) -> list[_Candidate]:
    """The components of a gland under one threshold that are large and wide enough for a lumen."""
    pale = cv2.morphologyEx((body & (stain < threshold)).astype(np.uint8), cv2.MORPH_OPEN, _disk(2))
    labels, _ = ndimage.label(pale)
    found = []
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        # Three more px about the part, to compare it with its surroundings.
        box = (slice(max(rows.start - 3, 0), rows.stop + 3), slice(max(columns.start - 3, 0), columns.stop + 3))
        part = labels[box] == index
        area = int(part.sum())
        if area < _MIN_LUMEN_PX:
            continue
        around = (cv2.dilate(part.astype(np.uint8), _disk(3)) > cv2.dilate(part.astype(np.uint8), _disk(1))) & body[box]
        if around.sum() < 10:
            continue
        inner = stain[box][part]
        level = float(inner.mean())
        contrast = float(np.median(stain[box][around])) - level
        solidity = _solidity(part)
        mask = np.zeros(body.shape, bool)
        mask[box] = part
        # Clear lumina may branch like a star; what is merely pale has to be compact, or it is petals of mucin.
        compact = solidity ** (0.3 if level < _CLEAR_STAIN else 1.5)
        score = contrast / (float(inner.std()) + 0.02) * compact * (area / 100) ** 0.2
        inside = depth[box][part]
        found.append(
            _Candidate(mask, level, contrast, score, solidity, area, float(inside.max()), float((inside <= 4).mean()))
        )
    return found


def _is_lumen(part: _Candidate, reach: float, brightest: float) -> bool:
    """Whether a bright part is clear or, if it is merely pale, compact and central enough to be a lumen."""
    # A small bright spot deep in a sheet of tumour is no lumen yet.
    if reach >= _MAX_REACH_PX and part.area < 2 * _MIN_LUMEN_PX:
        return False
    if part.at_rim > 0.05 or (part.level >= _CLEAR_STAIN and part.level > brightest + 0.05):
        return False
    if part.level < _CLEAR_STAIN:
        return part.score >= 2.0 and part.contrast >= 0.1 and part.max_depth >= 0.4 * reach
    return (
        part.level < _PALE_STAIN
        and part.score >= 1.5
        and part.contrast >= 0.05
        and part.solidity >= 0.8
        and part.max_depth >= 0.75 * reach
    )


def _solidity(part: NDArray[np.bool_]) -> float:
    points = np.argwhere(part).astype(np.int32)
    hull = cv2.convexHull(points)
    # A hull through pixel centres misses half a pixel on every side.
    area = cv2.contourArea(hull) + 0.5 * cv2.arcLength(hull, closed=True) + 1
    return min(1.0, len(points) / area)


def _disk(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
