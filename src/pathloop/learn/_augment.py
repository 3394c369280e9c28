"""Augmentation: one affine warp for geometry, then blur, colour and stain. Seeded; numpy and OpenCV only."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.learn._config import AugmentConfig
from pathloop.rasters import STAIN_OD, density_to_rgb, rgb_to_density

__all__ = ["affine_to_source", "change_colors", "warp_image", "warp_labels"]

Matrix = NDArray[np.float64]


def affine_to_source(
    rng: np.random.Generator, config: AugmentConfig, *, side_px: int, zoom: float, centre: tuple[float, float]
) -> Matrix:
    """A random 2x3 matrix from patch (x, y) to source (x, y).

    Parameters
    ----------
    side_px
        Side of the square patch.
    zoom
        Patch pixels per source pixel before the random zoom.
    centre
        Source (y, x) that becomes the patch's centre.
    """
    angle = math.radians(rng.uniform(-config.rotate_degrees, config.rotate_degrees))
    if config.rotate_degrees == 0:
        angle = math.pi / 2 * rng.integers(4)
    shear = math.tan(math.radians(rng.uniform(-config.shear_degrees, config.shear_degrees)))
    zoom_y, zoom_x = zoom * rng.uniform(*config.scale), zoom * rng.uniform(*config.scale)
    flip_y, flip_x = rng.choice([-1.0, 1.0], 2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag([flip_x / zoom_x, flip_y / zoom_y])
    middle = (side_px - 1) / 2
    offset = np.array([centre[1], centre[0]]) - linear @ np.array([middle, middle])
    return np.hstack([linear, offset[:, None]])


def warp_image(image: NDArray[np.uint8], matrix: Matrix, side_px: int) -> NDArray[np.uint8]:
    """Bilinear patch of (H, W, 3); the image is mirrored beyond its edge."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, matrix, (side_px, side_px), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)


def warp_labels(
    labels: NDArray[np.generic], matrix: Matrix, side_px: int, *, outside: int | None = None
) -> NDArray[np.uint16]:
    """Nearest-neighbour patch of a label image with ids below 65,536; mirrored, or ``outside`` beyond the edge."""
    mode = cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    narrow = labels.astype(np.uint16, copy=False)
    value = 0 if outside is None else outside
    warped = cv2.warpAffine(narrow, matrix, (side_px, side_px), flags=flags, borderMode=mode, borderValue=value)
    return np.asarray(warped, np.uint16)


def change_colors(image: NDArray[np.uint8], rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.uint8]:
    """Stain jitter, sharpening, one of blur, median blur and noise, then hue, saturation, brightness, contrast."""
    if rng.random() < config.stain:
        image = _jitter_stain(image, rng, config)
    if config.sharpen and rng.random() < config.sharpen:
        image = _sharpen(image, rng)
    if rng.random() < config.blur:
        image = _soften(image, rng)
    if rng.random() < config.color:
        image = _perturb(image, rng, config)
    return image


def _jitter_stain(image: NDArray[np.uint8], rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.uint8]:
    # unmix, scale and shift each stain, mix again: one 3x3 matrix and one offset on the optical density
    factors = rng.uniform(1 - config.stain_scale, 1 + config.stain_scale, 3).astype(np.float32)
    shifts = rng.uniform(-config.stain_shift, config.stain_shift, 3).astype(np.float32)
    unmix = np.linalg.inv(STAIN_OD)
    mixed: NDArray[np.float32] = rgb_to_density(image) @ (unmix * factors @ STAIN_OD) + shifts @ STAIN_OD
    return density_to_rgb(mixed)


def _sharpen(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Unsharp masking: the image moved away from its own blur."""
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.5))
    amount = rng.uniform(0.3, 2.0)
    return np.asarray(cv2.addWeighted(image, 1 + amount, blurred, -amount, 0), np.uint8)


def _soften(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    choice = int(rng.integers(3))
    if choice == 0:
        sigma = rng.uniform(0.3, 1.5)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    if choice == 1:
        return np.asarray(cv2.medianBlur(image, int(rng.choice([3, 5]))), np.uint8)
    shape = image.shape if rng.random() < 0.5 else (*image.shape[:2], 1)
    noise = rng.standard_normal(shape, dtype=np.float32) * np.float32(rng.uniform(0, 12.75))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _perturb(image: NDArray[np.uint8], rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.uint8]:
    for change in rng.permutation(4):
        if change == 0:
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            shift = round(rng.uniform(-config.hue, config.hue))
            hsv[..., 0] = (hsv[..., 0].astype(np.int16) + shift) % 180
            image = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
        elif change == 1:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            share = 1 + rng.uniform(-config.saturation, config.saturation)
            image = np.asarray(cv2.addWeighted(image, share, grey, 1 - share, 0), np.uint8)
        elif change == 2:
            image = _lookup(image, np.arange(256) + rng.uniform(-config.brightness, config.brightness))
        else:
            factor = 1 + rng.uniform(-config.contrast, config.contrast)
            mean = float(image.mean())
            image = _lookup(image, (np.arange(256) - mean) * factor + mean)
    return image


def _lookup(image: NDArray[np.uint8], table: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8)), np.uint8)
