"""The upper part of the panel "Slides": open, list, next and previous."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
)

from pathloop.gui.opening._slide_list import THUMBNAIL_PX
from pathloop.gui.opening._slides_state import STEPS, SlideRow, SlidesState
from pathloop.gui.widgets.icons import tint

__all__ = ["SlidesBox"]

PATH_ROLE = Qt.ItemDataRole.UserRole
MISSING_ROLE = PATH_ROLE + 1
ICON_PX = 44
MOST_ROWS = 4


class SlidesBox(QGroupBox):
    """The list of slides and what opens them.

    Signals: ``entered`` (text of the path field), ``chosen`` (path of a slide to show), ``lost`` (path to look for).
    """

    entered = Signal(str)
    chosen = Signal(object)
    lost = Signal(object)

    def __init__(self) -> None:
        super().__init__("Slides")
        self._pictures: dict[Path, QIcon] = {}
        self._rows: tuple[SlideRow, ...] = ()
        self.path = QLineEdit()
        self.path.setObjectName("path")
        self.path.setPlaceholderText("Path, or drop a slide here")
        self.path.setToolTip("Path of a slide, an OME-Zarr folder or a .pathloop project; press Enter to open it")
        self.path.setAccessibleName("Path of a slide")
        self.browse = QPushButton("Open...")
        self.browse.setObjectName("browse")
        self.browse.setToolTip("Choose slides to open: SVS, NDPI, MIRAX, TIFF, DICOM, PNG, JPEG, ...")
        self.browse_folder = QPushButton("Folder...")
        self.browse_folder.setObjectName("browse_folder")
        self.browse_folder.setToolTip("Choose a slide that is a folder (OME-Zarr), or a .pathloop project")
        self.steps = QLabel(_steps_html())
        self.steps.setObjectName("steps")
        self.steps.setWordWrap(True)
        self.list = QListWidget()
        self.list.setObjectName("slides")
        self.list.setAccessibleName("Slides of the project and open slides")
        self.list.setToolTip("Slides of the project and open slides; click one to show it")
        self.list.setIconSize(QSize(ICON_PX, ICON_PX))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.previous = _button("previous", "", "Previous slide (Alt+PageUp)")
        self.next = _button("next", "", "Next slide (Alt+PageDown)")
        self.close_slide = _button("close", "Close", "Take the current slide out of the window; its work is kept")
        self.locate = _button("locate", "Locate...", "The selected slide's file is not where it was: say where it is")
        self.adopt = _button("adopt", "", "")
        self._lay_out()
        tint(
            self,
            {
                self.browse: "open",
                self.browse_folder: "open",
                self.previous: "previous",
                self.next: "next",
                self.close_slide: "close",
                self.locate: "locate",
                self.adopt: "make",
            },
        )
        self.path.returnPressed.connect(self._enter)
        self.list.itemClicked.connect(self._choose)
        self.list.itemActivated.connect(self._choose)
        self.list.currentItemChanged.connect(lambda *_: self._follow_selection())
        self.locate.clicked.connect(self._look_for)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        row.addWidget(self.browse_folder)
        layout.addLayout(row)
        layout.addWidget(self.steps)
        layout.addWidget(self.list)
        row = QHBoxLayout()
        for button in (self.previous, self.next, self.close_slide, self.locate):
            row.addWidget(button)
        row.addStretch(1)
        layout.addLayout(row)
        layout.addWidget(self.adopt)

    def show_state(self, state: SlidesState) -> None:
        """Show rows and what can be done."""
        self.steps.setVisible(not state.has_open)
        if state.rows != self._rows:
            self._rows = state.rows
            self._fill(state.rows)
        many = sum(not row.is_missing for row in state.rows) > 1
        for button in (self.previous, self.next):
            button.setVisible(bool(state.rows))
            button.setEnabled(many)
        self.list.setVisible(bool(state.rows))
        self.close_slide.setVisible(bool(state.rows))
        self.close_slide.setEnabled(state.has_slide)
        self.adopt.setVisible(bool(state.adoptable))
        self.adopt.setText(f"Use layer {state.adoptable!r} as a slide")
        self.adopt.setToolTip("Open this layer's file as a slide, or write its pixels to one; the layer stays as it is")
        self._follow_selection()

    def show_thumbnail(self, path: Path, picture: NDArray[np.uint8]) -> None:
        """Put a picture, at most `THUMBNAIL_PX` a side, beside a slide's name."""
        height, width = picture.shape[:2]
        image = QImage(np.ascontiguousarray(picture).data, width, height, 3 * width, QImage.Format.Format_RGB888)
        pixmap = QPixmap.fromImage(image.copy())
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)  # not tinted
        self._pictures[path] = icon
        for item in self._items():
            if item.data(PATH_ROLE) == path:
                item.setIcon(self._pictures[path])

    def _fill(self, rows: tuple[SlideRow, ...]) -> None:
        blank = QPixmap(THUMBNAIL_PX, THUMBNAIL_PX)
        blank.fill(Qt.GlobalColor.transparent)
        self.list.blockSignals(True)  # noqa: FBT003 - Qt's own
        self.list.clear()
        for row in rows:
            status = "file missing: locate..." if row.is_missing else row.status
            item = QListWidgetItem(self._pictures.get(row.path, QIcon(blank)), f"{row.name}\n{status}")
            item.setData(PATH_ROLE, row.path)
            item.setData(MISSING_ROLE, row.is_missing)
            item.setToolTip(f"{row.path}\n{status}{'' if row.is_open else chr(10) + 'not open: click to open it'}")
            font = item.font()
            font.setBold(row.is_current)
            item.setFont(font)
            self.list.addItem(item)
            if row.is_current:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)  # noqa: FBT003
        shown = min(len(rows), MOST_ROWS)
        heights = sum(self.list.sizeHintForRow(place) for place in range(shown))
        self.list.setFixedHeight(heights + 2 * self.list.frameWidth() + 2)
        if self.list.currentItem() is not None:
            self.list.scrollToItem(self.list.currentItem())

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(place) for place in range(self.list.count())]

    def _follow_selection(self) -> None:
        item = self.list.currentItem()
        self.locate.setVisible(item is not None and bool(item.data(MISSING_ROLE)))

    def _enter(self) -> None:
        text = self.path.text().strip().strip('"')
        if text:
            self.path.clear()
            self.entered.emit(text)

    def _choose(self, item: QListWidgetItem) -> None:
        if not item.data(MISSING_ROLE):
            self.chosen.emit(item.data(PATH_ROLE))

    def _look_for(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.lost.emit(item.data(PATH_ROLE))


def _button(name: str, text: str, tooltip: str) -> Any:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tooltip)
    button.setAccessibleName(text or tooltip)
    return button


def _steps_html() -> str:
    items = "".join(f"<li style='margin-bottom:4px'>{step}</li>" for step in STEPS)
    return f"<b>Five steps</b><ol style='margin-left:-22px'>{items}</ol>"
