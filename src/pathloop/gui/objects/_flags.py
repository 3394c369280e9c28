"""Questions to a pathologist about objects of the current slide, as the project holds them."""

from collections.abc import Mapping
from typing import Any

from psygnal import Signal

from pathloop.gui.objects._needs import ObjectsSession
from pathloop.store import Flag

__all__ = ["FlagBook"]


class FlagBook:
    """Keeps the questions about the current slide's objects. Main thread only.

    Parameters
    ----------
    session
        The viewer's session.
    """

    changed = Signal()
    """Other questions, or those of another slide."""

    def __init__(self, session: ObjectsSession) -> None:
        self._session = session
        self._flags: dict[str, dict[int, Flag]] = {}
        self._reading = 0
        session.current_changed.connect(self._read)
        session.project_changed.connect(self._read)
        session.journal.committed.connect(self._on_committed)
        self._read()

    def of(self, task: str) -> Mapping[int, Flag]:
        """Questions about a task's objects, by id."""
        return self._flags.get(task, {})

    def close(self) -> None:
        """Hear no more of the session."""
        self._reading += 1
        self._session.current_changed.disconnect(self._read)
        self._session.project_changed.disconnect(self._read)
        self._session.journal.committed.disconnect(self._on_committed)

    def _on_committed(self, opened: Any, committed: Any) -> None:
        if opened is self._session.current and committed.change.flags:
            self._read()

    def _read(self) -> None:
        """The newest reading counts."""
        self._reading += 1
        number, current = self._reading, self._session.current
        if current is None or current.project_path is None or current.slide_id is None:
            self._take([])
            return
        slide_id = current.slide_id

        def done(flags: list[Flag]) -> None:
            if number == self._reading:
                self._take(flags)

        self._session.projects.use(current.project_path, lambda project: project.flags(slide_id), done)

    def _take(self, flags: list[Flag]) -> None:
        found: dict[str, dict[int, Flag]] = {}
        for flag in flags:
            found.setdefault(flag.task, {})[flag.id] = flag
        if found != self._flags:
            self._flags = found
            self.changed.emit()
