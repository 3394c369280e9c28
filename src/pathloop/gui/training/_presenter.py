"""What the panel "Train" shows and does. No Qt."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pathloop.core import Event, Message, outcome
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.training._changing import AnewDesk, change_model, when_written
from pathloop.gui.training._look import RegionLook
from pathloop.gui.training._overlay import SwapOverlay
from pathloop.gui.training._reading import TrainContent, progress_of, read_content
from pathloop.gui.training._view import TrainView
from pathloop.gui.training._words import RECIPES, buttons, comparison_rows, end_words, plan_words, tasks_for
from pathloop.learn import Wish
from pathloop.loop.tuning import (
    ModelEntry,
    Promotion,
    TuneRequest,
    TuneRun,
    plan_text,
    prepare,
    promote,
    rollback,
    start_process,
    why_not,
    wish_for,
)
from pathloop.store import Project

__all__ = ["TrainPresenter"]

POLL_MS = 1000
START_S = 60.0
"""How long a process that was started may say nothing."""


class TrainPresenter:
    """Starts, watches, compares and promotes for the current slide's project.

    Parameters
    ----------
    session, view
        The viewer's session and the panel.
    start
        Starts the process of a run; None = `start_process`.
    """

    def __init__(self, session: Session, view: TrainView, start: Callable[[TuneRun], Any] | None = None) -> None:
        self.session, self.view, self._start = session, view, start or start_process
        self.content = TrainContent()
        self.recipe, self.task = "quick", ""
        self.looker = RegionLook(self)
        self._owner: Path | None = None
        self._is_busy, self._is_closed, self._is_reading, self._is_outdated = False, False, False, False
        self._poll: Callable[[], None] | None = None
        self._awaited, self._awaited_until = ("", 0), 0.0
        for signal in (session.current_changed, session.project_changed, session.regions_changed):
            signal.connect(self.read)
        session.closing.append(self.close)
        self.anew = AnewDesk(session, view, self.read)
        view.show_recipes(RECIPES, self.recipe)
        self.read()

    def close(self) -> None:
        """Hear no more of the session; a run goes on."""
        if self._is_closed:
            return
        self._is_closed = True
        session = self.session
        for signal in (session.current_changed, session.project_changed, session.regions_changed):
            signal.disconnect(self.read)
        if self._poll is not None:
            self._poll()
        self.anew.close()
        self.looker.leave()
        self.overlay.close()

    @property
    def overlay(self) -> SwapOverlay:
        """Both models' objects on the slide."""
        return self.looker.overlay

    # what the user does

    def choose_recipe(self, recipe: str) -> None:
        """One of `RECIPES` by its key."""
        self.recipe = recipe
        self._refresh()

    def choose_task(self, task: str) -> None:
        """What "subtype" or "new-task" shall learn."""
        self.task = task

    def train(self) -> None:
        """Copy the done regions as they are now and start a process on them."""
        opened, path = self.opened, self.path
        if opened is None or path is None or self._is_busy:
            return
        possible = tasks_for(self.content, self.recipe)
        task = (self.task if self.task in possible else possible[0]) if possible else None
        request = TuneRequest(path, recipe=self.recipe, task=task)  # type: ignore[arg-type]
        self._set_busy("Copying the done regions")

        def begin() -> tuple[TuneRun, str]:
            told: list[Event] = []
            run = outcome(prepare(request), told.append)
            self._start(run)
            return run, "\n".join([plan_text(run), *(one.text for one in told if isinstance(one, Message))])

        def started(result: tuple[TuneRun, str]) -> None:
            run, words = result
            self._is_busy = False
            self.view.show_note(words)
            self._await(run)

        when_written(self.session, path, lambda: self.session.background.run(begin, started, self.failed), self.failed)

    def wish(self, wish: Wish) -> None:
        """Pause, finish or cancel the run that is under way."""
        run = self.content.run
        if run is not None:
            self.session.background.run(lambda: wish_for(run, wish), lambda _: self.read(), self.failed)

    def resume(self) -> None:
        """Go on with the last run: after a pause, or from its last checkpoint in a new process."""
        run = self.content.run
        if run is None:
            return
        if self.content.state == "paused":
            self.wish("go on")
        else:
            self.session.background.run(lambda: self._start(run), lambda _: self._await(run), self.failed)

    def look(self, place: str) -> None:
        """Go to a region of the comparison, and show both models' objects there; once more: take them away."""
        self.looker.look(place)

    def promote(self) -> None:
        """Put the candidate to work, and segment anew what nobody has reviewed, on all slides of the project."""
        run, comparison, path = self.content.run, self.content.comparison, self.path
        if run is None or comparison is None or path is None:
            return
        reason, confirmed = None, False
        if comparison.faults:
            reason = self.view.ask_reason(why_not(comparison))
            if not (reason or "").strip():
                return
        elif not comparison.is_enough:
            confirmed = self.view.confirm("Promote without evidence?", f"{why_not(comparison)}. Promote all the same?")
            if not confirmed:
                return
        wanted = Promotion(run.candidate, comparison, run=run.name, reason=reason, confirmed=confirmed)
        self._change(path, lambda project: promote(project, wanted), "This project now works with")

    def rollback(self) -> None:
        """Back to the model before the last promotion; slides are segmented anew with that."""
        if self.path is not None:
            self._change(self.path, rollback, "This project works again with")

    # what is shown

    @property
    def opened(self) -> OpenedSlide | None:
        """The current slide."""
        return self.session.current

    @property
    def path(self) -> Path | None:
        """Its project's folder."""
        return None if self.opened is None else self.opened.project_path

    def read(self) -> None:
        """Read the project anew, in the background."""
        path = self.path
        if path != self._owner:
            self._owner, self.content = path, TrainContent()
            self.looker.leave()
        elif self.overlay.opened not in (None, self.opened):
            self.looker.leave()
        if path is None:
            self._refresh()
            return
        if self._is_reading:
            self._is_outdated = True
            return
        self._is_reading, self._is_outdated = True, False
        self.session.background.run(lambda: read_content(path), lambda found: self._take(path, found), self._unread)

    def _unread(self, error: Exception) -> None:
        self._is_reading = False
        self.failed(error)

    def _take(self, path: Path, content: TrainContent) -> None:
        self._is_reading = False
        if self._is_closed:
            return
        if path != self.path:
            self.read()
            return
        before, self.content = self.content, content
        self._refresh()
        if before.state in ("running", "paused") and content.state not in ("running", "paused"):
            self._on_end(content)
        if content.state in ("running", "paused") or self._is_awaiting:
            self._watch()
        if self._is_outdated:
            self.read()

    def _await(self, run: TuneRun) -> None:
        """A process was started; until it says something it takes seconds to load."""
        n = len(self.content.events) if self.content.run == run else 0
        self._awaited, self._awaited_until = (run.name, n), time.monotonic() + START_S
        self.read()

    @property
    def _is_awaiting(self) -> bool:
        content = self.content
        is_silent = content.run is not None and (content.run.name, len(content.events)) == self._awaited
        return is_silent and content.state not in ("running", "paused") and time.monotonic() < self._awaited_until

    def _watch(self) -> None:
        """Look again soon."""
        if self._poll is not None:
            self._poll()
        if not self._is_closed:
            self._poll = self.session.background.later(POLL_MS, self.read)

    def _on_end(self, content: TrainContent) -> None:
        text = end_words(content)
        self.view.show_note(text)
        self.session.say(text, "warning" if content.state in ("failed", "interrupted") else "info")

    def _refresh(self) -> None:
        content, opened = self.content, self.opened
        view = self.view
        possible = tasks_for(content, self.recipe)
        view.show_tasks(possible, self.task if self.task in possible else "")
        view.show_plan(*plan_words(content, self.recipe))
        view.show_buttons(
            buttons(
                content,
                is_open=self.path is not None,
                is_writer=opened is not None and opened.is_writer,
                recipe=self.recipe,
                is_busy=self._is_busy or self._is_awaiting,
            )
        )
        if self._is_awaiting:
            view.show_progress(None, "Starting")
        elif not self._is_busy:
            view.show_progress(*progress_of(content))
        self.anew.show(self.path, content.stale, is_writer=opened is not None and opened.is_writer)
        view.show_curves(content.curves, is_going_on=content.state in ("running", "paused"))
        view.show_rounds(content.rows)
        view.show_comparison(*(comparison_rows(content.comparison) if content.comparison else ("", (), ())))

    # inside

    def _change(self, path: Path, change: Callable[[Project], ModelEntry], words: str) -> None:
        self._set_busy("Changing the model")

        def done(entry: ModelEntry) -> None:
            self._is_busy = False
            self.view.show_note(f"{words} {entry.model}.")
            self.looker.leave()

        change_model(self.session, path, change, done, self.failed)

    def _set_busy(self, text: str) -> None:
        self._is_busy = True
        self.view.show_progress(None, text)
        self._refresh()

    def failed(self, error: Exception) -> None:
        """Say why something was not done."""
        self._is_busy = False
        self.view.show_note(str(error))
        self.session.report(error)
        self._refresh()
