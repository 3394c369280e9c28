"""Back and forth."""

from pathloop.loop.correct._committed import Committed
from pathloop.store import Project

__all__ = ["redo", "undo"]


def undo(project: Project, slide_id: str, *, who: str | None = None) -> Committed | None:
    """Take back what was done last on a slide; None where there is nothing."""
    done = project.undo(slide_id, who=who)
    return None if done is None else Committed(*done)


def redo(project: Project, slide_id: str, *, who: str | None = None) -> Committed | None:
    """Do again what was taken back last on a slide; None where there is nothing."""
    done = project.redo(slide_id, who=who)
    return None if done is None else Committed(*done)
