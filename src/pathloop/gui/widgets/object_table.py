"""The object table: a model that formats only what is on screen, and its view."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from pathloop.gui.objects._columns import Column, cell_text, table_columns
from pathloop.gui.objects._order import Ranges, Shown, Sort
from pathloop.gui.objects._view import Selected
from pathloop.loop import ObjectFrame

__all__ = ["ObjectTable", "ObjectTableModel"]

MAX_RANGES = 300
"""Qt's own selection gets slow with many ranges; above this only the colour of the lines shows what is selected."""
NOTHING = np.zeros(0, np.int64)

CHIP_PX = 22
"""Width of the colour in front of a class."""


class ObjectTableModel(QAbstractTableModel):
    """Lines of a `Shown`; holds no Python object a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = Shown(ObjectFrame.empty(""), NOTHING)
        self.columns: tuple[Column, ...] = table_columns(self.shown.frame)
        self.mark: QColor | None = None
        self._count = 0
        self._marked = np.zeros(0, np.bool_)
        self._chips: dict[tuple[int, int, int], QIcon] = {}

    def set_shown(self, shown: Shown) -> None:
        """Show other lines."""
        self.beginResetModel()
        self.shown = shown
        self.columns = table_columns(shown.frame)
        self._count = len(shown)
        self._marked = np.zeros(0, np.bool_)
        self.endResetModel()

    def set_marked(self, rows: NDArray[np.int64]) -> None:
        """Colour the lines of some rows of the frame."""
        self._marked = np.zeros(0, np.bool_)
        if len(rows):
            self._marked = np.zeros(len(self.shown.frame), np.bool_)
            self._marked[rows] = True

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Lines."""
        return 0 if parent is not None and parent.isValid() else self._count

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, alignment, class colour and mark of one cell."""
        if not index.isValid() or index.row() >= self._count:
            return None
        row, column = int(self.shown.order[index.row()]), self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(self.shown.frame, row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.DecorationRole and column.key == "class":
            return self._chip(row)
        if role == Qt.ItemDataRole.BackgroundRole and len(self._marked) and self._marked[row]:
            return self.mark
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Title with unit, and what it means."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.header
        if role == Qt.ItemDataRole.TextAlignmentRole:  # the arrow that shows the order is at the right
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{column.tip} Click to sort."
        return None

    def _chip(self, row: int) -> QIcon | None:
        frame = self.shown.frame
        code = int(frame.instances.class_codes[row])
        if not 0 < code <= len(frame.classes):
            return None
        color = frame.classes[code - 1].color
        if color not in self._chips:
            self._chips[color] = color_chip(color)
        return self._chips[color]


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column.decimals is None else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def color_chip(color: tuple[int, int, int]) -> QIcon:
    """A small square of a class's colour."""
    pixmap = QPixmap(10, 10)
    pixmap.fill(QColor(*color))
    return QIcon(pixmap)


