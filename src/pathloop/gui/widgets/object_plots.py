"""Histogram and scatter plot of the shown objects. Imports pyqtgraph: load this module when a plot is first shown."""

import html
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QRectF, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pathloop.gui.objects._columns import numeric_columns
from pathloop.gui.objects._plots import Group, Histogram, Scatter
from pathloop.gui.objects._plots_presenter import PlotsPresenter
from pathloop.gui.objects._presenter import ObjectsPresenter
from pathloop.gui.widgets._object_brush import BrushBox, NumberAxis
from pathloop.gui.widgets._object_colors import background_color, mixed, muted_color, text_color

__all__ = ["ObjectPlots"]

LOGARITHMIC = ("area", "diameter")


class ObjectPlots(QWidget):
    """The plots tab.

    Parameters
    ----------
    objects
        Says what is shown; brushing selects there.
    """

    drawn = Signal()

    def __init__(self, objects: ObjectsPresenter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_plots")
        self._objects = objects
        self._data: Histogram | Scatter | None = None
        self._limits: tuple[Any, ...] = ()
        self._kind = self._combo("kind", "Plot", "How to plot.")
        self._kind.addItem("Histogram", "histogram")
        self._kind.addItem("Scatter", "scatter")
        self._x = self._combo("x", "Horizontal axis", "What to plot along the horizontal axis.")
        self._y = self._combo("y", "Vertical axis", "What to plot along the vertical axis of a scatter plot.")
        self._log = QCheckBox("Log")
        self._log.setObjectName("pathloop_plot_log")
        self._log.setToolTip("Logarithmic axis: shows small and very large objects together.")
        self._all = QPushButton("Fit")
        self._all.setObjectName("pathloop_plot_fit")
        self._all.setToolTip("Show the whole range again after zooming with the mouse wheel.")
        self.box = BrushBox()
        self._bottom = NumberAxis(orientation="bottom")
        self.plot = pg.PlotWidget(viewBox=self.box, axisItems={"bottom": self._bottom})
        self.plot.setObjectName("pathloop_plot")
        self.plot.setToolTip("Drag over the plot to select the objects in it. Wheel: zoom.")
        self.plot.hideButtons()
        self.plot.setMinimumHeight(180)
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(enable=False)
        self._note, self._legend, self._empty = QLabel(), QLabel(), QLabel()
        for label in (self._note, self._legend, self._empty):
            label.setWordWrap(True)
        self._note.setObjectName("pathloop_plot_note")
        self._empty.setObjectName("pathloop_plot_empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self.presenter = PlotsPresenter(objects, self)
        self._offer_columns()
        for combo in (self._kind, self._x, self._y):
            combo.activated.connect(self._choose)
        self._log.toggled.connect(self._choose)
        self._all.clicked.connect(self.fit)
        self.box.brushed.connect(self._on_brushed)
        objects.shown_changed.connect(self._offer_columns)
        self._update_controls()

    # what the presenter shows

    def show_histogram(self, data: Histogram, note: str) -> None:
        """Stacked bars by class; what is selected in front, in the colour of text."""
        self._begin(note, data.groups, data.column.header, "Objects")
        self._bottom.is_log = data.is_log
        self.box.whole_height = True
        self.box.invertY(b=False)
        left, width = data.edges[:-1], np.diff(data.edges)
        base = np.zeros(len(left))
        for group, counts in zip(data.groups, data.counts, strict=True):
            filled = counts > 0
            self._bars(left[filled], width[filled], base[filled], counts[filled], self._color(group))
            base = base + counts
        chosen = data.selected > 0
        if chosen.any():
            color = text_color(self)
            color.setAlpha(190)
            self._bars(left[chosen], width[chosen], np.zeros(chosen.sum()), data.selected[chosen], color)
        self._data = data
        self._fit_if_new((data.column, data.is_log))
        self.drawn.emit()

    def show_scatter(self, data: Scatter, note: str) -> None:
        """Points by class, or a density; selected points ringed in the colour of text."""
        self._begin(note, data.groups if data.density is None else (), data.x.header, data.y.header)
        self._bottom.is_log = False
        self.box.whole_height = False
        self.box.invertY(b=data.y.key == "y")  # rows are counted from the top
        if data.density is not None:
            self._density(data)
        else:
            for number, group in enumerate(data.groups):
                points = data.points[data.codes == number]
                color = self._color(group)
                color.setAlpha(200)
                self.plot.addItem(pg.ScatterPlotItem(points[:, 0], points[:, 1], size=5, pen=None, brush=color))
        if len(data.selected):
            pen = pg.mkPen(text_color(self), width=1.5)
            xs, ys = data.selected.T
            self.plot.addItem(pg.ScatterPlotItem(xs, ys, size=9, pen=pen, brush=None))
        self._data = data
        self._fit_if_new((data.x, data.y))
        self.drawn.emit()

    def show_nothing(self, text: str) -> None:
        """Words in the place of a plot."""
        self._data = None
        self._empty.setText(text)
        self._stack.setCurrentWidget(self._empty)
        self._note.clear()
        self._legend.clear()
        self.drawn.emit()

    # what the user does

    def fit(self) -> None:
        """Show the usual range again."""
        if isinstance(self._data, Histogram):
            low, high = self._data.range
            self.box.setXRange(low, high, padding=0.02)
            inside = (self._data.edges[1:] > low) & (self._data.edges[:-1] < high)
            self.box.setYRange(0, max(1, int(self._data.counts.sum(axis=0)[inside].max(initial=0))), padding=0.04)
        elif self._data is not None:
            (left, right), (bottom, top) = self._data.ranges
            self.box.setRange(xRange=(left, right), yRange=(bottom, top), padding=0)

    def changeEvent(self, event: QEvent) -> None:
        """Draw anew in the colours of another theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "presenter"):
            self.presenter.redraw()

    @property
    def has_plot(self) -> bool:
        """Whether there is anything but words."""
        return self._data is not None

    def _on_brushed(self, rect: QRectF) -> None:
        if isinstance(self._data, Histogram):
            self.presenter.brush_range(rect.left(), rect.right())
        elif self._data is not None:
            self.presenter.brush_rectangle((rect.left(), rect.right()), (rect.top(), rect.bottom()))

    def _choose(self, *_: Any) -> None:
        self._update_controls()
        is_log = self._log.isChecked() and self._log.isEnabled()
        self.presenter.choose(self._kind.currentData(), self._x.currentData(), self._y.currentData(), is_log=is_log)

    def _update_controls(self) -> None:
        is_scatter = self._kind.currentData() == "scatter"
        self._y.setVisible(is_scatter)
        self._versus.setVisible(is_scatter)
        can_log = not is_scatter and self._x.currentData() in LOGARITHMIC
        self._log.setEnabled(can_log)
        tip = "Logarithmic axis: shows small and very large objects together."
        self._log.setToolTip(tip if can_log else "Only for histograms of area and diameter.")

    def _offer_columns(self) -> None:
        """Columns with the units that hold now."""
        columns = numeric_columns(self._objects.shown.frame)
        for combo, wanted in ((self._x, self.presenter.x), (self._y, self.presenter.y)):
            if [combo.itemText(index) for index in range(combo.count())] == [each.header for each in columns]:
                continue
            combo.clear()
            for column in columns:
                combo.addItem(column.header, column.key)
            combo.setCurrentIndex(combo.findData(wanted))

    # drawing

    def _begin(self, note: str, groups: tuple[Group, ...], x: str, y: str) -> None:
        self._stack.setCurrentWidget(self.plot)
        self.plot.clear()
        text, muted = text_color(self), muted_color(self)
        self.plot.setBackground(background_color(self))
        self.box.set_band_color(text)
        for side, title in (("bottom", x), ("left", y)):
            axis = self.plot.getAxis(side)
            axis.setPen(muted)
            axis.setTextPen(text)
            axis.setLabel(title, color=text.name())
        self._note.setText(note)
        chips = [
            f'<span style="color:{self._color(group).name()}">■</span> {html.escape(group.name)}' for group in groups
        ]
        self._legend.setText("&nbsp;&nbsp; ".join(chips))
        self._legend.setVisible(bool(chips))

    def _color(self, group: Group) -> QColor:
        return muted_color(self) if group.color is None else QColor(*group.color)

    def _bars(self, left: Any, width: Any, base: Any, height: Any, color: QColor) -> None:
        edge = pg.mkPen(background_color(self), width=1)
        self.plot.addItem(pg.BarGraphItem(x0=left, width=width, y0=base, height=height, brush=color, pen=edge))

    def _density(self, data: Scatter) -> None:
        assert data.density is not None
        low, high = background_color(self), text_color(self)
        middle = mixed(QColor(0, 114, 178), high, 0.15)  # the blue of Okabe and Ito
        colors = [low, mixed(low, middle, 0.55), middle, high]
        color_map = pg.ColorMap([0.0, 0.02, 0.5, 1.0], [each.getRgb() for each in colors])
        image = pg.ImageItem(np.log1p(data.density.astype(np.float32)), axisOrder="row-major", colorMap=color_map)
        (left, right), (bottom, top) = data.ranges
        image.setRect(QRectF(left, bottom, right - left, top - bottom))
        self.plot.addItem(image)

    def _fit_if_new(self, what: tuple[Any, ...]) -> None:
        """Keep the user's zoom as long as the axes stay what they are."""
        what = (*what, self._objects.shown.frame.task)
        if what != self._limits:
            self._limits = what
            self.fit()

    def _combo(self, name: str, label: str, tip: str) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(f"pathloop_plot_{name}")
        combo.setAccessibleName(label)
        combo.setToolTip(tip)
        # as wide as there is room for, not as the longest entry
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        return combo

    def _lay_out(self) -> None:
        self._versus = QLabel("against")
        top, axes = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._kind, 1)
        top.addWidget(self._log)
        top.addWidget(self._all)
        axes.addWidget(self._x, 1)
        axes.addWidget(self._versus)
        axes.addWidget(self._y, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.plot)
        self._stack.addWidget(self._empty)
        outside = QGridLayout()
        outside.addWidget(self._stack, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addLayout(axes)
        layout.addLayout(outside, 1)
        layout.addWidget(self._legend)
        layout.addWidget(self._note)
