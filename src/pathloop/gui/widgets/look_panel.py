"""The panel "Look": colours, outlines, the class table that is the legend, and maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
)

from pathloop.gui._current import session_for
from pathloop.gui.display import LegendEntry
from pathloop.gui.looking import LookPresenter, TaskLegend
from pathloop.gui.looking._presenter import COLOUR_BY
from pathloop.gui.widgets.panel import Panel

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["LookPanel"]

STYLES = {"fill": "Filled", "outline": "Outlines"}
CHIP_PX = 18
TASK_ROLE = Qt.ItemDataRole.UserRole
CODE_ROLE = TASK_ROLE + 1


class LookPanel(Panel):
    """How objects and maps are shown.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__("Look")
        session = session_for(viewer)
        self.guard(session)
        self._filling = False
        self._build()
        self.presenter = LookPresenter(session, self)
        self._style.setCurrentIndex(self._style.findData(self.presenter.style))
        self._opacity.setValue(round(100 * self.presenter.opacity))
        self._wire()

    def _build(self) -> None:
        form = QFormLayout()
        self._colour_by = QComboBox()
        self._colour_by.setObjectName("colour_by")
        self._colour_by.setToolTip("What the colours of objects mean; the table below is the legend")
        for mode, (text, words) in COLOUR_BY.items():
            self._colour_by.addItem(text, mode)
            self._colour_by.setItemData(self._colour_by.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        form.addRow("Colour by", self._colour_by)
        self._style = QComboBox()
        self._style.setObjectName("style")
        self._style.setToolTip("Fill objects, or draw their outlines only")
        for key, text in STYLES.items():
            self._style.addItem(text, key)
        form.addRow("Draw", self._style)
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(5, 100)
        self._opacity.setToolTip("How strongly objects cover the tissue. Hold H to see the tissue alone")
        form.addRow("Opacity", self._opacity)
        self._patterns = QCheckBox("Patterns as well as colours")
        self._patterns.setToolTip("Hatch each class differently, so that classes can be told without seeing colours")
        form.addRow("", self._patterns)
        self.body.addLayout(form)
        self._table = QTreeWidget()
        self._table.setObjectName("legend")
        self._table.setHeaderLabels(["Shown", "Count"])
        self._table.setToolTip("Colours and what they mean; untick to hide")
        self._table.setMinimumHeight(160)
        self._table.setColumnWidth(0, 200)
        self.body.addWidget(self._table, 1)
        self._tissue = QCheckBox("Tissue map")
        self._uncertainty = QCheckBox("Uncertainty map")
        row = QHBoxLayout()
        row.addWidget(self._tissue)
        row.addWidget(self._uncertainty)
        self.body.addLayout(row)
        row = QHBoxLayout()
        self._task = QComboBox()
        self._task.setToolTip("Whose objects to copy")
        self._copy = QPushButton("Copy view to Labels")
        self._copy.setObjectName("copy")
        row.addWidget(self._task)
        row.addWidget(self._copy, 1)
        self.body.addLayout(row)
        hint = QLabel("Hold H to see the tissue without anything over it.")
        hint.setWordWrap(True)
        self.body.addWidget(hint)

    def _wire(self) -> None:
        presenter = self.presenter
        self._colour_by.activated.connect(lambda _: presenter.set_colour_by(self._colour_by.currentData()))
        self._style.activated.connect(lambda _: presenter.set_style(self._style.currentData()))
        self._opacity.valueChanged.connect(lambda value: presenter.set_opacity(value / 100))
        self._patterns.toggled.connect(presenter.set_patterns)
        self._table.itemChanged.connect(self._on_item)
        for box in (self._tissue, self._uncertainty):
            box.toggled.connect(self._on_maps)
        self._copy.clicked.connect(lambda: presenter.copy_to_labels(self._task.currentData(), view_only=True))

    def _on_maps(self) -> None:
        self.presenter.show_maps(tissue=self._tissue.isChecked(), uncertainty=self._uncertainty.isChecked())

    def _on_item(self, item: QTreeWidgetItem) -> None:
        if self._filling:
            return
        task, code = item.data(0, TASK_ROLE), item.data(0, CODE_ROLE)
        shown = item.checkState(0) == Qt.CheckState.Checked
        if code is None:
            self.presenter.show_task(task, shown)
        else:
            self.presenter.show_class(task, code, shown)

    # LookView

    def show_legend(self, legends: Sequence[TaskLegend]) -> None:
        """See `LookView`."""
        self._filling = True
        try:
            self._fill(legends)
        finally:
            self._filling = False
        chosen = self._task.currentData()
        self._task.clear()
        for legend in legends:
            self._task.addItem(legend.title, legend.task)
        self._task.setCurrentIndex(max(self._task.findData(chosen), 0))
        self._copy.setEnabled(bool(legends))
        self._copy.setToolTip(
            "Makes an ordinary Labels layer of what is on screen, for other plugins"
            if legends
            else "There are no objects yet: press Run in the panel Segment"
        )

    def _fill(self, legends: Sequence[TaskLegend]) -> None:
        self._table.clear()
        for legend in legends:
            total = sum(entry.count for entry in legend.entries)
            top = QTreeWidgetItem([legend.title, f"{total:,}"])
            top.setData(0, TASK_ROLE, legend.task)
            _set_checked(top, on=legend.is_shown)
            self._table.addTopLevelItem(top)
            for entry in legend.entries:
                item = QTreeWidgetItem([entry.label.replace("_", " "), f"{entry.count:,}" if entry.count else ""])
                item.setIcon(0, chip(entry))
                item.setData(0, TASK_ROLE, legend.task)
                item.setData(0, CODE_ROLE, entry.code)
                if legend.can_hide:
                    _set_checked(item, on=not entry.hidden)
                top.addChild(item)
            top.setExpanded(True)

    def show_maps(
        self,
        *,
        tissue: Sequence[LegendEntry],
        has_tissue: bool,
        has_uncertainty: bool,
        tissue_shown: bool,
        uncertainty_shown: bool,
    ) -> None:
        """See `LookView`."""
        for box, shown in ((self._tissue, tissue_shown), (self._uncertainty, uncertainty_shown)):
            with QSignalBlocker(box):
                box.setChecked(shown)
        none = "There is none yet: run a model with tissue among its tasks"
        self._tissue.setEnabled(has_tissue)
        self._tissue.setToolTip("What kind of tissue each cell of the map is" if has_tissue else none)
        self._uncertainty.setEnabled(has_uncertainty)
        self._uncertainty.setToolTip("Bright where the model is unsure" if has_uncertainty else none)
        if has_tissue and tissue_shown:
            self._filling = True
            top = QTreeWidgetItem(["Tissue map", ""])
            self._table.addTopLevelItem(top)
            for entry in tissue:
                item = QTreeWidgetItem([entry.label.replace("_", " "), f"{entry.count:,}" if entry.count else ""])
                item.setIcon(0, chip(entry))
                top.addChild(item)
            top.setExpanded(True)
            self._filling = False


def _set_checked(item: QTreeWidgetItem, *, on: bool) -> None:
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)


def chip(entry: LegendEntry) -> QIcon:
    """A square of the entry's colour with its letter: never colour alone."""
    pixmap = QPixmap(CHIP_PX, CHIP_PX)
    color = QColor(*(int(value) for value in entry.color[:3]))
    pixmap.fill(color)
    painter = QPainter(pixmap)
    painter.setPen(QPen(QColor("black") if color.lightness() > 120 else QColor("white")))
    painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, entry.badge)
    painter.end()
    return QIcon(pixmap)
