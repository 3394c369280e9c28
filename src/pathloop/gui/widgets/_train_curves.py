"""Curves of a training run: loss by task, scores on held-out regions. Imports pyqtgraph: load it when first shown."""

from collections.abc import Mapping, Sequence

import pyqtgraph as pg
from qtpy.QtWidgets import QVBoxLayout, QWidget

from pathloop.gui.training import Curves

__all__ = ["TrainCurves"]

# Okabe and Ito's palette, without the black that a dark theme swallows
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
HEIGHT_PX = 140

Lines = Mapping[str, Sequence[tuple[int, float]]]


class TrainCurves(QWidget):
    """Two plots, one above the other, on the same steps."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("curves")
        self._shown: Curves | None = None
        self.loss = self._plot("loss", "Loss by task, mean of the last steps; lower is better")
        self.held_out = self._plot("held out", "Scores on held-out regions, which never train; higher is better")
        self.held_out.setXLink(self.loss)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addWidget(self.loss)
        box.addWidget(self.held_out)

    def show_curves(self, curves: Curves) -> None:
        """Draw anew, unless that is what is drawn."""
        if curves == self._shown:
            return
        self._shown = curves
        _draw(self.loss, curves.losses)
        _draw(self.held_out, curves.held_out)
        self.held_out.setVisible(bool(curves.held_out))

    def _plot(self, label: str, tip: str) -> pg.PlotWidget:
        plot = pg.PlotWidget(background=None)
        plot.setObjectName(f"plot {label}")
        plot.setToolTip(tip)
        plot.setFixedHeight(HEIGHT_PX)
        plot.setLabel("left", label)
        plot.hideButtons()
        plot.setMenuEnabled(enableMenu=False)
        plot.setMouseEnabled(x=False, y=False)
        plot.addLegend(offset=(-4, 4), labelTextSize="7pt", colCount=2, verSpacing=-6)
        for side in ("bottom", "left"):
            plot.getAxis(side).enableAutoSIPrefix(enable=False)
        return plot


def _draw(plot: pg.PlotWidget, lines: Lines) -> None:
    plot.clear()
    for number, (name, points) in enumerate(sorted(lines.items())):
        color = COLORS[number % len(COLORS)]
        xs, ys = [step for step, _ in points], [value for _, value in points]
        symbol = "o" if len(points) < 12 else None
        plot.plot(xs, ys, name=name, pen=pg.mkPen(color, width=2), symbol=symbol, symbolSize=5, symbolBrush=color)
