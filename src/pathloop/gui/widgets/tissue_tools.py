"""The tissue brush in the panel "Correct"."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QButtonGroup, QComboBox, QGridLayout, QHBoxLayout, QInputDialog, QLabel, QPushButton, QWidget

from pathloop.core import ClassSpec, PathloopError
from pathloop.gui.tissue import TissueBrush
from pathloop.gui.widgets._buttons import color_chip, emptied

__all__ = ["TissueTools"]

SIZES = (1, 3, 5)
AS_PREDICTED = "As predicted"


class TissueTools(QWidget):
    """Switch the tissue brush on, choose class and size, accept what is on screen.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._on = QPushButton("Correct the tissue map")
        self._on.setCheckable(True)
        self._on.setObjectName("tissue-on")
        self._size = QComboBox()
        for size in SIZES:
            self._size.addItem(f"{size} x {size} cells" if size > 1 else "1 cell", size)
        self._size.setToolTip("Width of the tissue brush")
        layout.addWidget(self._on, 0, 0)
        layout.addWidget(self._size, 0, 1)
        self._classes = QGridLayout()
        self._group = QButtonGroup(self)
        layout.addLayout(self._classes, 1, 0, 1, 2)
        row = QHBoxLayout()
        self._new = QPushButton("New class...")
        self._new.setToolTip("A tissue class that the model does not know")
        self._accept = QPushButton("Accept view")
        self._accept.setToolTip("Say that the classes of all cells on screen are right")
        row.addWidget(self._new)
        row.addWidget(self._accept)
        layout.addLayout(row, 2, 0, 1, 2)
        self._cells = QLabel()
        layout.addWidget(self._cells, 3, 0, 1, 2)
        self._shown: Any = None
        self.brush = TissueBrush(session, self)
        self._on.clicked.connect(lambda on: self.brush.turn_on() if on else self.brush.turn_off())
        self._size.currentIndexChanged.connect(lambda index: self.brush.choose_size(SIZES[index]))
        self._new.clicked.connect(self._ask_class)
        self._accept.clicked.connect(self._accept_view)

    def show_tissue(self, *, on: bool, problem: str, classes: Sequence[ClassSpec], current: str) -> None:
        """See `TissueView`."""
        self._on.setChecked(on)
        self._on.setEnabled(not problem)
        self._on.setToolTip(problem or "Paint cells of the tissue map with classes; each stroke can be undone")
        for widget in (self._size, self._new, self._accept, self._cells):
            widget.setVisible(on)
        wanted = (on, tuple(classes), current)
        if wanted == self._shown:
            return
        self._shown = wanted
        emptied(self._classes, self._group)
        for index, spec in enumerate([*classes, None] if on else []):
            name = "" if spec is None else spec.name
            button = QPushButton(name or AS_PREDICTED)
            if spec is not None:
                button.setIcon(color_chip(spec.color))
            button.setCheckable(True)
            button.setChecked(name == current)
            button.setToolTip(f"Paint cells as {name}" if name else "Take back what was said of cells")
            button.clicked.connect(lambda checked=False, name=name: self.brush.choose(name))
            self._group.addButton(button)
            self._classes.addWidget(button, index // 2, index % 2)

    def show_cells(self, text: str) -> None:
        """See `TissueView`."""
        self._cells.setText(text)

    def _ask_class(self) -> None:
        name, is_given = QInputDialog.getText(self, "New class", "What is the tissue called?")
        if is_given:
            self.brush.new_class(str(name))

    def _accept_view(self) -> None:
        try:
            self.brush.accept_view()
        except PathloopError as error:
            self._session.say(str(error), "warning")
