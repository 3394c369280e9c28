"""What a project says about each of its slides, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import ProjectError, Scale
from pathloop.loop import RecentProjects, unfinished_runs
from pathloop.store import Project, RunRecord

__all__ = ["SlideStatus", "count_words", "last_slide", "project_slides"]

NOT_SEGMENTED = "not segmented"
WORDS = {"nuclei": ("nucleus", "nuclei"), "gland": ("gland", "glands"), "lumen": ("lumen", "lumina")}


@dataclass(frozen=True, slots=True)
class SlideStatus:
    """One slide of a project.

    Parameters
    ----------
    slide_id, path, fingerprint
        As the project has them.
    scale
        um per px of level 0.
    text
        For example "1,234 nuclei", "unfinished run, 45 % done", "file missing".
    is_missing
        Whether the file is not where it was.
    """

    slide_id: str
    path: Path
    fingerprint: str
    scale: Scale
    text: str
    is_missing: bool


def project_slides(project: Project) -> list[SlideStatus]:
    """All slides of a project; reads only."""
    found = []
    for record in project.slides():
        missing = not record.path.exists()
        counts = {task: project.counts(record.slide_id, task).total for task in project.tasks(record.slide_id)}
        parts = [count_words(counts)] if counts else []
        parts += [_run_words(run) for run in unfinished_runs(project, record.slide_id)][-1:]
        text = "file missing" if missing else "; ".join(parts) or NOT_SEGMENTED
        found.append(SlideStatus(record.slide_id, record.path, record.fingerprint, record.scale, text, missing))
    return found


def count_words(counts: Mapping[str, int]) -> str:
    """Numbers of objects by task, "1,234 nuclei, 12 glands"; "not segmented" for none."""
    words = []
    for task, count in counts.items():
        one, many = WORDS.get(task, (task, task))
        words.append(f"{count:,} {one if count == 1 else many}")
    return ", ".join(words) or NOT_SEGMENTED


def _run_words(run: RunRecord) -> str:
    """How far an unfinished run is."""
    if "n_tiles" not in run.parameters:
        return "unfinished run"
    done = sum(1 for _ in run.folder.glob("tile_*.npz"))
    return f"unfinished run, {100 * done // max(run.parameters['n_tiles'], 1)} % done"


def last_slide(project: Path, recent: RecentProjects | None = None) -> Path:
    """The file to open with a project: the one that was open last, else the first that is there.

    Raises
    ------
    ProjectError
        If there is none, or the folder is no project.
    """
    with Project.open(project, write=False) as opened:
        paths = [record.path for record in opened.slides()]
    last = (recent or RecentProjects()).last_slide(project)
    wanted: Iterable[Path] = [last, *paths] if last in paths and last is not None else paths
    for path in wanted:
        if path.exists():
            return path
    if not paths:
        raise ProjectError(f"{project}: holds no slide yet; open a slide and choose this project in the panel Slides")
    raise ProjectError(
        f"{project}: its slides are not where they were (for example {paths[0]}); open one where it is now, and choose"
        " this project in the panel Slides"
    )
