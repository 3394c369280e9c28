"""Strokes as work for the journal."""

from collections.abc import Mapping, Sequence

import numpy as np

from pathloop.gui._journal import Work
from pathloop.loop.correct import Committed, paint
from pathloop.store import PixelChange, Project

__all__ = ["painting"]

_SINGULAR = {"nuclei": "nucleus"}


def painting(
    patches: Sequence[PixelChange],
    *,
    tool: str,
    summary: str = "",
    class_codes: Mapping[tuple[str, int], int],
    region_id: int | None = None,
) -> Work:
    """The work of putting painted pixels into the journal.

    Where a run has put other objects under the pixels meanwhile, the painted pixels count and the rest is the run's.
    """

    def work(project: Project, slide_id: str) -> Committed | None:
        for task in {one.task for one in patches}:
            if not project.classes(task):
                project.class_code(task, _SINGULAR.get(task, task))
        fresh = [_on_present(project, slide_id, one) for one in patches]
        return paint(project, slide_id, fresh, tool=tool, summary=summary, class_codes=class_codes, region_id=region_id)

    return work


def _on_present(project: Project, slide_id: str, patch: PixelChange) -> PixelChange:
    if not project.has_labels(slide_id, patch.task):
        return PixelChange(
            patch.task, patch.rect, np.zeros_like(patch.before), np.where(patch.before != patch.after, patch.after, 0)
        )
    present = project.labels(slide_id, patch.task).read(patch.rect)
    differs = patch.before != patch.after
    if (present == patch.before)[differs].all():
        return patch
    return PixelChange(patch.task, patch.rect, present, np.where(differs, patch.after, present))
