"""Tabs of docked panels whose names can be read: Qt cuts them off where the panels are narrower than all names."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QTabBar, QWidget

__all__ = ["fit_tabs"]

LEAN = "QTabBar::tab { padding: 3px 4px; }"
"""Seven names fit beside each other in the width that the panels want anyway."""


def fit_tabs(panel: QWidget, widest_px: int) -> None:
    """Show the names of all tabs that lie with a panel's whole: the panels are at least as wide as these need.

    Where that is too much, the names stay whole and the tabs can be scrolled.

    Parameters
    ----------
    panel
        Docked in a main window, as a tab or not.
    widest_px
        What tabs may ask for.
    """
    dock: QWidget | None = panel
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    if dock is None:
        return
    mine = Qt.FindChildOption.FindDirectChildrenOnly
    for bar in panel.window().findChildren(QTabBar, options=mine):
        if dock.windowTitle() in [bar.tabText(index) for index in range(bar.count())]:
            if bar.styleSheet() != LEAN:
                bar.setStyleSheet(LEAN)
                bar.setElideMode(Qt.TextElideMode.ElideNone)
            # without buttons to scroll them, Qt makes room for all tabs
            bar.setUsesScrollButtons(bar.sizeHint().width() > widest_px)
