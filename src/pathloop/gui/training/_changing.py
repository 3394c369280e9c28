"""Changes of the project's model from the window: in the thread that writes, then segmenting anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pathloop.core import Rect
from pathloop.gui._session import Session
from pathloop.gui.running import Command, Conductor
from pathloop.loop.tuning import ModelEntry, current_model
from pathloop.store import Project

__all__ = ["change_model", "when_written"]

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
    """Promote or roll back, then segment the current slide anew where it was segmented last.

    Other slides of the project follow when they are segmented again; nothing that is reviewed changes on any.
    """
    opened = session.current
    slide_id = None if opened is None else opened.slide_id

    def work(project: Project) -> tuple[ModelEntry, dict[str, Any] | None]:
        entry = change(project)
        runs = [] if slide_id is None else [run for run in project.runs(slide_id) if run.finished]
        return entry, max(runs, key=lambda run: run.finished or "").parameters if runs else None

    def changed(result: tuple[ModelEntry, dict[str, Any] | None]) -> None:
        entry, parameters = result
        done(entry)
        session.project_changed.emit()
        if parameters is not None and opened is not None and opened is session.current:
            _segment_anew(session, path, parameters)

    session.projects.use(path, work, changed, failed)


def _segment_anew(session: Session, path: Path, parameters: dict[str, Any]) -> None:
    model, opened = current_model(path), session.current
    if model is None or opened is None:
        return
    whole = Rect(0, 0, *opened.slide.shape)
    region = Rect(*parameters.get("region", (whole.y, whole.x, whole.height, whole.width)))
    conductor = session.conductor = session.conductor or Conductor(session)
    is_masked = bool(parameters.get("tissue_mask", True))
    conductor.start(Command((None if region == whole else region,), is_masked, str(model)))
