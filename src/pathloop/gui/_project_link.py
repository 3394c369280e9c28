"""Slides and their projects: finding, opening, and showing again what a project holds."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathloop.core import Scale
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._projects import OpenProject
from pathloop.gui._slide_content import SlideContent, find_content
from pathloop.loop import find_project

if TYPE_CHECKING:
    from pathloop.gui._session import Session

__all__ = ["ProjectLink", "same_scale"]

SAME_SCALE = 1e-6


class ProjectLink:
    """Links the slides of a session with projects.

    Parameters
    ----------
    session
        Whose slides; its signals tell what has changed.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    def find(self, opened: OpenedSlide, wanted: Path | None) -> None:
        """Open the project that is wanted, or the one that knows the slide, if there is one."""
        session = self._session
        if wanted is not None:
            self.open(opened, wanted, create=True)
            return
        recent = session.recent.paths()
        session.background.run(
            lambda: find_project(opened.path, opened.slide.fingerprint, recent),
            lambda path: None if path is None else self.open(opened, path, create=False),
        )

    def open(
        self,
        opened: OpenedSlide,
        path: Path,
        *,
        create: bool,
        then: Callable[[], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Open a project for a slide, for writing where that can be, and restore what it holds."""
        self._session.projects.open(
            path, lambda found: self._on_open(opened, found, then, failed), failed, create=create
        )

    def restore(
        self,
        opened: OpenedSlide,
        then: Callable[[], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Read what the project holds of a slide, and show it."""
        if opened.project_path is None:
            return
        slide, session = opened.slide, self._session

        def done(found: tuple[str | None, SlideContent | None, Scale | None]) -> None:
            try:
                show(found)
            except Exception as error:
                if failed is None:
                    raise
                failed(error)
                return
            if then is not None:
                then()

        def show(found: tuple[str | None, SlideContent | None, Scale | None]) -> None:
            opened.slide_id, content, scale = found
            # what was measured with it is in the project: it counts more than the file
            if scale is not None and not same_scale(scale, opened.scale):
                opened.set_scale(scale)
                session.scale_changed.emit()
            opened.desk.set_content(content or SlideContent.nothing())
            session.maps_changed.emit()
            session.project_changed.emit()

        session.projects.use(
            opened.project_path, lambda project: find_content(project, slide.fingerprint), done, failed
        )

    def _on_open(
        self,
        opened: OpenedSlide,
        found: OpenProject,
        then: Callable[[], Any] | None,
        failed: Callable[[Exception], Any] | None,
    ) -> None:
        opened.project_path, opened.is_writer, opened.project_reason = found.path, found.is_writer, found.reason
        session = self._session
        if not found.is_writer:
            session.say(f"{found.path.name} is open for reading only: {found.reason}", "warning")
        session.background.run(lambda: session.recent.add(found.path, opened.path))
        self.restore(opened, then, failed)


def same_scale(one: Scale, other: Scale | None) -> bool:
    """Whether two scales differ by no more than rounding."""
    return other is not None and max(abs(one.y / other.y - 1), abs(one.x / other.x - 1)) < SAME_SCALE
