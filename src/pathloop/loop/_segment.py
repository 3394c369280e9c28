"""Segment slides into a project: tiles, joining, level-0 labels, tables and maps."""

import math
from collections.abc import Iterator
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
from pathloop.networks import DEFAULT_MODEL, ModelCard, find_model, read_card
from pathloop.predict import (
    Engine,
    TileFolder,
    TileJob,
    choose_engine,
    load_engine,
    segment_tiles,
)
from pathloop.slides import Slide, open_slide, tissue_mask
from pathloop.store import Project

__all__ = ["SegmentRequest", "segment"]

WARN_COARSER = 1.5
REFUSE_COARSER = 4.0
"""A slide coarser than these multiples of the model's scale warns, and is refused unless forced."""

DEFAULT_TILE_PX = 1024


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


def segment(request: SegmentRequest) -> Iterator[Event]:
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
            _area(slide, request.roi, card.um_per_px)
    engine: Engine | None = None
    totals = dict.fromkeys((task for task in tasks if card.labels[task].output == "instance"), 0)
    with Project.open_or_create(request.project) as project:
        for path in request.slides:
            with open_slide(path, um_per_px=request.um_per_px) as slide:
                tissue = tissue_mask(slide) if request.use_tissue_mask else None
                if tissue is not None and not tissue.mask.any():
                    yield Message(f"{path.name}: no tissue found; running on the whole slide", level="warning")
                    tissue = None
                area = _area(slide, request.roi, card.um_per_px)
                job = TileJob(slide, card, tasks, area, tissue, choice, core_px)
                slide_id = _record_slide(project, slide)
                run = project.begin_run(slide_id, job.run_key, _parameters(job, request), tasks=list(totals))
                if run.state == "finished":
                    yield Message(f"{path.name}: already segmented with these settings; nothing to do")
                else:
                    engine = engine or load_engine(folder, tasks, choice)
                    tiles = TileFolder(run.folder)
                    yield from segment_tiles(job, engine, tiles)
                    yield from finish_slide(project, slide_id, job, tiles, roi=request.roi)
                for task in totals:
                    totals[task] += project.counts(slide_id, task).total
    yield JobFinished(request.project, {"slides": len(request.slides), "objects": totals})


def _tasks(wanted: tuple[str, ...] | None, card: ModelCard) -> tuple[str, ...]:
    """The asked tasks in the card's order, with the tasks that clip or type them."""
    if wanted is None:
        return card.labels.names
    unknown = [task for task in wanted if task not in card.labels]
    if unknown:
        known = ", ".join(card.labels.names)
        raise UsageError(f"model {card.name!r} has no task {', '.join(unknown)}; it has {known}")
    needed = {*wanted}
    for task in wanted:
        owner = card.labels[task].post.clip_to
        needed |= {owner} if owner else set()
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


def _area(slide: Slide, roi: Rect | None, um_per_px: float) -> Rect:
    """The area at the model's scale; a region of interest is given in level-0 pixels."""
    whole = Rect(0, 0, *slide.shape_at(um_per_px))
    if roi is None:
        return whole
    inside = roi.intersect(Rect(0, 0, *slide.shape))
    if inside.area == 0:
        height, width = slide.shape
        raise UsageError(f"{slide.path}: the region of interest lies outside the slide ({height} x {width} px)")
    assert slide.scale is not None
    step_y, step_x = slide.scale.y / um_per_px, slide.scale.x / um_per_px
    # every level-0 pixel of the region must find its model pixel inside the area
    top, left = math.floor(inside.y * step_y), math.floor(inside.x * step_x)
    bottom, right = math.ceil(inside.bottom * step_y), math.ceil(inside.right * step_x)
    return Rect.from_bounds(top, left, bottom, right).intersect(whole)


def _core_px(tile_px: int, card: ModelCard) -> int:
    """What is left of an input tile inside the margin, in whole tissue cells."""
    cell = card.architecture.cell_px
    margin = -(-card.margin_px // cell) * cell
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


def _parameters(job: TileJob, request: SegmentRequest) -> dict[str, object]:
    """What a person wants to know about a run later; the key holds what the result depends on."""
    return {
        "model": job.card.name,
        "model_version": job.card.version,
        "model_checksum": job.card.checksum,
        "tasks": list(job.tasks),
        "engine": job.choice.summary,
        "reason": job.choice.reason,
        "roi": None if request.roi is None else [request.roi.y, request.roi.x, request.roi.height, request.roi.width],
        "tissue_mask": job.tissue is not None,
        "core_px": job.core_px,
        "margin_px": job.margin_px,
    }
