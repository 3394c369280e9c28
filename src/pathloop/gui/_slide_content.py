"""Everything that a project holds of a slide, read in one go."""

from dataclasses import dataclass
from pathlib import Path

from pathloop.core import ProjectError, Scale
from pathloop.loop import ObjectFrame, Preview, PreviewPart, read_frame, read_preview, unfinished_runs
from pathloop.rasters import LabelPyramid
from pathloop.store import Project, RunRecord, TissueMap, UncertaintyMap

__all__ = ["SlideContent", "find_content", "read_content"]


@dataclass(frozen=True, slots=True)
class SlideContent:
    """Everything that a project holds of a slide, read in one go.

    Parameters
    ----------
    frames, pyramids
        By task, landed objects and their labels.
    tissue, uncertainty
        Maps, None where there are none.
    unfinished
        Runs that were begun and not finished, but for those that newer results cover; the latest to work last.
    previews
        Their provisional objects: run folder, preview, and its parts by tile.
    """

    frames: dict[str, ObjectFrame]
    pyramids: dict[str, LabelPyramid]
    tissue: TissueMap | None
    uncertainty: UncertaintyMap | None
    unfinished: tuple[RunRecord, ...] = ()
    previews: tuple[tuple[Path, Preview, dict[tuple[int, int], dict[str, PreviewPart]]], ...] = ()

    @classmethod
    def nothing(cls) -> "SlideContent":
        """What a project holds that does not know the slide."""
        return cls({}, {}, None, None)


def read_content(project: Project, slide_id: str, *, previews: bool = True) -> SlideContent:
    """Read what a project holds of a slide; call it in the project's thread."""
    record = project.slide(slide_id)
    frames, pyramids = {}, {}
    for task in project.tasks(slide_id):
        frames[task] = read_frame(project, slide_id, task, scale=record.scale)
        try:
            pyramids[task] = project.labels(slide_id, task)
        except ProjectError:
            continue
    unfinished = tuple(unfinished_runs(project, slide_id))
    found = []
    for run in unfinished if previews else ():
        preview = Preview.open(run.folder)
        if preview is not None:
            found.append((run.folder, preview, read_preview(project, slide_id, preview)))
    return SlideContent(
        frames, pyramids, project.tissue(slide_id), project.uncertainty(slide_id), unfinished, tuple(found)
    )


def find_content(project: Project, fingerprint: str) -> tuple[str | None, SlideContent | None, Scale | None]:
    """Name, content and scale of the slide with a fingerprint; None of them where the project does not know it."""
    known = next((one for one in project.slides() if one.fingerprint == fingerprint), None)
    return (None, None, None) if known is None else (known.slide_id, read_content(project, known.slide_id), known.scale)
