"""The whole slide, small, in a corner of the canvas, with the rectangle that is on screen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPalette, QPen, QPixmap
from qtpy.QtWidgets import QMainWindow, QWidget

from pathloop.gui._session import Session
from pathloop.gui.opening._screen import screen_rect
from pathloop.gui.opening._thumbnail import layer_thumbnail

__all__ = ["OverviewInset"]

SIDE_PX = 180
MARGIN_PX = 12
BORDER_PX = 2
UPDATE_MS = 33
LEAST_CANVAS = 2.0
"""The canvas is at least so many times as large as the inset, else it is in the way and hides."""


class OverviewInset(QWidget):
    """A small picture of the current slide; click or drag in it to go there.

    napari keeps its scale bar at the bottom right and its axes at the bottom left, so the inset is at the top right.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("pathloop-overview")
        self.setAccessibleName("Overview of the slide")
        self.setToolTip("The whole slide; the frame is what the canvas shows. Click or drag to go there.")
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._session = session
        self._picture: QPixmap | None = None
        self._of: Any | None = None
        self._wanted = True
        self._host: QWidget | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(UPDATE_MS)
        self._timer.timeout.connect(self.update)
        session.current_changed.connect(self._on_current)
        session.view_moved.connect(self._on_view_moved)
        self.hide()

    def attach(self, panel: QWidget) -> None:
        """Put the inset over the canvas of the main window that a panel is docked in; does nothing elsewhere."""
        window = panel.window()
        host = window.centralWidget() if isinstance(window, QMainWindow) else None
        if host is None or host is self._host:
            return
        self._let_go()
        self._host = host
        host.installEventFilter(self)
        self.setParent(host)
        self._on_current()

    def set_shown(self, shown: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Switch it on or off."""
        self._wanted = shown
        self._place()

    def close_for_good(self) -> None:
        """Stop listening and go: the panel is gone."""
        self._session.current_changed.disconnect(self._on_current, missing_ok=True)
        self._session.view_moved.disconnect(self._on_view_moved, missing_ok=True)
        self._let_go()
        self.hide()
        self.deleteLater()

    def _let_go(self) -> None:
        if self._host is not None:
            self._host.removeEventFilter(self)
            self._host = None

    # the picture

    def _on_current(self) -> None:
        opened = self._session.current
        if opened is None or self._host is None:
            self._picture, self._of = None, None
            self._place()
            return
        if opened is self._of:
            return
        self._picture, self._of, data = None, opened, opened.layer.data
        self._place()
        ratio = self.devicePixelRatioF()
        self._session.background.run(
            lambda: layer_thumbnail(data, round(SIDE_PX * ratio)), lambda found: self._take(opened, found, ratio)
        )

    def _take(self, opened: Any, pixels: NDArray[np.uint8], ratio: float) -> None:
        if opened is not self._of:
            return
        height, width = pixels.shape[:2]
        image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._picture = QPixmap.fromImage(image.copy())
        self._picture.setDevicePixelRatio(ratio)
        self._place()

    def _place(self) -> None:
        """Into the corner, or out of sight."""
        host = self._host
        if host is None or self._picture is None or not self._wanted:
            self.hide()
            return
        size = self.sizeHint()
        self.setFixedSize(size)
        self.move(host.width() - size.width() - MARGIN_PX, MARGIN_PX)
        fits = host.width() >= LEAST_CANVAS * size.width() and host.height() >= LEAST_CANVAS * size.height()
        self.setVisible(fits)
        self.raise_()

    def sizeHint(self) -> QSize:
        """The picture with its border."""
        if self._picture is None:
            return QSize(0, 0)
        size = self._picture.deviceIndependentSize().toSize()
        return QSize(size.width() + 2 * BORDER_PX, size.height() + 2 * BORDER_PX)

    # Qt's events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner of the canvas when it changes its size."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def paintEvent(self, event: Any) -> None:
        """Picture, border, and the frame of the view."""
        if self._picture is None:
            return
        painter = QPainter(self)
        painter.drawPixmap(QPoint(BORDER_PX, BORDER_PX), self._picture)
        border = QPen(self.palette().color(QPalette.ColorRole.Highlight), BORDER_PX)
        border.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(border)
        half = BORDER_PX / 2
        painter.drawRect(QRectF(self.rect()).adjusted(half, half, -half, -half))
        frame = self._frame()
        if frame is not None:
            # readable on white glass and on dark tissue, whatever the theme: a dark line in a light one
            painter.setPen(QPen(QColor("white"), 4))
            painter.drawRect(frame)
            painter.setPen(QPen(QColor("#c00000"), 2))
            painter.drawRect(frame)
        painter.end()

    def _frame(self) -> QRectF | None:
        """What is on screen, in our pixels, never too small to be seen."""
        opened = self._of
        if opened is None:
            return None
        rect = screen_rect(self._session.viewer, opened.layer, opened.slide.shape)
        if rect is None or rect.shape == opened.slide.shape:
            return None  # nothing to tell where everything is on screen
        step_y, step_x = self._steps()
        left, top = rect.x / step_x + BORDER_PX, rect.y / step_y + BORDER_PX
        width, height = max(rect.width / step_x, 5.0), max(rect.height / step_y, 5.0)
        frame = QRectF(left, top, width, height)
        return frame.intersected(QRectF(self.rect()).adjusted(2, 2, -2, -2))

    def _steps(self) -> tuple[float, float]:
        """Level-0 pixels a pixel of the picture, (y, x)."""
        assert self._of is not None
        height, width = self._of.slide.shape
        return height / (self.height() - 2 * BORDER_PX), width / (self.width() - 2 * BORDER_PX)

    def mousePressEvent(self, event: Any) -> None:
        """Go there."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._go(event.position())

    def mouseMoveEvent(self, event: Any) -> None:
        """Go along while the button is held."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def _go(self, position: QPointF) -> None:
        opened = self._of
        if opened is None:
            return
        height, width = opened.slide.shape
        step_y, step_x = self._steps()
        y = min(max((position.y() - BORDER_PX) * step_y, 0), height - 1)
        x = min(max((position.x() - BORDER_PX) * step_x, 0), width - 1)
        centre = opened.layer.data_to_world((y, x))
        self._session.viewer.scene.camera.center = tuple(float(value) for value in centre[-2:])

    def _on_view_moved(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()
