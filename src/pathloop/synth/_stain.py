"""From stain densities to colours, as light passes through tissue and meets a camera."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.rasters import density_to_rgb
from pathloop.synth._canvas import Canvas, Structure
from pathloop.synth._noise import Field, grain, smooth_noise
from pathloop.synth._shapes import tube

__all__ = ["Stain", "draw_stain", "photograph", "stain_nuclei"]

_ROWS = 512  # rows that are turned into colours at a time
_OPTICS_UM = 0.28  # blur of a 20x objective (numerical aperture 0.75), standard deviation


@dataclass(frozen=True, slots=True)
class Stain:
    """Unit optical densities of both dyes in (R, G, B), and the density of plain glass."""

    haematoxylin: npt.NDArray[np.float32]
    eosin: npt.NDArray[np.float32]
    glass: npt.NDArray[np.float32]


def draw_stain(rng: np.random.Generator) -> Stain:
    """A laboratory's stain: vectors near Ruifrok and Johnston 2001, strength within +-12 %."""
    haematoxylin = np.array([0.62, 0.72, 0.27]) + rng.normal(0, 0.018, 3)
    eosin = np.array([0.12, 0.92, 0.34]) + rng.normal(0, 0.02, 3)
    strength = rng.uniform(0.9, 1.12, 2)
    glass = rng.uniform(0.016, 0.026) + rng.normal(0, 0.0012, 3)
    return Stain(
        (haematoxylin / np.linalg.norm(haematoxylin) * strength[0]).astype(np.float32),
        (eosin / np.linalg.norm(eosin) * strength[1]).astype(np.float32),
        glass.astype(np.float32),
    )


def stain_nuclei(canvas: Canvas, chromatin: Field) -> None:
    """Stain every nucleus by its `Look`: membrane, chromatin, and the fading edge of a round body."""
    labels = canvas.nuclei
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    body = ((labels > 0) & ~edge).view(np.uint8)
    depth = cv2.distanceTransform(np.pad(body, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(labels)
    looks = np.array(canvas.looks, np.float32)[labels[rows, columns]]
    depth_um = depth[rows, columns] * np.float32(canvas.um_per_px)
    membrane = np.exp(-(((depth_um - 0.6) / 0.55) ** 2))
    centre = np.clip((depth_um - 1.0) / 2.5, 0, 1)
    shade = np.clip(0.72 + 0.5 * depth_um, 0.72, 1) + looks[:, 2] * (membrane - 1.3 * centre)
    shade *= 1 + looks[:, 3] * chromatin[rows, columns]
    canvas.haematoxylin[rows, columns] = looks[:, 0] * np.clip(shade, 0.3, 1.7)
    canvas.eosin[rows, columns] = looks[:, 1]


def photograph(rng: np.random.Generator, canvas: Canvas, stain: Stain) -> npt.NDArray[np.uint8]:
    """The finished image, (H, W, 3) uint8: section thickness, optics, Beer-Lambert, dust and sensor noise."""
    shape = canvas.shape
    thickness = 1 + 0.07 * smooth_noise(rng, shape, canvas.px(260)) + 0.03 * smooth_noise(rng, shape, canvas.px(7))
    _dust(rng, canvas)
    layers = []
    for layer in (canvas.haematoxylin, canvas.eosin):
        np.clip(layer, 0, None, out=layer)
        layer *= thickness
        sigma = canvas.px(_OPTICS_UM)
        layers.append(cv2.GaussianBlur(layer, (0, 0), sigma) if sigma > 0.2 else layer)
    image = np.empty((*shape, 3), np.uint8)
    for top in range(0, shape[0], _ROWS):
        rows = slice(top, min(top + _ROWS, shape[0]))
        density = layers[0][rows, :, None] * stain.haematoxylin + layers[1][rows, :, None] * stain.eosin + stain.glass
        noise = 0.0035 * grain(rng, density.shape[:2], 0.6)
        density += noise[..., None]
        image[rows] = density_to_rgb(density)
    return image


def _dust(rng: np.random.Generator, canvas: Canvas) -> None:
    """A few faint specks on the glass."""
    area_mm2 = canvas.structure.size * canvas.um_per_px**2 / 1e6
    places = rng.random((rng.poisson(40 * area_mm2), 2)) * canvas.shape
    rows, columns = places.astype(int).T
    free = canvas.structure[rows, columns] == Structure.GLASS
    for y, x, size in zip(rows[free], columns[free], rng.uniform(0.4, 1.8, int(free.sum())), strict=True):
        outline = tube(canvas.px(size), 0.0, bend=0.0, pitch=0.4) + np.array([y, x], float)
        canvas.stain(outline, 0.07, 0.04, 0)
