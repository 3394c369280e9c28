"""Part of the panel "Slides": magnifications, ruler, scale bar, overview."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QHBoxLayout, QPushButton, QVBoxLayout

from pathloop.gui.opening._magnification import MAGNIFICATIONS
from pathloop.gui.opening._slides_state import SlidesState
from pathloop.gui.widgets.icons import tint

__all__ = ["ViewBox"]


class ViewBox(QGroupBox):
    """How the slide is looked at; ``magnified`` gives an objective power."""

    magnified = Signal(int)

    def __init__(self) -> None:
        super().__init__("View")
        self._powers: dict[int, QPushButton] = {}
        row = QHBoxLayout()
        self.fit = QPushButton("Fit")
        self.fit.setObjectName("fit")
        self.fit.setToolTip("Show the whole slide (Ctrl+R)")
        row.addWidget(self.fit)
        for power, key in MAGNIFICATIONS.items():
            button = QPushButton(f"{power}x")
            button.setObjectName(f"power_{power}")
            button.clicked.connect(lambda _=False, power=power: self.magnified.emit(power))
            button.setMinimumWidth(34)
            self._powers[power] = button
            button.setProperty("key", key.replace("-", "+"))
            row.addWidget(button)
        self.ruler = QPushButton("Ruler")
        self.ruler.setObjectName("ruler")
        self.ruler.setToolTip("Measure: drag a line on the slide (Alt+R); delete the layer 'ruler' when done")
        row.addWidget(self.ruler)
        row.addStretch(1)
        self.scale_bar = QCheckBox("Scale bar")
        self.scale_bar.setObjectName("scale_bar")
        self.scale_bar.setToolTip("Show a scale bar at the bottom of the canvas")
        self.overview = QCheckBox("Overview")
        self.overview.setObjectName("overview")
        self.overview.setToolTip("Show the whole slide, small, at the top right of the canvas")
        second = QHBoxLayout()
        second.addWidget(self.scale_bar)
        second.addWidget(self.overview)
        second.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addLayout(second)
        tint(self, {self.ruler: "ruler", self.fit: "fit"})

    def show_state(self, state: SlidesState) -> None:
        """Magnifications need a scale."""
        self.setVisible(state.has_slide)
        for power, button in self._powers.items():
            known = not state.scale.is_missing
            button.setEnabled(known)
            words = f"One screen pixel is as large as at {power}x, {10 / power:g} um ({button.property('key')})"
            button.setToolTip(words if known else "Enter the um per px first")
