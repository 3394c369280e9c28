"""The panel "Correct"."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QPushButton,
    QSizePolicy,
)

from pathloop.gui._current import session_for
from pathloop.gui.correcting import (
    ACTIONS,
    Action,
    ClassChoice,
    CorrectPresenter,
    HintLine,
    WindowFacts,
    keys_of,
    shown_key,
)
from pathloop.gui.widgets._buttons import color_chip, emptied
from pathloop.gui.widgets._task_row import TaskRow, ask_task
from pathloop.gui.widgets.panel import Panel
from pathloop.gui.widgets.tissue_tools import TissueTools

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["CorrectPanel"]

COLUMNS = 3
HINTS_PX = 110
SIGNS = {"saved": "✓", "saving": "…", "unsaved": "✗"}


class CorrectPanel(Panel):
    """Open an edit window, choose tools, see what is saved and what looks odd.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__("Correct")
        session = session_for(viewer)
        self.guard(session)
        self.keys = keys_of(session.settings.keys)
        self.buttons: dict[str, QPushButton] = {}
        self._shown_classes: tuple[tuple[ClassChoice, ...], int] = ((), 0)
        self._build_window()
        self._build_actions("tool")
        self._build_classes()
        self._build_actions("object")
        self._build_note()
        self._build_hints()
        self.tissue = TissueTools(session)
        self.body.addWidget(self.tissue)
        self.body.addStretch(1)
        self.presenter = CorrectPresenter(session, self, self.keys)
        self._wire()

    def _build_window(self) -> None:
        self._title = QLabel()
        self._title.setWordWrap(True)
        self._title.setObjectName("window-title")
        self._open = QPushButton("Correct this view")
        self._open.setObjectName("open-view")
        self._open.setToolTip("Make what is on screen editable, for all tasks. Regions of the queue open from there")
        self._close = QPushButton("Close")
        self._close.setToolTip("Back to the slide. Everything is saved already")
        self._tasks = TaskRow()
        row = QHBoxLayout()
        row.addWidget(self._open, 1)
        row.addWidget(self._close, 1)
        row.addWidget(self._tasks.new)
        self._open_layer = QPushButton()
        self._open_layer.setObjectName("open-layer")
        self._open_layer.setToolTip("Use these tools on a labels layer that belongs to no slide. Edits are journalled")
        self._open_layer.hide()
        self.body.addWidget(self._title)
        self.body.addWidget(self._open_layer)
        self.body.addLayout(row)
        self.body.addWidget(self._tasks)
        self._saved = QLabel()
        self._saved.setObjectName("saved")
        self._saved.setWordWrap(True)
        self._saved.setToolTip("Every stroke is written to the project's journal at once; nothing has to be saved")
        self._retry = QPushButton("Try again")
        self._retry.setToolTip("Write what could not be written. Until then it stays in the window")
        self._retry.hide()
        row = QHBoxLayout()
        row.addWidget(self._saved, 1)
        row.addWidget(self._retry)
        for name in ("undo", "redo"):
            row.addWidget(self._button(next(one for one in ACTIONS if one.name == name), short=True))
        self.body.addLayout(row)

    def _build_actions(self, kind: str) -> None:
        grid = QGridLayout()
        grid.setSpacing(3)
        shown = [one for one in ACTIONS if one.kind == kind]
        if kind == "object":
            shown += [one for one in ACTIONS if one.name in ("take", "outline", "next_task")]
        for index, one in enumerate(shown):
            grid.addWidget(self._button(one), index // COLUMNS, index % COLUMNS)
        self.body.addLayout(grid)
        if kind == "object":
            accept = self._button(next(one for one in ACTIONS if one.name == "accept_region"))
            row = QHBoxLayout()
            for name in ("previous_region", "next_region"):
                row.addWidget(self._button(next(one for one in ACTIONS if one.name == name)))
            self.body.addWidget(accept)
            self.body.addLayout(row)

    def _button(self, one: Action, *, short: bool = False) -> QPushButton:
        button = QPushButton()
        key = shown_key(self.keys[one.name])
        button.setText(one.title if short or not key else f"{one.title}  {key}")
        button.setToolTip(f"{one.tip}{f' ({key})' if key else ''}")
        button.setAccessibleName(one.title)
        button.setObjectName(f"action-{one.name}")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setCheckable(one.kind == "tool")
        self.buttons[one.name] = button
        return button

    def _build_classes(self) -> None:
        self._classes = QGridLayout()
        self._class_group = QButtonGroup(self)
        self._add_class = QPushButton()
        self._add_class.setText("+")
        self._add_class.setToolTip("A new class for the objects of this task")
        self.body.addLayout(self._classes)

    def _build_note(self) -> None:
        self._note = QLabel()
        self._note.setObjectName("note")
        self._note.setWordWrap(True)
        self._note.setMinimumHeight(self._note.fontMetrics().height() * 2)
        self.body.addWidget(self._note)

    def _build_hints(self) -> None:
        self._hint_title = QLabel()
        self._hint_list = QListWidget()
        self._hint_list.setObjectName("hints")
        self._hint_list.setMaximumHeight(HINTS_PX)
        self._hint_list.setToolTip("Things that are often mistakes. Click one to see it; double click mends it")
        self._hint_list.setAccessibleName("Warnings")
        self._mend_all = self._button(next(one for one in ACTIONS if one.name == "mend_all"))
        row = QHBoxLayout()
        row.addWidget(self._hint_title, 1)
        row.addWidget(self._mend_all)
        self.body.addLayout(row)
        self.body.addWidget(self._hint_list)

    def _wire(self) -> None:
        presenter, session = self.presenter, self.presenter.session
        self._open.clicked.connect(lambda: presenter.open_view())
        self._open_layer.clicked.connect(lambda: presenter.open_layer())
        self._close.clicked.connect(lambda: presenter.corrector.close_window())
        self._retry.clicked.connect(lambda: session.journal.retry())
        self._tasks.chosen.connect(lambda task: presenter.choose_task(task))
        self._tasks.new_asked.connect(lambda: presenter.new_task())
        for name, button in self.buttons.items():
            button.clicked.connect(lambda checked=False, name=name: self._press(name))
        self._add_class.clicked.connect(self._ask_class)
        self._hint_list.itemClicked.connect(lambda item: presenter.go_to_hint(self._hint_list.row(item)))
        self._hint_list.itemDoubleClicked.connect(lambda item: presenter.mend_hint(self._hint_list.row(item)))

    def _press(self, name: str) -> None:
        self.presenter.press(name)
        self.show_tool(self.presenter.corrector.tool)

    def _ask_class(self) -> None:
        name = self.ask_text("New class", "What is the class called?")
        if name:
            self.presenter.new_class(name)

    # CorrectView

    def show_window(self, facts: WindowFacts | None, problem: str) -> None:
        """See `CorrectView`."""
        self._tasks.show_tasks(() if facts is None else facts.tasks, "" if facts is None else facts.task, problem)
        self._open.setEnabled(not problem)
        self._open.setVisible(facts is None)
        self._close.setVisible(facts is not None)
        nothing = problem or "Open a region of the queue, or make editable what is on screen."
        self._title.setText(nothing if facts is None else facts.title)

    def show_layer(self, name: str) -> None:
        """See `CorrectView`."""
        self._open_layer.setText(f"Correct the layer {name}")
        self._open_layer.setVisible(bool(name))

    def show_tool(self, name: str) -> None:
        """See `CorrectView`."""
        for key, button in self.buttons.items():
            if button.isCheckable():
                button.setChecked(key == name)

    def show_tools_off(self, reasons: dict[str, str]) -> None:
        """See `CorrectView`."""
        for one in ACTIONS:
            button = self.buttons.get(one.name)
            if button is not None:
                key = shown_key(self.keys[one.name])
                reason = reasons.get(one.name, "")
                button.setEnabled(not reason)
                button.setToolTip(f"{one.tip}{f' ({key})' if key else ''}{f'. Not now: {reason}' if reason else ''}")

    def show_classes(self, choices: Sequence[ClassChoice], current: int) -> None:
        """See `CorrectView`."""
        shown = (tuple(choices), current)
        if shown == self._shown_classes:
            return
        self._shown_classes = shown
        self._classes.removeWidget(self._add_class)
        emptied(self._classes, self._class_group)
        self._add_class.setVisible(bool(choices))
        for index, choice in enumerate(choices):
            button = QPushButton()
            button.setText(f"{choice.name}  {choice.code}" if choice.code < 10 else choice.name)
            button.setIcon(color_chip(choice.color))
            button.setCheckable(True)
            button.setChecked(choice.code == current)
            button.setToolTip(f"New objects are {choice.name}; the class brush gives {choice.name}")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda checked=False, code=choice.code: self.presenter.choose_class(code))
            self._class_group.addButton(button)
            self._classes.addWidget(button, index // 2, index % 2)
        if choices:
            self._classes.addWidget(self._add_class, len(choices) // 2, len(choices) % 2)

    def show_saved(self, state: str, text: str) -> None:
        """See `CorrectView`."""
        self._saved.setText(f"{SIGNS[state]} {text}")
        self._retry.setVisible(state == "unsaved")

    def show_steps(self, undo: str, redo: str) -> None:
        """See `CorrectView`."""
        for name, words in (("undo", undo), ("redo", redo)):
            button = self.buttons[name]
            button.setEnabled(bool(words))
            verb = "Take back" if name == "undo" else "Do again"
            button.setToolTip(f"{verb}: {words} ({shown_key(self.keys[name])})" if words else "Nothing to do")

    def show_hints(self, hints: Sequence[HintLine]) -> None:
        """See `CorrectView`."""
        with QSignalBlocker(self._hint_list):
            self._hint_list.clear()
            self._hint_list.addItems([f"{hint.task} {hint.object_id}: {hint.words}" for hint in hints])
        key = shown_key(self.keys["mend"])
        n = len(hints)
        words = "Nothing looks odd" if not n else f"{n} {'looks' if n == 1 else 'look'} odd ({key} mends)"
        self._hint_title.setText(words)
        self._hint_list.setVisible(bool(n))
        self._mend_all.setVisible(n > 1)

    def show_note(self, text: str) -> None:
        """See `CorrectView`."""
        self._note.setText(text)

    def ask_task(
        self, color: tuple[int, int, int], problem: Callable[[str], str]
    ) -> tuple[str, tuple[int, int, int]] | None:
        """See `CorrectView`."""
        return ask_task(self, color, problem)

    def ask_text(self, title: str, label: str) -> str | None:
        """See `CorrectView`."""
        text, is_given = QInputDialog.getText(self, title, label)
        return str(text) if is_given else None

    def closeEvent(self, event: Any) -> None:
        """The window of the panel goes: so does the edit window."""
        self.presenter.corrector.close_window()
        super().closeEvent(event)
