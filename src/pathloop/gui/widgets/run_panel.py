"""The panel "Segment"."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
)
from superqt import QCollapsible

from pathloop.gui._current import session_for
from pathloop.gui.running import Button, Place, RunPresenter, start_drawing_regions
from pathloop.gui.widgets.panel import Panel

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["RunPanel"]

DEVICES = {"auto": "Automatic", "cpu": "CPU", "cuda": "NVIDIA GPU", "mps": "Apple GPU"}
BUTTONS = {"run": "Run", "pause": "Pause", "resume": "Resume", "cancel": "Stop"}


class RunPanel(Panel):
    """Choose model, device, tasks and place; run, pause, stop, resume; or segment live.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__("Segment")
        session = session_for(viewer)
        self.guard(session)
        self._task_boxes: dict[str, QCheckBox] = {}
        self._build()
        from napari.utils import progress

        self.presenter = RunPresenter(session, self, activity=progress)
        self._wire(viewer)

    def _build(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        about = self._build_model(form)
        self._build_place(form)
        self.body.addLayout(form)
        self._estimate = QLabel()
        self._estimate.setToolTip("The area, and about how long it takes on this computer")
        self._estimate.setWordWrap(True)
        self.body.addWidget(self._estimate)
        self._build_buttons()
        self.body.addWidget(about)
        self.body.addStretch(1)

    def _build_model(self, form: QFormLayout) -> QCollapsible:
        self._model = QComboBox()
        self._model.setObjectName("model")
        self._model.setToolTip("The model that segments; its card is below")
        self._open_model = QPushButton("Other...")
        self._open_model.setToolTip("Choose the folder of another model")
        row = QHBoxLayout()
        row.addWidget(self._model, 1)
        row.addWidget(self._open_model)
        form.addRow("Model", row)
        self._card = QLabel()
        self._card.setWordWrap(True)
        self._card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._card.setToolTip("What the model was made for, how well it does, and where it fails")
        about = QCollapsible("About this model")
        about.toggleButton().setToolTip("Show or hide the model's card")
        about.setCollapsedIcon("▶")
        about.setExpandedIcon("▼")
        about.addWidget(self._card)
        self._device = QComboBox()
        self._device.setObjectName("device")
        self._device.setToolTip("What computes. Automatic takes a GPU if there is one that works, else the CPU")
        for key, text in DEVICES.items():
            self._device.addItem(text, key)
        form.addRow("Device", self._device)
        self._engine = QLabel()
        self._engine.setWordWrap(True)
        form.addRow(self._engine)
        return about

    def _build_place(self, form: QFormLayout) -> None:
        self._tasks = QGridLayout()
        form.addRow("Find", self._tasks)
        self._place = QComboBox()
        self._place.setObjectName("place")
        self._place.setToolTip("Where to segment")
        self._draw = QPushButton("Draw regions")
        self._draw.setToolTip("Draw rectangles on the slide; then run on 'Drawn regions'")
        row = QHBoxLayout()
        row.addWidget(self._place, 1)
        row.addWidget(self._draw)
        form.addRow("Where", row)

    def _build_buttons(self) -> None:
        self._buttons: dict[str, QPushButton | QCheckBox] = {}
        row = QHBoxLayout()
        for key, text in BUTTONS.items():
            button = QPushButton(text)
            button.setObjectName(key)
            self._buttons[key] = button
            row.addWidget(button)
        self.body.addLayout(row)
        self._live = QCheckBox("Live: segment what is on screen")
        self._live.setObjectName("live")
        self._buttons["live"] = self._live
        self.body.addWidget(self._live)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setToolTip("How far the run is")
        self._progress = QLabel()
        self._progress.setObjectName("progress")
        self._message = QLabel()
        self._message.setObjectName("message")
        for label in (self._progress, self._message):
            label.setWordWrap(True)
        for widget in (self._bar, self._progress, self._message):
            self.body.addWidget(widget)

    def _wire(self, viewer: Any) -> None:
        presenter = self.presenter
        self._model.activated.connect(lambda _: presenter.choose_model(self._model.currentData()))
        self._open_model.clicked.connect(self._choose_folder)
        self._device.activated.connect(lambda _: presenter.choose_device(self._device.currentData()))
        self._place.activated.connect(lambda _: presenter.choose_place(self._place.currentData()))
        self._draw.clicked.connect(lambda: self._start_drawing(viewer))
        actions: dict[str, Callable[[], None]] = {
            "run": presenter.run,
            "pause": presenter.conductor.pause,
            "resume": presenter.resume,
            "cancel": presenter.conductor.cancel,
        }
        for key, action in actions.items():
            self._buttons[key].clicked.connect(lambda _=False, action=action: action())
        self._live.toggled.connect(presenter.set_live)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Model folder")
        if folder:
            self.presenter.choose_model(folder)

    def _start_drawing(self, viewer: Any) -> None:
        start_drawing_regions(viewer)
        self._place.setCurrentIndex(self._place.findData("regions"))
        self.presenter.choose_place("regions")

    # RunView

    def show_models(self, models: Sequence[tuple[str, str]], current: str, text: str) -> None:
        """See `RunView`."""
        self._model.clear()
        for name, words in models:
            self._model.addItem(words, name)
        self._model.setCurrentIndex(self._model.findData(current))
        self._card.setText(text)

    def show_tasks(self, tasks: Sequence[tuple[str, str]]) -> None:
        """See `RunView`."""
        for box in self._task_boxes.values():
            self._tasks.removeWidget(box)
            box.deleteLater()
        self._task_boxes = {}
        for place, (name, words) in enumerate(tasks):
            box = QCheckBox(name.capitalize())
            box.setToolTip(words)
            box.setChecked(True)
            box.toggled.connect(self._on_task)
            self._task_boxes[name] = box
            self._tasks.addWidget(box, place // 2, place % 2)

    def _on_task(self) -> None:
        self.presenter.choose_tasks([name for name, box in self._task_boxes.items() if box.isChecked()])

    def show_places(self, places: Sequence[tuple[Place, str, str]]) -> None:
        """See `RunView`."""
        for key, text, words in places:
            self._place.addItem(text, key)
            self._place.setItemData(self._place.count() - 1, words, Qt.ItemDataRole.ToolTipRole)

    def show_device(self, text: str, tooltip: str) -> None:
        """See `RunView`."""
        self._engine.setText(f"{text}: {tooltip}" if text and tooltip and not text.startswith("loading") else text)
        self._engine.setToolTip(tooltip)

    def show_estimate(self, text: str) -> None:
        """See `RunView`."""
        self._estimate.setText(text)

    def show_buttons(self, buttons: dict[str, Button]) -> None:
        """See `RunView`."""
        for key, state in buttons.items():
            button = self._buttons[key]
            button.setEnabled(state.enabled)
            button.setToolTip(state.reason)
        if not buttons["live"].reason:
            self._live.setToolTip("When the view rests and is finer than 1.5 um per screen pixel, it is segmented")

    def show_live(self, *, on: bool) -> None:
        """See `RunView`."""
        with QSignalBlocker(self._live):
            self._live.setChecked(on)

    def show_progress(self, share: float | None, text: str) -> None:
        """See `RunView`."""
        self._bar.setVisible(share is not None or bool(text))
        self._bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self._bar.setValue(round(1000 * share))
        self._progress.setText(text)
        self._progress.setVisible(bool(text))

    def show_message(self, text: str) -> None:
        """See `RunView`."""
        self._message.setText(text)
        self._message.setVisible(bool(text))
