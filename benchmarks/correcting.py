"""What correcting costs in a real window: brush and object operations beside an empty napari Labels layer.

    python benchmarks/correcting.py [--side 3000] [--objects 5000]

Needs a display or Xvfb. A drawn slide of the given side holds the given number of discs as nuclei; an edit window is
opened on it. Each row is the time on the main thread until the change is drawn (events processed), in ms: median and
95th percentile; "saved" is the time until the journal has it. The last column is the ratio to one dab on an empty
Labels layer of the same size, measured in the same window. Software OpenGL makes every redraw slow: mind the ratios.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from pathloop.core import ClassSpec, Rect, Scale
from pathloop.objects import Measurer
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.store import Project

REPEATS = 25


def drawn_labels(side: int, n: int) -> np.ndarray:
    """Discs on a grid."""
    labels = np.zeros((side, side), np.int32)
    per_row = int(np.ceil(np.sqrt(n)))
    step = side // per_row
    radius = max(int(step * 0.36), 2)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y * y + x * x <= radius * radius
    for number in range(n):
        top = (number // per_row) * step + step // 2 - radius
        left = (number % per_row) * step + step // 2 - radius
        part = labels[top : top + 2 * radius + 1, left : left + 2 * radius + 1]
        part[disc[: part.shape[0], : part.shape[1]]] = number + 1
    return labels


def prepare(folder: Path, side: int, n: int) -> Path:
    """A grey slide and its project."""
    slide = folder / "grey.tif"
    write_tiff_pyramid(
        slide,
        lambda rect: np.full((*rect.shape, 3), 200, np.uint8),
        shape=(side, side),
        um_per_px=Scale.isotropic(0.5),
    )
    labels = drawn_labels(side, n)
    with open_slide(slide) as opened, Project.create(slide.with_suffix(".pathloop")) as project:
        slide_id = project.add_slide(
            slide,
            fingerprint=opened.fingerprint,
            shape=opened.shape,
            um_per_px_y=opened.scale.y,
            um_per_px_x=opened.scale.x,
            reader=opened.format,
        ).slide_id
        project.register_classes("nuclei", [ClassSpec(name="nucleus", color=(0, 158, 115))])
        project.begin_run(slide_id, "a" * 64, {"model": "drawn"}, tasks=["nuclei"])
        measurer = Measurer()
        measurer.add(labels, y=0, x=0)
        count = len(measurer.ids)
        whole = Rect(0, 0, side, side)
        with project.replace_predicted(slide_id, "nuclei", run_key="a" * 64, area=whole) as replacement:
            replacement.write(whole, labels)
            replacement.commit(measurer.instances(confidences=np.ones(count), class_codes=np.ones(count, np.int16)))
        project.finish_run(slide_id, "a" * 64, remove_folder=True)
    return slide


class _Silent:
    def __getattr__(self, name):
        if name.startswith("show_"):
            return lambda *values: None
        raise AttributeError(name)


class _NoNetwork:
    def __init__(self):
        self.listeners = []

    def maps(self, request):
        return 1

    def cancel_job(self, job):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=3000)
    parser.add_argument("--objects", type=int, default=5000)
    options = parser.parse_args()
    os.environ["PATHLOOP_CONFIG"] = tempfile.mkdtemp()
    import napari
    from qtpy.QtWidgets import QApplication

    from pathloop.gui._current import session_for
    from pathloop.gui.correcting import CorrectPresenter, keys_of

    def live(until, seconds=120.0):
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            QApplication.processEvents()

    with tempfile.TemporaryDirectory() as name:
        slide = prepare(Path(name), options.side, options.objects)
        viewer = napari.Viewer()
        viewer.window.resize(1366, 768)
        session = session_for(viewer)
        session.open_slide(slide)
        live(lambda: session.current is not None and session.current.slide_id)
        session.conductor = _NoNetwork()
        presenter = CorrectPresenter(session, _Silent(), keys_of({}))
        began = time.perf_counter()
        presenter.opener.open(Rect(0, 0, options.side, options.side))
        live(lambda: presenter.corrector.window is not None)
        QApplication.processEvents()
        opening = 1e3 * (time.perf_counter() - began)
        own = presenter.corrector.window.tasks["nuclei"]
        viewer.scene.camera.zoom = 2
        centres = {number: row.centroid for number, row in own.rows.items()}
        rng = np.random.default_rng(0)
        order = iter(rng.permutation(sorted(centres)).tolist())
        rows = []

        def measure(label, act):
            drawn, saved = [], []
            for _ in range(REPEATS):
                session.journal.settle(10)
                QApplication.processEvents()
                number = next(order)
                start = time.perf_counter()
                act(number, centres[number])
                QApplication.processEvents()
                drawn.append(time.perf_counter() - start)
                session.journal.settle(10)
                saved.append(time.perf_counter() - start)
            rows.append((label, 1e3 * np.array(drawn), 1e3 * np.array(saved)))

        def dab(layer, place, number):
            with layer.block_history():
                layer.paint(place, number)

        empty = viewer.add_labels(np.zeros((options.side, options.side), np.int32), name="empty")
        measure("dab, empty Labels layer", lambda number, place: dab(empty, place, 1))
        viewer.layers.remove(empty)
        gap = int(options.side // np.ceil(np.sqrt(options.objects))) // 2
        presenter.act("brush")
        measure("brush", lambda number, place: dab(own.layer, (place[0] + gap, place[1] + gap), own.new_id()))

        def erase(number, place):
            own.layer.selected_label = number
            own.layer.preserve_labels = False
            dab(own.layer, (place[0] - 8, place[1]), 0)

        presenter.act("eraser")
        measure("eraser", erase)
        for action in ("delete", "accept", "lock", "smooth"):
            measure(action, lambda number, place, action=action: presenter.act(action, place))
        measure(
            "split",
            lambda number, place: presenter.finish_line(
                "split", np.array([(place[0] - 30, place[1]), (place[0] + 30, place[1])])
            ),
        )
        measure(
            "lasso",
            lambda number, place: presenter.finish_line(
                "lasso", np.array(place) + np.array([(-18, -18), (-18, -12), (-12, -12), (-12, -18)])
            ),
        )
        measure("undo", lambda number, place: presenter.act("undo"))
        floor = float(np.median(rows[0][1]))
        print(f"{options.side} px, {options.objects} objects; window opened in {opening:.0f} ms")
        print(f"{'':28} {'drawn':>7} {'p95':>7} {'saved':>7} {'ratio':>6}")
        for label, drawn, saved in rows:
            print(
                f"{label:28} {np.median(drawn):7.1f} {np.percentile(drawn, 95):7.1f} {np.median(saved):7.1f}"
                f" {np.median(drawn) / floor:6.2f}"
            )
        session.close()
        viewer.close()


if __name__ == "__main__":
    main()
