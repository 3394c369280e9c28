"""The panel in a real window: clicks, keys, pictures, frames on the canvas, and a long queue."""

import time

import numpy as np
import pytest
from queue_kit import UM_PER_PX, add_regions

pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QFont
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QAbstractItemView, QAbstractSpinBox, QApplication, QComboBox, QInputDialog

from pathloop.core import Rect
from pathloop.gui._current import session_for
from pathloop.gui.queueing._lines import STATE_COLORS
from pathloop.gui.widgets._queue_delegate import wrapped
from pathloop.gui.widgets.queue_panel import QueuePanel
from pathloop.store import Reason, Region

pytestmark = [pytest.mark.gui, pytest.mark.slow]

CPU_LIMIT_S = 0.3
PANEL_PX = 340


@pytest.fixture
def window(make_napari_viewer_proxy, folder, qtbot):
    """A window with the panel alone, and the drawn slide in it."""
    viewer = make_napari_viewer_proxy(show=True)
    panel = QueuePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Queue")
    panel.window().resize(1366, 768)
    session = session_for(viewer)
    session.open_slide(folder / "drawn.tif", um_per_px=UM_PER_PX)
    qtbot.waitUntil(lambda: session.current is not None and len(session.frame("gland")) == 2, timeout=30_000)
    qtbot.wait(300)
    yield viewer, panel, session
    session.close()


@pytest.fixture
def ranked(window, qtbot):
    _, panel, _ = window
    panel.ranking.count.setValue(12)
    qtbot.mouseClick(panel.ranking.rank, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.list.own_model.rowCount() == 12, timeout=30_000)
    qtbot.waitUntil(lambda: panel.ranking.rank.isVisible(), timeout=5_000)
    return window


def spot(panel, place):
    return panel.list.visualRect(panel.list.own_model.index(place)).center()


def canvas():
    found = [one for one in QApplication.allWidgets() if type(one).__name__ == "CanvasBackendDesktop"]
    return max((one for one in found if one.isVisible()), key=lambda one: one.width())


def centre(viewer):
    return np.array(viewer.scene.camera.center[-2:]) / UM_PER_PX


def is_at(viewer, rect):
    y, x = centre(viewer)
    return rect.y <= y <= rect.bottom and rect.x <= x <= rect.right


def test_clicks_and_keys_go_there(ranked, qtbot):
    viewer, panel, session = ranked
    rows = panel.list.own_model.rows
    wanted = []
    session.region_wanted.connect(lambda region: wanted.append(region.rect))
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=spot(panel, 1))
    assert panel.presenter.selected == (rows[1].key,)
    assert wanted == []
    qtbot.mouseDClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=spot(panel, 1))
    assert wanted == [rows[1].rect]
    assert is_at(viewer, rows[1].rect)
    canvas().setFocus()
    qtbot.keyClick(canvas(), Qt.Key.Key_N)
    assert wanted[-1] == rows[2].rect
    assert is_at(viewer, rows[2].rect)
    qtbot.keyClick(canvas(), Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert wanted[-1] == rows[1].rect
    assert panel.list.keys == [rows[1].key]
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_N)
    qtbot.keyClick(panel.list, Qt.Key.Key_Down)
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert wanted[-1] == rows[3].rect
    qtbot.mouseClick(panel._next, Qt.MouseButton.LeftButton)
    assert wanted[-1] == rows[4].rect


def test_n_is_quick(ranked, qtbot):
    _, panel, _ = ranked
    panel.presenter.step(1)
    qtbot.wait(300)
    took = []
    for _ in range(4):
        began = time.thread_time()
        panel.presenter.step(1)
        QApplication.processEvents()  # drawing counts
        took.append(time.thread_time() - began)
        qtbot.wait(100)
    assert sorted(took)[1] < CPU_LIMIT_S


def test_pictures_and_frames_are_drawn(ranked, qtbot):
    viewer, panel, session = ranked
    cache = panel.presenter.thumbnails
    qtbot.waitUntil(lambda: cache.get(session.current, panel.list.own_model.rows[0].rect) is not None, timeout=10_000)
    qtbot.wait(300)
    picture = panel.list.viewport().grab().toImage()
    colors = {picture.pixelColor(x, y).name() for x in range(10, 66, 4) for y in range(10, 66, 4)}
    assert len(colors) > 20

    def shown(state):
        pixels = np.asarray(viewer.screenshot(canvas_only=True, flash=False))[..., :3].astype(int)
        return int((np.abs(pixels - STATE_COLORS[state]).max(axis=2) < 12).sum())

    assert shown("todo") > 1000
    green = shown("done")
    panel.presenter.select([panel.list.own_model.rows[0].key])
    panel._done.click()
    qtbot.waitUntil(lambda: panel.presenter.content.regions[0].state == "done", timeout=10_000)
    qtbot.wait(300)
    assert shown("done") > green + 100
    panel._frames.setChecked(False)
    qtbot.wait(200)
    assert shown("todo") < 100


def test_dialogs_change_what_is_selected(ranked, qtbot, monkeypatch):
    _, panel, session = ranked
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=spot(panel, 0))
    key = panel.presenter.selected[0]
    monkeypatch.setattr(QInputDialog, "getMultiLineText", lambda *a: ("Is this\nhyperplasia?", True))
    qtbot.mouseClick(panel._ask, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.presenter.region(key).flag is not None, timeout=10_000)
    monkeypatch.setattr(QInputDialog, "getItem", lambda *a: ("Anna", True))
    qtbot.mouseClick(panel._assign, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.presenter.region(key).assigned == "Anna", timeout=10_000)
    assert "hyperplasia" in panel.list.own_model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert panel.list.keys == [key]
    panel._filter.setCurrentIndex(panel._filter.findData("flagged"))
    panel._filter.activated.emit(panel._filter.currentIndex())
    assert panel.list.own_model.rowCount() == 1
    assert panel._counts.text() == "0 of 12 done, 1 asked; 1 shown"
    monkeypatch.setattr(QInputDialog, "getMultiLineText", lambda *a: ("anything", False))
    panel._ask.click()
    session.journal.settle(5)
    assert panel.presenter.region(key).flag == "Is this\nhyperplasia?"


