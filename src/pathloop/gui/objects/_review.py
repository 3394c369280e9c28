"""What people say of the object on the card: accepted, locked, its class, a question to a pathologist. No Qt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.objects._card import Card
from pathloop.gui.objects._flags import FlagBook
from pathloop.gui.objects._presenter import ObjectsPresenter
from pathloop.gui.objects._view import Choice
from pathloop.gui.objects._words import is_provisional
from pathloop.loop.correct import Committed, set_flag, set_objects
from pathloop.store import Project

__all__ = ["Review", "ReviewPresenter", "ReviewView"]

ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Review:
    """What is said of an object, and what can be.

    Parameters
    ----------
    n
        How many objects the buttons act on: those that are selected, if the card's is one of several.
    is_accepted, is_locked
        Whether all of them are.
    class_code
        Of the card's object; 0 = none.
    classes
        What can be chosen; keys are class codes.
    question, asked
        What a pathologist is asked about the card's object, and by whom and when; None and "" = nothing.
    problem
        Why nothing can be changed; "" if it can.
    """

    n: int
    is_accepted: bool
    is_locked: bool
    class_code: int
    classes: tuple[Choice, ...]
    question: str | None
    asked: str
    problem: str


class ReviewView(Protocol):
    """Shows a `Review`."""

    def show_review(self, review: Review | None) -> None:
        """None: no object is on the card."""
        ...


class ReviewPresenter:
    """Follows the card, and has the journal write what people say.

    Parameters
    ----------
    objects
        Whose selection and filters.
    view
        Shows the result.
    """

    def __init__(self, objects: ObjectsPresenter, view: ReviewView) -> None:
        self._objects, self._view = objects, view
        self._session = objects.session
        self._card: Card | None = None
        self._shown: Review | None = None
        self.book = FlagBook(objects.session)
        self.book.changed.connect(self._on_flags)
        objects.shown_changed.connect(self._on_flags)
        objects.selected_changed.connect(self._update)
        view.show_review(None)

    def close(self) -> None:
        """Hear no more."""
        self.book.changed.disconnect(self._on_flags)
        self._objects.shown_changed.disconnect(self._on_flags)
        self._objects.selected_changed.disconnect(self._update)
        self.book.close()

    def show(self, card: Card | None) -> None:
        """Another object is on the card, or none."""
        self._card = card
        self._update()

    # what the user does

    def accept(self) -> None:
        """Say that the objects are right."""
        self._change(lambda project, slide, task, ids: set_objects(project, slide, task, ids, state=ACCEPTED))

    def lock(self, *, locked: bool) -> None:
        """Protect the objects from every change, or no longer."""
        self._change(lambda project, slide, task, ids: set_objects(project, slide, task, ids, locked=locked))

    def choose_class(self, code: int) -> None:
        """Give the objects a class."""
        self._change(lambda project, slide, task, ids: set_objects(project, slide, task, ids, class_code=code))

    def ask(self, comment: str) -> None:
        """Ask a pathologist about the card's object; an empty comment takes the question back."""
        if self._card is not None:
            number, text = self._card.id, comment.strip() or None
            self._change(lambda project, slide, task, ids: set_flag(project, slide, task, number, text))

    # inside

    def _change(self, change: Callable[[Project, str, str, list[int]], Committed | None]) -> None:
        current, card, review = self._session.current, self._card, self._shown
        if current is None or card is None or review is None or review.problem:
            return
        task, ids = card.task, self._ids(card).tolist()
        self._session.journal.submit(current, lambda project, slide: change(project, slide, task, ids))

    def _ids(self, card: Card) -> NDArray[np.int64]:
        """The selected objects, if the card's is one of several; else this one."""
        frame, rows = self._objects.shown.frame, self._objects.selected.rows
        ids = frame.instances.ids[rows]
        return ids if len(ids) > 1 and card.id in ids else np.array([card.id], np.int64)

    def _on_flags(self) -> None:
        """Keep the filter up to date with the questions that there are, and with the task."""
        objects = self._objects
        asked = frozenset(self.book.of(objects.task or ""))
        if objects.filters.asked_only and objects.filters.asked != asked:
            objects.filter_by(replace(objects.filters, asked=asked), in_view_only=objects.in_view_only)
        self._update()

    def _update(self) -> None:
        review = self._review()
        if review != self._shown:
            self._shown = review
            self._view.show_review(review)

    def _review(self) -> Review | None:
        card, frame = self._card, self._objects.shown.frame
        if card is None or frame.task != card.task:
            return None
        ids = self._ids(card)
        rows, own = frame.rows(ids), frame.rows(np.array([card.id], np.int64))
        if not len(own):
            return None
        flag = self.book.of(card.task).get(card.id)
        asked = "" if flag is None else ", ".join(part for part in (flag.who, flag.at[:10]) if part)
        return Review(
            n=len(rows),
            is_accepted=bool((frame.states[rows] == frame.state_names.index(ACCEPTED)).all()),
            is_locked=bool(frame.locked[rows].all()),
            class_code=int(frame.instances.class_codes[own[0]]),
            classes=tuple(Choice(code, spec.name, spec.color) for code, spec in enumerate(frame.classes, 1)),
            question=None if flag is None else flag.comment,
            asked=asked,
            problem=self._problem(int(ids.max())),
        )

    def _problem(self, last_id: int) -> str:
        current = self._session.current
        if current is None or current.project_path is None or current.slide_id is None:
            return "The objects are in no project yet"
        if not current.is_writer:
            return f"This project is open for reading only. {current.project_reason}".strip()
        if is_provisional(last_id):
            return "A run is still going on here: its objects are not final yet"
        return ""
