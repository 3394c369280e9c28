"""Random ids in pyramids, frames that fit them, and the plain way to compute what layers should show."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import ClassSpec, Instances, Rect, Scale
from pathloop.loop import FIRST_PREVIEW_ID, ObjectFrame
from pathloop.rasters import LabelPyramid, create_label_pyramid

SCALE = Scale(0.25, 0.25)
CLASSES = tuple(
    ClassSpec(name=name, color=color)
    for name, color in (("tumour", (213, 94, 0)), ("stroma", (0, 114, 178)), ("lymphocyte", (0, 158, 115)))
)


def random_ids(rng: np.random.Generator, shape: tuple[int, int], *, n: int = 40, first: int = 1) -> NDArray[np.int32]:
    """Rectangles, some on top of others."""
    ids = np.zeros(shape, np.int32)
    for number in range(n):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = rng.integers(1, 60, 2)
        ids[y : y + height, x : x + width] = first + number
    return ids


def write(path: Path, ids: NDArray[np.int32]) -> LabelPyramid:
    """A pyramid on disk."""
    pyramid = create_label_pyramid(path, ids.shape, scale=SCALE, attributes={})
    pyramid.write(pyramid.bounds, ids)
    pyramid.build_levels(pyramid.bounds)
    return pyramid


def frame_of(*images: NDArray[np.int32], task: str = "nuclei", scale: Scale | None = SCALE) -> ObjectFrame:
    """A frame with all ids of some images; classes go round, provisional ones have confidence 0.5."""
    ids = np.unique(np.concatenate([image[image > 0] for image in images])).astype(np.int64)
    n = len(ids)
    areas = sum(np.array([np.count_nonzero(image == one) for one in ids], np.int64) for image in images)
    instances = Instances(
        ids=ids,
        boxes=np.zeros((n, 4), np.int64),
        centroids=np.zeros((n, 2)),
        areas_px=np.asarray(areas, np.int64).reshape(n),
        confidences=np.where(ids >= FIRST_PREVIEW_ID, 0.5, (ids % 11) / 10).astype(np.float32),
        class_codes=(ids % 4).astype(np.int16),
        class_probabilities=np.full(n, np.nan, np.float32),
    )
    return ObjectFrame(task, instances, (ids % 3).astype(np.uint8), ids % 5 == 0, CLASSES, scale)


def composed(
    landed: NDArray[np.int32] | None, previews: list[tuple[NDArray[np.int32], list[Rect]]], shape: tuple[int, int]
) -> NDArray[np.int32]:
    """What level 0 shows."""
    out = np.zeros(shape, np.int32) if landed is None else landed.copy()
    for ids, rects in previews:
        for rect in rects:
            out[rect.slices] = ids[rect.slices]
    return out


def edges(ids: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Pixels with another id, or the image's edge, within so many steps; by an independent library."""
    padded = np.pad(ids.astype(np.int64), width)
    cross = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), width)
    low = ndimage.minimum_filter(padded, footprint=cross)
    high = ndimage.maximum_filter(padded, footprint=cross)
    return (low != high)[width:-width, width:-width]
