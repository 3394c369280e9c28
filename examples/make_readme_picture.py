"""Make docs/images/sample.jpg: a detail of the bundled sample, plain and with what the bundled model finds.

python examples/make_readme_picture.py
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from pathloop.core import Rect
from pathloop.loop import SegmentRequest, draw_overlay, segment
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import sample_slide_path

TARGET = Path(__file__).parents[1] / "docs" / "images" / "sample.jpg"
WINDOW = Rect(440, 500, 720, 720)


def main() -> None:
    sample = sample_slide_path()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "sample.pathloop"
        for _ in segment(SegmentRequest(slides=(sample,), project=project)):
            pass
        with Project.open(project, write=False) as opened, open_slide(sample) as slide:
            slide_id = opened.slides()[0].slide_id
            image = slide.read(WINDOW)
            tasks = opened.tasks(slide_id)
            labels = {task: opened.labels(slide_id, task).read(WINDOW) for task in tasks}
            colors = {task: opened.classes(task)[0].color for task in tasks}
    picture = np.hstack([image, np.full((WINDOW.height, 12, 3), 255, np.uint8), draw_overlay(image, labels, colors)])
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
