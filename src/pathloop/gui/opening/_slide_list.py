"""The list of slides: those of the project and those in the window, their words and pictures."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PathloopError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.opening._slide_status import SlideStatus, count_words, project_slides
from pathloop.gui.opening._slides_state import SlideRow
from pathloop.gui.opening._thumbnail import file_thumbnail, layer_thumbnail

__all__ = ["THUMBNAIL_PX", "SlideList"]

THUMBNAIL_PX = 64


class SlideList:
    """Knows the slides of the current slide's project, and what else is open.

    Parameters
    ----------
    session
        The viewer's session.
    changed
        Called when rows have changed.
    pictured
        Told of every picture, once a slide.
    """

    def __init__(
        self, session: Session, changed: Callable[[], Any], pictured: Callable[[Path, NDArray[np.uint8]], Any]
    ) -> None:
        self._session, self._changed, self._pictured = session, changed, pictured
        self._known: list[SlideStatus] = []
        self._project: Path | None = None
        self._asked: set[Path] = set()

    def refresh(self) -> None:
        """Ask the project anew, in its thread."""
        opened = self._session.current
        project = None if opened is None else opened.project_path
        if project is None:
            self._known, self._project = [], None
            self._picture()
            self._changed()
            return

        def done(found: list[SlideStatus]) -> None:
            self._known, self._project = found, project
            self._picture()
            self._changed()

        self._session.projects.use(project, project_slides, done)

    def fingerprint(self, path: Path) -> str | None:
        """What the project knows a file by."""
        return next((one.fingerprint for one in self._known if one.path == path), None)

    def rows(self) -> tuple[SlideRow, ...]:
        """The project's slides in its order, then the others that are open."""
        opened = {one.path: one for one in self._session.opened}
        rows = [self._row(opened.pop(status.path, None), status) for status in self._known]
        return (*rows, *(self._row(one, None) for one in opened.values()))

    def _row(self, opened: OpenedSlide | None, status: SlideStatus | None) -> SlideRow:
        if opened is None:
            assert status is not None
            return SlideRow(status.path, status.slide_id, status.text, is_missing=status.is_missing)
        desk = opened.desk
        words = count_words({task: len(desk.frame(task)) for task in desk.tasks})
        if desk.unfinished:
            words += "; unfinished run" if status is None else ""
            words = words if status is None else status.text
        name = opened.name if status is None else status.slide_id
        return SlideRow(opened.path, name, words, is_open=True, is_current=opened is self._session.current)

    def _picture(self) -> None:
        """Have the pictures made that are still missing."""
        for opened in self._session.opened:
            self._ask(opened.path, partial(layer_thumbnail, opened.layer.data, THUMBNAIL_PX))
        for status in self._known:
            if not status.is_missing:
                self._ask(status.path, partial(file_thumbnail, status.path, THUMBNAIL_PX))

    def _ask(self, path: Path, make: Callable[[], NDArray[np.uint8] | None]) -> None:
        if path in self._asked:
            return
        self._asked.add(path)

        def work() -> NDArray[np.uint8] | None:
            try:
                return make()
            except (PathloopError, OSError):
                return None  # the slide was closed or is damaged: opening it says so

        self._session.background.run(
            work, lambda picture: None if picture is None else self._pictured(path, picture), self._session.report
        )
