"""What the panel "Train" is built of: tables to read, and lines that fold."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QToolButton

__all__ = ["fold_button", "score_table"]


def fold_button(name: str, text: str, tip: str) -> QToolButton:
    """A line that opens and closes what lies below it."""
    button = QToolButton()
    button.setObjectName(name)
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.toggled.connect(lambda on: button.setArrowType(_arrow(on=on)))
    button.setArrowType(_arrow(on=False))
    button.hide()
    return button


def score_table(name: str, columns: Sequence[str], tip: str) -> QTableWidget:
    """A table to read, hidden until it is filled; ``tip`` is its tooltip and its name."""
    table = QTableWidget(0, len(columns))
    table.setObjectName(name)
    table.setAccessibleName(tip)
    table.setToolTip(tip)
    table.setHorizontalHeaderLabels(list(columns))
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setWordWrap(False)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    table.hide()
    return table


def _arrow(*, on: bool) -> Qt.ArrowType:
    return Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow
