"""The list of the panel "Queue": a model over lines, and how a line is painted. Only what is on screen is painted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractListModel, QItemSelection, QItemSelectionModel, QModelIndex, QObject, QRect, Qt, Signal
from qtpy.QtGui import QKeyEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QAbstractItemView, QListView, QWidget

from pathloop.core import Rect
from pathloop.gui.queueing import STATE_WORDS, Key, QueueRow
from pathloop.gui.widgets._queue_delegate import QueueDelegate

__all__ = ["ROW_ROLE", "QueueList", "QueueModel"]

ROW_ROLE = Qt.ItemDataRole.UserRole
TIP = "Click: select, its frame is drawn thick. Double click or Enter: go there. N, Shift+N: next, previous"


class QueueModel(QAbstractListModel):
    """Lines of the queue."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: Sequence[QueueRow] = ()
        self._places: dict[Key, int] = {}

    def set_rows(self, rows: Sequence[QueueRow]) -> bool:
        """Show other lines; whether they are others than before, and not only changed."""
        keys = [row.key for row in rows]
        if keys == [row.key for row in self.rows]:
            changed = [place for place, (new, old) in enumerate(zip(rows, self.rows, strict=True)) if new != old]
            self.rows = rows
            for place in changed:
                self.dataChanged.emit(self.index(place), self.index(place))
            return False
        self.beginResetModel()
        self.rows = rows
        self._places = {key: place for place, key in enumerate(keys)}
        self.endResetModel()
        return True

    def place(self, key: Key | None) -> int:
        """Where a line is; -1 = nowhere."""
        return -1 if key is None else self._places.get(key, -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The line itself, its tooltip, and its words for a screen reader."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tip
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            states = [f"{STATE_WORDS[state]}: {tasks}" for state, tasks in row.states]
            return "; ".join([row.title, *([row.origin] if row.origin else []), *states, *row.reasons[:1]])
        return None


class QueueList(QListView):
    """Shows a `QueueModel`; says what the user does and decides nothing.

    Parameters
    ----------
    picture
        Gives the picture of a rectangle, None while it is not there.
    """

    chosen = Signal(object)
    opened = Signal(object)
    step_asked = Signal(int)

    def __init__(self, picture: Callable[[Rect], NDArray[np.uint8] | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("queue")
        self.setAccessibleName("Regions of the slide")
        self.setToolTip(TIP)
        self.own_model = QueueModel(self)
        self.setModel(self.own_model)
        self._delegate = QueueDelegate(picture, self)
        self.setItemDelegate(self._delegate)
        self._empty = ""
        self._is_quiet = False
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.selectionModel().selectionChanged.connect(self._on_selected)
        self.doubleClicked.connect(lambda index: self.opened.emit(self.own_model.rows[index.row()].key))

    def show_rows(self, rows: Sequence[QueueRow], empty: str) -> None:
        """Show other lines; selection and place stay with theirs."""
        self._empty = empty
        keys, current, scrolled = self.keys, self._current_key(), self.verticalScrollBar().value()
        self._is_quiet = True
        if self.own_model.set_rows(rows):
            self._select(keys)
            place = self.own_model.place(current)
            if place >= 0:
                index = self.own_model.index(place)
                self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.verticalScrollBar().setValue(scrolled)
        self._is_quiet = False
        self.viewport().update()

    def show_current(self, key: Key | None) -> None:
        """Select a line and bring it into view."""
        place = self.own_model.place(key)
        self._is_quiet = True
        self._select([] if key is None else [key])
        if place >= 0:
            index = self.own_model.index(place)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(index)
        self._is_quiet = False

    def show_picture(self, rect: Rect) -> None:
        """Paint the lines that show a rectangle, if they are on screen."""
        area = self.viewport().rect()
        first = self.indexAt(area.topLeft() + QRect(4, 4, 0, 0).topLeft()).row()
        for place in range(max(first, 0), len(self.own_model.rows)):
            where = self.visualRect(self.own_model.index(place))
            if where.top() > area.bottom():
                break
            if self.own_model.rows[place].rect == rect:
                self.viewport().update(where)

    @property
    def keys(self) -> list[Key]:
        """Selected lines, from the top."""
        places = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self.own_model.rows[place].key for place in places]

    def _current_key(self) -> Key | None:
        index = self.currentIndex()
        return self.own_model.rows[index.row()].key if 0 <= index.row() < len(self.own_model.rows) else None

    def _select(self, keys: Sequence[Key]) -> None:
        selection = QItemSelection()
        for key in keys:
            place = self.own_model.place(key)
            if place >= 0:
                selection.select(self.own_model.index(place), self.own_model.index(place))
        self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_selected(self, *_: Any) -> None:
        if not self._is_quiet:
            self.chosen.emit(self.keys)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes to the current line; N and Shift+N step, as on the slide."""
        key, index = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.opened.emit(self.own_model.rows[index.row()].key)
        elif key == Qt.Key.Key_N and not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier:
            self.step_asked.emit(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The lines, or words in their place."""
        super().paintEvent(event)
        if self.own_model.rowCount() == 0 and self._empty:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(self.foregroundRole()))
            place = self.viewport().rect().adjusted(12, 12, -12, -12)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._empty)
            painter.end()
