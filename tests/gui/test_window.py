"""What belongs to a real window: threads, the question on closing, live segmentation, a click on the canvas."""

import contextlib
import gc
import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QTabBar

from pathloop.gui._current import session_for
from pathloop.gui._start import PANELS, add_panels
from pathloop.gui.widgets import panel as panel_module

pytestmark = [pytest.mark.gui, pytest.mark.slow]

BLINK_S = 0.05


@contextlib.contextmanager
def no_collection():
    """A collection of garbage may fall into any callback, and is napari's as much as ours."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    panels = add_panels(viewer)
    panels["Slides"].window().resize(1366, 768)
    session = session_for(viewer)
    yield viewer, panels, session
    session.close()


@pytest.fixture
def opened(window, sample, qtbot):
    _, panels, session = window
    session.open_slide(sample)
    qtbot.waitUntil(lambda: session.current is not None, timeout=20_000)
    qtbot.waitUntil(lambda: bool(panels["Segment"].presenter.conductor.computing.engine), timeout=120_000)
    qtbot.wait(400)
    return session.current


def test_results_come_back_to_the_main_thread_in_order(window, qtbot):
    session = window[2]
    seen = []
    for number in range(5):
        session.background.run(
            lambda number=number: (number, threading.current_thread().name),
            lambda result: seen.append((*result, threading.current_thread() is threading.main_thread())),
            lane="project",
        )
    qtbot.waitUntil(lambda: len(seen) == 5, timeout=5_000)
    assert [number for number, _, _ in seen] == [0, 1, 2, 3, 4]
    assert {name for _, name, _ in seen} == {"pathloop-project_0"}
    assert all(on_main for _, _, on_main in seen)


def test_the_names_of_all_tabs_can_be_read_on_a_small_screen(window, qtbot):
    main = window[1]["Slides"].window()
    assert main.width() == 1366

    def tabs():
        bars = main.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return next(bar for bar in bars if bar.count() == len(PANELS))

    qtbot.waitUntil(lambda: tabs().elideMode() == Qt.TextElideMode.ElideNone, timeout=5_000)
    qtbot.waitUntil(lambda: tabs().tabRect(len(PANELS) - 1).right() < tabs().width(), timeout=5_000)
    bar = tabs()
    assert sorted(bar.tabText(index) for index in range(bar.count())) == sorted(PANELS)
    assert not bar.usesScrollButtons()
    assert bar.width() <= panel_module.WIDEST_PX


def test_live_segments_what_is_on_screen_and_nothing_else(window, opened, qtbot):
    viewer, panels, session = window
    conductor = panels["Segment"].presenter.conductor
    viewer.scene.camera.zoom = 2  # 0.5 um a screen pixel
    qtbot.wait(600)
    panels["Segment"]._live.setChecked(True)
    qtbot.waitUntil(lambda: len(session.frame("nuclei")) > 0, timeout=120_000)
    qtbot.waitUntil(lambda: "done" in panels["Segment"]._message.text(), timeout=120_000)
    assert conductor.state == "live"
    first = len(session.frame("nuclei"))
    view = session.view_rect().expand(1600)
    boxes = session.frame("nuclei").instances.boxes
    assert (boxes[:, 0] >= view.y).all()
    assert (boxes[:, 3] <= view.right).all()

    # callbacks while tiles arrive leave the window its frames; CPU time, so that a busy machine does not count
    session.background.durations_s.clear()
    height, width = opened.slide.shape
    with no_collection():
        viewer.scene.camera.center = (0.5 * 0.15 * height, 0.5 * 0.15 * width)
        qtbot.waitUntil(lambda: len(session.frame("nuclei")) > first, timeout=120_000)
    assert max(session.background.durations_s) < BLINK_S

    # a click selects what lies there
    frame = session.frame("nuclei")
    y, x = frame.instances.centroids[int(np.argmax(frame.instances.areas_px))]
    viewer.scene.camera.center = (y * 0.5, x * 0.5)
    qtbot.wait(500)
    selected = []
    session.selection_changed.connect(lambda task, ids, origin: selected.append((task, len(ids), origin)))
    canvas = max(
        (one for one in QApplication.allWidgets() if type(one).__name__ == "CanvasBackendDesktop" and one.isVisible()),
        key=lambda one: one.width(),
    )
    qtbot.mouseClick(
        canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(canvas.width() / 2), round(canvas.height() / 2))
    )
    qtbot.waitUntil(lambda: bool(selected), timeout=5_000)
    assert selected[-1][1:] == (1, "canvas")
    panels["Segment"]._live.setChecked(False)
    assert conductor.state == "idle"


def test_closing_asks_while_something_runs(window, opened, qtbot, monkeypatch):
    _, panels, session = window
    main = panels["Slides"].window()  # kept by no fixture: napari looks for leaks
    asked = []
    monkeypatch.setattr(panel_module._Keeper, "_may_close", lambda self, window: asked.append(1) or len(asked) > 1)
    monkeypatch.setattr(session, "is_busy", lambda: True)
    qtbot.wait(100)
    main.close()
    assert asked == [1]
    assert main.isVisible()
    assert not session.is_closed
    # the second answer is yes: napari's own teardown closes the window after that
    keeper = main.findChild(panel_module._Keeper)
    assert keeper.eventFilter(main, QCloseEvent()) is False
    assert asked == [1, 1]
    assert session.is_closed
    assert not panels["Segment"].presenter.conductor._client.is_running
