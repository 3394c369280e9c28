"""The whole way on the bundled sample in a real window, with real clicks: open, run, overlay, inspect."""

import os
import signal

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QPushButton

from pathloop.core import Rect
from pathloop.gui._current import session_for
from pathloop.gui._start import add_panels
from pathloop.loop import ExportRequest, export
from pathloop.store import Project

pytestmark = [pytest.mark.gui, pytest.mark.slow]

LONG_MS = 240_000


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    panels = add_panels(viewer)
    panels["Slides"].window().resize(1366, 768)
    yield viewer, panels, session_for(viewer)
    session_for(viewer).close()


def click(qtbot, panel, name):
    button = panel.findChild(QPushButton, name)
    assert button.isEnabled(), button.toolTip()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def pick(panel, place):
    box = panel.findChild(type(panel._place), "place")
    box.setCurrentIndex(box.findData(place))
    box.activated.emit(box.currentIndex())


def canvas(viewer):
    # a panel that grows takes a row or two of the canvas: its middle stays comparable
    return np.asarray(viewer.screenshot(canvas_only=True, flash=False))[:600, :600, :3].astype(int)


@pytest.mark.timeout(900)
def test_open_run_kill_resume_inspect(window, sample, qtbot, tmp_path):
    viewer, panels, session = window
    session.open_slide(sample)
    qtbot.waitUntil(lambda: session.current is not None, timeout=20_000)
    conductor = panels["Segment"].presenter.conductor
    qtbot.waitUntil(lambda: bool(conductor.computing.engine), timeout=LONG_MS)
    qtbot.wait(300)
    before = canvas(viewer)
    assert before.std() > 5  # the canvas of a wrong platform is black

    pick(panels["Segment"], "slide")
    qtbot.wait(300)
    click(qtbot, panels["Segment"], "run")
    qtbot.waitUntil(lambda: len(session.frame("nuclei")) > 0, timeout=LONG_MS)
    qtbot.wait(300)
    during = canvas(viewer)
    assert np.abs(during - before).max() > 40  # the first tiles are on screen
    assert session.frame("nuclei").is_provisional.all()

    # a dead worker is a message, and Resume goes on
    if conductor.state == "running":
        os.kill(conductor._client.pid, signal.SIGKILL)
        qtbot.waitUntil(lambda: conductor.state == "dead", timeout=20_000)
        assert "Resume" in panels["Segment"]._message.text()
        click(qtbot, panels["Segment"], "resume")
    qtbot.waitUntil(lambda: conductor.state == "idle", timeout=LONG_MS)
    qtbot.waitUntil(lambda: not session.frame("nuclei").is_provisional.any(), timeout=20_000)
    assert len(session.frame("nuclei")) > 500
    assert set(session.tasks) == {"nuclei", "gland", "lumen"}

    # hover and click on an object
    frame = session.frame("gland")
    row = int(np.argmax(frame.instances.areas_px))
    session.go_to(Rect.from_bounds(*(int(value) for value in frame.instances.boxes[row])))
    qtbot.wait(500)
    qt_canvas = QApplication.focusWidget() or panels["Slides"].window().centralWidget()
    assert qt_canvas is not None
    selected = []
    session.selection_changed.connect(lambda task, ids, origin: selected.append((task, list(ids), origin)))
    session.select("gland", frame.instances.ids[row : row + 1], "table")
    qtbot.wait(300)
    assert selected[-1] == ("gland", [int(frame.instances.ids[row])], "table")

    # the table is linked and sorts
    table = panels["Objects"].table
    assert table.model().rowCount() > 0
    header = table.horizontalHeader()
    spot = QPoint(header.sectionViewportPosition(3) + 5, header.height() // 2)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    qtbot.wait(300)

    # what lies in the project is what the window shows
    project = session.current.project_path
    shown = len(session.frame("nuclei"))
    session.close()
    with Project.open(project, write=False) as opened:
        assert opened.counts("colon_sample", "nuclei").total == shown
        assert [run.state for run in opened.runs("colon_sample")] == ["finished"]
    events = list(export(ExportRequest(project, "csv", tmp_path / "out")))
    assert events[-1].summary["files"] == ["colon_sample_objects.csv"]


def test_closing_leaves_a_run_that_goes_on(window, sample, qtbot):
    _, panels, session = window
    session.open_slide(sample)
    qtbot.waitUntil(lambda: session.current is not None, timeout=20_000)
    conductor = panels["Segment"].presenter.conductor
    pick(panels["Segment"], "slide")
    qtbot.wait(300)
    click(qtbot, panels["Segment"], "run")
    qtbot.waitUntil(lambda: conductor.state == "running" and len(session.frame("nuclei")) > 0, timeout=LONG_MS)
    assert session.is_busy()
    opened = session.current
    session.close()
    with Project.open(opened.project_path, write=False) as project:
        (run,) = project.runs("colon_sample")
    assert run.state == "running"
    assert list(run.folder.glob("tile_*.npz"))
