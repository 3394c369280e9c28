"""One run of the long-lived worker: a slide's tiles into the scratch folder of a project's run."""

import dataclasses
from collections.abc import Generator, Iterator

from pathloop.core import Assembled, Event, ProjectError, RunCancelled, RunStarted
from pathloop.loop import RESULT_FOLDER, PreviewWriter, assemble, empty_run_warning, plan_job, run_parameters
from pathloop.networks import find_model, read_card
from pathloop.predict import Engine, TileFolder, TileJob, segment_tiles, tiles_to_run
from pathloop.slides import open_slide
from pathloop.store import run_folder
from pathloop.worker._engines import Engines
from pathloop.worker._requests import SegmentRun, rect
from pathloop.worker._scheduler import Scheduler

__all__ = ["run_slide"]


def run_slide(request: SegmentRun, engines: Engines, scheduler: Scheduler) -> Generator[Event]:
    """Run a slide's tiles in the order that the scheduler wants, and assemble the result when all are done.

    Only the run's folder is written. Tiles that are recorded there are not run again.

    Yields
    ------
    Event
        Messages, `RunStarted`, `TileDone` once a tile's preview is there, `RunPaused`, `RunResumed`, `RunIdle`,
        `StageProgress`; the last one is `Assembled` or `RunCancelled`.

    Raises
    ------
    PathloopError
        If the slide, the model or an option is wrong; the message says which.
    """
    if scheduler.is_cancelled():
        yield RunCancelled()
        return
    if not (request.project / "runs").is_dir():
        raise ProjectError(f"{request.project}: not a project folder; open or create the project first")
    folder = find_model(request.model)
    card, choice = read_card(folder), engines.choose(request.device)
    with open_slide(request.slide, um_per_px=request.um_per_px) as slide:
        job, messages = plan_job(
            slide,
            card,
            tasks=request.tasks,
            roi=rect(request.region),
            use_tissue_mask=request.use_tissue_mask,
            tile_px=request.tile_px,
            choice=choice,
            force=request.force,
        )
        yield from messages
        if warning := empty_run_warning(job):
            yield warning
        scheduler.model_px = job.scale.y / card.um_per_px, job.scale.x / card.um_per_px
        engine = engines.load(folder, card, job.tasks, choice)
        tiles = TileFolder(run_folder(request.project, request.slide_id, job.run_key))
        yield from _run_tiles(job, engine, tiles, scheduler)
        yield from _assembled(job, tiles, scheduler)


def _run_tiles(job: TileJob, engine: Engine, tiles: TileFolder, scheduler: Scheduler) -> Iterator[Event]:
    """Run and preview what is wanted, and rest, until all tiles are done or the run is cancelled."""
    previews = PreviewWriter(tiles.folder, job, tiles, catch_up=False)
    for _ in previews.catch_up():
        if scheduler.is_cancelled():
            return
    has_started = False
    # comes back here after every rest
    while not scheduler.is_cancelled():
        for event in segment_tiles(
            job, engine, tiles, pick=scheduler.pick, after=lambda tile: previews.add(tile.row, tile.col)
        ):
            if not isinstance(event, RunStarted):
                yield event
            elif not has_started:
                has_started = True
                yield _with_folder(event, job, tiles)
            yield from scheduler.resumed()
            if scheduler.is_cancelled():
                return  # ends the generator, and with it the tile that is read ahead
        done = tiles.done()
        todo = [tile for tile in tiles_to_run(job) if (tile.row, tile.col) not in done]
        if not todo:
            return
        yield from scheduler.rest(todo)


def _with_folder(event: RunStarted, job: TileJob, tiles: TileFolder) -> RunStarted:
    return dataclasses.replace(
        event, folder=tiles.folder, parameters=run_parameters(job), instance_tasks=job.instance_tasks
    )


def _assembled(job: TileJob, tiles: TileFolder, scheduler: Scheduler) -> Iterator[Event]:
    """The result of a run whose tiles are all done, if it was not cancelled; and the last event."""
    yield from scheduler.rest()
    if not scheduler.is_cancelled():
        for event in assemble(job, tiles, tiles.folder):
            yield event
            yield from scheduler.rest()
            if scheduler.is_cancelled():
                break
    yield RunCancelled() if scheduler.is_cancelled() else Assembled(tiles.folder / RESULT_FOLDER)
