"""Where the tissue is: a coarse mask that leaves out glass, ink, dirt and what was never scanned.

H&E absorbs green most: eosin almost only green, haematoxylin red and green. Glass and grey dirt absorb all colours
alike, inks absorb red or blue more than green, black ink and black borders everything. So tissue is told by how much
more green than the least absorbed colour is absorbed, against the slide's own white, with a threshold that does not
depend on how much of the image is tissue (Otsu's splits an image that is all tissue).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.slides._slide import Slide

__all__ = [
    "NOMINAL_UM_PER_PX",
    "Overview",
    "TissueMask",
    "black_pixels",
    "find_tissue",
    "optical_density",
    "overview",
    "tissue_mask",
]

# Chosen by looking at the masks of drawn slides and of open images (EBHI-Seg, the OpenSlide test slides);
# MIN_CHROMA and CLOSING_UM were moved once more after a look at GlaS. They belong to no model.
NOMINAL_UM_PER_PX = 0.5  # taken for level 0 where the scale is unknown
SMALL_SIDE_PX = 256  # an image of unknown scale is not reduced below this
MIN_CHROMA = 0.013  # optical density (log10); averaged glass stays below 0.005, barely stained stroma is near 0.018
SMOOTHING_UM = 4.0
CLOSING_UM = 48.0
SPECK_UM2 = 5_000.0
HOLE_UM2 = 250_000.0  # a dilated gland's lumen, about 0.5 mm across
POCKET_SHARE = 0.05  # background at the image's edge up to this share of the image may be a cut lumen
POCKET_UM2 = 20_000.0
BLACK_LEVEL = 40
INK_UM2 = 20_000.0
INK_REACH_UM = 32.0


@dataclass(frozen=True, slots=True, eq=False)
class TissueMask:
    """Tissue on a coarse grid whose top-left corner is the slide's.

    Attributes
    ----------
    mask
        (h, w) bool, True on tissue.
    downsample
        Level-0 pixels per mask pixel, (y, x).
    um_per_px
        Size of a mask pixel, um; None where the slide's scale is unknown.
    """

    mask: NDArray[np.bool_]
    downsample: tuple[float, float]
    um_per_px: float | None

    @property
    def area_mm2(self) -> float | None:
        """Tissue area, mm2; None where the scale is unknown."""
        return None if self.um_per_px is None else float(self.mask.sum()) * self.um_per_px**2 * 1e-6

    def fraction_in(self, rect: Rect, um_per_px: float | None = None) -> float:
        """Share of a rectangle that is tissue, 0 to 1; what lies outside the slide counts as none.

        Parameters
        ----------
        rect
            In pixels of ``um_per_px``, or level-0 pixels where that is None.
        um_per_px
            The rectangle's scale.

        Raises
        ------
        UsageError
            If ``um_per_px`` is given and the mask has no scale.
        """
        if um_per_px is None:
            steps = 1 / self.downsample[0], 1 / self.downsample[1]
        elif self.um_per_px is None:
            raise UsageError("this tissue mask has no um per px: give the rectangle in level-0 pixels")
        else:
            steps = um_per_px / self.um_per_px, um_per_px / self.um_per_px
        if rect.area == 0:
            return 0.0
        rows = _coverage(rect.y * steps[0], rect.bottom * steps[0], self.mask.shape[0])
        columns = _coverage(rect.x * steps[1], rect.right * steps[1], self.mask.shape[1])
        (top, weight_y), (left, weight_x) = rows, columns
        part = self.mask[top : top + len(weight_y), left : left + len(weight_x)]
        covered = float(weight_y @ part.astype(np.float64) @ weight_x)
        return min(covered / (rect.area * steps[0] * steps[1]), 1.0)


def tissue_mask(slide: Slide, *, um_per_px: float = 8.0) -> TissueMask:
    """Find the tissue on a slide.

    Parameters
    ----------
    slide
        An open slide.
    um_per_px
        Size of a mask pixel. A slide of unknown scale is taken for 0.5 um per px here, and small ones are reduced less.

    Returns
    -------
    TissueMask
        Glass, ink (blue, green, black, red), black borders and specks are left out; lumina inside tissue belong to it.
    """
    seen = overview(slide, um_per_px)
    return TissueMask(find_tissue(seen.rgb, seen.um_per_px)[0], seen.step, None if slide.scale is None else um_per_px)


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """A whole slide, reduced.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    step
        Level-0 pixels per pixel, (y, x).
    um_per_px
        Size of a pixel; by `NOMINAL_UM_PER_PX` where the slide's scale is unknown.
    """

    rgb: NDArray[np.uint8]
    step: tuple[float, float]
    um_per_px: float


def overview(slide: Slide, um_per_px: float) -> Overview:
    """The slide reduced for `find_tissue`; one of unknown scale is reduced less where it is small."""
    if slide.scale is not None:
        rgb = slide.read(Rect(0, 0, *slide.shape_at(um_per_px)), um_per_px)
        return Overview(rgb, (um_per_px / slide.scale.y, um_per_px / slide.scale.x), um_per_px)
    downsample = min(um_per_px / NOMINAL_UM_PER_PX, max(1.0, min(slide.shape) / SMALL_SIDE_PX))
    rgb = slide.read_downsampled(Rect(0, 0, *slide.shape_downsampled(downsample)), downsample)
    return Overview(rgb, (downsample, downsample), downsample * NOMINAL_UM_PER_PX)


def find_tissue(rgb: NDArray[np.uint8], um_per_px: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tissue and ink of a reduced slide, (h, w) bool each."""
    area = um_per_px**2
    smooth = np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(SMOOTHING_UM / um_per_px, 0.6)), np.uint8)
    red, green, blue = np.moveaxis(optical_density(smooth), -1, 0)
    ink = _ink(red, green, blue, um_per_px)
    never = black_pixels(smooth) | ink
    tissue = (green - np.minimum(red, blue) > MIN_CHROMA) & (green > 0.6 * np.maximum(red, blue)) & ~never
    closed = _closed(tissue, max(1, round(CLOSING_UM / um_per_px / 2))) & ~never
    kept = _without_small(closed, SPECK_UM2 / area, image_share=0.02)
    return _filled(kept, never, um2_per_px=area), ink


