"""Parts of the panel "Slides" about the current slide: scale, project, levels, tissue, label and macro."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from pathloop.gui.opening._slides_state import LevelRow, SlidesState
from pathloop.gui.widgets.icons import tint

__all__ = ["ProjectBox", "ScaleBox", "SlideBox"]

QUICK = {"20x": "0.5", "40x": "0.25"}
COLUMNS = ("", "Size, px", "um/px", "Mag.", "Tile")
MOST_LEVELS = 5


class ScaleBox(QGroupBox):
    """um per px; ``entered`` gives the text."""

    entered = Signal(str)

    def __init__(self) -> None:
        super().__init__("Scale")
        self.field = QLineEdit()
        self.field.setObjectName("um_per_px")
        self.field.setMaximumWidth(90)
        self.field.setToolTip("Size of a pixel of the finest level in um; press Enter to take it")
        label = QLabel("&um per px")
        label.setBuddy(self.field)
        self._hint, self._problem = QLabel(), QLabel()
        for text in (self._hint, self._problem):
            text.setWordWrap(True)
        self._problem.setObjectName("scale_problem")
        self.quick: dict[str, QPushButton] = {}
        row = QHBoxLayout()
        row.addWidget(label)
        row.addWidget(self.field)
        quick = QHBoxLayout()
        for power, value in QUICK.items():
            button = QPushButton(f"{power} = {value}")
            button.setObjectName(f"scale_{power}")
            button.setToolTip(f"A {power} scan: about {value} um per px")
            button.clicked.connect(lambda _=False, value=value: self.entered.emit(value))
            self.quick[power] = button
            quick.addWidget(button)
        row.addStretch(1)
        quick.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addLayout(quick)
        layout.addWidget(self._hint)
        layout.addWidget(self._problem)
        self.field.editingFinished.connect(self._finish)
        self._shown = ""

    def show_state(self, state: SlidesState) -> None:
        """Show what is known; a missing value stands out."""
        scale = state.scale
        self.setVisible(state.has_slide)
        self._shown = scale.text
        if not (self.field.hasFocus() and self.field.isModified()):
            self.field.setText(scale.text)
        self._hint.setText(scale.hint)
        self._problem.setText(scale.problem)
        self._problem.setVisible(bool(scale.problem))
        for button in self.quick.values():
            button.setVisible(scale.is_missing)
        # in words too, so that nothing depends on seeing the frame
        self._hint.setText(f"<b>Needed.</b> {scale.hint}" if scale.is_missing else scale.hint)
        color = self.palette().color(QPalette.ColorRole.ButtonText).name()
        self.field.setStyleSheet(f"QLineEdit {{ border: 2px solid {color}; }}" if scale.is_missing else "")

    def _finish(self) -> None:
        text = self.field.text().strip()
        self.field.setModified(False)
        if text and text != self._shown:
            self.entered.emit(text)


class ProjectBox(QGroupBox):
    """Where the work is kept."""

    def __init__(self) -> None:
        super().__init__("Project")
        self._text, self._hint = QLabel(), QLabel()
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setToolTip("The folder that keeps results and corrections of this slide")
        self.make = QPushButton("Make here")
        self.elsewhere = QPushButton("Elsewhere...")
        self.other = QPushButton("Open other...")
        self.make.setObjectName("make_project")
        self.elsewhere.setObjectName("make_elsewhere")
        self.other.setObjectName("other_project")
        self.elsewhere.setToolTip("Choose the folder in which a new project for this slide is made")
        self.other.setToolTip("Keep this slide's work in a project that is there already")
        layout = QVBoxLayout(self)
        for text in (self._text, self._hint):
            text.setWordWrap(True)
            layout.addWidget(text)
        row = QHBoxLayout()
        for button in (self.make, self.elsewhere, self.other):
            row.addWidget(button)
        row.addStretch(1)
        layout.addLayout(row)
        tint(self, {self.make: "make"})

    def show_state(self, state: SlidesState) -> None:
        """Show place and hints."""
        project = state.project
        self.setVisible(state.has_slide)
        self._text.setText(breakable(project.text))
        self._hint.setText(breakable(project.hint))
        self._hint.setVisible(bool(project.hint))
        self.make.setEnabled(project.can_make)
        self.make.setToolTip("Make the project at this place" if project.can_make else project.why_not)


class SlideBox(QGroupBox):
    """Levels, tissue, label and macro of the current slide."""

    def __init__(self) -> None:
        super().__init__("This slide")
        self._facts = QLabel()
        self._facts.setWordWrap(True)
        self.levels = QTableWidget(0, len(COLUMNS))
        self.levels.setObjectName("levels")
        self.levels.setAccessibleName("Levels of the slide")
        self.levels.setToolTip("The resolutions that the file holds")
        self.levels.setHorizontalHeaderLabels(COLUMNS)
        self.levels.verticalHeader().setVisible(False)
        self.levels.setWordWrap(False)
        self.levels.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.levels.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.levels.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.levels.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self._missing = QLabel()
        self._missing.setObjectName("small_levels")
        self._missing.setWordWrap(True)
        self.build = QPushButton("Build")
        self.build.setObjectName("build_levels")
        self.build.setToolTip("Make small levels of this image, once, in the cache folder")
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("stop_levels")
        self.stop.setToolTip("Stop building; nothing is left of it")
        self.only_tissue = QCheckBox("Run only on tissue")
        self.only_tissue.setObjectName("only_tissue")
        self.only_tissue.setToolTip("Leave glass, pen and dirt out of runs: faster, and no objects on glass")
        self.outline = QPushButton("Show outline")
        self.outline.setObjectName("tissue_outline")
        self.outline.setCheckable(True)
        self.outline.setToolTip("Draw around what counts as tissue, as a layer that can be deleted")
        self.associated = QPushButton("Show label and macro\n(may show a patient's name)")
        self.associated.setObjectName("associated")
        layout = QVBoxLayout(self)
        layout.addWidget(self._facts)
        layout.addWidget(self.levels)
        layout.addWidget(self._missing)
        row = QHBoxLayout()
        for button in (self.build, self.stop):
            row.addWidget(button)
        row.addStretch(1)
        layout.addLayout(row)
        row = QHBoxLayout()
        row.addWidget(self.only_tissue, 1)
        row.addWidget(self.outline)
        layout.addLayout(row)
        layout.addWidget(self.associated)
        tint(self, {self.outline: "outline", self.associated: "tag", self.build: "make", self.stop: "close"})

    def show_state(self, state: SlidesState) -> None:
        """Show what the slide has."""
        self.setVisible(state.has_slide)
        self._facts.setText(state.facts)
        self._fill(state.levels)
        missing = state.small_levels
        self._missing.setText(missing.text)
        self._missing.setVisible(bool(missing.text))
        self.build.setVisible(bool(missing.text) and not missing.is_building)
        self.build.setEnabled(missing.can_build)
        self.stop.setVisible(missing.is_building)
        for box, on in ((self.only_tissue, state.only_tissue), (self.outline, state.outline_shown)):
            box.blockSignals(True)  # noqa: FBT003 - Qt's own
            box.setChecked(on)
            box.blockSignals(False)  # noqa: FBT003
        has = bool(state.associated)
        self.associated.setEnabled(has)
        self.associated.setToolTip(
            f"In a window of its own, never a layer: {', '.join(state.associated)}" if has else "This file has none"
        )

    def _fill(self, levels: tuple[LevelRow, ...]) -> None:
        self.levels.setRowCount(len(levels))
        for place, row in enumerate(levels):
            for column, text in enumerate((row.number, row.size, row.um_per_px, row.magnification, row.tile)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.levels.setItem(place, column, item)
        rows = sum(self.levels.rowHeight(place) for place in range(min(len(levels), MOST_LEVELS)))
        head = self.levels.horizontalHeader().sizeHint().height()
        self.levels.setFixedHeight(rows + head + 2 * self.levels.frameWidth())


def breakable(text: str) -> str:
    """A path that can be wrapped after its separators."""
    return text.replace("/", "/\u200b").replace("\\", "\\\u200b")
