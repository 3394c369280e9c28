"""Projects made without a network: a slide that is only recorded, and a square that a run predicted."""

from pathlib import Path

import numpy as np

from pathloop.core import Instances, Rect


def fill(project, slide_id="s"):
    """One square of 20 x 20 px that a run predicted."""
    project.begin_run(slide_id, "a" * 64, {"model": "drawn-1"}, tasks=["nuclei"])
    with project.replace_predicted(slide_id, "nuclei", run_key="a" * 64, area=Rect(0, 0, 200, 300)) as replacement:
        replacement.write(Rect(10, 10, 20, 20), np.ones((20, 20), np.int32))
        replacement.commit(
            Instances(
                ids=np.array([1]),
                boxes=np.array([[10, 10, 30, 30]]),
                centroids=np.array([[19.5, 19.5]]),
                areas_px=np.array([400]),
                confidences=np.ones(1, np.float32),
                class_codes=np.ones(1, np.int16),
                class_probabilities=np.ones(1, np.float32),
            )
        )
    project.finish_run(slide_id, "a" * 64)


def add_slide(project, name):
    return project.add_slide(
        Path(f"{name}.tif"), fingerprint=name, shape=(200, 300), um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff"
    ).slide_id