class ObjectTable(QTableView):
    """Shows an `ObjectTableModel`; says what the user does and decides nothing."""

    sort_asked = Signal(str)
    lines_selected = Signal(object)
    go_asked = Signal(int)
    copy_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_table")
        self.setAccessibleName("Objects")
        self.own_model = ObjectTableModel(self)
        self.setModel(self.own_model)
        self._empty = ""
        self._is_quiet = False
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setToolTip(
            "Click: select on the slide too. Double click or Enter: go there. Ctrl+C: copy the selected rows."
        )
        rows = self.verticalHeader()
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        header = self.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setHighlightSections(False)
        # with the table's own one it asks, at every painting, whether each row of a column is selected
        header.setSelectionModel(QItemSelectionModel(self.own_model, header))
        header.sectionClicked.connect(self._on_header)
        self.doubleClicked.connect(lambda index: self.go_asked.emit(index.row()))
        self.selectionModel().selectionChanged.connect(self._on_selected)

    def show_rows(self, shown: Shown, sort: Sort, selected: Selected) -> None:
        """Show other lines; place, current line and selection stay with their objects."""
        is_same_task = shown.frame.task == self.own_model.shown.frame.task
        current = self._current_id()
        scrolled = self.verticalScrollBar().value()
        keys = [column.key for column in self.own_model.columns]
        headers = [column.header for column in self.own_model.columns]
        self._is_quiet = True
        self.own_model.set_shown(shown)
        self._is_quiet = False
        keys = [column.key for column in self.own_model.columns]
        order = Qt.SortOrder.DescendingOrder if sort.descending else Qt.SortOrder.AscendingOrder
        self.horizontalHeader().setSortIndicator(keys.index(sort.key), order)
        if not is_same_task or headers != [column.header for column in self.own_model.columns]:
            self._fit_columns()
        elif is_same_task:
            self.verticalScrollBar().setValue(scrolled)
        has_probabilities = not np.isnan(shown.frame.instances.class_probabilities).all()
        self.setColumnHidden(keys.index("probability"), not has_probabilities)
        self.show_selected(selected, is_own=False, scroll=False)
        self._set_current(current)

    def show_selected(self, selected: Selected, *, is_own: bool, scroll: bool = True) -> None:
        """Show what is selected; ``is_own``: the view knows already."""
        model = self.own_model
        many = len(selected.ranges) > MAX_RANGES
        palette = self.palette()
        model.mark = palette.color(palette.ColorRole.Highlight)
        model.set_marked(selected.rows if many else NOTHING)
        if not is_own:
            self._is_quiet = True
            choice = QItemSelection() if many else self._as_selection(selected.ranges)
            mode = QItemSelectionModel.SelectionFlag.ClearAndSelect
            self.selectionModel().select(choice, mode)
            self._is_quiet = False
            if scroll and len(selected.ranges):
                self._show_line(int(selected.ranges[0, 0]))
        self.viewport().update()

    def show_empty(self, text: str) -> None:
        """What to say when there is no line."""
        self._empty = text
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The lines, or words in their place."""
        super().paintEvent(event)
        if self.own_model.rowCount() == 0 and self._empty:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(self.foregroundRole()))
            place = self.viewport().rect().adjusted(12, 12, -12, -12)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._empty)
            painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes to the current line's object, Ctrl+C copies."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_asked.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.go_asked.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _on_header(self, section: int) -> None:
        self.sort_asked.emit(self.own_model.columns[section].key)

    def _on_selected(self, *_: Any) -> None:
        if self._is_quiet:
            return
        # an index a row would be made by selectedRows(): ranges cost nothing
        found = [(each.top(), each.bottom()) for each in self.selectionModel().selection()]
        lines = sorted(set(found))
        self.lines_selected.emit(np.array(lines, np.int64).reshape(-1, 2))

    def _as_selection(self, ranges: Ranges) -> QItemSelection:
        model, last = self.own_model, self.own_model.columnCount() - 1
        selection = QItemSelection()
        for first, final in ranges.tolist():
            selection.append(QItemSelectionRange(model.index(first, 0), model.index(final, last)))
        return selection

    def _show_line(self, line: int) -> None:
        index = self.own_model.index(line, 0)
        self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self.scrollTo(index)

    def _current_id(self) -> int | None:
        index, shown = self.currentIndex(), self.own_model.shown
        return int(shown.frame.instances.ids[shown.order[index.row()]]) if index.isValid() else None

    def _set_current(self, object_id: int | None) -> None:
        if object_id is None:
            return
        shown = self.own_model.shown
        lines = shown.lines_of(shown.frame.rows(np.array([object_id])))
        if len(lines):
            index = self.own_model.index(int(lines[0]), 0)
            scrolled = self.verticalScrollBar().value()
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.verticalScrollBar().setValue(scrolled)

    def _fit_columns(self) -> None:
        """Widths that hold header and typical cells, without looking at every row."""
        metrics = self.fontMetrics()
        frame = self.own_model.shown.frame
        names = [spec.name for spec in frame.classes] or [""]
        widest = {
            "id": "100000",
            "class": max(names, key=len) + "mm",
            "area": "100,000.0",
            "y": "100,000",
            "x": "100,000",
        }
        widest |= {"state": "predicted", "locked": "locked"}
        for section, column in enumerate(self.own_model.columns):
            cells = metrics.horizontalAdvance(widest.get(column.key, "0.00")) + (
                CHIP_PX if column.key == "class" else 0
            )
            self.setColumnWidth(section, max(cells + 12, metrics.horizontalAdvance(column.header) + 22))
