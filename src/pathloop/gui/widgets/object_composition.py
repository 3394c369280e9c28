"""The composition tab: how many objects of which kind, and which tissue, in the slide, the view or a region."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathloop.gui.objects._composition_presenter import CompositionPresenter
from pathloop.gui.objects._presenter import ObjectsPresenter
from pathloop.gui.objects._words import task_title
from pathloop.gui.widgets.object_table import color_chip
from pathloop.loop import Composition, ObjectShare, TissueShare

__all__ = ["ObjectComposition"]

DASH = "–"
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ObjectComposition(QWidget):
    """Shows a `Composition`.

    Parameters
    ----------
    objects
        Says which region is set.
    """

    def __init__(self, objects: ObjectsPresenter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_composition")
        self._area = QComboBox()
        self._area.setObjectName("pathloop_composition_area")
        self._area.setAccessibleName("Area")
        self._area.setToolTip(
            "Where to count. The region is the one under Filters; the other filters do not count here."
        )
        for key, title in (
            ("slide", "Whole slide"),
            ("view", "What is on screen"),
            ("region", "Region of the filters"),
        ):
            self._area.addItem(title, key)
        self._text = QLabel()
        self._text.setObjectName("pathloop_composition_text")
        self._text.setWordWrap(True)
        self.tree = QTreeWidget()
        self.tree.setObjectName("pathloop_composition_tree")
        self.tree.setAccessibleName("Composition")
        self.tree.setToolTip(
            "An object counts where its centre lies. Densities are per mm² of tissue where it is known."
        )
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.tree.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tree.setRootIsDecorated(False)
        self.tree.setItemsExpandable(False)
        self.tree.setIndentation(2)
        self.tree.setMinimumHeight(180)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self._area)
        layout.addWidget(self._text)
        layout.addWidget(self.tree, 1)
        self.presenter = CompositionPresenter(objects, self)
        self._area.activated.connect(lambda: self.presenter.choose(self._area.currentData()))

    def show_composition(self, found: Composition | None, text: str) -> None:
        """Show the numbers; None: only words."""
        self._text.setText(text)
        self.tree.clear()
        self.tree.setVisible(found is not None)
        if found is None:
            return
        self.tree.setHeaderLabels(["", "Count", "Per mm²", "Area", "%"])
        tips = (
            "Class",
            "Objects whose centre lies in the area",
            f"Objects per mm² of {'tissue' if found.tissue_mm2 else 'the area'}",
            "Median area of these objects; for tissue: what it covers",
            "How much of the area they cover, in %",
        )
        for column, tip in enumerate(tips):
            self.tree.headerItem().setToolTip(column, tip)
        self._add_objects(found)
        if found.tissue:
            top = self._heading("Tissue")
            for share in found.tissue:
                self._add_tissue(top, share, has_scale=found.has_scale)
        self.tree.expandAll()
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        # names give way to numbers
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def _add_objects(self, found: Composition) -> None:
        by_task: dict[str, list[ObjectShare]] = {}
        for share in found.objects:
            by_task.setdefault(share.task, []).append(share)
        for task, shares in by_task.items():
            whole = shares[0]
            top = self._heading(task_title(task))
            self._fill(top, _cells(whole, found), None)
            for share in shares[1:]:
                item = QTreeWidgetItem(top, [share.class_name])
                self._fill(item, _cells(share, found), share.color)

    def _add_tissue(self, top: QTreeWidgetItem, share: TissueShare, *, has_scale: bool) -> None:
        name = share.class_name.replace("_", " ")
        item = QTreeWidgetItem(top, [name])
        size = f"{share.area_mm2:,.2f} mm²" if has_scale and share.area_mm2 is not None else f"{share.area_px:,.0f} px"
        self._fill(item, ["", "", size, _percent(share.share)], share.color)

    def _heading(self, title: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self.tree, [title])
        font = item.font(0)
        font.setBold(True)
        item.setFont(0, font)
        return item

    def _fill(self, item: QTreeWidgetItem, cells: list[str], color: tuple[int, int, int] | None) -> None:
        for column, text in enumerate(cells, start=1):
            item.setText(column, text)
            item.setTextAlignment(column, RIGHT)
        if color is not None:
            item.setIcon(0, color_chip(color))
        else:
            item.setBackground(0, QBrush(QColor(0, 0, 0, 0)))


def _cells(share: ObjectShare, found: Composition) -> list[str]:
    density = share.per_tissue_mm2 if found.tissue_mm2 else share.per_mm2
    unit = "µm²" if found.has_scale else "px"
    return [
        f"{share.count:,}",
        DASH if density is None else f"{density:,.0f}" if density >= 10 else f"{density:,.2f}",
        DASH if share.median_area is None else f"{share.median_area:,.{int(share.median_area < 100)}f} {unit}",
        DASH if share.area_share is None else _percent(share.area_share),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.{int(share < 0.0995)}f}"
