"""The panel in a real window, on a session that is not one."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from napari.qt import get_stylesheet

pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)

from qtpy.QtCore import QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QComboBox, QLineEdit

from pathloop.core import Rect
from pathloop.gui.widgets import objects_panel
from pathloop.gui.widgets.object_picture import captioned, scale_bar, write_png
from pathloop.gui.widgets.object_table import MAX_RANGES, ObjectTableModel

pytestmark = pytest.mark.gui


class Screen:
    """A viewer that only has a screen."""

    def screenshot(self, *, canvas_only, flash):
        assert canvas_only
        assert not flash
        return np.full((300, 400, 4), 180, np.uint8)


@pytest.fixture
def panel_of(qtbot, monkeypatch):
    def build(session):
        monkeypatch.setattr(objects_panel, "session_for", lambda viewer: session)
        panel = objects_panel.ObjectsPanel(Screen())
        qtbot.addWidget(panel)
        panel.resize(420, 620)
        panel.show()
        qtbot.waitExposed(panel)
        return panel

    return build


@pytest.fixture
def shown(session_of, frame_of, panel_of):
    session = session_of(frame_of(200), frame_of(12, 1, task="gland"))
    return session, panel_of(session)


def cells(panel, column):
    model = panel.table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def child(panel, name, kind=QAbstractButton):
    found = panel.findChild(kind, name)
    assert found is not None, name
    return found


def test_the_table_shows_every_object(shown):
    session, panel = shown
    frame = session.frame("nuclei")
    assert cells(panel, 0) == [str(number) for number in frame.instances.ids]
    assert cells(panel, 3) == [f"{value:.2f}" for value in frame.instances.confidences]
    header = [panel.table.model().headerData(section, Qt.Orientation.Horizontal) for section in range(9)]
    assert header == [
        "ID",
        "Class",
        "Class prob.",
        "Confidence",
        "Area (µm²)",
        "Centre y (px)",
        "Centre x (px)",
        "State",
        "Locked",
    ]


def test_a_click_on_a_header_sorts_and_another_turns_round(shown, qtbot):
    session, panel = shown
    header = panel.table.horizontalHeader()
    place = QPoint(header.sectionViewportPosition(3) + 8, header.height() // 2)
    wanted = sorted(session.frame("nuclei").instances.confidences.tolist())
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert cells(panel, 3) == [f"{value:.2f}" for value in wanted]
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert cells(panel, 3) == [f"{value:.2f}" for value in reversed(wanted)]
    assert header.sortIndicatorSection() == 3


def test_filters_reduce_the_table(shown, qtbot):
    session, panel = shown
    line = child(panel, "pathloop_filter_confidence_low", QLineEdit)
    qtbot.keyClicks(line, "0,5")
    qtbot.waitUntil(lambda: panel.table.model().rowCount() < 200)
    n = int((session.frame("nuclei").instances.confidences >= 0.5).sum())
    assert panel.table.model().rowCount() == n
    assert panel._counts.text() == f"{n} of 200 nuclei shown, 0 selected"
    child(panel, "pathloop_filter_class_1").setChecked(False)
    assert "tumour" not in cells(panel, 1)
    child(panel, "pathloop_filter_ids", QLineEdit).setText("quark")
    child(panel, "pathloop_filter_in_view").setChecked(True)
    assert "quark" in panel.filters._problem.text()
    child(panel, "pathloop_filter_reset").click()
    assert panel.table.model().rowCount() == 200
    assert panel.filters._problem.isHidden()


def test_a_region_that_cannot_be_had_is_not_shown_as_set(shown):
    session, panel = shown
    session.view = None
    place = child(panel, "pathloop_filter_place", QComboBox)
    place.setCurrentIndex(1)
    place.activated.emit(1)
    assert session.said[-1][1] == "warning"
    assert place.currentIndex() == 0
    session.view = Rect(0, 0, 3000, 3000)
    place.setCurrentIndex(1)
    place.activated.emit(1)
    assert 0 < panel.table.model().rowCount() < 200
    assert "3,000" in panel.filters._region.text()
    assert panel._filter_box.text().strip() == "Filters (set)"


def test_rows_and_objects_on_the_slide_are_selected_together(shown, qtbot):
    session, panel = shown
    panel.table.selectRow(5)
    assert session.selections[-1][1].tolist() == [session.frame("nuclei").instances.ids[5]]
    assert panel.card._body.isVisible()
    session.select("nuclei", session.frame("nuclei").instances.ids[[150, 151, 180]], "canvas")
    rows = sorted({index.row() for index in panel.table.selectionModel().selectedIndexes()})
    assert rows == [150, 151, 180]
    assert panel.table.rowAt(panel.table.viewport().height() // 2) > 100
    assert len(session.selections) == 2


def test_a_scattered_selection_of_thousands_does_not_go_through_ranges(session_of, frame_of, panel_of, qtbot):
    session = session_of(frame_of(4000))
    panel = panel_of(session)
    ids = session.frame("nuclei").instances.ids[::2]
    session.select("nuclei", ids, "plot")
    assert len(ids) > MAX_RANGES
    assert not panel.table.selectionModel().hasSelection()
    model = panel.table.model()
    marks = [model.index(row, 0).data(Qt.ItemDataRole.BackgroundRole) is not None for row in range(6)]
    assert marks == [True, False] * 3
    panel.table.selectRow(1)
    assert model.index(0, 0).data(Qt.ItemDataRole.BackgroundRole) is None


def test_the_header_does_not_look_at_every_selected_row(shown):
    _, panel = shown
    assert panel.table.horizontalHeader().selectionModel() is not panel.table.selectionModel()


def test_enter_and_double_click_go_there(shown, qtbot):
    session, panel = shown
    panel.table.setFocus()
    panel.table.setCurrentIndex(panel.table.model().index(3, 0))
    qtbot.keyClick(panel.table, Qt.Key.Key_Return)
    place = panel.table.visualRect(panel.table.model().index(2, 1)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    boxes = session.frame("nuclei").instances.boxes
    assert [rect.height for rect in session.visited] == [max(box[2:] - box[:2]) + 80 for box in boxes[[3, 2]]]


def test_copying_puts_lines_on_the_clipboard(shown, qtbot):
    session, panel = shown
    panel.table.selectRow(7)
    qtbot.keyClick(panel.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 2
    assert lines[1].split("\t")[0] == str(session.frame("nuclei").instances.ids[7])


def test_brushing_the_histogram_selects(shown, qtbot):
    session, panel = shown
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    plots = panel.plots
    plots._x.setCurrentIndex(plots._x.findData("confidence"))
    plots._x.activated.emit(plots._x.currentIndex())

    def places():
        return [plots.plot.mapFromScene(plots.box.mapViewToScene(QPointF(x, 5.0))) for x in (0.25, 0.75)]

    found = None
    while found != (found := places()):
        QTest.qWait(200)  # labels find their size
    start, end = found
    view = plots.plot.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for place in (start + QPoint(9, 0), end - QPoint(1, 0), end):
        QTest.mouseMove(view, place)
        QTest.qWait(20)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert session.selections, "dragging did not arrive"
    values = session.frame("nuclei").instances.confidences
    ids = session.frame("nuclei").instances.ids
    # a pixel is about 0.004 wide
    assert set(ids[(values > 0.26) & (values < 0.74)]) <= set(session.selections[-1][1].tolist())
    assert set(session.selections[-1][1].tolist()) <= set(ids[(values > 0.24) & (values < 0.76)])


def test_the_scatter_plot_selects_rectangles(shown):
    session, panel = shown
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    plots = panel.plots
    plots._kind.setCurrentIndex(1)
    plots._choose()
    assert plots.plot.getAxis("bottom").labelText == "Area (µm²)"
    plots.box.brushed.emit(QRectF(0, 0.5, 1e6, 0.5))
    frame = session.frame("nuclei")
    assert session.selections[-1][1].tolist() == frame.instances.ids[frame.instances.confidences >= 0.5].tolist()


@pytest.mark.slow
def test_pyqtgraph_is_loaded_with_the_first_plot_only():
    code = """
