"""The panel in a real window: what it shows, clicks, the key O on the canvas."""

import shutil

import pytest
from train_kit import finish, step, write_events

pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QInputDialog, QLabel, QProgressBar, QPushButton, QTableWidget

from pathloop.core import ProjectLock
from pathloop.gui._current import session_for
from pathloop.gui.training import _presenter
from pathloop.gui.widgets.train_panel import TrainPanel
from pathloop.loop.tuning import current_model, model_history, tune_runs

pytestmark = [pytest.mark.gui, pytest.mark.slow]


@pytest.fixture
def started(monkeypatch):
    """Runs whose processes were asked for."""
    runs = []
    monkeypatch.setattr(_presenter, "start_process", runs.append)
    return runs


@pytest.fixture
def window(make_napari_viewer, reviewed_slide, started, tmp_path, qtbot):
    shutil.copytree(reviewed_slide, tmp_path / "study")
    viewer = make_napari_viewer(show=True)
    panel = TrainPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Train")
    panel.window().resize(1366, 768)
    session = session_for(viewer)
    session.open_slide(tmp_path / "study" / "drawn.tif", project=tmp_path / "study" / "drawn.pathloop")
    qtbot.waitUntil(lambda: button(panel, "train").text().startswith("Train on 2"), timeout=30_000)
    yield viewer, panel, tmp_path / "study" / "drawn.pathloop"
    session.close()


def button(panel, name):
    return panel.findChild(QPushButton, name)


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def press(qtbot, panel, name):
    qtbot.mouseClick(button(panel, name), Qt.MouseButton.LeftButton)


def test_from_the_button_to_a_promoted_model_and_back(window, started, qtbot, monkeypatch):
    _, panel, project = window
    press(qtbot, panel, "train")
    qtbot.waitUntil(lambda: len(started) == 1, timeout=30_000)
    qtbot.waitUntil(lambda: not button(panel, "train").isEnabled(), timeout=5_000)
    [run] = tune_runs(project)
    with ProjectLock(run.folder / "lock", program="test"):
        write_events(run, step(5), step(10))
        qtbot.waitUntil(lambda: text(panel, "progress").startswith("Training: step 10 of 20"), timeout=10_000)
        assert panel.findChild(QProgressBar).value() == 500
        assert button(panel, "pause").isEnabled()
        assert panel._curves.loss.isVisible()
        finish(run, {"gland": -0.1})
    rounds, compare = panel.findChild(QTableWidget, "rounds"), panel.findChild(QTableWidget, "compare")
    qtbot.waitUntil(compare.isVisible, timeout=10_000)
    assert [rounds.item(0, column).text() for column in range(4)] == ["tune-0001", "quick", "2 + 1", "finished"]
    assert "worse: gland loses 0.100 PQ" in text(panel, "verdict")

    # a click on the region with the largest loss, then O held
    row = next(
        index for index in range(compare.rowCount()) if compare.item(index, 0).text() == "region 3 of drawn, gland"
    )
    compare.scrollToItem(compare.item(row, 0))
    QTest.mouseClick(
        compare.viewport(), Qt.MouseButton.LeftButton, pos=compare.visualItemRect(compare.item(row, 0)).center()
    )
    overlay = panel.presenter.overlay
    qtbot.waitUntil(lambda: overlay.shown == "candidate", timeout=10_000)
    found = [one for one in QApplication.allWidgets() if type(one).__name__ == "CanvasBackendDesktop"]
    canvas = max((one for one in found if one.isVisible()), key=lambda one: one.width())
    canvas.setFocus()
    QTest.keyPress(canvas, Qt.Key.Key_O)
    assert overlay.shown == "parent"
    QTest.keyRelease(canvas, Qt.Key.Key_O)
    assert overlay.shown == "candidate"

    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("", False))
    press(qtbot, panel, "promote")
    qtbot.wait(200)
    assert len(model_history(project)) == 1
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("for the test", True))
    press(qtbot, panel, "promote")
    qtbot.waitUntil(lambda: button(panel, "rollback").isEnabled(), timeout=10_000)
    assert current_model(project) == project / "models" / "fast-r1"
    assert overlay.sides == ()
    press(qtbot, panel, "rollback")
    qtbot.waitUntil(lambda: not button(panel, "rollback").isEnabled(), timeout=10_000)
    assert current_model(project).name == "fast"


def test_everything_says_what_it_is_for(window):
    _, panel, _ = window
    for one in panel.findChildren(QPushButton):
        assert one.toolTip(), one.objectName()
        assert one.accessibleName(), one.objectName()
    assert panel.minimumWidth() <= 460
