"""The panel and the overview in a real window."""

import time

import numpy as np
import pytest
from slide_files import picture, write_svs

pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)

from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QPalette
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QMainWindow,
    QToolButton,
    QWidget,
)

from pathloop.gui._current import session_for
from pathloop.gui.opening import screen_rect
from pathloop.gui.widgets.icons import FOLDER, icon
from pathloop.gui.widgets.slides_panel import SlidesPanel

pytestmark = [pytest.mark.gui, pytest.mark.slow]


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.01)


def rest(seconds=0.4):
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    made = make_napari_viewer_proxy(show=True)
    yield made
    session_for(made).close()


@pytest.fixture
def panel(viewer):
    made = SlidesPanel(viewer)
    viewer.window.add_dock_widget(made, name="Slides")
    made.window().resize(1366, 768)
    rest()
    return made


@pytest.fixture
def shown(panel, viewer, sample):
    """The panel with the sample slide."""
    panel.presenter.open([sample])
    session = session_for(viewer)
    wait(lambda: session.current is not None and panel.overview.isVisible())
    rest()
    return panel


def controls(panel):
    kinds = (QAbstractButton, QLineEdit, QAbstractItemView)
    found = [one for kind in kinds for one in panel.findChildren(kind) if not isinstance(one, QToolButton)]
    return [one for one in found if not one.objectName().startswith("qt_") and type(one).__module__ != "builtins"]


def test_empty_state_fits_a_laptop(panel, viewer):
    window = panel.window()
    assert isinstance(window, QMainWindow)
    assert window.width() <= 1366
    assert window.height() <= 768
    assert panel.slides.steps.isVisible()
    assert not panel.scale.isVisible()
    assert not panel.overview.isVisible()


def test_every_control_has_a_tooltip_and_a_name(shown):
    missing = [(type(one).__name__, one.objectName()) for one in controls(shown) if not one.toolTip()]
    named = [one for one in controls(shown) if "table" not in type(one).__name__.lower()]
    assert len(named) > 15
    assert [one for one in missing if one[0] not in ("QHeaderView", "QTableCornerButton", "QAbstractButton")] == []


def test_nothing_is_wider_than_the_panel(shown):
    inner = shown.widget()
    assert inner.minimumSizeHint().width() <= shown.viewport().width()


def test_disabled_buttons_say_why(panel, viewer, tmp_path):
    panel.presenter.open([write_svs(tmp_path / "u.svs", picture(), mpp=False)])
    session = session_for(viewer)
    wait(lambda: session.current is not None and panel.scale.isVisible())
    button = panel.findChild(QWidget, "power_20")
    assert not button.isEnabled()
    assert "um per px" in button.toolTip()
    assert panel.scale.quick["40x"].isVisible()
    QTest.mouseClick(panel.scale.quick["40x"], Qt.MouseButton.LeftButton)
    wait(button.isEnabled)
    assert session.current.scale.um_per_px == 0.25
    assert panel.scale.field.text() == "0.25"
    assert not panel.scale.quick["40x"].isVisible()


def test_the_path_field_opens(panel, viewer, sample):
    panel.slides.path.setText(f'  "{sample}" ')
    QTest.keyClick(panel.slides.path, Qt.Key.Key_Return)
    wait(lambda: session_for(viewer).current is not None)
    assert panel.slides.path.text() == ""
    wait(lambda: panel.slides.list.count() == 1)
    assert "colon_sample" in panel.slides.list.item(0).text()


def test_panel_and_overview_are_drawn(shown, viewer):
    picture = np.asarray(viewer.screenshot(canvas_only=False, flash=False))[..., :3]
    assert picture.std() > 20
    drawn = shown.overview.grab().toImage()
    colors = {drawn.pixelColor(x, y).name() for x in range(10, 100, 10) for y in range(10, 100, 10)}
    assert len(colors) > 10


def test_overview_goes_there_and_stays_in_its_corner(shown, viewer):
    session, inset = session_for(viewer), shown.overview
    shown.tools.magnify(40)
    QTest.mouseClick(inset, Qt.MouseButton.LeftButton, pos=QPoint(inset.width() // 4, inset.height() // 4))
    rest(0.1)
    opened = session.current
    rect = screen_rect(session.viewer, opened.layer, opened.slide.shape)
    height, width = opened.slide.shape
    assert abs((rect.y + rect.bottom) / 2 / height - 0.25) < 0.03
    assert abs((rect.x + rect.right) / 2 / width - 0.25) < 0.03
    host = inset.parentWidget()
    assert host is shown.window().centralWidget()
    for size in ((1366, 768), (1100, 700)):
        shown.window().resize(*size)
        rest()
        assert host.width() - inset.geometry().right() <= 14
        assert inset.y() <= 14
    shown.view_tools.overview.setChecked(False)
    assert not inset.isVisible()
    shown.view_tools.overview.setChecked(True)
    assert inset.isVisible()


def test_label_and_macro_open_in_a_dialog(panel, viewer, tmp_path):
    panel.presenter.open([write_svs(tmp_path / "u.svs", picture())])
    session = session_for(viewer)
    wait(lambda: session.current is not None and panel.slide.associated.isEnabled())
    QTest.mouseClick(panel.slide.associated, Qt.MouseButton.LeftButton)

    def dialog():
        return panel.window().findChild(QDialog, "pathloop-associated")

    wait(lambda: dialog() is not None)
    pictures = [one for one in dialog().findChildren(QLabel) if not one.pixmap().isNull()]
    assert len(pictures) == 2
    assert len(viewer.layers) == 1
    dialog().reject()
    wait(lambda: dialog() is None)


def test_icons_take_the_colour_of_the_text(panel):
    for path in FOLDER.glob("*.svg"):
        assert "currentColor" in path.read_text()
        image = icon(path.stem, panel.slides.browse).pixmap(64, 64).toImage()
        opaque = [
            image.pixelColor(x, y).name() for x in range(64) for y in range(64) if image.pixelColor(x, y).alpha() == 255
        ]
        assert set(opaque) == {panel.slides.browse.palette().color(QPalette.ColorRole.ButtonText).name()}, path


def test_closing_the_panel_gives_everything_back(shown, viewer):
    bar, host = viewer.canvas.overlays.scale_bar, shown.overview.parentWidget()
    assert bar.visible
    keys = len(viewer.keymap)
    viewer.window.remove_dock_widget(shown)
    wait(lambda: not bar.visible)
    assert len(viewer.keymap) < keys
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert host.findChild(QWidget, "pathloop-overview") is None
    session_for(viewer).view_moved.emit()
    session_for(viewer).current_changed.emit()
