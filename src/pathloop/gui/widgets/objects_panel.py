"""The panel "Objects": table, plots and composition of what was found on the slide."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from pathloop.gui._current import session_for
from pathloop.gui.objects import CardPresenter, ObjectsPresenter
from pathloop.gui.objects._card import Card
from pathloop.gui.objects._columns import find_column
from pathloop.gui.objects._order import Shown, Sort
from pathloop.gui.objects._thumbnail import Thumbnail
from pathloop.gui.objects._view import Choice, Selected
from pathloop.gui.widgets.object_card import ObjectCard
from pathloop.gui.widgets.object_composition import ObjectComposition
from pathloop.gui.widgets.object_filters import ObjectFilters
from pathloop.gui.widgets.object_picture import captioned, write_png
from pathloop.gui.widgets.object_review import ObjectReview
from pathloop.gui.widgets.object_table import ObjectTable
from pathloop.gui.widgets.panel import Panel

if TYPE_CHECKING:
    from pathloop.gui.widgets.object_plots import ObjectPlots

__all__ = ["ObjectsPanel"]

TABLE, PLOTS, COMPOSITION = range(3)
NO_SLIDE = "Open a slide first."


class ObjectsPanel(Panel):
    """Everything about the objects of the current slide; implements `ObjectsView`.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:  # type: ignore[name-defined]  # noqa: F821
        super().__init__("Objects")
        self._viewer = viewer
        self._session: Any = session_for(viewer)
        self.guard(self._session)
        self.table = ObjectTable()
        self.card = ObjectCard()
        self.filters = ObjectFilters()
        self.plots: ObjectPlots | None = None
        self._build()
        self.presenter = ObjectsPresenter(self._session, self)
        self.review = self.card.add(ObjectReview(self.presenter))
        self.cards = CardPresenter(self.presenter)
        self.composition = ObjectComposition(self.presenter)
        self.tabs.addTab(self.composition, "Composition")
        self.tabs.setTabToolTip(COMPOSITION, "How many objects of which kind, and which tissue")
        own = (self.presenter, self.cards, self.review.presenter, self.composition.presenter)
        self._ends = [one.close for one in own]
        self._wire()
        self._enable()

    def close_down(self) -> None:
        """Hear no more of the session; nothing is shown afterwards."""
        _call_all(self._ends)

    # what the presenters show

    def show_tasks(self, tasks: Sequence[Choice], current: str | None) -> None:
        """See `ObjectsView`."""
        keys = [self._task.itemData(index) for index in range(self._task.count())]
        if keys != [choice.key for choice in tasks]:
            self._task.clear()
            for choice in tasks:
                self._task.addItem(choice.title, choice.key)
        self._task.setCurrentIndex(self._task.findData(current))
        self._task.setEnabled(len(tasks) > 0)

    def show_classes(self, classes: Sequence[Choice]) -> None:
        """See `ObjectsView`."""
        self.filters.set_classes(classes)

    def show_rows(self, shown: Shown, sort: Sort, selected: Selected) -> None:
        """See `ObjectsView`."""
        self.table.show_rows(shown, sort, selected)
        self.filters.set_area_unit(find_column(shown.frame, "area").unit)
        self._filter_box.setText("Filters (set)" if self.filters.is_active else "Filters")
        self._enable()

    def show_selected(self, selected: Selected, *, is_own: bool) -> None:
        """See `ObjectsView`."""
        self.table.show_selected(selected, is_own=is_own)

    def show_counts(self, text: str, empty: str) -> None:
        """See `ObjectsView`."""
        self._counts.setText(text)
        self.table.show_empty(empty)

    def show_busy(self, *, busy: bool) -> None:
        """See `ObjectsView`."""
        if busy:
            self._counts.setText("Sorting …")

    def show_filter_problem(self, text: str) -> None:
        """See `ObjectsView`."""
        self.filters.show_problem(text)

    def show_region(self, text: str, *, is_set: bool) -> None:
        """See `ObjectsView`."""
        self.filters.show_region(text, is_set=is_set)

    def show_card(self, card: Card | None) -> None:
        """See `ObjectsView`."""
        self.card.show_card(card)
        self.review.presenter.show(card)

    def show_thumbnail(self, thumbnail: Thumbnail) -> None:
        """See `ObjectsView`."""
        self.card.picture.show_thumbnail(thumbnail)

    def copy(self, text: str) -> None:
        """See `ObjectsView`."""
        QApplication.clipboard().setText(text)

    # what the user does

    def ask_path(self, title: str, name: str, kind: str) -> Path | None:
        """Where to write; None if the user thinks better of it."""
        current = self._session.current
        folder = current.path.parent if current.project_path is None else current.project_path.parent
        chosen, _ = QFileDialog.getSaveFileName(self, title, str(folder / name), kind)
        if not chosen:
            return None
        path = Path(chosen)
        suffix = ".png" if "png" in kind else ".csv"
        return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)

    def save_table(self) -> None:
        """Write what the table shows."""
        path = self.ask_path("Save table", f"{self._slide_name()}_{self.presenter.task}_objects.csv", "Tables (*.csv)")
        if path is not None:
            self.presenter.save_csv(path)

    def save_composition(self) -> None:
        """Write what the composition tab shows."""
        path = self.ask_path("Save composition", f"{self._slide_name()}_composition.csv", "Tables (*.csv)")
        if path is not None:
            self.composition.presenter.save_csv(path)

    def save_picture(self) -> None:
        """Write the canvas with its slide's name and a scale bar; in the plots tab the plot."""
        name = self._slide_name()
        if self.tabs.currentIndex() == PLOTS and self.plots is not None:
            image = self.plots.grab().toImage()
            path = self.ask_path("Save plot", f"{name}_{self.presenter.task}_plot.png", "Pictures (*.png)")
        else:
            pixels = self._viewer.screenshot(canvas_only=True, flash=False)
            um = self._session.um_per_screen_px()
            image = captioned(pixels, name, None if um is None else um / self.devicePixelRatioF())
            path = self.ask_path("Save picture", f"{name}.png", "Pictures (*.png)")
        if path is not None:
            self._session.background.run(
                lambda: write_png(path, image), lambda done: self._session.say(f"picture written to {done}")
            )

    def _on_tab(self, index: int) -> None:
        if index == PLOTS and self.plots is None:
            self._make_plots()
        if self.plots is not None:
            self.plots.presenter.set_active(active=index == PLOTS)
        self.composition.presenter.set_active(active=index == COMPOSITION)
        self._enable()

    def _make_plots(self) -> None:
        """Here, because loading pyqtgraph takes a while."""
        from pathloop.gui.widgets.object_plots import ObjectPlots

        self.plots = ObjectPlots(self.presenter)
        self._plots_place.addWidget(self.plots)
        self.plots.drawn.connect(self._enable)
        self._ends.append(self.plots.presenter.close)

    def _slide_name(self) -> str:
        current = self._session.current
        return str(current.slide_id or current.path.name.split(".")[0])

    def _enable(self) -> None:
        """Buttons that can do something now; the others say why not."""
        has_slide = self._session.current is not None
        has_rows = len(self.presenter.shown) > 0 if hasattr(self, "presenter") else False
        has_plot = self.plots is not None and self.plots.has_plot
        index = self.tabs.currentIndex()
        kind: Literal["plot", "canvas"] = "plot" if index == PLOTS else "canvas"
        tips = {
            self._save_table: "Write the rows shown here, in this order, to a CSV file.",
            self._save_picture: {
                "plot": "Write this plot to a PNG file.",
                "canvas": "Write what is on screen to a PNG file, with the slide's name and a scale bar.",
            }[kind],
            self._save_composition: "Write these numbers to a CSV file.",
        }
        can = {
            self._save_table: has_rows,
            self._save_picture: has_plot if kind == "plot" else has_slide,
            self._save_composition: has_slide,
        }
        for button, tip in tips.items():
            button.setEnabled(can[button])
            button.setToolTip(tip if can[button] else NO_SLIDE if not has_slide else "There is nothing to save yet.")
        self._save_picture.setText("Save plot (PNG)" if kind == "plot" else "Save picture")
        self._save_table.setVisible(index == TABLE)
        self._save_composition.setVisible(index == COMPOSITION)

    # building

    def _build(self) -> None:
        self._task = QComboBox()
        self._task.setObjectName("pathloop_objects_task")
        self._task.setAccessibleName("Kind of objects")
        self._task.setToolTip("Which objects to show.")
        self._counts = QLabel()
        self._counts.setObjectName("pathloop_objects_counts")
        self._counts.setWordWrap(True)
        self._filter_box = QCollapsible("Filters")
        self._filter_box.setObjectName("pathloop_objects_filter_box")
        self._filter_box.toggleButton().setToolTip("Show only some of the objects, in the table and the plots.")
        self._filter_box.setDuration(0)
        self._filter_box.setCollapsedIcon("▶")
        self._filter_box.setExpandedIcon("▼")
        self._filter_box.addWidget(self.filters)
        self._filter_box.layout().setContentsMargins(0, 0, 0, 0)
        self._filter_box.content().layout().setContentsMargins(0, 2, 0, 2)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.table)
        split.addWidget(self.card)
        split.setStretchFactor(0, 1)
        split.setChildrenCollapsible(False)
        self.table.setMinimumHeight(130)
        plots = QWidget()
        self._plots_place = QVBoxLayout(plots)
        self._plots_place.setContentsMargins(0, 0, 0, 0)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("pathloop_objects_tabs")
        self.tabs.addTab(split, "Table")
        self.tabs.addTab(plots, "Plots")
        self.tabs.setTabToolTip(TABLE, "All objects, one a row")
        self.tabs.setTabToolTip(PLOTS, "Histograms and scatter plots; drag over them to select objects")
        self._save_table = self._button("Save table (CSV)", "save_table", self.save_table)
        self._save_picture = self._button("Save picture", "save_picture", self.save_picture)
        self._save_composition = self._button("Save composition (CSV)", "save_composition", self.save_composition)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._task)
        top.addWidget(self._counts, 1)
        for button in (self._save_table, self._save_composition, self._save_picture):
            bottom.addWidget(button)
        bottom.addStretch(1)
        self.body.addLayout(top)
        self.body.addWidget(self._filter_box)
        self.body.addWidget(self.tabs, 1)
        self.body.addLayout(bottom)

    def _button(self, text: str, name: str, call: Any) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"pathloop_objects_{name}")
        button.clicked.connect(call)
        return button

    def _wire(self) -> None:
        self._task.activated.connect(lambda: self.presenter.choose_task(self._task.currentData()))
        self.table.sort_asked.connect(self.presenter.sort_by)
        self.table.lines_selected.connect(self.presenter.select_lines)
        self.table.go_asked.connect(self.presenter.go_to_line)
        self.table.copy_asked.connect(self.presenter.copy_selected)
        self.filters.changed.connect(lambda filters, in_view: self.presenter.filter_by(filters, in_view_only=in_view))
        self.filters.region_asked.connect(self.presenter.use_region)
        self.card.step_asked.connect(self.cards.step)
        self.card.go_asked.connect(self.cards.go_to)
        self.card.follow_changed.connect(lambda on: setattr(self.cards, "follow", on))
        self.tabs.currentChanged.connect(self._on_tab)
        # not a method of the panel: Qt disconnects those before it tells that the panel is gone
        self.destroyed.connect(partial(_call_all, self._ends))


def _call_all(calls: list[Callable[[], None]], *_: Any) -> None:
    while calls:
        calls.pop()()
