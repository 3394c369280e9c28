"""Patches cut from pooled images, with their targets. numpy and OpenCV only."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pathloop.learn._augment import affine_to_source, change_colors, warp_image, warp_labels
from pathloop.learn._config import AugmentConfig
from pathloop.learn._pool import IGNORE, PooledImage, SamplePool
from pathloop.targets import encode_instances

__all__ = ["Sample", "cell_classes", "cut_cells", "cut_patch"]

# a cell of the tissue map is a training example when this share of it is known, and of that one class
KNOWN_SHARE = 0.75
CLASS_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class Sample:
    """One training patch.

    Parameters
    ----------
    image
        (S, S, 3) uint8.
    targets
        By task: dense tasks (S, S) uint8 class codes, patch tasks (S // cell, S // cell) uint8; 255 = unknown.
        A task that is absent has no truth here.
    """

    image: NDArray[np.uint8]
    targets: dict[str, NDArray[np.uint8]] = field(default_factory=dict)


def cut_patch(
    source: PooledImage, rng: np.random.Generator, *, side_px: int, pool: SamplePool, augment: AugmentConfig
) -> Sample:
    """A random augmented patch with the dense targets that the image owns."""
    zoom = source.um_per_px / pool.um_per_px * rng.uniform(*source.scale_range)
    matrix = affine_to_source(
        rng, augment, side_px=side_px, zoom=zoom, centre=_random_centre(source, rng, side_px / zoom)
    )
    image = change_colors(warp_image(source.image, matrix, side_px), rng, augment)
    targets: dict[str, NDArray[np.uint8]] = {}
    for task, array in source.labels.items():
        spec = pool.labels[task]
        labels = warp_labels(array, matrix, side_px)
        if spec.output == "instance":
            target = encode_instances(labels.astype(np.int32), spec.post.kernel_px)
        else:
            target = labels.astype(np.uint8)
        if task in source.ignore:
            target = np.where(warp_labels(source.ignore[task], matrix, side_px) > 0, np.uint8(IGNORE), target)
        targets[task] = target
    return Sample(image, targets)


def cut_cells(
    source: PooledImage,
    rng: np.random.Generator,
    *,
    task: str,
    code: int,
    side_px: int,
    cell_px: int,
    pool: SamplePool,
    augment: AugmentConfig,
) -> Sample:
    """A random augmented patch around a pixel of a class of a patch task, with the class of each of its cells."""
    classes = source.cells[task]
    zoom = source.um_per_px / pool.um_per_px * rng.uniform(*source.scale_range)
    row, col = _pixel_of(classes, code, rng)
    extent = side_px / zoom
    centre = (_inside(row, classes.shape[0], extent), _inside(col, classes.shape[1], extent))
    matrix = affine_to_source(rng, augment, side_px=side_px, zoom=zoom, centre=centre)
    image = change_colors(warp_image(source.image, matrix, side_px), rng, augment)
    warped = warp_labels(classes, matrix, side_px)
    return Sample(image, {task: cell_classes(warped, cell_px, len(pool.labels[task].classes))})


def _pixel_of(classes: NDArray[np.uint8], code: int, rng: np.random.Generator) -> tuple[float, float]:
    """A random pixel of a class, (y, x) from the image's corner.

    By trial: the pool draws only images in which the class covers more than a twentieth of what is known.
    """
    flat = classes.reshape(-1)
    while True:
        places = rng.integers(flat.size, size=64)
        hits = places[flat[places] == code]
        if hits.size:
            row, col = divmod(int(hits[0]), classes.shape[1])
            return row + 0.5, col + 0.5


def cell_classes(tissue: NDArray[np.uint16], cell_px: int, n_classes: int) -> NDArray[np.uint8]:
    """Class of each cell of a (H, W) class image: the one that fills most of it, or 255 where that is not clear."""
    n_rows, n_cols = tissue.shape[0] // cell_px, tissue.shape[1] // cell_px
    cells = tissue[: n_rows * cell_px, : n_cols * cell_px].reshape(n_rows, cell_px, n_cols, cell_px)
    counts = np.stack([np.count_nonzero(cells == code, axis=(1, 3)) for code in range(n_classes)])
    known = counts.sum(axis=0)
    best = counts.argmax(axis=0)
    clear = (known >= KNOWN_SHARE * cell_px**2) & (counts.max(axis=0) >= CLASS_SHARE * np.maximum(known, 1))
    return np.where(clear, best, IGNORE).astype(np.uint8)


def _random_centre(source: PooledImage, rng: np.random.Generator, extent: float) -> tuple[float, float]:
    top, left, bottom, right = source.window
    return (
        top + _inside(rng.uniform(0, bottom - top), bottom - top, extent),
        left + _inside(rng.uniform(0, right - left), right - left, extent),
    )


def _inside(position: float, size: int, extent: float) -> float:
    """A position moved so that an upright window of ``extent`` stays inside, or to the middle if it cannot.

    The position counts from the image's corner, the result from the centre of its first pixel.
    """
    # rotated windows may still reach over the edge; there the image is mirrored
    half = min(extent / 2, size / 2)
    return min(max(position, half), size - half) - 0.5