def test_every_control_says_what_it_does(ranked):
    _, panel, _ = ranked
    kinds = (QAbstractButton, QComboBox, QAbstractItemView, QAbstractSpinBox)
    found = [one for kind in kinds for one in panel.findChildren(kind) if one.objectName()]
    own = [one for one in found if not one.objectName().startswith("qt_")]
    assert len(own) >= 14
    assert [one.objectName() for one in own if not one.toolTip()] == []
    named = [one for one in own if one.accessibleName() or getattr(one, "text", lambda: "")()]
    assert [one.objectName() for one in own if one not in named] == []
    assert all(one.focusPolicy() != Qt.FocusPolicy.NoFocus for one in own)


def test_it_fits_a_laptop(ranked, qtbot):
    _, panel, _ = ranked
    panel.show_progress(0.5, "Flips and rotations: 12 of 200, 22 min left")
    panel.show_note("12 regions to do, 3 of them random.", "")
    qtbot.wait(100)
    assert panel.window().width() <= 1366
    assert panel.window().height() <= 768
    assert panel.widget().minimumSizeHint().width() <= PANEL_PX
    assert panel.widget().minimumSizeHint().height() <= panel.viewport().height()


def test_a_long_queue_is_listed_at_once(make_napari_viewer_proxy, folder, qtbot):
    reasons = (Reason("entropy", 0.5, "the model is unsure of 50 % of the tissue in this region"),) * 3
    regions = [
        Region(
            number,
            "drawn",
            Rect((number * 37) % 600, (number * 91) % 650, 100, 100),
            rank=number,
            reasons=reasons,
            holdout=number % 4 == 0,
            states={"nuclei": "todo", "gland": "done" if number % 3 else "todo"},
        )
        for number in range(1, 2001)
    ]
    add_regions(folder / "drawn.pathloop", "drawn", *regions)
    viewer = make_napari_viewer_proxy(show=True)
    panel = QueuePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Queue")
    session = session_for(viewer)
    session.open_slide(folder / "drawn.tif", um_per_px=UM_PER_PX)
    qtbot.waitUntil(lambda: panel.list.own_model.rowCount() == 2000, timeout=30_000)
    qtbot.wait(500)
    rows = list(panel.list.own_model.rows)
    panel.list.show_rows([], "")
    began = time.thread_time()
    panel.list.show_rows(rows, "")
    panel.list.viewport().repaint()
    assert time.thread_time() - began < CPU_LIMIT_S
    bar = panel.list.verticalScrollBar()
    began = time.thread_time()
    for place in range(10):
        bar.setValue(bar.maximum() * place // 10)
        panel.list.viewport().repaint()
    assert (time.thread_time() - began) / 10 < CPU_LIMIT_S / 5
    qtbot.wait(500)
    # what was scrolled past is not read
    assert len(panel.presenter.thumbnails._pictures) < 300
    session.close()


def test_closing_the_panel_gives_everything_back(ranked, qtbot):
    viewer, panel, session = ranked
    keys, n = len(viewer.keymap), len(viewer.layers)
    viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: len(viewer.layers) == n - 1, timeout=5_000)
    assert len(viewer.keymap) == keys - 2
    session.current_changed.emit()
    session.regions_changed.emit()
    session.step_wanted.emit(1)
    qtbot.wait(200)


def test_words_are_wrapped_in_two_lines_and_cut(qtbot):
    font = QFont()
    font.setPixelSize(12)
    text = "The model is unsure of 8 % of the tissue in this region. 21 nuclei and 1 lumen are faint."
    lines = wrapped(text, font, 220, 2)
    assert len(lines) == 2
    assert text.startswith(lines[0])
    assert lines[1].endswith("…")
    assert wrapped("Short.", font, 220, 2) == ["Short."]
    assert wrapped("", font, 220, 2) == []


def test_menus_add_and_mark(ranked, qtbot):
    viewer, panel, _ = ranked
    viewer.scene.camera.zoom *= 1.5
    add = {action.text(): action for action in panel._add.menu().actions()}
    assert list(add) == ["What is on screen", "Draw rectangles", "Drawn rectangles"]
    add["What is on screen"].trigger()
    qtbot.waitUntil(lambda: panel.list.own_model.rowCount() == 13, timeout=10_000)
    assert panel.list.own_model.rows[-1].origin == "added by hand"
    panel.list.scrollToBottom()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=spot(panel, 12))
    assert [action.text() for action in panel._done.menu().actions()] == [
        "Only nuclei: done",
        "Only glands: done",
        "Only lumina: done",
        "",
        "Verified by...",
    ]
    panel._done.menu().actions()[1].trigger()
    qtbot.waitUntil(lambda: panel.presenter.content.regions[-1].states["gland"] == "done", timeout=10_000)
    assert panel.list.keys == [panel.list.own_model.rows[12].key]
    place = panel.list.visualRect(panel.list.own_model.index(12))
    assert panel.list.indexAt(place.topLeft() + QPoint(5, 5)).row() == 12
    QTest.keyClick(panel.list, Qt.Key.Key_Home)
    assert panel.presenter.selected == (panel.list.own_model.rows[0].key,)
