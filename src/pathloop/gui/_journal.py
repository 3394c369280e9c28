"""Everything that a person changes goes through here: into the project's journal first, then to whoever shows it."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from pathloop.core import ClassSpec, PathloopError, ProjectError, Rect
from pathloop.gui._opened import OpenedSlide
from pathloop.loop.correct import Committed, redo, undo
from pathloop.rasters import LabelPyramid
from pathloop.store import Project, TissueMap

if TYPE_CHECKING:
    from pathloop.gui._session import Session

__all__ = ["Job", "Journal", "Work"]

RETRY_MS = 3000
Work = Callable[[Project, str], Committed | None]
"""Changes an open project's slide; may be called again after it has failed."""


@dataclass(eq=False)
class Job:
    """A change on its way into the journal.

    Parameters
    ----------
    opened
        Whose slide (`OpenedSlide`), or what stands for one.
    work
        Makes the change, in the project's thread.
    done
        Told what was changed, on the main thread; None if nothing was.
    failed
        Told of an error that trying again does not mend; then the change is dropped. None: the user is told.
    """

    opened: Any
    work: Work
    done: Callable[[Committed | None], Any] | None = None
    failed: Callable[[Exception], Any] | None = None
    is_there: threading.Event = field(default_factory=threading.Event)
    outcome: "_Outcome | Exception | None" = None
    is_delivered: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """What a job did, and what showing it needs."""

    committed: Committed | None
    pyramids: dict[str, LabelPyramid] = field(default_factory=dict)
    classes: dict[str, tuple[ClassSpec, ...]] = field(default_factory=dict)
    tissue: TissueMap | None = None


