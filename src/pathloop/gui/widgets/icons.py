"""The icons that come with the package, in the colour of a widget's text. No network."""

from pathlib import Path

from qtpy.QtCore import QByteArray, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QAbstractButton, QWidget

__all__ = ["icon", "tint"]

FOLDER = Path(__file__).parents[1] / "icons"
SIDE_PX = 64
ICON = "pathloopIcon"


def icon(name: str, widget: QWidget) -> QIcon:
    """An icon in the text colour of a widget, paler where it is disabled.

    Parameters
    ----------
    name
        File name in ``gui/icons`` without its suffix.
    widget
        Where it is shown.
    """
    drawing = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    widget.ensurePolished()
    made = QIcon()
    color = widget.palette().color(QPalette.ColorGroup.Active, QPalette.ColorRole.ButtonText)
    for mode, opacity in ((QIcon.Mode.Normal, 1.0), (QIcon.Mode.Disabled, 0.35)):
        made.addPixmap(_pixmap(drawing, color, opacity), mode)
    return made


def tint(widget: QWidget, icons: dict[QAbstractButton, str] | None = None) -> None:
    """Give buttons their icons, or anew after the theme has changed.

    Parameters
    ----------
    widget
        All buttons below it that have an icon of ours are drawn anew.
    icons
        Icon name by button, for buttons that have none yet.
    """
    for button, name in (icons or {}).items():
        button.setProperty(ICON, name)
        button.setIconSize(QSize(16, 16))
    for button in widget.findChildren(QAbstractButton):
        name = button.property(ICON)
        if name:
            button.setIcon(icon(name, button))


def _pixmap(drawing: str, color: QColor, opacity: float) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(drawing.replace("currentColor", color.name()).encode()))
    pixmap = QPixmap(SIDE_PX, SIDE_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(opacity)
    renderer.render(painter, QRectF(0, 0, SIDE_PX, SIDE_PX))
    painter.end()
    return pixmap
