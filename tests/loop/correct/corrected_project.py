"""A small project with a run's objects, to be corrected."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pathloop.core import ClassSpec, Instances, Rect
from pathloop.objects import Measurer
from pathloop.store import PixelChange, Project, TissueMap

SHAPE = (1100, 1200)
WHOLE = Rect(0, 0, *SHAPE)
NUCLEI = (Rect(10, 10, 20, 20), Rect(500, 500, 30, 30), Rect(95, 95, 10, 10), Rect(700, 40, 9, 9))
GLANDS = (Rect(300, 300, 600, 700), Rect(20, 600, 100, 100))
KEY = "a" * 64


def make(path: Path) -> Project:
    project = Project.create(path)
    project.add_slide(Path("s.tif"), fingerprint="f", shape=SHAPE, um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff")
    project.register_classes("nuclei", [ClassSpec(name=name, color=(1, 2, 3)) for name in ("epithelial", "other")])
    project.begin_run("s", KEY, {"model": "drawn", "model_version": "3"}, tasks=["nuclei", "gland"])
    for task, rects in (("nuclei", NUCLEI), ("gland", GLANDS)):
        labels = np.zeros(SHAPE, np.int32)
        for number, rect in enumerate(rects, 1):
            labels[rect.slices] = number
        with project.replace_predicted("s", task, run_key=KEY, area=WHOLE) as replacement:
            replacement.write(WHOLE, labels)
            found = measured(labels)
            n = len(found)
            replacement.commit(
                replace(
                    found,
                    confidences=np.full(n, 0.75, np.float32),
                    class_codes=np.ones(n, np.int16),
                    class_probabilities=np.full(n, 0.5, np.float32),
                )
            )
    project.finish_run("s", KEY, remove_folder=True)
    codes = np.ones((11, 12), np.uint8)
    project.write_tissue("s", TissueMap(codes, ("stroma",), ((9, 9, 9),), (100.0, 100.0), (0.0, 0.0), KEY))
    return project


def measured(labels: np.ndarray) -> Instances:  # type: ignore[type-arg]
    measurer = Measurer()
    measurer.add(labels, y=0, x=0)
    return measurer.instances()


def filled(project: Project, rect: Rect, number: int, task: str = "nuclei") -> PixelChange:
    """A rectangle filled with an id."""
    before = project.read_labels("s", task, rect)
    return PixelChange(task, rect, before, np.full_like(before, number))


def assert_rows_fit(project: Project) -> None:
    """Rows of all tasks are what their pixels measure."""
    for task in project.tasks("s"):
        truth, table = measured(project.read_labels("s", task, WHOLE)), project.objects("s", task)
        for name in ("ids", "boxes", "areas_px"):
            np.testing.assert_array_equal(getattr(table, name), getattr(truth, name))
        np.testing.assert_allclose(table.centroids, truth.centroids, rtol=0, atol=1e-9)
        assert (project.labels("s", task).read(WHOLE) == project.read_labels("s", task, WHOLE)).all()
