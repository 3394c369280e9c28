"""Changes of the project's model from the window: in the thread that writes, then segmenting anew."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pathloop.gui._session import Session
from pathloop.gui.running import conductor_of
from pathloop.gui.training._view import TrainView
from pathloop.loop.tuning import ModelEntry
from pathloop.store import Project

__all__ = ["AnewDesk", "change_model", "when_written"]

NAMED = 5
"""Slides that are named; of more, their number is told."""

Failed = Callable[[Exception], Any]


def when_written(session: Session, path: Path, then: Callable[[], Any], failed: Failed) -> None:
    """Call once all edits are in the pyramids, not in the journal alone: other processes read those."""

    def apply(project: Project) -> None:
        if project.is_writer:
            project.apply_journal()

    session.projects.use(path, apply, lambda _: then(), failed)


def change_model(
    session: Session,
    path: Path,
    change: Callable[[Project], ModelEntry],
    done: Callable[[ModelEntry], Any],
    failed: Failed,
) -> None:
    """Promote or roll back, then segment anew what other models segmented; nothing that is reviewed changes."""

    def changed(entry: ModelEntry) -> None:
        done(entry)
        session.project_changed.emit()
        conductor_of(session).anew.ask(path)

    session.projects.use(path, change, changed, failed)


class AnewDesk:
    """Shows which slides hold what another model found, and how segmenting them anew goes; one button for it.

    Parameters
    ----------
    session
        The viewer's session.
    view
        The panel.
    changed
        Called when there is something to read anew.
    """

    def __init__(self, session: Session, view: TrainView, changed: Callable[[], Any]) -> None:
        self._anew, self._view = conductor_of(session).anew, view
        self._path: Path | None = None
        self._stale: tuple[Sequence[str], bool] = (), False
        self._changed = changed
        self._anew.changed.connect(self._on_changed)

    def close(self) -> None:
        """Hear no more of it; it goes on."""
        self._anew.changed.disconnect(self._on_changed)

    def _on_changed(self) -> None:
        stale, is_writer = self._stale
        self.show(self._path, stale, is_writer=is_writer)
        self._changed()

    def show(self, path: Path | None, stale: Sequence[str], *, is_writer: bool) -> None:
        """Show how it stands with a project.

        Parameters
        ----------
        path
            Its folder; None = there is none.
        stale
            Slides that hold what another model found.
        is_writer
            Whether anything can be done about it.
        """
        self._path, self._stale = path, (stale, is_writer)
        words = self._anew.words(path)
        if path is None or not (words or stale):
            self._view.show_anew("", "", "")
        elif words and self._anew.is_on:
            tip = "Stops after this tile. What is finished is kept; it can go on later, also from the panel Segment"
            self._view.show_anew(words, "Stop segmenting anew", tip)
        else:
            n = len(stale)
            them = f"{', '.join(stale[:NAMED])}{f' and {n - NAMED} more' if n > NAMED else ''}"
            held = f"{n} {'slide holds' if n == 1 else 'slides hold'} what another model found: {them}." if n else ""
            button = f"Segment {n} {'slide' if n == 1 else 'slides'} anew" if n and is_writer else ""
            tip = "With the project's model, where they were segmented before. What is reviewed stays as it is"
            self._view.show_anew("\n".join(one for one in (words, held) if one), button, tip)

    def press(self) -> None:
        """The button: begin, or stop."""
        if self._path is None:
            return
        if self._anew.words(self._path) and self._anew.is_on:
            self._anew.stop()
        else:
            self._anew.ask(self._path)
