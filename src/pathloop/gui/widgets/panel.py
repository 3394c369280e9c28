"""What all panels share: a scroll area that fits a laptop, and the question before a window closes on a run."""

import logging
from typing import Any
from weakref import WeakSet

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QMessageBox, QScrollArea, QVBoxLayout, QWidget

from pathloop.gui.widgets._dock_tabs import fit_tabs

__all__ = ["Panel"]

WIDEST_PX = 460
"""Two panels and a canvas must fit on a screen of 1,366 px."""

_guarded: "WeakSet[QObject]" = WeakSet()


class Panel(QScrollArea):
    """A scrollable panel; add to ``body``.

    Parameters
    ----------
    name
        Its title and accessible name.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"pathloop-{name.lower()}")
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.setWidget(inner)
        self._session: Any = None
        inner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """As wide as what is in it, since it does not scroll sideways."""
        if event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
            needed = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(min(needed, WIDEST_PX))
        return bool(super().eventFilter(watched, event))

    def sizeHint(self) -> QSize:
        """Narrow enough for two panels beside the canvas on a laptop."""
        return QSize(340, 420)

    def guard(self, session: Any) -> None:
        """End the session when the panel's window closes; ask before that interrupts a run."""
        self._session = session
        QTimer.singleShot(0, self._guard_window)

    def _guard_window(self) -> None:
        window = self.window()
        if window is self or window in _guarded:
            # napari puts a panel into its window a moment after making it; a floating one has no window to guard
            return
        _guarded.add(window)
        keeper = _Keeper(window, self._session)
        window.installEventFilter(keeper)

    def showEvent(self, event: Any) -> None:
        """A panel that was docked after it was made finds its window here."""
        super().showEvent(event)
        QTimer.singleShot(0, self._settle)

    def _settle(self) -> None:
        fit_tabs(self, WIDEST_PX)
        if self._session is not None:
            self._guard_window()


class _Keeper(QObject):
    """Watches a main window for its end."""

    def __init__(self, window: Any, session: Any) -> None:
        super().__init__(window)
        self._session = session

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold a close event back until the user has answered."""
        if event.type() != QEvent.Type.Close or self._session.is_closed:
            return False
        if not self._all_saved(watched) or (self._session.is_busy() and not self._may_close(watched)):
            event.ignore()
            return True
        try:
            self._session.close()
        except Exception as error:  # noqa: BLE001 - an error in an event filter ends the interpreter, not the window
            logging.getLogger("pathloop.gui").error("the session did not close cleanly: %s", error)
        return False

    def _all_saved(self, window: Any) -> bool:
        """Whether nothing would be lost: edits that the drive refuses are tried once more, then the user decides."""
        journal = self._session.journal
        if journal.settle(timeout_s=5.0):
            return True
        journal.retry()
        if journal.settle(timeout_s=5.0):
            return True
        box = QMessageBox(window)
        box.setObjectName("pathloop-unsaved")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Edits are not saved")
        box.setText(f"{journal.n_unsaved} edits could not be written and would be lost.\n{journal.problem}")
        leave = box.addButton("Close and lose them", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Stay", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        return bool(box.clickedButton() is leave)

    def _may_close(self, window: Any) -> bool:
        box = QMessageBox(window)
        box.setObjectName("pathloop-close")
        box.setWindowTitle("A segmentation is running")
        box.setText("A segmentation is still running. What is finished is kept, and the run can be resumed later.")
        leave = box.addButton("Stop it and close", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Keep running", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        return bool(box.clickedButton() is leave)
