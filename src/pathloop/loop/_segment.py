"""Segment slides into a project: tiles, joining, level-0 labels, tables and maps."""

import contextlib
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import (
    Event,
    JobFinished,
    Message,
    Rect,
    SlideError,
    UnknownScaleError,
    UsageError,
)
from pathloop.loop._finish import finish_slide
from pathloop.loop._runs import is_segmented, run_parameters
from pathloop.networks import DEFAULT_MODEL, ModelCard, find_model, read_card
from pathloop.predict import (
    Engine,
    TileFolder,
    TileJob,
    choose_engine,
    load_engine,
    segment_tiles,
    tiles_to_run,
)
from pathloop.slides import Slide, open_slide, tissue_mask
from pathloop.store import Project

__all__ = ["SegmentRequest", "segment"]

WARN_COARSER = 1.5
REFUSE_COARSER = 4.0
"""A slide coarser than these multiples of the model's scale warns, and is refused unless forced."""

DEFAULT_TILE_PX = 1024
MAX_TILE_PX = 8192


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """What to segment, with what, into which project.

    Parameters
    ----------
    slides
        Slide files; several become one project.
    project
        Project folder; created if missing.
    model
        Bundled model's name or a model folder.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    um_per_px
        Beats the slides' own scale; None = as they say.
    roi
        Level-0 pixels; None = the whole slide.
    tasks
        Tasks to run; None = all of the model's.
    use_tissue_mask
        Leave out tiles without tissue.
    tile_px
        Side of a network input tile, margin included.
    force
        Run although the slide is far coarser than the model.
    engine, precision
        Overrule the choice of engine; None = choose.
    """

    slides: tuple[Path, ...]
    project: Path
    model: str = DEFAULT_MODEL
    device: str = "auto"
    um_per_px: float | None = None
    roi: Rect | None = None
    tasks: tuple[str, ...] | None = None
    use_tissue_mask: bool = True
    tile_px: int = DEFAULT_TILE_PX
    force: bool = False
    engine: str | None = None
    precision: str | None = None


def segment(request: SegmentRequest) -> Generator[Event]:
    """Segment every slide of a request. Run it again after an interruption: finished tiles are not run twice.

    Every slide is opened and checked before anything is written, so a wrong file leaves no project behind.

    Yields
    ------
    Event
        Messages, `RunStarted`, `TileDone` and `StageProgress` for every slide; the last one is `JobFinished`.

    Raises
    ------
    PathloopError
        If a slide, the model, an option or the project is wrong; the message says which.
    """
    folder = find_model(request.model)
    card = read_card(folder)
    tasks = _tasks(request.tasks, card)
    choice = choose_engine(request.device, engine=request.engine, precision=request.precision)
    core_px = _core_px(request.tile_px, card)
    if not request.slides:
        raise UsageError("name at least one slide")
    for path in request.slides:
        with open_slide(path, um_per_px=request.um_per_px) as slide:
            yield from _check_scale(slide, card, force=request.force)
            region = _region(slide, request.roi)
            if request.roi is not None and region != request.roi:
                yield Message(f"{path.name}: the region of interest is cut to the slide: {region}", level="warning")
    engine: Engine | None = None
    slide_ids: list[str] = []
    with _opened(request.project) as project:
        for path in request.slides:
            with open_slide(path, um_per_px=request.um_per_px) as slide:
                tissue = tissue_mask(slide) if request.use_tissue_mask else None
                if tissue is not None and not tissue.mask.any():
                    yield Message(f"{path.name}: no tissue found; running on the whole slide", level="warning")
                    tissue = None
                job = TileJob(slide, card, tasks, _region(slide, request.roi), tissue, choice, core_px)
                slide_id = _record_slide(project, slide)
                slide_ids.append(slide_id)
                if is_segmented(project, slide_id, job):
                    yield Message(f"{path.name}: already segmented with these settings; nothing to do")
                    continue
                engine = engine or load_engine(folder, tasks, choice)
                yield from _segment_slide(project, slide_id, job, engine)
        slide_ids = list(dict.fromkeys(slide_ids))  # a copy of a slide is the same slide
        objects = {
            task: sum(project.counts(slide_id, task).total for slide_id in slide_ids)
            for task in tasks
            if card.labels[task].output == "instance"
        }
    yield JobFinished(request.project, {"slides": len(slide_ids), "objects": objects})


