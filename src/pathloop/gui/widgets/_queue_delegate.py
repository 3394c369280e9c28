"""How a line of the queue is painted: picture, place, states with sign, word and colour, reasons in words."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPalette, QPen, QPixmap, QTextLayout
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pathloop.core import Rect
from pathloop.gui.queueing import STATE_WORDS, QueueRow

__all__ = ["SIGNS", "QueueDelegate", "wrapped"]

SIDE_PX = 64
PAD_PX = 5
REASON_LINES = 2
SIGNS = {"todo": "○", "doing": "◐", "done": "✓"}
ASKED = "?"
ON_DARK = {"todo": "#ff8f8a", "doing": "#f5b941", "done": "#57d6a5"}
ON_LIGHT = {"todo": "#b3151c", "doing": "#8a5a00", "done": "#00704f"}
"""Red, orange and green of the frames, as light or dark as reading needs; contrast to napari's grounds at least 4.5."""


class QueueDelegate(QStyledItemDelegate):
    """Paints `QueueRow`; see `QueueList`.

    Parameters
    ----------
    picture
        Gives the picture of a rectangle, None while it is not there.
    parent
        The list.
    """

    def __init__(self, picture: Callable[[Rect], NDArray[np.uint8] | None], parent: QWidget) -> None:
        super().__init__(parent)
        self._picture = picture

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """As many lines of text as there are: a line for each state that tasks are in, one for a question."""
        row: QueueRow = index.data(Qt.ItemDataRole.UserRole)
        lines = 1 + len(row.states) + REASON_LINES + (row.question is not None)
        height = max(SIDE_PX, lines * option.fontMetrics.lineSpacing()) + 2 * PAD_PX
        return QSize(100, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one line."""
        row: QueueRow = index.data(Qt.ItemDataRole.UserRole)
        ground = QStyleOptionViewItem(option)
        self.initStyleOption(ground, index)
        ground.text = ""
        widget: Any = option.widget
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, widget)
        painter.save()
        area = option.rect.adjusted(PAD_PX, PAD_PX, -PAD_PX, -PAD_PX)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if is_selected else QPalette.ColorRole.Text
        text = widget.palette().color(role)
        colors = ON_DARK if text.lightness() > 127 else ON_LIGHT
        self._paint_picture(painter, QRect(area.left(), area.top(), SIDE_PX, SIDE_PX), row, colors)
        _Writer(painter, area.adjusted(SIDE_PX + 2 * PAD_PX, 0, 0, 0), option.font, text, colors).write(row)
        painter.setPen(QPen(QColor(text.red(), text.green(), text.blue(), 60)))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        painter.restore()

    def _paint_picture(self, painter: QPainter, place: QRect, row: QueueRow, colors: dict[str, str]) -> None:
        pixels = self._picture(row.rect)
        if pixels is not None:
            height, width = pixels.shape[:2]
            image = QImage(np.ascontiguousarray(pixels).data, width, height, 3 * width, QImage.Format.Format_RGB888)
            pixmap = QPixmap.fromImage(image).scaled(
                place.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            shown = QRect(pixmap.rect())
            shown.moveCenter(place.center())
            painter.drawPixmap(shown, pixmap)
            place = shown
        painter.setPen(QPen(QColor(colors.get(row.state, "#888888")), 2))
        painter.drawRect(place.adjusted(1, 1, -1, -1))


class _Writer:
    """Writes the words of one line below each other."""

    def __init__(self, painter: QPainter, area: QRect, font: QFont, color: QColor, colors: dict[str, str]) -> None:
        self._painter, self._area, self._font, self._color, self._colors = painter, area, font, color, colors
        self._metrics = QFontMetrics(font)
        self._y = area.top()

    def write(self, row: QueueRow) -> None:
        """All of it."""
        self._head(row)
        if row.states:
            self._states(row.states)
            self._reasons(" ".join(row.reasons), REASON_LINES)
            if row.question is not None:
                self._line(f"{ASKED} Asked: {' '.join(row.question.split())}", bold=True)
        else:
            self._reasons(f"{ASKED} {' '.join((row.question or '').split())}", 1 + REASON_LINES)

    def _head(self, row: QueueRow) -> None:
        right = f"for {row.assigned}" if row.assigned else ""
        widest = round(self._area.width() * (0.35 if row.origin else 0.8))
        right = self._metrics.elidedText(right, Qt.TextElideMode.ElideRight, widest)
        taken = self._metrics.horizontalAdvance(right)
        self._put(right, self._area.right() - taken, taken)
        used = self._put(row.title, self._area.left(), self._area.width() - taken - PAD_PX, bold=True)
        left = self._area.left() + used + 2 * PAD_PX
        self._put(row.origin, left, self._area.right() - taken - PAD_PX - left)
        self._next()

    def _states(self, states: Sequence[tuple[str, str]]) -> None:
        for state, tasks in states:
            self._line(f"{SIGNS[state]} {STATE_WORDS[state]}: {tasks}", color=self._colors[state])

    def _reasons(self, text: str, n: int) -> None:
        for line in wrapped(text, self._font, self._area.width(), n):
            self._line(line)

    def _line(self, text: str, *, bold: bool = False, color: str = "") -> None:
        self._put(text, self._area.left(), self._area.width(), bold=bold, color=color)
        self._next()

    def _put(self, text: str, left: int, width: int, *, bold: bool = False, color: str = "") -> int:
        """Write on the present line; the width that it took."""
        if width <= 0 or not text:
            return 0
        font = QFont(self._font)
        font.setBold(bold)
        metrics = QFontMetrics(font)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
        self._painter.setFont(font)
        self._painter.setPen(QColor(color) if color else self._color)
        self._painter.drawText(left, self._y + metrics.ascent(), shown)
        return int(metrics.horizontalAdvance(shown))

    def _next(self) -> None:
        self._y += self._metrics.lineSpacing()


def wrapped(text: str, font: QFont, width: int, n: int) -> list[str]:
    """A text in at most ``n`` lines of a width; what does not fit is left out, and dots say so."""
    if not text:
        return []
    layout = QTextLayout(text, font)
    layout.beginLayout()
    lines: list[str] = []
    while len(lines) < n:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        start, length = line.textStart(), line.textLength()
        is_last = len(lines) == n - 1
        lines.append(text[start:] if is_last else text[start : start + length].rstrip())
    layout.endLayout()
    if lines:
        lines[-1] = QFontMetrics(font).elidedText(lines[-1], Qt.TextElideMode.ElideRight, width)
    return lines
