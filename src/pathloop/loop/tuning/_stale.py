"""Which slides hold what another model than the project's found, and where: what is to be segmented anew."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pathloop.core import Rect, SlideError
from pathloop.slides import open_slide
from pathloop.store import Project, RunRecord, SlideRecord

__all__ = ["StaleSlide", "scale_to_give", "stale_slides"]

SAME_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class StaleSlide:
    """A slide that another model segmented.

    Parameters
    ----------
    slide
        As the project has it.
    places
        Where: level-0 rectangles, and whether glass was left out; in the order in which they were run.
    is_srgb
        Whether its colours were converted to sRGB before.
    """

    slide: SlideRecord
    places: tuple[tuple[Rect, bool], ...]
    is_srgb: bool = False


def stale_slides(project: Project, checksum: str, tasks: Collection[str]) -> tuple[StaleSlide, ...]:
    """Slides that were segmented, wholly or in places, by another model, and not since by this one.

    Parameters
    ----------
    project
        Open for reading or writing.
    checksum, tasks
        Of the model that counts; what it does not know cannot be segmented anew.
    """
    found = []
    for slide in project.slides():
        runs = [run for run in project.runs(slide.slide_id) if run.finished]
        places = _places(Rect(0, 0, *slide.shape), runs, checksum, tasks)
        if places:
            found.append(StaleSlide(slide, places, is_srgb=any(run.parameters.get("srgb") for run in runs)))
    return tuple(found)


def scale_to_give(slide: SlideRecord) -> float | None:
    """The um per px that a slide of a project must be opened with; None where its file has the project's scale itself.

    Raises
    ------
    SlideNotFoundError
        If its file is gone.
    SlideError
        If it cannot be read, or another file lies there now.
    """
    with open_slide(slide.path) as found:
        if found.fingerprint != slide.fingerprint:
            raise SlideError(f"{slide.path}: is another file than the project's slide {slide.slide_id!r} was")
        own, wanted = found.scale, slide.scale
    if own is not None and max(abs(own.y / wanted.y - 1), abs(own.x / wanted.x - 1)) < SAME_SCALE:
        return None
    return wanted.um_per_px


def _places(
    whole: Rect, runs: Sequence[RunRecord], checksum: str, tasks: Collection[str]
) -> tuple[tuple[Rect, bool], ...]:
    newer: dict[str, list[Rect]] = {task: [] for task in tasks}
    found: list[tuple[Rect, bool]] = []
    # of runs that ended in the same second the one that was begun later counts as later
    for run in sorted(runs, key=lambda run: run.finished or "")[::-1]:
        values = run.parameters
        region = Rect(*values["region"]) if "region" in values else whole
        own = [task for task in values.get("tasks", run.first_ids) if task in newer]
        is_seen = any(_is_left(region, newer[task]) for task in own)
        if is_seen and values.get("model_checksum") != checksum:
            found.append((region, bool(values.get("tissue_mask", True))))
        for task in own:
            newer[task].append(region)
    # as they were run: a place inside a larger one, with glass, was put over it
    found = list(dict.fromkeys(found))[::-1]
    return tuple(one for one in found if not any(_covers(other, one) for other in found if other != one))


def _is_left(region: Rect, areas: Sequence[Rect]) -> bool:
    """Whether anything of a region lies outside all areas."""
    left: tuple[Rect, ...] = (region,)
    for area in areas:
        left = tuple(piece for rect in left for piece in rect.minus(area))
    return bool(left)


def _covers(one: tuple[Rect, bool], other: tuple[Rect, bool]) -> bool:
    """Whether segmenting one place does another too: it holds it, and leaves no glass out that the other has."""
    return not other[0].minus(one[0]) and (other[1] or not one[1])
