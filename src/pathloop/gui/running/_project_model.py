"""The model that a project works with: chosen in the panel whenever it changes, or another project comes up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pathloop.gui._session import Session
from pathloop.loop.tuning import current_model
from pathloop.networks import DEFAULT_MODEL

__all__ = ["ProjectModel"]


class ProjectModel:
    """Follows the current slide's project; what the user chooses by hand stays until the project's model changes.

    Parameters
    ----------
    session
        Whose slide.
    choose
        Called with a model's name or folder.
    """

    def __init__(self, session: Session, choose: Callable[[str], Any]) -> None:
        self._session, self._choose = session, choose
        self._last = DEFAULT_MODEL
        session.current_changed.connect(self._look)
        session.project_changed.connect(self._look)

    def _look(self) -> None:
        path = None if self._session.current is None else self._session.current.project_path
        if path is not None:
            self._session.background.run(lambda: current_model(path), lambda found: self._take(path, found))

    def _take(self, path: Path, found: Path | None) -> None:
        opened = self._session.current
        wanted = DEFAULT_MODEL if found is None else str(found)
        if opened is not None and opened.project_path == path and wanted != self._last:
            self._last = wanted
            self._choose(wanted)
