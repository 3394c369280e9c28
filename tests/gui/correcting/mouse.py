"""Real mouse and key events on napari's canvas, in level-0 pixels of the current slide."""

import time
from itertools import pairwise

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

NONE = Qt.MouseButton.NoButton
LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def wait(condition, seconds=30.0):
    """Let the window live until a condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        if condition():
            return
        time.sleep(0.005)
    raise TimeoutError("the window did not get there")


class Mouse:
    """A hand on the canvas of a viewer."""

    def __init__(self, viewer, session):
        self.viewer, self.session = viewer, session
        self.canvas = max(
            (
                one
                for one in QApplication.allWidgets()
                if type(one).__name__ == "CanvasBackendDesktop" and one.isVisible()
            ),
            key=lambda one: one.width(),
        )

    def place(self, y, x):
        camera = self.viewer.scene.camera
        world = np.array(self.session.current.layer.data_to_world((y, x)))[-2:]
        size = np.array([self.canvas.height(), self.canvas.width()])
        row, col = (world - np.array(camera.center[-2:])) * camera.zoom + size / 2
        return QPoint(round(col), round(row))

    def _send(self, kind, place, button, buttons):
        far = QPointF(self.canvas.mapToGlobal(place))
        QApplication.sendEvent(self.canvas, QMouseEvent(kind, QPointF(place), far, button, buttons, PLAIN))
        QApplication.processEvents()

    def move(self, y, x):
        self._send(QEvent.Type.MouseMove, self.place(y, x), NONE, NONE)

    def drag(self, points, steps=4):
        places = [self.place(*point) for point in points]
        self._send(QEvent.Type.MouseMove, places[0], NONE, NONE)
        self._send(QEvent.Type.MouseButtonPress, places[0], LEFT, LEFT)
        for one, other in pairwise(places):
            for step in range(1, steps + 1):
                share = step / steps
                between = QPoint(
                    round(one.x() + (other.x() - one.x()) * share), round(one.y() + (other.y() - one.y()) * share)
                )
                self._send(QEvent.Type.MouseMove, between, NONE, LEFT)
        self._send(QEvent.Type.MouseButtonRelease, places[-1], LEFT, NONE)

    def click(self, y, x):
        self.drag([(y, x)])

    def wheel(self, y, x, notches):
        place = self.place(y, x)
        event = QWheelEvent(
            QPointF(place),
            QPointF(self.canvas.mapToGlobal(place)),
            QPoint(0, 0),
            QPoint(0, 120 * notches),
            NONE,
            PLAIN,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.canvas, event)
        QApplication.processEvents()

    def key(self, key, modifier=PLAIN):
        QTest.keyClick(self.canvas, key, modifier)
        QApplication.processEvents()