def optical_density(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density (log10) against the slide's own white."""
    white = _white(rgb)
    return np.asarray(np.log10((white + 1) / (np.minimum(rgb, white) + np.float32(1))), np.float32)


def _white(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The glass's colour: the most frequent among bright, nearly grey pixels; pure white where there are few."""
    darkest, brightest = rgb.min(axis=2), rgb.max(axis=2)
    glass = rgb[(darkest >= 190) & (brightest - darkest <= 24)]
    if len(glass) < 0.005 * darkest.size or len(glass) < 16:
        return np.full(3, 255, np.float32)
    counts = np.bincount(glass.min(axis=1), minlength=256)
    usual = int(np.argmax(np.convolve(counts, np.ones(5), mode="same")))
    colour: NDArray[np.float32] = np.median(glass[np.abs(glass.min(axis=1).astype(int) - usual) <= 2], axis=0)
    return colour.astype(np.float32)


def black_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Black borders, and what was never scanned."""
    return np.asarray(rgb.max(axis=2) < BLACK_LEVEL)


def _ink(
    red: NDArray[np.float32], green: NDArray[np.float32], blue: NDArray[np.float32], um_per_px: float
) -> NDArray[np.bool_]:
    """Ink strokes: a large patch of colours that no H&E stain has, with the fainter rim that touches it."""
    strongest = np.maximum(np.maximum(red, green), blue)
    weakest = np.minimum(np.minimum(red, green), blue)
    cool = (red > 1.2 * green) & (red > 0.25)
    black = (strongest - weakest < 0.2 * strongest) & (weakest > 0.45)
    # Blood is red too, but at this scale neither as dense nor as yellow as ink.
    warm = ((blue > 0.85 * green) & (green > 0.35)) | ((blue > 0.72 * green) & (green > 0.6))
    warm &= red < 0.35 * green
    sure = _without_small(cool | black | warm, INK_UM2 / um_per_px**2, image_share=0.02)
    if not sure.any():
        return sure
    reach = max(1, round(INK_REACH_UM / um_per_px))
    near = cv2.dilate(sure.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
    rim = (red > green) | (blue > 0.8 * green) | (strongest - weakest < 0.25 * strongest)
    return sure | ((near > 0) & rim)


def _closed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Closing that does not take the image's edge for background."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), *(2 * radius,) * 4, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed[2 * radius : -2 * radius, 2 * radius : -2 * radius] > 0)


def _without_small(mask: NDArray[np.bool_], min_px: float, *, image_share: float) -> NDArray[np.bool_]:
    """Without parts below ``min_px``; on a small image below a share of it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= min(min_px, image_share * mask.size)
    keep[0] = False
    return np.asarray(keep[labels])


def _filled(tissue: NDArray[np.bool_], never: NDArray[np.bool_], *, um2_per_px: float) -> NDArray[np.bool_]:
    """With holes filled: lumina wholly inside, and small pockets that the image's edge cuts."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~tissue).astype(np.uint8), connectivity=4)
    size = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    inside = (left > 0) & (top > 0) & (right < tissue.shape[1]) & (bottom < tissue.shape[0])
    pocket = min(POCKET_UM2 / um2_per_px, POCKET_SHARE * tissue.size)
    fill = np.where(inside, size <= HOLE_UM2 / um2_per_px, size <= pocket)
    forbidden = np.bincount(labels[never], minlength=len(size))
    fill &= forbidden <= 0.1 * size
    fill[0] = False
    return tissue | (np.asarray(fill[labels]) & ~never)


def _coverage(low: float, high: float, size: int) -> tuple[int, NDArray[np.float64]]:
    """First mask pixel that an interval touches, and how much of each pixel from there on it covers."""
    first, last = max(0, int(np.floor(low))), min(size, int(np.ceil(high)))
    if last <= first:
        return 0, np.zeros(0)
    index = np.arange(first, last, dtype=np.float64)
    return first, np.clip(np.minimum(high, index + 1) - np.maximum(low, index), 0, 1)
