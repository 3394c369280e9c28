"""A million objects on the screen: seconds to recolour, to move the view, to outline, to find an object.

Opens a window (without a display: xvfb-run -a python benchmarks/display.py). Plain napari layers of the same labels
run beside ours, in turns, so that a slow moment of the machine hits both.

python benchmarks/display.py [--side 16384] [--repeats 15]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from pathloop.core import ClassSpec, Instances, Rect, Scale
from pathloop.gui._background import InlineBackground
from pathloop.gui.display import COLOUR_BY, IdPyramid, SlideLayers
from pathloop.loop import ObjectFrame
from pathloop.rasters import LabelPyramid, create_label_pyramid

PITCH, OBJECT = 16, 12
SCALE = Scale(0.25, 0.25)
STEP_PX = 700
CLASSES = tuple(ClassSpec(name=f"class {n}", color=(40 * n, 255 - 40 * n, 128)) for n in range(6))


def mosaic(folder: Path, side: int) -> LabelPyramid:
    """Squares of 12 px, one every 16 px, ids in reading order."""
    pyramid = create_label_pyramid(folder / "nuclei", (side, side), scale=SCALE, attributes={})
    per_row = side // PITCH
    inside = np.arange(side) % PITCH < OBJECT
    for top in range(0, side, 512):
        rows = np.arange(top, top + 512)
        ids = (rows // PITCH * per_row)[:, None] + np.arange(side) // PITCH + 1
        strip = Rect(top, 0, 512, side)
        pyramid.write(strip, np.where(inside[rows][:, None] & inside, ids, 0).astype(np.int32))
        pyramid.build_levels(strip)
    return pyramid


def frame(side: int) -> ObjectFrame:
    n, rng = (side // PITCH) ** 2, np.random.default_rng(1)
    instances = Instances(
        ids=np.arange(1, n + 1),
        boxes=np.zeros((n, 4), np.int64),
        centroids=np.zeros((n, 2)),
        areas_px=rng.integers(50, 900, n),
        confidences=rng.random(n, dtype=np.float32),
        class_codes=rng.integers(0, 7, n).astype(np.int16),
        class_probabilities=rng.random(n, dtype=np.float32),
    )
    return ObjectFrame("nuclei", instances, np.zeros(n, np.uint8), np.zeros(n, bool), CLASSES, SCALE)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


class Bench:
    """A window with the same labels as our layer and as a plain one."""

    def __init__(self, folder: Path, side: int, repeats: int) -> None:
        self.side, self.repeats = side, repeats
        self.viewer = napari.Viewer(show=True)
        self.background = InlineBackground()
        self.layers = SlideLayers(self.viewer, self.background, "s", (side, side), SCALE)
        landed = mosaic(folder, side)
        self.frame = frame(side)
        self.first_ms = timed(lambda: self.layers.show_task("nuclei", IdPyramid((side, side), landed), self.frame))
        self.ours = self.viewer.layers["s - nuclei"]
        options = {"multiscale": True, "scale": (0.25, 0.25), "units": "um", "visible": False}
        self.plain = self.viewer.add_labels(list(landed.levels), **options)
        self.draw()

    def draw(self) -> None:
        self.background.flush()
        for _ in range(3):
            QApplication.processEvents()

    def go(self, y: float, x: float, zoom: float) -> None:
        camera = self.viewer.scene.camera
        camera.zoom, camera.center = zoom / 0.25, (0, y * 0.25, x * 0.25)

    def pan(self, zoom: float) -> tuple[float, float]:
        """Median milliseconds of a frame in which the view moves to pixels not seen before: ours, plain."""
        pairs: list[tuple[float, float]] = []
        places = np.linspace(0.15, 0.8, self.repeats + 2) * self.side
        for number, place in enumerate(places):
            pair = []
            both = (self.ours, self.plain) if number % 2 else (self.plain, self.ours)
            for shown, hidden in (both, both[::-1]):
                hidden.visible, shown.visible = False, True
                self.go(self.side / 2, place - STEP_PX / zoom, zoom)
                self.draw()
                pair.append(timed(lambda place=place: (self.go(self.side / 2, place, zoom), self.draw())))
            pairs.append((pair[0], pair[1]) if number % 2 else (pair[1], pair[0]))
        ours, plain = zip(*pairs[2:], strict=True)
        self.plain.visible, self.ours.visible = False, True
        return statistics.median(ours), statistics.median(plain)

    def recolour(self) -> dict[str, float]:
        """Median milliseconds until the canvas is drawn in other colours."""
        spent: dict[str, list[float]] = {by: [] for by in COLOUR_BY}
        self.go(self.side / 2, self.side / 2, 1.0)
        self.draw()
        for _ in range(self.repeats):
            for by in COLOUR_BY:
                spent[by].append(timed(lambda by=by: (self.layers.colour_by(by), self.draw())))
        self.layers.colour_by("class")
        self.draw()
        return {by: statistics.median(one) for by, one in spent.items()}

    def select(self) -> float:
        ids = np.arange(1, len(self.frame), 3)
        return statistics.median(
            timed(lambda n=n: (self.layers.selected("nuclei", ids + n % 2), self.draw())) for n in range(self.repeats)
        )

    def hits(self) -> tuple[float, float]:
        """Median milliseconds to find the object at a position: in view, and anywhere."""
        rng, middle = np.random.default_rng(2), self.side / 2
        near = [timed(lambda: self.layers.at(*(middle + rng.integers(-300, 300, 2)))) for _ in range(500)]
        far = [timed(lambda: self.layers.at(*rng.integers(0, self.side, 2))) for _ in range(200)]
        return statistics.median(near), statistics.median(far)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.side, options.repeats)
        print(f"{len(bench.frame):,} objects, {options.side:,} x {options.side:,} px")
        print(f"{'first show':34s} {bench.first_ms:8.1f} ms")
        for by, spent in bench.recolour().items():
            print(f"{'recolour by ' + by:34s} {spent:8.1f} ms")
        print(f"{'select a third':34s} {bench.select():8.1f} ms")
        bench.layers.selected("nuclei", [])
        for style, contour in (("fill", 0), ("outline", 1)):
            bench.layers.style(style)
            bench.plain.contour = contour
            for zoom in (1.0, 0.25):
                ours, plain = bench.pan(zoom)
                name = f"pan, {style}, zoom {zoom:g}"
                print(f"{name:34s} {ours:8.1f} ms   napari {plain:8.1f} ms   ratio {ours / plain:5.2f}")
        near, far = bench.hits()
        print(f"{'object at a position, in view':34s} {near:8.3f} ms")
        print(f"{'object at a position, anywhere':34s} {far:8.3f} ms")
        bench.viewer.close()


if __name__ == "__main__":
    main()
