"""The panel "Queue": which regions to look at first, and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QInputDialog, QLabel, QToolButton

from pathloop.core import Rect
from pathloop.gui._current import session_for
from pathloop.gui.correcting import keys_of, shown_key
from pathloop.gui.opening._keys import ViewerKeys
from pathloop.gui.queueing import (
    FILTERS,
    Button,
    Key,
    QueueActions,
    QueuePresenter,
    QueueRow,
    task_name,
)
from pathloop.gui.widgets._queue_controls import NamedButtons, RankBox
from pathloop.gui.widgets._queue_list import QueueList
from pathloop.gui.widgets.panel import Panel
from pathloop.store import RegionState

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["QueuePanel"]

LIST_PX = 190
ANYBODY = "anybody"
FRAMES_TIP = (
    "Frames on the slide. Red: to do. Orange with a stroke: begun. Green with a tick: done. Dashed: random. Thick: the"
    " selected one"
)


class QueuePanel(Panel):
    """Regions of the slide in the order in which they need a look; implements `QueueView`.

    Parameters
    ----------
    viewer
        The napari viewer.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__("Queue")
        session = session_for(viewer)
        self.guard(session)
        self.body.setContentsMargins(4, 4, 4, 4)
        self._keys = keys_of(session.settings.keys)
        self._buttons = NamedButtons()
        self._is_gone = False
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.timeout.connect(self._leave_for_good)
        self.list = QueueList(lambda rect: self.presenter.picture(rect))
        self.list.setMinimumHeight(LIST_PX)
        self._build_top()
        self.body.addWidget(self.list, 1)
        self._build_changes()
        self.ranking = RankBox(self._buttons)
        self.body.addWidget(self.ranking)
        self.presenter = QueuePresenter(session, self)
        self.changes = QueueActions(self.presenter)
        steps = {self._keys["next_region"]: self._next.click, self._keys["previous_region"]: self._previous.click}
        self._bound = ViewerKeys(session.viewer, {key: step for key, step in steps.items() if key})
        self._wire()
        session.closing.append(self._let_go)

    # building

    def _build_top(self) -> None:
        self._counts = QLabel()
        self._counts.setObjectName("counts")
        self._counts.setWordWrap(True)
        self._frames = QCheckBox("Frames")
        self._frames.setObjectName("frames")
        self._frames.setChecked(True)
        self._frames.setToolTip(FRAMES_TIP)
        self._filter = QComboBox()
        self._filter.setObjectName("filter")
        self._filter.setAccessibleName("Which regions are shown")
        self._filter.setToolTip("Which regions are shown")
        for key, (name, words) in FILTERS.items():
            self._filter.addItem(name, key)
            self._filter.setItemData(self._filter.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self._previous = self._stepper("◀", "Previous", "previous_region")
        self._next = self._stepper("Next ▶", "Next", "next_region")
        top, second = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._counts, 1)
        top.addWidget(self._frames)
        second.addWidget(self._filter, 1)
        second.addWidget(self._previous)
        second.addWidget(self._next)
        self.body.addLayout(top)
        self.body.addLayout(second)

    def _stepper(self, text: str, word: str, action: str) -> QToolButton:
        key = shown_key(self._keys[action])
        tip = f"{word} of these regions that is not done{f' ({key})' if key else ''}"
        return self._buttons.tool("step", text, name=word.lower(), tip=tip)

    def _build_changes(self) -> None:
        buttons = self._buttons
        self._open, self._ask = buttons.push("open", "Correct"), buttons.push("ask", "Ask a pathologist...")
        self._assign, self._remove = buttons.push("assign", "Assign to..."), buttons.push("remove", "Remove")
        self._done = buttons.menu("done", "✓ Done", splits=True)
        self._back = buttons.menu("back", "Take back", splits=True)
        self._add = buttons.menu("add", "Add", splits=False)
        self._menus: tuple[tuple[QToolButton, RegionState, str], ...] = (
            (self._done, "done", "done"),
            (self._back, "todo", "to do again"),
        )
        for row in ((self._open, self._done, self._back), (self._ask, self._assign), (self._add, self._remove)):
            line = QHBoxLayout()
            line.setSpacing(3)
            for button in row:
                line.addWidget(button)
            self.body.addLayout(line)

    def _wire(self) -> None:
        presenter, actions = self.presenter, self.changes
        self._filter.activated.connect(lambda _: presenter.choose_filter(self._filter.currentData()))
        self._frames.toggled.connect(lambda on: presenter.show_frames(on=on))
        self._previous.clicked.connect(lambda: presenter.step(-1))
        self._next.clicked.connect(lambda: presenter.step(1))
        self.list.chosen.connect(presenter.select)
        self.list.opened.connect(presenter.open)
        self.list.step_asked.connect(presenter.step)
        self._open.clicked.connect(lambda: presenter.open_selected())
        self._done.clicked.connect(lambda: actions.mark("done"))
        self._back.clicked.connect(lambda: actions.mark("todo"))
        self._remove.clicked.connect(lambda: actions.remove())
        self._assign.clicked.connect(self._ask_name)
        self._ask.clicked.connect(self._ask_comment)
        self.ranking.rank_asked.connect(actions.rank)
        self.ranking.cancel_asked.connect(actions.cancel_ranking)
        menu = self._add.menu()
        for text, tip, call in (
            ("What is on screen", "The view becomes a region", actions.add_view),
            ("Draw rectangles", "Begin to draw on the slide", actions.start_drawing),
            ("Drawn rectangles", "Each selected shape of the Shapes layer, or all of them", actions.add_drawn),
        ):
            menu.addAction(text, call).setToolTip(tip)

    # dialogs

    def _ask_name(self) -> None:
        names = [*self.presenter.people, ANYBODY]
        title, label = "Assign to", "Who shall do these regions? Choose, or type a name."
        name, is_given = QInputDialog.getItem(self, title, label, names, 0, True)  # noqa: FBT003 - Qt's own
        if is_given:
            self.changes.assign("" if name.strip() == ANYBODY else name)

    def _ask_verifier(self) -> None:
        title, label = (
            "Verify",
            "Who vouches for all that is in these regions, as the last word? Choose, or type a name.",
        )
        name, is_given = QInputDialog.getItem(self, title, label, self.presenter.people, 0, True)  # noqa: FBT003 - Qt's own
        if is_given:
            self.changes.verify(name)

    def _ask_comment(self) -> None:
        title, label = "Ask a pathologist", "What is the question? Leave it empty to take it back."
        text, is_given = QInputDialog.getMultiLineText(self, title, label, self.presenter.question)
        if is_given:
            self.changes.ask(text)

    # QueueView

    def show_rows(self, rows: Sequence[QueueRow], empty: str) -> None:
        """See `QueueView`."""
        self.list.show_rows(rows, empty)

    def show_current(self, key: Key | None) -> None:
        """See `QueueView`."""
        self.list.show_current(key)

    def show_picture(self, rect: Rect) -> None:
        """See `QueueView`."""
        self.list.show_picture(rect)

    def show_counts(self, text: str) -> None:
        """See `QueueView`."""
        self._counts.setText(text)

    def show_buttons(self, buttons: Mapping[str, Button]) -> None:
        """See `QueueView`."""
        self._buttons.show(buttons)

    def show_tasks(self, tasks: Sequence[str]) -> None:
        """See `QueueView`."""
        for button, state, words in self._menus:
            menu = button.menu()
            menu.clear()
            for task in tasks:
                menu.addAction(f"Only {task_name(task)}: {words}", self._marker(state, task))
        menu = self._done.menu()
        menu.addSeparator()
        tip = "Somebody vouches for them as they are: the last step, before the final export"
        menu.addAction("Verified by...", self._ask_verifier).setToolTip(tip)

    def _marker(self, state: RegionState, task: str) -> Any:
        return lambda: self.changes.mark(state, task)

    def show_progress(self, share: float | None, text: str) -> None:
        """See `QueueView`."""
        self.ranking.show_progress(share, text)

    def show_note(self, text: str, details: str) -> None:
        """See `QueueView`."""
        self.ranking.show_note(text, details)

    def show_frames(self, *, on: bool) -> None:
        """See `QueueView`."""
        with QSignalBlocker(self._frames):
            self._frames.setChecked(on)

    # the end

    def _let_go(self) -> None:
        """Give back keys and take the frames away."""
        if not self._is_gone:
            self._is_gone = True
            self._bound.close()
            self.changes.close()
            self.presenter.close()

    def _leave_for_good(self) -> None:
        """Napari takes a closed panel out of its dock and forgets it there; a moment later it has no parent still."""
        if self.parent() is None and not self.isVisible():
            self._session.closing.remove(self._let_go)
            self._let_go()
            self.deleteLater()

    def event(self, event: Any) -> bool:
        """Notice that the panel was closed."""
        done = bool(super().event(event))
        if event.type() == QEvent.Type.ParentChange and self.parent() is None and hasattr(self, "_leave"):
            self._leave.start(0)
        return done

    def showEvent(self, event: Any) -> None:
        """Another process may have changed what is shown meanwhile."""
        super().showEvent(event)
        self.presenter.reader.read()
