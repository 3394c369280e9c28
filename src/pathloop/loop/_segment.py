"""Segment slides into a project: tiles, joining, level-0 labels, tables and maps."""

import contextlib
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pathloop.core import Event, JobFinished, Message, Rect, UsageError
from pathloop.loop._finish import finish_slide
from pathloop.loop._plan import DEFAULT_TILE_PX, check_slide, choose_tasks, core_size, empty_run_warning, plan_job
from pathloop.loop._quality import quality_messages
from pathloop.loop._runs import is_segmented, run_parameters
from pathloop.networks import DEFAULT_MODEL, ModelCard, find_model, read_card
from pathloop.predict import Engine, EngineChoice, TileFolder, TileJob, choose_engine, load_engine, segment_tiles
from pathloop.slides import Slide, open_slide
from pathloop.store import Project

__all__ = ["SegmentRequest", "segment"]


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
        Known model's name or a model folder.
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
    to_srgb
        Convert the slides' colours to sRGB by their ICC profiles.
    engine, precision
        Overrule the choice of engine; None = choose.
    patchwise
        Patches of 448 px of which the central 144 px are kept, as the published pipeline runs: for comparison.
    look_first
        Say first what is wrong with a slide, see `quality_messages`.
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
    to_srgb: bool = False
    engine: str | None = None
    precision: str | None = None
    patchwise: bool = False
    look_first: bool = True


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
    tasks = choose_tasks(request.tasks, card)
    choice = choose_engine(request.device, engine=request.engine, precision=request.precision)
    choice = replace(choice, patchwise=request.patchwise)
    core_size(request.tile_px, card, patchwise=request.patchwise)
    if not request.slides:
        raise UsageError("name at least one slide")
    told: list[Message] = []
    for path in request.slides:
        with open_slide(path, um_per_px=request.um_per_px, to_srgb=request.to_srgb) as slide:
            _, messages = check_slide(slide, card, roi=request.roi, force=request.force)
        yield from messages
        told += messages
    engine: Engine | None = None
    slide_ids: list[str] = []
    notes: list[str] = []
    with _opened(request.project) as project:
        for path in request.slides:
            with open_slide(path, um_per_px=request.um_per_px, to_srgb=request.to_srgb) as slide:
                job, messages = _planned(slide, card, request, choice)
                yield from (message for message in messages if message not in told)
                slide_id = _record_slide(project, slide)
                slide_ids.append(slide_id)
                if is_segmented(project, slide_id, job.run_key, run_parameters(job)):
                    yield Message(f"{path.name}: already segmented with these settings; nothing to do")
                    continue
                if request.look_first:
                    notes += yield from quality_messages(slide, job.region)
                engine = engine or load_engine(folder, tasks, choice)
                yield from _segment_slide(project, slide_id, job, engine)
        slide_ids = list(dict.fromkeys(slide_ids))  # a copy of a slide is the same slide
        objects = {
            task: sum(project.counts(slide_id, task).total for slide_id in slide_ids)
            for task in tasks
            if card.labels[task].output == "instance"
        }
    yield JobFinished(request.project, {"slides": len(slide_ids), "objects": objects, "quality": notes})


def _planned(
    slide: Slide, card: ModelCard, request: SegmentRequest, choice: EngineChoice
) -> tuple[TileJob, list[Message]]:
    return plan_job(
        slide,
        card,
        tasks=request.tasks,
        roi=request.roi,
        use_tissue_mask=request.use_tissue_mask,
        tile_px=request.tile_px,
        choice=choice,
        force=request.force,
    )


def _segment_slide(project: Project, slide_id: str, job: TileJob, engine: Engine) -> Iterator[Event]:
    warning = empty_run_warning(job)
    if warning is not None:
        yield warning
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