class Journal:
    """Hands changes to the project's thread in order, keeps those that cannot be written, and tells what was done.

    Main thread only. A change counts once it is in the journal; what the drive refuses waits here, in order, and is
    tried again.

    Parameters
    ----------
    session
        Whose slides and projects.
    """

    changed = Signal()
    """Whether everything is saved may have changed; see `state`."""

    committed = Signal(object, object, object)
    """An `OpenedSlide`, what was committed on it (`Committed`), and the classes of the tasks concerned, by task."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._under_way: list[Job] = []
        self._waiting: list[Job] = []
        self._told = ""
        self._cancel_retry: Callable[[], None] | None = None

    @property
    def state(self) -> Literal["saved", "saving", "unsaved"]:
        """Whether everything is on disk, on its way, or cannot be written."""
        if self._waiting:
            return "unsaved"
        return "saving" if self._under_way else "saved"

    @property
    def n_unsaved(self) -> int:
        """How many changes are not on disk yet."""
        return len(self._waiting) + len(self._under_way)

    @property
    def problem(self) -> str:
        """Why changes cannot be written; "" where they can."""
        return self._told if self._waiting else ""

    def submit(
        self,
        opened: Any,
        work: Work,
        *,
        done: Callable[[Committed | None], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> Job:
        """Have a change made; what it does comes back through ``done`` and `committed`.

        Parameters
        ----------
        opened
            A slide that a project knows and this window may write.
        work
            See `Work`.
        done, failed
            See `Job`.
        """
        job = Job(opened, work, done, failed)
        if self._waiting:  # what comes later may build on what waits
            self._waiting.append(job)
        else:
            self._send(job)
        self.changed.emit()
        return job

    def undo(self, opened: Any, done: Callable[[Committed | None], Any] | None = None) -> Job:
        """Take back what was done last on a slide."""
        return self.submit(opened, lambda project, slide_id: undo(project, slide_id), done=done)

    def redo(self, opened: Any, done: Callable[[Committed | None], Any] | None = None) -> Job:
        """Do again what was taken back last on a slide."""
        return self.submit(opened, lambda project, slide_id: redo(project, slide_id), done=done)

    def settle(self, timeout_s: float = 0.25) -> bool:
        """Wait until everything that was submitted is in the journal, and deliver it; whether all of it is."""
        while self._under_way:
            job = self._under_way[0]
            if not job.is_there.wait(timeout_s):
                return False
            self._deliver(job)
        return not self._waiting

    def retry(self) -> None:
        """Try again what could not be written."""
        self._stop_retrying()
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            job.is_there, job.outcome, job.is_delivered = threading.Event(), None, False
            self._send(job)
        self.changed.emit()

    def close(self) -> None:
        """Stop trying."""
        self._stop_retrying()

    # inside

    def _send(self, job: Job) -> None:
        opened = job.opened
        if opened.project_path is None or opened.slide_id is None or not opened.is_writer:
            self._refuse(job, ProjectError(opened.project_reason or f"{opened.name} is open for reading only"))
            return
        slide_id = opened.slide_id
        self._under_way.append(job)

        def call(project: Project) -> None:
            try:
                # the journal first; the pixels follow when nobody waits for them
                project.applies_at_once = False
                job.outcome = _outcome(project, slide_id, job.work(project, slide_id))
            except Exception as error:  # noqa: BLE001 - the main thread hears of it
                job.outcome = error
            finally:
                job.is_there.set()

        def failed(error: Exception) -> None:
            if not job.is_there.is_set():
                job.outcome = error
                job.is_there.set()
            self._deliver(job)

        self._session.projects.use(opened.project_path, call, lambda _: self._deliver(job), failed)

    def _deliver(self, job: Job) -> None:
        if job.is_delivered:
            return
        job.is_delivered = True
        if job in self._under_way:
            self._under_way.remove(job)
        outcome = job.outcome
        if isinstance(outcome, Exception):
            self._fail(job, outcome)
        elif outcome is not None:
            self._show(job, outcome)
        self.changed.emit()

    def _show(self, job: Job, outcome: _Outcome) -> None:
        committed, opened = outcome.committed, job.opened
        self._told = ""
        if committed is not None:
            change = committed.change
            opened.desk.apply(change, outcome.pyramids, outcome.classes)
            if change.cells:
                opened.desk.set_tissue(outcome.tissue)
                self._session.maps_changed.emit()
            self._write_pixels(opened, committed)
            if committed.entry.target is not None and change.is_empty:
                # predictions that came in went, or came back: all of it is read anew
                if isinstance(opened, OpenedSlide):
                    self._session.restore(opened)
                else:
                    self._session.project_changed.emit()
        if job.done is not None:
            job.done(committed)
        if committed is not None:
            self.committed.emit(opened, committed, outcome.classes)
            if committed.change.regions:
                self._session.regions_changed.emit()

    def _write_pixels(self, opened: Any, committed: Committed) -> None:
        if not committed.change.pixels or opened.project_path is None:
            return
        rects: dict[str, list[Rect]] = {}
        for one in committed.change.pixels:
            rects.setdefault(one.task, []).append(one.rect)

        def shown(_: None) -> None:
            for task, changed in rects.items():
                opened.desk.layers.tiles_arrived(task, changed)

        self._session.projects.use(opened.project_path, lambda project: project.apply_journal(), shown)

    def _fail(self, job: Job, error: Exception) -> None:
        if not _may_pass(error):
            self._refuse(job, error)
            return
        # those behind it may build on it
        self._waiting = [job, *self._waiting]
        text = str(error)
        if text != self._told:
            self._told = text
            self._session.say(f"not saved, your edits stay in the window: {text}", "error")
        self._stop_retrying()
        self._cancel_retry = self._session.background.later(RETRY_MS, self.retry)

    def _refuse(self, job: Job, error: Exception) -> None:
        if job.failed is not None:
            job.failed(error)
        else:
            self._session.report(error)

    def _stop_retrying(self) -> None:
        if self._cancel_retry is not None:
            self._cancel_retry()
            self._cancel_retry = None


def _outcome(project: Project, slide_id: str, committed: Committed | None) -> _Outcome:
    if committed is None:
        return _Outcome(None)
    change = committed.change
    pyramids, classes = {}, {}
    for task in change.tasks:
        classes[task] = project.classes(task)
        if change.pixels and project.has_labels(slide_id, task):
            pyramids[task] = project.open_labels(slide_id, task)
    return _Outcome(committed, pyramids, classes, project.tissue(slide_id) if change.cells else None)


def _may_pass(error: Exception) -> bool:
    """Whether an error is the drive's, which trying again may mend, and not the change's own."""
    if isinstance(error, OSError) or isinstance(error.__cause__, OSError | sqlite3.Error):
        return True
    # the folder is gone for now
    return isinstance(error, ProjectError) and "project folder" in str(error) and isinstance(error, PathloopError)
