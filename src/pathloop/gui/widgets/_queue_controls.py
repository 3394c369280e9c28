"""Buttons of the panel "Queue" that say why they are off, and what ranks."""

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pathloop.gui.queueing import Button, strategies

__all__ = ["NamedButtons", "RankBox"]

COUNT = 40
MOST = 2000


class NamedButtons:
    """Makes buttons, and shows what can be done now; several buttons may stand for the same action."""

    def __init__(self) -> None:
        self._buttons: dict[str, list[QAbstractButton]] = {}

    def push(self, action: str, text: str) -> QPushButton:
        """A plain button."""
        return self._add(QPushButton(text), action, action, text)

    def tool(self, action: str, text: str, *, name: str = "", tip: str = "") -> QToolButton:
        """A flat button; ``tip`` is what it does where the state says nothing, its first words are its name."""
        button = QToolButton()
        button.setText(text)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return self._add(button, action, name or action, tip.partition(" (")[0] or text.lstrip("✓ "), tip)

    def menu(self, action: str, text: str, *, splits: bool) -> QToolButton:
        """A button with a menu; ``splits``: the button itself does something, the menu opens beside it."""
        button = self.tool(action, text)
        button.setMenu(QMenu(button))
        button.menu().setToolTipsVisible(True)
        mode = QToolButton.ToolButtonPopupMode
        button.setPopupMode(mode.MenuButtonPopup if splits else mode.InstantPopup)
        return button

    def connect(self, action: str, call: Callable[[], Any]) -> None:
        """Call when a button of an action is pressed."""
        for button in self._buttons[action]:
            button.clicked.connect(lambda *_: call())

    def show(self, states: Mapping[str, Button]) -> None:
        """Enable and disable, with the reason."""
        for action, state in states.items():
            for button in self._buttons.get(action, ()):
                button.setEnabled(state.enabled)
                button.setToolTip(state.reason or button.property("tip"))

    def _add(self, button: Any, action: str, name: str, words: str, tip: str = "") -> Any:
        button.setObjectName(name)
        button.setAccessibleName(words)
        button.setProperty("tip", tip)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._buttons.setdefault(action, []).append(button)
        return button


class RankBox(QWidget):
    """How to rank, how many, how far it is, and a note.

    Parameters
    ----------
    buttons
        Makes ``rank`` and ``cancel``.
    """

    rank_asked = Signal(str, int)
    cancel_asked = Signal()

    def __init__(self, buttons: NamedButtons) -> None:
        super().__init__()
        self.strategy = QComboBox()
        self.strategy.setObjectName("strategy")
        self.strategy.setAccessibleName("How regions are ranked")
        self.strategy.setMinimumContentsLength(10)
        self.strategy.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._words = strategies()
        for key, (name, words) in self._words.items():
            self.strategy.addItem(name, key)
            self.strategy.setItemData(self.strategy.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.count = QSpinBox()
        self.count.setObjectName("count")
        self.count.setAccessibleName("How many regions")
        self.count.setToolTip("How many regions shall wait in the list; every fourth one is random")
        self.count.setRange(1, MOST)
        self.count.setValue(COUNT)
        self.rank, self.cancel = buttons.push("rank", "Rank"), buttons.push("cancel", "Stop")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setToolTip("How far ranking is")
        self.progress, self.note = QLabel(), QLabel()
        self.progress.setObjectName("progress")
        self.note.setObjectName("note")
        self._lay_out()
        self.strategy.currentIndexChanged.connect(lambda _: self._show_strategy())
        self.rank.clicked.connect(lambda: self.rank_asked.emit(self.strategy.currentData(), self.count.value()))
        self.cancel.clicked.connect(lambda: self.cancel_asked.emit())
        self._show_strategy()

    def show_progress(self, share: float | None, text: str) -> None:
        """See `QueueView`."""
        self.bar.setVisible(bool(text))
        self.bar.setRange(0, 0 if share is None else 1000)
        if share is not None:
            self.bar.setValue(round(1000 * share))
        self.progress.setText(text)
        self.progress.setVisible(bool(text))
        self.cancel.setVisible(bool(text))
        self.rank.setVisible(not text)

    def show_note(self, text: str, details: str) -> None:
        """See `QueueView`."""
        self.note.setToolTip(details)
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _show_strategy(self) -> None:
        self.strategy.setToolTip(self._words[self.strategy.currentData()][1])

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(3)
        line.addWidget(self.strategy, 1)
        for widget in (self.count, self.rank, self.cancel):
            line.addWidget(widget)
        below = QVBoxLayout(self)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(2)
        below.addLayout(line)
        for label in (self.progress, self.note):
            label.setWordWrap(True)
        for widget in (self.bar, self.progress, self.note):
            widget.hide()
            below.addWidget(widget)
        self.cancel.hide()
