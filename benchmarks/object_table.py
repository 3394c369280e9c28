"""The object table with a million rows: milliseconds to build, sort, filter, scroll and select.

Opens a window (without a display: xvfb-run -a python benchmarks/object_table.py). What the plugin does in a thread
and what it does in the window is timed apart: the window's part is what a user could feel. At 10,000 rows napari's own
table of features runs beside ours, in turns, so that a slow moment of the machine hits both.

python benchmarks/object_table.py [--rows 1000000] [--peer-rows 10000] [--repeats 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import napari
import numpy as np
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QTableView

from pathloop.core import ClassSpec, Instances, Rect, Scale
from pathloop.gui.objects._filters import Filters, Span
from pathloop.gui.objects._order import Shown, Sort, shown_objects, to_ranges
from pathloop.gui.objects._plots import histogram, scatter
from pathloop.gui.objects._view import Selected
from pathloop.gui.widgets.object_table import ObjectTable
from pathloop.loop import ObjectFrame, composition

SIDE = 100_000
N_SELECTED = 100_000
CLASSES = tuple(ClassSpec(name=f"class {n}", color=(40 * n, 255 - 40 * n, 128)) for n in range(6))
FILTERS = Filters(
    classes=frozenset({1, 2, 3}), confidence=Span(0.2, 0.9), area=Span(30.0), region=Rect(0, 0, SIDE, SIDE // 2)
)


def frame(n: int) -> ObjectFrame:
    rng = np.random.default_rng(1)
    corners = rng.integers(0, SIDE, (n, 2))
    instances = Instances(
        ids=np.arange(1, n + 1),
        boxes=np.concatenate([corners, corners + 20], axis=1),
        centroids=corners + 9.5,
        areas_px=rng.integers(50, 900, n),
        confidences=rng.random(n, dtype=np.float32),
        class_codes=rng.integers(0, 7, n).astype(np.int16),
        class_probabilities=rng.random(n, dtype=np.float32),
    )
    return ObjectFrame("nuclei", instances, np.zeros(n, np.uint8), np.zeros(n, bool), CLASSES, Scale(0.25, 0.25))


def timed(call: Callable[[], object]) -> float:
    """Milliseconds, painting included."""
    start = time.perf_counter()
    call()
    QApplication.processEvents()
    return 1000 * (time.perf_counter() - start)


def line(what: str, values: list[float]) -> None:
    print(f"{what:58s} median {statistics.median(values):9.1f} ms   longest {max(values):9.1f} ms", flush=True)


def selected(shown: Shown, rows: np.ndarray) -> Selected:
    return Selected(rows, to_ranges(shown.lines_of(rows)))


def scrolled(table: QTableView, pages: int = 40) -> list[float]:
    bar = table.verticalScrollBar()
    steps = np.linspace(0, bar.maximum(), pages).astype(int).tolist()
    return [timed(lambda value=value: bar.setValue(value)) for value in steps]


def ours(objects: ObjectFrame, repeats: int) -> None:
    n = len(objects)
    table = ObjectTable()
    table.resize(700, 600)
    table.show()
    QApplication.processEvents()
    nothing = Selected(np.zeros(0, np.int64), np.zeros((0, 2), np.int64))
    whole = shown_objects(objects, Filters(), Sort())
    line(
        f"{n:,} rows: build (window)", [timed(lambda: table.show_rows(whole, Sort(), nothing)) for _ in range(repeats)]
    )
    for key in ("area", "class", "confidence"):
        times = [timed(lambda key=key: shown_objects(objects, Filters(), Sort(key))) for _ in range(repeats)]
        line(f"{n:,} rows: sort by {key} (thread)", times)
    shown = shown_objects(objects, Filters(), Sort("area"))
    line(
        f"{n:,} rows: show the new order (window)",
        [timed(lambda: table.show_rows(shown, Sort("area"), nothing)) for _ in range(repeats)],
    )
    times = [timed(lambda: shown_objects(objects, FILTERS, Sort("area"))) for _ in range(repeats)]
    line(f"{n:,} rows: four filters and sort (thread)", times)
    line(f"{n:,} rows: scroll to another place (window)", scrolled(table))
    count = min(N_SELECTED, n // 4)
    spread = np.sort(np.random.default_rng(2).choice(n, count, replace=False))
    block = np.sort(shown.order[:count])
    for name, rows in (("scattered", spread), ("in one block", block)):
        times = [
            timed(lambda rows=rows: table.show_selected(selected(shown, rows), is_own=False)) for _ in range(repeats)
        ]
        line(f"{n:,} rows: select {count:,} {name} (window)", times)
    line(f"{n:,} rows: scroll with them selected (window)", scrolled(table))
    line(f"{n:,} rows: histogram (thread)", [timed(lambda: histogram(shown, "area", spread)) for _ in range(repeats)])
    times = [timed(lambda: scatter(shown, "area", "confidence", spread)) for _ in range(repeats)]
    line(f"{n:,} rows: density (thread)", times)
    times = [
        timed(lambda: composition([objects], None, None, objects.scale, shape=(SIDE, SIDE))) for _ in range(repeats)
    ]
    line(f"{n:,} rows: composition (thread)", times)
    table.close()


def beside_napari(n: int, repeats: int) -> None:
    """Building and sorting the same columns in both tables."""
    objects = frame(n)
    found = objects.instances
    columns = {
        "index": found.ids,
        "class": [CLASSES[code - 1].name if code else "" for code in found.class_codes.tolist()],
        "confidence": found.confidences,
        "area": objects.areas_um2,
        "y": found.centroids[:, 0],
        "x": found.centroids[:, 1],
    }
    viewer = napari.Viewer()
    layer = viewer.add_points(found.centroids, features=pd.DataFrame(columns))
    _, widget = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    theirs = widget.findChild(QTableView)
    own = ObjectTable()
    viewer.window.add_dock_widget(own, name="Objects")
    nothing = Selected(np.zeros(0, np.int64), np.zeros((0, 2), np.int64))
    place = columns_of(theirs).index("area")
    times: dict[str, list[float]] = {"build": [], "napari build": [], "sort": [], "napari sort": []}
    for turn in range(repeats):
        way = Qt.SortOrder.AscendingOrder if turn % 2 else Qt.SortOrder.DescendingOrder
        by_area = Sort("area", descending=not turn % 2)
        viewer.layers.selection.clear()
        QApplication.processEvents()
        times["napari build"].append(timed(lambda: viewer.layers.selection.add(layer)))
        times["build"].append(timed(lambda: own.show_rows(shown_objects(objects, Filters(), Sort()), Sort(), nothing)))
        times["napari sort"].append(timed(lambda way=way: theirs.sortByColumn(place, way)))
        times["sort"].append(timed(lambda s=by_area: own.show_rows(shown_objects(objects, Filters(), s), s, nothing)))
    for what in ("build", "sort"):
        line(f"{n:,} rows: {what}, ours", times[what])
        line(f"{n:,} rows: {what}, napari's features table", times[f"napari {what}"])
        ratio = statistics.median(times[f"napari {what}"]) / statistics.median(times[what])
        print(f"{'':58s} napari takes {ratio:.0f} times as long")
    viewer.close()


def columns_of(table: QTableView) -> list[str]:
    model = table.model()
    return [
        str(model.headerData(section, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole))
        for section in range(model.columnCount())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    application = QApplication.instance() or QApplication([])
    ours(frame(options.rows), options.repeats)
    beside_napari(options.peer_rows, options.repeats)
    application.quit()


if __name__ == "__main__":
    main()