import sys
import pathloop.gui.widgets.objects_panel, pathloop.gui.objects
assert "pyqtgraph" not in sys.modules and "torch" not in sys.modules and "openvino" not in sys.modules
import pathloop.gui.widgets.object_plots
assert "pyqtgraph" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_saved_is_what_is_shown(shown, monkeypatch, tmp_path):
    session, panel = shown
    monkeypatch.setattr(objects_panel.QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / Path(a[2]).name), ""))
    panel.presenter.sort_by("area")
    child(panel, "pathloop_objects_save_table").click()
    with (tmp_path / "slide_1_nuclei_objects.csv").open(encoding="utf-8") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == cells(panel, 0)
    child(panel, "pathloop_objects_save_picture").click()
    picture = QImage(str(tmp_path / "slide_1.png"))
    assert (picture.width(), picture.height()) == (400, 328)
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    child(panel, "pathloop_objects_save_picture").click()
    assert QImage(str(tmp_path / "slide_1_nuclei_plot.png")).width() > 200
    panel.tabs.setCurrentIndex(objects_panel.COMPOSITION)
    child(panel, "pathloop_objects_save_composition").click()
    with (tmp_path / "slide_1_composition.csv").open(encoding="utf-8") as stream:
        assert {row["task"] for row in csv.DictReader(stream)} == {"nuclei", "gland"}
    assert [level for _, level in session.said] == ["info"] * 4


