"""Buttons of the tasks that can be corrected, and the question for a new one."""

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from pathloop.gui.widgets._buttons import color_chip, emptied

__all__ = ["NewTaskDialog", "TaskRow", "ask_task"]

COLUMNS = 4
WIDTH_PX = 380
NEW_TIP = (
    "Objects that the model does not know, for example vessels: painted by you, then learned with the recipe New"
    " objects (panel Train). Also adds a task of the project that is not here yet"
)


class TaskRow(QWidget):
    """A button a task; one for a new task, which whoever shows the row puts where there is room.

    Attributes
    ----------
    new
        The button for a new task.
    """

    chosen = Signal(str)
    new_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        self.new = QPushButton("New task...")
        self.new.setObjectName("new-task")
        self.new.clicked.connect(lambda *_: self.new_asked.emit())

    def show_tasks(self, tasks: Sequence[str], current: str, problem: str) -> None:
        """Show tasks, the chosen one pressed; with a problem no task can be made."""
        if tuple(tasks) != tuple(self._buttons):
            emptied(self._grid, self._group)
            self._buttons = {}
            for index, task in enumerate(tasks):
                self._buttons[task] = self._button(task)
                self._grid.addWidget(self._buttons[task], index // COLUMNS, index % COLUMNS)
        for task, button in self._buttons.items():
            button.setChecked(task == current)
        self.setVisible(bool(tasks))
        self.new.setEnabled(not problem)
        self.new.setToolTip(problem or NEW_TIP)

    def _button(self, task: str) -> QPushButton:
        button = QPushButton(task)
        button.setCheckable(True)
        button.setToolTip(f"Correct {task}")
        button.setObjectName(f"task-{task}")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda *_: self.chosen.emit(task))
        self._group.addButton(button)
        return button


class NewTaskDialog(QDialog):
    """Asks for a name and a colour; says at once why a name does not do.

    Parameters
    ----------
    parent
        Whose question.
    color
        What is proposed, sRGB.
    problem
        Why a name does not do; "" if it does.
    """

    def __init__(self, parent: Any, color: tuple[int, int, int], problem: Callable[[str], str]) -> None:
        super().__init__(parent)
        self.setWindowTitle("New task")
        self.setObjectName("pathloop-new-task")
        self.color, self._problem = color, problem
        self.name = QLineEdit()
        self.name.setPlaceholderText("for example vessels")
        self.name.setToolTip("What the objects are called, in the plural")
        self._color = QPushButton("Other colour...")
        self._color.setIcon(color_chip(color))
        self._color.setToolTip("The colour in which the objects are drawn")
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setMinimumSize(WIDTH_PX, 3 * self._words.fontMetrics().lineSpacing())
        buttons = QDialogButtonBox.StandardButton
        self.box = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        form = QFormLayout(self)
        form.addRow("Objects", self.name)
        form.addRow("Colour", self._color)
        form.addRow(self._words)
        form.addRow(self.box)
        self.name.textChanged.connect(lambda *_: self._check())
        self._color.clicked.connect(lambda *_: self._choose_color())
        self.box.accepted.connect(self.accept)
        self.box.rejected.connect(self.reject)
        self._check()

    def _check(self) -> None:
        text = self.name.text()
        problem = self._problem(text)
        self._words.setText("" if not text.strip() else problem)
        self.box.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)

    def _choose_color(self) -> None:
        found = QColorDialog.getColor(QColor(*self.color), self, "Colour of the objects")
        if found.isValid():
            self.color = (found.red(), found.green(), found.blue())
            self._color.setIcon(color_chip(self.color))


def ask_task(
    parent: Any, color: tuple[int, int, int], problem: Callable[[str], str]
) -> tuple[str, tuple[int, int, int]] | None:
    """Name and colour of a new task; None where the question was cancelled."""
    dialog = NewTaskDialog(parent, color, problem)
    is_given = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return (dialog.name.text(), dialog.color) if is_given else None
