"""Objects drawn into a project, and measured by an independent library."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import Instances, Rect
from pathloop.store import Project

SHAPE = (1500, 1300)
WHOLE = Rect(0, 0, *SHAPE)


def measure(labels: NDArray[np.int32]) -> Instances:
    """Objects of a label image, by an independent library."""
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    found = ndimage.find_objects(labels)
    boxes = [(found[i - 1][0].start, found[i - 1][1].start, found[i - 1][0].stop, found[i - 1][1].stop) for i in ids]
    return Instances(
        ids=ids,
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        centroids=np.array(ndimage.center_of_mass(labels > 0, labels, ids), np.float64).reshape(-1, 2),
        areas_px=ndimage.sum_labels(labels > 0, labels, ids).astype(np.int64),
        confidences=np.linspace(0, 1, len(ids), dtype=np.float32),
        class_codes=(ids % 4).astype(np.int16),
        class_probabilities=np.where(ids % 2, np.float32(0.25), np.float32(np.nan)).astype(np.float32),
    )


def squares(corners: list[tuple[int, int]], *, side: int = 20, first_id: int = 1) -> NDArray[np.int32]:
    """A label image with one square an id."""
    labels = np.zeros(SHAPE, np.int32)
    for number, (y, x) in enumerate(corners):
        labels[y : y + side, x : x + side] = first_id + number
    return labels


def run_key(letter: str) -> str:
    """A well-formed run key."""
    return letter * 64


def fill(
    project: Project, corners: list[tuple[int, int]], *, key: str = "a", area: Rect = WHOLE, task: str = "nuclei"
) -> Instances:
    """Run a whole segmentation that finds these squares; what the store then holds of them."""
    project.begin_run("s", run_key(key), {"model": key}, tasks=[task])
    with project.replace_predicted("s", task, run_key=run_key(key), area=area) as replacement:
        labels = squares(corners, first_id=replacement.first_id)
        for y in range(area.y, area.bottom, 600):
            rect = Rect(y, area.x, min(600, area.bottom - y), area.width)
            replacement.write(rect, labels[rect.slices])
        stored = replacement.commit(measure(labels))
    project.finish_run("s", run_key(key))
    return stored


def add_slide(project: Project, path: Path = Path("s.tif"), *, fingerprint: str = "f", um_per_px: float = 0.5) -> str:
    """Add a slide of the usual shape; its id."""
    return project.add_slide(
        path, fingerprint=fingerprint, shape=SHAPE, um_per_px_y=um_per_px, um_per_px_x=um_per_px, reader="tiff"
    ).slide_id


def assert_consistent(project: Project, task: str = "nuclei") -> None:
    """The table says what an independent measurement of the pixels says; coarse levels are samples of the finest."""
    pyramid = project.labels("s", task)
    labels = pyramid.read(pyramid.bounds)
    table, truth = project.objects("s", task), measure(labels)
    for name in ("ids", "boxes", "areas_px"):
        np.testing.assert_array_equal(getattr(table, name), getattr(truth, name))
    np.testing.assert_allclose(table.centroids, truth.centroids)
    for level, factor in zip(pyramid.levels, pyramid.factors, strict=True):
        np.testing.assert_array_equal(level[:], labels[::factor, ::factor])
