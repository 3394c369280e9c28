"""The panel "Train": a better model from the done regions, beside the work."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QMessageBox,
    QProgressBar,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from pathloop.gui._current import session_for
from pathloop.gui.training import CompareRow, Curves, RoundRow, TrainPresenter
from pathloop.gui.widgets._queue_controls import NamedButtons
from pathloop.gui.widgets._train_parts import fold_button, score_table
from pathloop.gui.widgets.panel import Panel

if TYPE_CHECKING:
    import napari.viewer

    from pathloop.gui.running import Button

__all__ = ["TrainPanel"]

ROUNDS = ("Round", "Recipe", "Regions", "State", "Gain", "Old skills")
TABLE_PX, COMPARE_PX = 96, 150


class TrainPanel(Panel):
    """Start, watch, compare, promote, roll back; implements `TrainView`.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__("Train")
        session = session_for(viewer)
        self.guard(session)
        self.body.setContentsMargins(4, 4, 4, 4)
        self._buttons = NamedButtons()
        self._curves: Any = None
        self._shown_curves, self._is_going_on = Curves(), False
        self._build_start()
        self._build_run()
        self._build_compare()
        self.body.addStretch(1)
        self.presenter = TrainPresenter(session, self)
        self._wire()

    # building

    def _build_start(self) -> None:
        self._recipe, self._task = QComboBox(), QComboBox()
        for box, name, words in (
            (self._recipe, "recipe", "How the model is tuned"),
            (self._task, "task", "What the model shall learn"),
        ):
            box.setObjectName(name)
            box.setAccessibleName(words)
            box.setToolTip(words)
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._train = self._buttons.push("train", "Train")
        self._plan = self._label("plan")
        line = QHBoxLayout()
        line.addWidget(self._recipe, 1)
        line.addWidget(self._task, 1)
        self.body.addLayout(line)
        self.body.addWidget(self._train)
        self.body.addWidget(self._plan)

    def _build_run(self) -> None:
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setToolTip("How far the run is")
        self._progress, self._note = self._label("progress"), self._label("note")
        self._run_buttons = QHBoxLayout()
        self._run_buttons.setSpacing(3)
        for action, text in (("pause", "Pause"), ("resume", "Resume"), ("finish", "Finish now"), ("cancel", "Stop")):
            self._run_buttons.addWidget(self._buttons.push(action, text))
        self.body.addWidget(self._bar)
        self.body.addWidget(self._progress)
        self.body.addLayout(self._run_buttons)
        self.body.addWidget(self._note)
        self._curves_place = QVBoxLayout()
        self._curves_button = fold_button("curves-fold", "Curves", "Loss and held-out scores of the last run")
        self.body.addWidget(self._curves_button)
        self.body.addLayout(self._curves_place)
        self._rounds = score_table("rounds", ROUNDS, "All rounds of fine-tuning of this project")
        self._rounds.setFixedHeight(TABLE_PX)
        self.body.addWidget(self._rounds)

    def _build_compare(self) -> None:
        self._title, self._verdict = self._label("comparison"), self._label("verdict")
        tip = "The present model to the candidate; regions with the largest losses come first. A click goes there"
        self._compare = score_table("compare", ("Score", "Was", "Is", "Gain (95 % interval)"), tip)
        self._compare.setMinimumHeight(COMPARE_PX)
        header = self._compare.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.body.addWidget(self._title)
        self.body.addWidget(self._compare)
        self.body.addWidget(self._verdict)
        line = QHBoxLayout()
        line.setSpacing(3)
        for action, text in (("promote", "Promote the candidate"), ("rollback", "Roll back")):
            line.addWidget(self._buttons.push(action, text))
        self.body.addLayout(line)
        self._anew = self._label("anew-text")
        self._anew_button = self._buttons.push("anew", "Segment anew")
        self._anew_button.hide()
        self.body.addWidget(self._anew)
        self.body.addWidget(self._anew_button)

    def _label(self, name: str) -> QLabel:
        label = QLabel()
        label.setObjectName(name)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.hide()
        return label

    def _wire(self) -> None:
        presenter = self.presenter
        self._recipe.activated.connect(lambda _: presenter.choose_recipe(self._recipe.currentData()))
        self._task.activated.connect(lambda _: presenter.choose_task(self._task.currentText()))
        calls = {
            "train": presenter.train,
            "pause": lambda: presenter.wish("pause"),
            "resume": presenter.resume,
            "finish": lambda: presenter.wish("finish"),
            "cancel": lambda: presenter.wish("cancel"),
            "promote": presenter.promote,
            "rollback": presenter.rollback,
            "anew": presenter.anew.press,
        }
        for action, call in calls.items():
            self._buttons.connect(action, call)
        self._curves_button.toggled.connect(lambda _: self._show_curves())
        self._compare.cellClicked.connect(lambda row, _: self._look(row))

    def _look(self, row: int) -> None:
        place = self._compare.item(row, 0).data(Qt.ItemDataRole.UserRole)
        if place:
            self.presenter.look(place)

    # TrainView

    def show_recipes(self, recipes: Sequence[tuple[str, str, str]], current: str) -> None:
        """See `TrainView`."""
        self._recipe.clear()
        for key, name, tip in recipes:
            self._recipe.addItem(name, key)
            self._recipe.setItemData(self._recipe.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._recipe.setCurrentIndex(self._recipe.findData(current))

    def show_tasks(self, tasks: Sequence[str], current: str) -> None:
        """See `TrainView`."""
        shown = [self._task.itemText(index) for index in range(self._task.count())]
        if shown != list(tasks):
            self._task.clear()
            self._task.addItems(list(tasks))
        if current:
            self._task.setCurrentText(current)
        self._task.setVisible(bool(tasks))

    def show_plan(self, button: str, text: str) -> None:
        """See `TrainView`."""
        self._train.setText(button)
        self._say(self._plan, text)

    def show_buttons(self, buttons: Mapping[str, "Button"]) -> None:
        """See `TrainView`."""
        self._buttons.show(buttons)

    def show_progress(self, share: float | None, text: str) -> None:
        """See `TrainView`."""
        self._bar.setVisible(bool(text))
        self._bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self._bar.setValue(round(1000 * share))
        self._say(self._progress, text)

    def show_curves(self, curves: Curves, *, is_going_on: bool) -> None:
        """See `TrainView`."""
        if self._is_going_on != is_going_on:
            self._is_going_on = is_going_on
            self._curves_button.setChecked(is_going_on)
        self._shown_curves = curves
        self._curves_button.setVisible(bool(curves.losses))
        self._show_curves()

    def _show_curves(self) -> None:
        is_wanted = self._curves_button.isChecked() and bool(self._shown_curves.losses)
        if self._curves is None and is_wanted:
            from pathloop.gui.widgets._train_curves import TrainCurves

            self._curves = TrainCurves()
            self._curves_place.addWidget(self._curves)
        if self._curves is not None:
            self._curves.setVisible(is_wanted)
            self._curves.show_curves(self._shown_curves)

    def show_rounds(self, rows: Sequence[RoundRow]) -> None:
        """See `TrainView`."""
        self._fill(self._rounds, [((row.run, *row.cells), "") for row in rows])
        if rows:
            self._rounds.scrollToBottom()

    def show_comparison(self, title: str, rows: Sequence[CompareRow], verdict: Sequence[str]) -> None:
        """See `TrainView`."""
        self._say(self._title, title)
        self._say(self._verdict, "\n".join(verdict))
        self._fill(self._compare, [(tuple(cells), place) for *cells, place in rows])

    def show_anew(self, text: str, button: str, tip: str) -> None:
        """See `TrainView`."""
        self._say(self._anew, text)
        self._anew_button.setText(button)
        self._anew_button.setToolTip(tip)
        self._anew_button.setVisible(bool(button))

    def show_note(self, text: str) -> None:
        """See `TrainView`."""
        self._say(self._note, text)

    def ask_reason(self, problem: str) -> str | None:
        """See `TrainView`."""
        label = f"The candidate is {problem}.\nWhy shall it be promoted all the same? The reason is recorded."
        text, is_given = QInputDialog.getText(self, "Promote a worse model?", label)
        return text if is_given else None

    def confirm(self, title: str, text: str) -> bool:
        """See `TrainView`."""
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        return bool(QMessageBox.question(self, title, text, yes | no, no) == yes)

    # inside

    def _say(self, label: QLabel, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))

    def _fill(self, table: QTableWidget, rows: Sequence[tuple[tuple[str, ...], str]]) -> None:
        table.setVisible(bool(rows))
        if table.rowCount() == len(rows) and all(
            table.item(index, column).text() == text
            for index, (cells, _) in enumerate(rows)
            for column, text in enumerate(cells)
        ):
            return
        table.setRowCount(len(rows))
        for index, (cells, place) in enumerate(rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setData(Qt.ItemDataRole.UserRole, place)
                table.setItem(index, column, item)

    def hideEvent(self, event: Any) -> None:
        """Whoever goes to another panel wants to see the slide's own objects again."""
        super().hideEvent(event)
        if not event.spontaneous() and hasattr(self, "presenter"):
            self.presenter.looker.leave()

    def showEvent(self, event: Any) -> None:
        """Another process may have changed what is shown meanwhile."""
        super().showEvent(event)
        self.presenter.read()
