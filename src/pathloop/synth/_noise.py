"""Random fields: the irregularity of tissue at every scale."""

import math

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Field", "fibres", "grain", "smooth_noise"]

Field = npt.NDArray[np.float32]

# side of the square of fibres that repeats over the image; a prime number of rows hides the repetition
_FIBRE_SHEET = (509, 1024)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength_px: float) -> Field:
    """Smooth noise, (H, W) float32, mean about 0 and deviation about 1, that varies over ``wavelength_px``."""
    spacing = max(wavelength_px / 2, 1.0)
    knots = tuple(math.ceil(side / spacing) + 3 for side in shape)
    lattice = rng.standard_normal(knots, dtype=np.float32) * np.float32(1.4)
    size = (math.ceil(knots[1] * spacing), math.ceil(knots[0] * spacing))
    top, left = (int(value * spacing) for value in rng.random(2) + 0.5)
    field = cv2.resize(lattice, size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(field[top : top + shape[0], left : left + shape[1]])


def grain(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> Field:
    """Fine noise, (H, W) float32, mean 0 and deviation about 1: white noise blurred by ``sigma_px``."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if sigma_px < 0.3:
        return noise
    blurred = cv2.GaussianBlur(noise, (0, 0), sigma_px)
    return np.asarray(blurred * np.float32(max(1.0, 2 * math.sqrt(math.pi) * sigma_px)), np.float32)


def fibres(rng: np.random.Generator, along: Field, across: Field) -> Field:
    """Noise drawn out into fibres, float32, mean about 0 and deviation about 1.

    Parameters
    ----------
    along, across
        Coordinates of every pixel along and across the fibres, same shape, float32. A unit across is about one fibre's
        thickness; fibres are some 40 units long. Where the coordinates bend, the fibres bend.
    """
    sheet = rng.standard_normal(_FIBRE_SHEET, dtype=np.float32)
    spread = cv2.GaussianBlur(np.pad(sheet, ((8, 8), (64, 64)), mode="wrap"), (0, 0), sigmaX=14, sigmaY=0.8)
    sheet = np.asarray(spread, np.float32)[8:-8, 64:-64]
    sheet = sheet / sheet.std()
    return np.asarray(cv2.remap(sheet, along, across, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)
