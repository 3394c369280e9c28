"""A drawn slide whose project holds its true objects as predictions, and a view that remembers."""

from pathlib import Path

import numpy as np
import tifffile

from pathloop.core import ClassSpec, Rect
from pathloop.objects import Measurer
from pathloop.slides import open_slide
from pathloop.store import Project

TASKS = ("nuclei", "gland", "lumen")
NAMES = {"nuclei": "nucleus", "gland": "gland", "lumen": "lumen"}


def read_truth(folder: Path, stem: str, task: str) -> np.ndarray:
    return tifffile.imread(folder / f"{stem}_{task}.tif").astype(np.int32)


def fill_project(path: Path, slide_path: Path, labels: dict[str, np.ndarray]) -> str:
    """A project whose slide has these labels as the predictions of one run."""
    with open_slide(slide_path) as slide, Project.open_or_create(path) as project:
        slide_id = project.add_slide(
            slide_path.resolve(),
            fingerprint=slide.fingerprint,
            shape=slide.shape,
            um_per_px_y=slide.scale.y,
            um_per_px_x=slide.scale.x,
            reader=slide.format,
        ).slide_id
        key = "a" * 64
        project.begin_run(slide_id, key, {"model": "drawn"}, tasks=list(labels))
        for task, image in labels.items():
            project.register_classes(task, [ClassSpec(name=NAMES[task], color=(0, 158, 115))])
            whole = Rect(0, 0, *image.shape)
            measurer = Measurer()
            measurer.add(image, y=0, x=0)
            n = len(measurer.ids)
            found = measurer.instances(confidences=np.full(n, 0.9), class_codes=np.ones(n, np.int16))
            with project.replace_predicted(slide_id, task, run_key=key, area=whole) as replacement:
                replacement.write(whole, image)
                replacement.commit(found)
        project.finish_run(slide_id, key, remove_folder=True)
    return slide_id


def stored(project_path: Path, slide_id: str, task: str, rect: Rect) -> np.ndarray:
    """What the project holds, for whoever reads it."""
    with Project.open(project_path, write=False) as project:
        return project.labels(slide_id, task).read(rect)


class View:
    """Remembers what it was shown last."""

    def __init__(self):
        self.last = {}
        self.answers = []

    def __getattr__(self, name):
        if not name.startswith("show_"):
            raise AttributeError(name)
        return lambda *values: self.last.__setitem__(name[5:], values)

    def ask_text(self, title, label):
        return self.answers.pop(0)
