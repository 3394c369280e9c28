"""What to look for among the objects: the conditions as controls."""

import math
from collections.abc import Sequence

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathloop.gui.objects._filters import Filters, Span
from pathloop.gui.objects._view import Choice
from pathloop.gui.widgets.object_table import color_chip
from pathloop.store import OBJECT_STATES

__all__ = ["ObjectFilters"]

TYPING_MS = 300
PER_ROW = 2
PLACES = {"": "Anywhere", "view": "What is on screen now", "drawn": "Around the drawn shape"}


class ObjectFilters(QWidget):
    """Says which conditions are set; decides nothing."""

    changed = Signal(object, bool)
    region_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_filters")
        self._is_quiet = False
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(TYPING_MS)
        self._typed.timeout.connect(self._tell)
        self._classes: dict[int, QCheckBox] = {}
        self._states = {
            code: self._check(name.capitalize(), f"state_{name}", f"Show {name} objects.", is_on=True)
            for code, name in enumerate(OBJECT_STATES)
        }
        self._locked = self._check("Locked only", "locked", "Leave out objects that are not locked.")
        self._asked = self._check("Asked only", "asked", "Leave out objects that no pathologist is asked about.")
        self._in_view = self._check(
            "In view only", "in_view", "Show only objects of which a part is on screen; follows the view."
        )
        self._spans = {
            "confidence": self._span("confidence", "confidence, 0 to 1"),
            "probability": self._span("probability", "class probability, 0 to 1"),
            "area": self._span("area", "area"),
        }
        self._area_label = QLabel("Area")
        self._ids = self._line("ids", "e.g. 812, 100-199", "Show only these object numbers: 812, P13 or 100-199.")
        self._problem = QLabel()
        self._problem.setObjectName("pathloop_filter_problem")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self._region = QLabel()
        self._region.setObjectName("pathloop_filter_region")
        self._region.setWordWrap(True)
        self._place = QComboBox(self)
        self._place.setObjectName("pathloop_filter_place")
        self._place.setAccessibleName("Region")
        self._place.setMinimumContentsLength(6)
        self._place.setToolTip("Show only objects whose centre lies in a region; it stays when you move on.")
        for source, title in PLACES.items():
            self._place.addItem(title, source)
        self._reset = self._button("Reset filters", "reset", "Show all objects again.")
        self._place.activated.connect(lambda: self.region_asked.emit(self._place.currentData()))
        self._reset.clicked.connect(self.reset)
        self._lay_out()
        self.show_region("Anywhere on the slide", is_set=False)

    def set_classes(self, classes: Sequence[Choice]) -> None:
        """Offer other classes; all are shown."""
        while self._class_grid.count():
            self._class_grid.takeAt(0).widget().deleteLater()
        self._classes = {}
        self._class_label.setVisible(len(classes) > 1)
        for number, choice in enumerate(classes if len(classes) > 1 else ()):
            box = self._check(choice.title, f"class_{choice.key}", f"Show objects of class {choice.title}.", is_on=True)
            if choice.color is not None:
                box.setIcon(color_chip(choice.color))
            self._classes[int(choice.key)] = box
            self._class_grid.addWidget(box, number // PER_ROW, number % PER_ROW)

    def set_area_unit(self, unit: str) -> None:
        """um2, or px where the scale is unknown."""
        self._area_label.setText(f"Area ({unit})")

    def show_region(self, text: str, *, is_set: bool) -> None:
        """Which region is kept to."""
        self._region.setText(text)
        self._region.setVisible(is_set)
        if not is_set:
            self._place.setCurrentIndex(0)

    def show_problem(self, text: str) -> None:
        """What cannot be understood."""
        self._problem.setText(f"⚠ {text}")
        self._problem.setVisible(bool(text))

    def reset(self) -> None:
        """No conditions."""
        self._is_quiet = True
        for box in (*self._classes.values(), *self._states.values()):
            box.setChecked(True)
        for box in (self._locked, self._asked, self._in_view):
            box.setChecked(False)
        for line in (self._ids, *(each for pair in self._spans.values() for each in pair)):
            line.clear()
        self._is_quiet = False
        self._typed.stop()
        self.region_asked.emit("")
        self._tell()

    @property
    def filters(self) -> Filters:
        """The conditions that are set, without places."""
        return Filters(
            classes=_chosen(self._classes),
            states=_chosen(self._states),
            locked_only=self._locked.isChecked(),
            asked_only=self._asked.isChecked(),
            ids=self._ids.text(),
            confidence=self._typed_span("confidence"),
            probability=self._typed_span("probability"),
            area=self._typed_span("area"),
        )

    @property
    def is_active(self) -> bool:
        """Whether any condition is set."""
        return self.filters != Filters() or self._in_view.isChecked() or not self._region.isHidden()

    def _typed_span(self, name: str) -> Span:
        low, high = self._spans[name]
        return Span(_number(low.text()), _number(high.text()))

    def _tell(self) -> None:
        if not self._is_quiet:
            self.changed.emit(self.filters, self._in_view.isChecked())

    def _check(self, text: str, name: str, tip: str, *, is_on: bool = False) -> QCheckBox:
        box = QCheckBox(text, self)
        box.setObjectName(f"pathloop_filter_{name}")
        box.setToolTip(tip)
        box.setChecked(is_on)
        box.toggled.connect(self._tell)
        return box

    def _line(self, name: str, placeholder: str, tip: str) -> QLineEdit:
        line = QLineEdit(self)
        line.setObjectName(f"pathloop_filter_{name}")
        line.setPlaceholderText(placeholder)
        line.setToolTip(tip)
        line.setAccessibleName(tip)
        line.setMinimumWidth(50)
        line.textEdited.connect(lambda: self._typed.start())
        line.returnPressed.connect(self._tell)
        return line

    def _span(self, name: str, words: str) -> tuple[QLineEdit, QLineEdit]:
        low = self._line(f"{name}_low", "from", f"Smallest {words}; empty = no limit.")
        return low, self._line(f"{name}_high", "to", f"Largest {words}; empty = no limit.")

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(f"pathloop_filter_{name}")
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        self._class_label = QLabel("Class")
        self._class_grid = QGridLayout()
        self._class_grid.setContentsMargins(0, 0, 0, 0)
        states = QGridLayout()
        for number, box in enumerate((*self._states.values(), self._locked, self._asked)):
            states.addWidget(box, number // PER_ROW, number % PER_ROW)
        grid = QGridLayout()
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self._class_label, 0, 0)
        grid.addLayout(self._class_grid, 0, 1, 1, 2)
        grid.addWidget(QLabel("State"), 1, 0)
        grid.addLayout(states, 1, 1, 1, 2)
        labels = {"confidence": QLabel("Confidence"), "probability": QLabel("Class prob."), "area": self._area_label}
        for row, (name, label) in enumerate(labels.items(), start=2):
            label.setBuddy(self._spans[name][0])
            grid.addWidget(label, row, 0)
            for column, line in enumerate(self._spans[name], start=1):
                grid.addWidget(line, row, column)
        grid.addWidget(QLabel("ID"), 5, 0)
        grid.addWidget(self._ids, 5, 1, 1, 2)
        grid.addWidget(self._problem, 6, 1, 1, 2)
        grid.addWidget(QLabel("Region"), 7, 0)
        grid.addWidget(self._place, 7, 1, 1, 2)
        grid.addWidget(self._region, 8, 1, 1, 2)
        last = QHBoxLayout()
        last.addWidget(self._in_view)
        last.addStretch(1)
        last.addWidget(self._reset)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addLayout(grid)
        outside.addLayout(last)


def _chosen(boxes: dict[int, QCheckBox]) -> frozenset[int] | None:
    """None where all are chosen."""
    chosen = frozenset(code for code, box in boxes.items() if box.isChecked())
    return None if len(chosen) == len(boxes) else chosen


def _number(text: str) -> float | None:
    """What was typed, with a point or a comma; None where it is no number (yet)."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
