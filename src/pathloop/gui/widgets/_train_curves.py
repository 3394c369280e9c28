"""Curves of a training run: loss by task, scores on held-out regions. Imports pyqtgraph: load it when first shown."""

from collections.abc import Mapping, Sequence
from html import escape

import pyqtgraph as pg
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

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
        self.legends = (self._legend("loss"), self._legend("held out"))
        self.loss = self._plot("loss", "Loss by task, mean of the last steps; lower is better")
        self.held_out = self._plot("held out", "Scores on held-out regions, which never train; higher is better")
        self.held_out.setXLink(self.loss)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        for legend, plot in zip(self.legends, (self.loss, self.held_out), strict=True):
            box.addWidget(legend)
            box.addWidget(plot)

    def show_curves(self, curves: Curves) -> None:
        """Draw anew, unless that is what is drawn."""
        if curves == self._shown:
            return
        self._shown = curves
        for legend, plot, lines in zip(
            self.legends, (self.loss, self.held_out), (curves.losses, curves.held_out), strict=True
        ):
            _draw(plot, lines)
            legend.setText(_words(lines))
            legend.setVisible(bool(lines))
        steps = [step for lines in (curves.losses, curves.held_out) for points in lines.values() for step, _ in points]
        self.loss.setXRange(0, max(steps, default=1))
        self.held_out.setVisible(bool(curves.held_out))

    def _legend(self, name: str) -> QLabel:
        label = QLabel()
        label.setObjectName(f"legend {name}")
        label.setWordWrap(True)
        label.setToolTip("Last value of every line")
        return label

    def _plot(self, label: str, tip: str) -> pg.PlotWidget:
        plot = pg.PlotWidget(background=None)
        plot.setObjectName(f"plot {label}")
        plot.setToolTip(tip)
        plot.setFixedHeight(HEIGHT_PX)
        plot.setLabel("left", label)
        plot.hideButtons()
        plot.setMenuEnabled(enableMenu=False)
        plot.setMouseEnabled(x=False, y=False)
        for side in ("bottom", "left"):
            plot.getAxis(side).enableAutoSIPrefix(enable=False)
        return plot


def _colors(lines: Lines) -> dict[str, str]:
    return {name: COLORS[number % len(COLORS)] for number, name in enumerate(sorted(lines))}


def _words(lines: Lines) -> str:
    """Every line's name and last value, in its colour."""
    parts = [
        f'<span style="color:{color}">&#9632;</span> {escape(name)} {lines[name][-1][1]:.2f}'
        for name, color in _colors(lines).items()
        if lines[name]
    ]
    return ", ".join(parts)


def _draw(plot: pg.PlotWidget, lines: Lines) -> None:
    plot.clear()
    for name, color in _colors(lines).items():
        points = lines[name]
        xs, ys = [step for step, _ in points], [value for _, value in points]
        symbol = "o" if len(points) < 12 else None
        plot.plot(xs, ys, pen=pg.mkPen(color, width=2), symbol=symbol, symbolSize=5, symbolBrush=color)
