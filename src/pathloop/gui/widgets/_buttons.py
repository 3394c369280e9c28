"""Buttons that come and go, and chips of colour on them."""

from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QButtonGroup

__all__ = ["color_chip", "emptied"]


def color_chip(color: tuple[int, int, int]) -> QIcon:
    """A small square of a colour."""
    pixmap = QPixmap(QSize(12, 12))
    pixmap.fill(QColor(*color))
    return QIcon(pixmap)


def emptied(layout: Any, group: QButtonGroup) -> None:
    """Take all buttons out of a layout and their group."""
    while layout.count():
        item = layout.takeAt(0)
        widget = None if item is None else item.widget()
        if widget is not None:
            group.removeButton(widget)
            widget.hide()
            widget.deleteLater()
