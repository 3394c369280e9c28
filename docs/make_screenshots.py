"""Make the pictures of the documentation from real runs.

Without a display: ``xvfb-run -s '-screen 0 1366x768x24' python docs/make_screenshots.py``.

Writes docs/images/*.jpg. With a slide as argument, that one is shown instead of the bundled sample; ``--to DIR`` writes
elsewhere, ``--theme light`` changes the colours of the window.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import napari
import numpy as np
import tifffile
from qtpy.QtWidgets import QApplication, QComboBox, QInputDialog, QMessageBox, QPushButton

import pathloop.loop.tuning._prepare as preparing
from pathloop.core import Rect
from pathloop.gui._current import session_for
from pathloop.gui._session import Session
from pathloop.gui._start import add_panels
from pathloop.learn import default_fit
from pathloop.synth import sample_slide_path

IMAGES = Path(__file__).parent / "images"
PATIENCE_S = 120
TRAINING_S = 3600
SHORT_RUN = {"steps": 48, "batch": 2, "validate_every": 12}
"""Less than the recipe takes, so that the pictures take minutes."""


def wait(for_what: str, condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(for_what)
        QApplication.processEvents()
        time.sleep(0.01)


def rest(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("slide", nargs="?", type=Path, default=None)
    parser.add_argument("--to", type=Path, default=IMAGES)
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--um-per-px", type=float)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(shutil.copy(options.slide or sample_slide_path(), folder))
        show(slide, options)


def show(slide: Path, options: argparse.Namespace) -> None:
    """Open, run, see, inspect; a picture of each."""
    viewer = napari.Viewer(title="pathloop", show=True)
    viewer.theme = options.theme
    panels = add_panels(viewer)
    session = session_for(viewer)
    window = panels["Slides"].window()
    window.resize(1366, 768)
    rest(1)

    def shoot(name: str, panel: str) -> None:
        panels[panel].parentWidget().raise_()
        rest(1.0)
        picture = np.asarray(viewer.screenshot(canvas_only=False, flash=False))[..., :3]
        path = options.to / f"{name}.jpg"
        path.write_bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
        print(path, picture.shape)

    def pick(panel: str, name: str, value: str) -> None:
        box = panels[panel].findChild(QComboBox, name)
        box.setCurrentIndex(box.findData(value))
        box.activated.emit(box.currentIndex())

    shoot("empty", "Slides")
    session.open_slide(slide, um_per_px=options.um_per_px)
    wait("the slide", lambda: session.current is not None)
    rest(2)
    shoot("slides", "Slides")
    run = panels["Segment"].presenter
    wait("the engine", lambda: bool(run.conductor.computing.engine))
    shoot("segment", "Segment")
    pick("Segment", "place", "slide")
    rest(0.5)
    run.run()
    wait("tiles", lambda: any(len(session.frame(task)) for task in session.tasks))
    rest(0.3)
    shoot("running", "Segment")
    wait("the run", lambda: run.conductor.state == "idle")
    rest(1)
    shoot("segmented", "Look")
    look = panels["Look"].presenter
    height, width = session.current.slide.shape
    session.go_to(Rect(height // 3, width // 3, 300, 400))
    viewer.scene.camera.zoom = 4
    pick("Look", "style", "outline")
    shoot("outlines", "Look")
    pick("Look", "colour_by", "confidence")
    pick("Look", "style", "fill")
    shoot("confidence", "Look")
    pick("Look", "colour_by", "class")
    look.show_maps(tissue=True, uncertainty=False)
    viewer.reset_view()
    shoot("tissue", "Look")
    look.show_maps(tissue=False, uncertainty=False)
    viewer.scene.camera.zoom = 3
    ids = session.frame("nuclei").instances.ids
    session.select("nuclei", ids[len(ids) // 2 : len(ids) // 2 + 1], "script")
    shoot("objects", "Objects")
    correct(viewer, session, panels, shoot)
    train(viewer, session, panels, shoot)
    viewer.close()


def correct(viewer: napari.Viewer, session: Session, panels: dict[str, Any], shoot: Callable[[str, str], None]) -> None:
    """The queue, an edit window, help from the network, the tissue brush."""
    queue, presenter = panels["Queue"].presenter, panels["Correct"].presenter
    viewer.reset_view()
    panels["Queue"].ranking.rank.click()
    wait("the ranking", lambda: bool(queue.content.regions) and not queue.is_ranking)
    rest(3)
    shoot("queue", "Queue")
    queue.step(1)
    corrector = presenter.corrector
    wait("the edit window", lambda: corrector.window is not None)
    wait("the network's maps", lambda: not presenter.assistant.reason())
    corrector.choose_task("gland")
    own = corrector.window.tasks["gland"]
    whole = [number for number in own.rows if number not in own.cut]
    number = max(whole, key=lambda one: own.rows[one].area_px)
    box = Rect.from_bounds(*own.rows[number].box)
    session.current.fill_view(box.expand(60), viewer)
    rest(1)
    shoot("correct", "Correct")
    middle = own.rows[number].centroid
    point = middle[0] - own.rect.y, middle[1] - own.rect.x
    rest(10)  # the rest of the maps
    if own.at(*point) == number:
        presenter.act("delete", point)
        presenter.act("wand")
        presenter.act("wand at", point)
        rest(0.5)
        shoot("find", "Correct")
    corrector.close_window()
    viewer.reset_view()
    panels["Correct"].findChild(QPushButton, "tissue-on").click()
    rest(1)
    shoot("tissue-brush", "Correct")
    panels["Correct"].findChild(QPushButton, "tissue-on").click()


def train(viewer: napari.Viewer, session: Session, panels: dict[str, Any], shoot: Callable[[str, str], None]) -> None:
    """Regions done, a short fine-tuning run, the comparison, the promoted model."""
    preparing.default_fit = lambda *facts: default_fit(*facts).model_copy(update=SHORT_RUN)
    QMessageBox.question = staticmethod(lambda *_: QMessageBox.StandardButton.Yes)
    QInputDialog.getText = staticmethod(lambda *_: ("made for a picture", True))
    queue, corrector = panels["Queue"].presenter, panels["Correct"].presenter.corrector
    to_train = [region.id for region in queue.content.regions if not region.holdout]
    held = [region.id for region in queue.content.regions if region.holdout]
    for number in [*to_train[:5], *held]:
        review(number, session, panels)
    tuning = panels["Train"].presenter
    wait("the regions", lambda: tuning.content.n_held_out == len(held))
    tuning.train()
    queue.open(next(row.key for row in queue.rows if row.key[1] == to_train[5]))
    wait("the next region", lambda: corrector.window is not None)
    viewer.scene.camera.zoom *= 2
    wait("some steps", lambda: len(tuning.content.curves.held_out.get("gland PQ", ())) >= 3, TRAINING_S)
    shoot("train-run", "Train")
    wait("the comparison", lambda: tuning.content.state == "finished", TRAINING_S)
    corrector.close_window()
    comparison = tuning.content.comparison
    place = next(place for place, row in enumerate(comparison.regions) if row.task == "gland")
    tuning.look(str(place))
    wait("both models' objects", lambda: bool(tuning.overlay.sides))
    rest(5)  # what was said about the end of training goes away
    see_gland(viewer, session, Rect(*comparison.regions[place].rect))
    panels["Train"].parentWidget().raise_()
    rest(1)
    bar = panels["Train"].verticalScrollBar()
    bar.setValue(bar.maximum())
    shoot("train-compare", "Train")
    conductor = panels["Segment"].presenter.conductor
    tuning.promote()
    wait("the new model's objects", lambda: conductor.state != "idle")
    wait("the new model's objects", lambda: conductor.state == "idle", TRAINING_S)
    viewer.reset_view()
    rest(1)
    bar.setValue(0)
    shoot("train-promote", "Train")


def see_gland(viewer: napari.Viewer, session: Session, rect: Rect) -> None:
    """Go near the largest gland of a region."""
    found = session.frame("gland").instances
    low, high = np.array([rect.y, rect.x]), np.array([rect.bottom, rect.right])
    inside = ((found.centroids >= low) & (found.centroids < high)).all(axis=1)
    row = int(np.argmax(found.areas_px * inside))
    session.go_to(Rect.from_bounds(*(int(value) for value in found.boxes[row])))
    viewer.scene.camera.zoom = 3


def review(number: int, session: Session, panels: dict[str, Any]) -> None:
    """Correct a region by what the sample's program drew, and mark it done."""
    queue, presenter = panels["Queue"].presenter, panels["Correct"].presenter
    corrector = presenter.corrector
    queue.open(next(row.key for row in queue.rows if row.key[1] == number))
    wait("the edit window", lambda: corrector.window is not None and corrector.window.region_id == number)
    window = corrector.window
    for task, own in window.tasks.items():
        path = sample_slide_path().parent / "truth" / f"{session.current.slide_id}_{task}.tif"
        if path.is_file():
            true = tifffile.imread(path)[window.region.slices].astype(np.int32)
            inside = window.region.relative_to(window.rect).slices
            own.layer.data[inside] = np.where(true > 0, true + own.new_id(), 0)
            own.layer.refresh()
            corrector.strokes.take_all("script")
    presenter.act("accept_region")
    wait("the region", lambda: queue.region(("region", number)).state == "done")


if __name__ == "__main__":
    main()