def test_nothing_is_saved_when_the_user_thinks_better_of_it(shown, monkeypatch):
    session, panel = shown
    monkeypatch.setattr(objects_panel.QFileDialog, "getSaveFileName", lambda *a: ("", ""))
    for name in ("save_table", "save_picture", "save_composition"):
        child(panel, f"pathloop_objects_{name}").click()
    assert session.said == []


def test_every_control_says_what_it_does(shown):
    _session, panel = shown
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    panel.tabs.setCurrentIndex(objects_panel.COMPOSITION)
    kinds = (QAbstractButton, QComboBox, QLineEdit, QAbstractItemView)
    own = [each for kind in kinds for each in panel.findChildren(kind) if each.objectName().startswith("pathloop_")]
    own.append(panel._filter_box.toggleButton())
    silent = [each for each in own if not each.toolTip()]
    assert len(own) > 20
    assert [f"{type(each).__name__} {each.objectName()}" for each in silent] == []


def test_buttons_that_cannot_do_anything_say_why(session_of, frame_of, panel_of):
    session = session_of()
    panel = panel_of(session)
    button = child(panel, "pathloop_objects_save_table")
    assert not button.isEnabled()
    assert button.toolTip() == "There is nothing to save yet."
    session.current = None
    session.current_changed.emit()
    assert button.toolTip() == "Open a slide first."
    assert panel.table._empty == "Open a slide to see its objects."
    assert not child(panel, "pathloop_objects_task", QComboBox).isEnabled()


def test_it_fits_beside_the_canvas_of_a_laptop(shown, qtbot):
    _, panel = shown
    panel.setStyleSheet(get_stylesheet("dark"))  # napari's margins and letters are smaller than plain Qt's
    qtbot.wait(50)
    panel._filter_box.expand()
    for index in (objects_panel.TABLE, objects_panel.PLOTS, objects_panel.COMPOSITION):
        panel.tabs.setCurrentIndex(index)
        assert panel.widget().minimumSizeHint().width() <= 340


def test_what_is_closed_hears_no_more(shown, frame_of):
    session, panel = shown
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    panel.close_down()
    session.put(frame_of(5))
    session.select("nuclei", np.array([1]), "canvas")
    session.background.flush()
    assert panel.table.model().rowCount() == 200


def test_closing_leaves_nothing_behind(session_of, frame_of, monkeypatch, qtbot):
    session = session_of(frame_of(30))
    monkeypatch.setattr(objects_panel, "session_for", lambda viewer: session)
    panel = objects_panel.ObjectsPanel(Screen())
    panel.show()
    panel.tabs.setCurrentIndex(objects_panel.PLOTS)
    gone = []
    panel.destroyed.connect(lambda: gone.append(True))
    panel.close()
    panel.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))
    session.put(frame_of(6))
    session.select("nuclei", np.array([1]), "canvas")
    session.current_changed.emit()
    session.view_moved.emit()
    session.background.flush()


def test_the_model_formats_only_what_is_asked_for(frame_of, qtmodeltester):
    from pathloop.gui.objects._filters import Filters
    from pathloop.gui.objects._order import Sort, shown_objects

    model = ObjectTableModel()
    model.set_shown(shown_objects(frame_of(40), Filters(), Sort()))
    qtmodeltester.check(model)
    assert model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) is None
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.index(99, 0).data() is None


@pytest.mark.parametrize(("width", "bar"), [(1100.0, 200.0), (60.0, 10.0), (24_000.0, 2000.0), (5.0, 1.0)])
def test_scale_bars_are_round(width, bar):
    assert scale_bar(width) == bar


def test_a_picture_has_its_caption_below(tmp_path):
    pixels = np.full((400, 600, 4), 7, np.uint8)
    image = captioned(pixels, "slide Ä", 0.5)
    assert (image.width(), image.height()) == (600, 428)
    assert image.pixelColor(5, 5).getRgb()[:3] == (7, 7, 7)
    path = write_png(tmp_path / "a.png", image)
    again = QImage(str(path))
    strip = [again.pixelColor(x, 428 - 7).lightness() for x in range(600)]
    assert sum(value < 100 for value in strip) == pytest.approx(100, abs=3)  # 50 um
    without = captioned(pixels, "slide", None)
    assert all(without.pixelColor(x, 421).lightness() > 200 for x in range(300, 600))
