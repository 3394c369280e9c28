"""What undo and redo would do, and whether everything is saved, in words."""

from collections.abc import Callable
from typing import Any

from pathloop.gui._journal import Journal
from pathloop.gui._session import Session
from pathloop.store import JournalEntry

__all__ = ["read_steps", "saved_text"]


def read_steps(session: Session, opened: Any, show: Callable[[str, str], Any]) -> None:
    """Ask the journal of a slide for its next steps; ``show(undo, redo)`` with "" where there is none.

    Parameters
    ----------
    opened
        An `OpenedSlide`, what stands for one, or None.
    """
    if opened is None or opened.project_path is None or opened.slide_id is None:
        show("", "")
        return
    slide_id = opened.slide_id

    def told(found: tuple[JournalEntry | None, JournalEntry | None]) -> None:
        undo, redo = ("" if one is None else one.summary or one.tool for one in found)
        show(undo, redo)

    session.projects.use(
        opened.project_path,
        lambda project: (project.undoable(slide_id), project.redoable(slide_id)),
        told,
        lambda error: None,
    )


def saved_text(journal: Journal) -> str:
    """Whether everything is saved, and if not, why."""
    n = journal.n_unsaved
    texts = {
        "saved": "All saved",
        "saving": "Saving",
        "unsaved": f"{n} {'edit' if n == 1 else 'edits'} not saved: {journal.problem}",
    }
    return texts[journal.state]
