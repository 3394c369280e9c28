"""The queue of a slide as its project holds it, read in the project's thread."""

from collections.abc import Callable
from typing import Any

from pathloop.core import Rect, Scale
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui._warm import before_labels
from pathloop.gui.objects._card import around
from pathloop.gui.queueing._rows import Flagged, QueueContent
from pathloop.loop.correct import review_regions
from pathloop.store import Project

__all__ = ["QueueReader", "read_queue"]


def read_queue(project: Project, slide_id: str, scale: Scale | None) -> QueueContent:
    """Regions and questions of a slide; call it in the project's thread."""
    flags = project.flags(slide_id)
    boxes: dict[tuple[str, int], Rect] = {}
    for task in {flag.task for flag in flags}:
        found = project.object_rows(slide_id, task, [flag.id for flag in flags if flag.task == task])
        boxes |= {(task, number): Rect.from_bounds(*row.box) for number, row in found.items()}
    flagged = [Flagged(flag, around(box, scale)) for flag in flags if (box := boxes.get((flag.task, flag.id)))]
    regions = tuple(project.regions(slide_id))
    # whether a word still holds is asked of the journal: only where somebody gave it
    reviews = review_regions(project, slide_id) if any(one.verified_by for one in regions) else ()
    return QueueContent(regions, tuple(flagged), {one.region.id: one.verified_by for one in reviews if one.verified_by})


class QueueReader:
    """Reads the current slide's queue, one reading at a time; what changes meanwhile is read once more.

    Parameters
    ----------
    session
        The viewer's session.
    take
        ``take(slide or None, content)``: called on the main thread.
    """

    def __init__(self, session: Session, take: Callable[[OpenedSlide | None, QueueContent], Any]) -> None:
        self._session, self._take = session, take
        self._is_reading = self._is_stale = False
        self.is_closed = False

    def read(self) -> None:
        """Read."""
        opened = self._session.current
        if self.is_closed:
            return
        if opened is None or opened.project_path is None or opened.slide_id is None:
            self._take(opened, QueueContent())
            return
        if self._is_reading:
            self._is_stale = True
            return
        self._is_reading, self._is_stale = True, False
        slide_id, scale = opened.slide_id, opened.scale

        def work(project: Project) -> QueueContent:
            before_labels()  # frames need the same
            return read_queue(project, slide_id, scale)

        def done(content: QueueContent) -> None:
            self._is_reading = False
            if opened is self._session.current and not self.is_closed:
                self._take(opened, content)
            self._again(opened)

        def failed(error: Exception) -> None:
            self._is_reading = False
            self._session.report(error)
            self._again(opened)

        self._session.projects.use(opened.project_path, work, done, failed)

    def _again(self, opened: OpenedSlide) -> None:
        if self._is_stale or opened is not self._session.current:
            self._is_stale = False
            self.read()
