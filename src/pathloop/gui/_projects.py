"""The projects that a window has open: their databases live in one thread, the main thread only asks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pathloop.core import ProjectLockedError
from pathloop.gui._background import Background
from pathloop.store import Project, is_project

__all__ = ["OpenProject", "Projects"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenProject:
    """A project that is open.

    Parameters
    ----------
    path
        Its folder.
    is_writer
        Whether this window may change it.
    reason
        In words why it may not; empty if it may.
    """

    path: Path
    is_writer: bool
    reason: str = ""


class Projects:
    """Opens, uses and closes projects in the thread of the lane "project"."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._open: dict[Path, Project] = {}  # touched in the project thread only

    def open(
        self,
        path: Path,
        done: Callable[[OpenProject], Any],
        failed: Callable[[Exception], Any] | None = None,
        *,
        create: bool = False,
    ) -> None:
        """Open for writing where that is possible, else for reading; a project that is open stays so."""
        self._background.run(lambda: self._opened(path.resolve(), create=create), done, failed, lane="project")

    def use(
        self,
        path: Path,
        work: Callable[[Project], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Call ``work(project)`` in the project thread; what it returns comes back on the main thread."""
        key = path.resolve()

        def call() -> T:
            self._forget_lost(key)
            if key not in self._open:
                self._opened(key, create=False)
            return work(self._open[key])

        self._background.run(call, done, failed, lane="project")

    def close(self) -> None:
        """Close all, after what is being done; the locks are free when the background is closed."""

        def call() -> None:
            while self._open:
                self._open.popitem()[1].close()

        self._background.run(call, lane="project")

    def _forget_lost(self, path: Path) -> None:
        """Close a project whose folder was deleted or moved: what is written to it would be lost."""
        if path in self._open and not is_project(path):
            self._open.pop(path).close()

    def _opened(self, path: Path, *, create: bool) -> OpenProject:
        self._forget_lost(path)
        if path in self._open:
            project = self._open[path]
            if project.is_writer:
                return OpenProject(path, is_writer=True)
            # whoever wrote it may be gone by now
            project.close()
            del self._open[path]
        reason = ""
        try:
            project = Project.open_or_create(path) if create else Project.open(path, write=True)
        except ProjectLockedError as error:
            reason = str(error)
            project = Project.open(path, write=False)
        except Exception as error:
            if create:
                raise
            reason = str(error)
            project = Project.open(path, write=False)
        self._open[path] = project
        return OpenProject(path, is_writer=project.is_writer, reason=reason)
