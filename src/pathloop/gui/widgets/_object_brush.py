"""Selecting on a plot by dragging over it. Imports pyqtgraph."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPen
from qtpy.QtWidgets import QGraphicsRectItem

__all__ = ["BrushBox"]

SHORTEST_PX = 4


class BrushBox(pg.ViewBox):  # type: ignore[misc]
    """A plot's inside: dragging with the left button brushes, the wheel zooms, dragging with the middle one moves."""

    brushed = Signal(object)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.whole_height = True
        self._band = QGraphicsRectItem()
        self._band.setZValue(1e9)
        self._band.hide()
        self.addItem(self._band, ignoreBounds=True)

    def set_band_color(self, color: QColor) -> None:
        """Of the band that is drawn while dragging."""
        pen = QPen(color, 0, Qt.PenStyle.DashLine)
        self._band.setPen(pen)
        inside = QColor(color)
        inside.setAlpha(40)
        self._band.setBrush(inside)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Draw the band, and tell when it is done."""
        if ev.button() != Qt.MouseButton.LeftButton or axis is not None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        start, end = ev.buttonDownPos(), ev.pos()
        rect = self.childGroup.mapRectFromParent(QRectF(start, end).normalized())
        if self.whole_height:
            view = self.viewRect()
            rect.setTop(view.top())
            rect.setBottom(view.bottom())
        if ev.isFinish():
            self._band.hide()
            if max(abs(end.x() - start.x()), abs(end.y() - start.y())) >= SHORTEST_PX:
                self.brushed.emit(rect)
        else:
            self._band.setRect(rect)
            self._band.show()