def _segment_slide(project: Project, slide_id: str, job: TileJob, engine: Engine) -> Iterator[Event]:
    name = job.slide.path.name
    if not tiles_to_run(job):
        yield Message(f"{name}: no tissue in this region; --no-tissue-mask runs on it all the same", level="warning")
    run = project.begin_run(slide_id, job.run_key, run_parameters(job), tasks=job.instance_tasks)
    tiles = TileFolder(run.folder)
    yield from segment_tiles(job, engine, tiles)
    yield from finish_slide(project, slide_id, job, tiles)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Project]:
    """The project, made where it is missing; a new one is removed again if the job fails before its first tile."""
    is_new = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    is_empty = False
    try:
        with Project.open_or_create(path) as project:
            try:
                yield project
            except Exception:
                runs = [run for slide in project.slides() for run in project.runs(slide.slide_id)]
                is_empty = is_new and not any(run.finished or TileFolder(run.folder).done() for run in runs)
                raise
    finally:
        if is_empty:
            shutil.rmtree(path)


def _tasks(wanted: tuple[str, ...] | None, card: ModelCard) -> tuple[str, ...]:
    """The asked tasks in the card's order, with the tasks that clip or type them."""
    if wanted is None:
        return card.labels.names
    if not wanted:
        raise UsageError(f"no task named; model {card.name!r} has {', '.join(card.labels.names)}")
    unknown = [task for task in wanted if task not in card.labels]
    if unknown:
        known = ", ".join(card.labels.names)
        raise UsageError(f"model {card.name!r} has no task {', '.join(unknown)}; it has {known}")
    needed = {*wanted}
    for task in wanted:
        needed |= {owner for owner in (card.labels[task].post.clip_to, card.labels[task].of) if owner}
    needed |= {task.name for task in card.labels.tasks if task.of in needed}
    return tuple(task for task in card.labels.names if task in needed)


def _check_scale(slide: Slide, card: ModelCard, *, force: bool) -> Iterator[Event]:
    if slide.scale is None:
        raise UnknownScaleError(
            f"{slide.path}: states no um per px; give it with --um-per-px (0.25 for most 40x, 0.5 for most 20x scans)"
        )
    ratio = slide.scale.um_per_px / card.um_per_px
    if ratio > REFUSE_COARSER and not force:
        raise SlideError(
            f"{slide.path}: {slide.scale.um_per_px:.3g} um per px is {ratio:.1f} times coarser than model"
            f" {card.name!r} ({card.um_per_px:g}); check --um-per-px, or add --force to run all the same"
        )
    if ratio > WARN_COARSER:
        yield Message(
            f"{slide.path.name}: {slide.scale.um_per_px:.3g} um per px is {ratio:.1f} times coarser than the model"
            f" expects ({card.um_per_px:g}); small objects will be missed",
            level="warning",
        )


def _region(slide: Slide, roi: Rect | None) -> Rect:
    """Level-0 pixels to segment."""
    whole = Rect(0, 0, *slide.shape)
    region = whole if roi is None else roi.intersect(whole)
    if region.area == 0:
        height, width = slide.shape
        raise UsageError(f"{slide.path}: the region of interest lies outside the slide ({height} x {width} px)")
    return region


def _core_px(tile_px: int, card: ModelCard) -> int:
    """What is left of an input tile inside the margin, in whole tissue cells."""
    cell = card.architecture.cell_px
    margin = -(-card.margin_px // cell) * cell
    if tile_px > MAX_TILE_PX:
        raise UsageError(f"tiles of {tile_px} px are more than fits in memory; use at most {MAX_TILE_PX}")
    core = (tile_px - 2 * margin) // cell * cell
    if core <= 0:
        least = 2 * margin + cell
        raise UsageError(f"tiles of {tile_px} px leave nothing inside a margin of {margin} px; use at least {least}")
    return core


def _record_slide(project: Project, slide: Slide) -> str:
    assert slide.scale is not None
    record = project.add_slide(
        slide.path.resolve(),
        fingerprint=slide.fingerprint,
        shape=slide.shape,
        um_per_px_y=slide.scale.y,
        um_per_px_x=slide.scale.x,
        reader=slide.format,
    )
    return record.slide_id
