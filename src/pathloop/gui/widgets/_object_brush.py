"""Parts of plots: an inside that is brushed by dragging, an axis with plain numbers. Imports pyqtgraph."""

import math
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPen
from qtpy.QtWidgets import QGraphicsRectItem

__all__ = ["BrushBox", "NumberAxis"]

SHORTEST_PX = 4
NARROW_DECADES = 1.2


class BrushBox(pg.ViewBox):
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


class NumberAxis(pg.AxisItem):
    """An axis whose numbers are written out; where ``is_log``, values are decimal logarithms of what is written."""

    is_log = False

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float | None, list[float]]]:
        """Where ticks are."""
        if not self.is_log:
            return list(super().tickValues(minVal, maxVal, size))
        steps = (1, 2, 5) if maxVal - minVal > NARROW_DECADES else (1, 1.5, 2, 3, 4, 5, 7)
        decades = range(math.floor(minVal), math.ceil(maxVal) + 1)
        ticks = [decade + math.log10(step) for decade in decades for step in steps]
        return [(None, [tick for tick in ticks if minVal <= tick <= maxVal])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """What is written at ticks."""
        if not self.is_log:
            return list(super().tickStrings(values, scale, spacing))
        return [f"{float(f'{10**value:.3g}'):,g}" for value in values]
