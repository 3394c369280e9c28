"""Colours for drawing, all from a widget's palette, so that dark and light themes both work."""

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

__all__ = ["background_color", "mixed", "muted_color", "text_color"]


def text_color(widget: QWidget) -> QColor:
    """Of text."""
    return QColor(widget.palette().color(QPalette.ColorRole.WindowText))


def background_color(widget: QWidget) -> QColor:
    """Behind text."""
    return QColor(widget.palette().color(QPalette.ColorRole.Window))


def muted_color(widget: QWidget) -> QColor:
    """Between the two: grid lines, objects without a class."""
    return mixed(background_color(widget), text_color(widget), 0.45)


def mixed(first: QColor, second: QColor, share: float) -> QColor:
    """A colour between two: 0 the first, 1 the second."""
    pairs = ((first.red(), second.red()), (first.green(), second.green()), (first.blue(), second.blue()))
    return QColor(*(round(a + (b - a) * share) for a, b in pairs))
