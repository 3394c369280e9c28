"""The final result of a run without a project: worked out beside the tiles, for another process to land."""

from collections.abc import Iterator
from pathlib import Path

from pathloop.core import StageProgress
from pathloop.loop._joining import TaskJoiner, model_classes
from pathloop.loop._maps import run_maps
from pathloop.loop._result import RESULT_FOLDER, Result, mark_whole, store_maps, stored_objects
from pathloop.predict import TileFolder, TileJob, tile_grid

__all__ = ["assemble"]


def assemble(job: TileJob, tiles: TileFolder, folder: Path) -> Iterator[StageProgress]:
    """Join the recorded tiles of a run into ``folder/result``; nothing else is written.

    A kill at any point is made good by the next call, which goes on with the tasks that are missing. A whole result
    stays as it is.

    Parameters
    ----------
    job
        A run whose tiles are all recorded.
    tiles
        Those tiles.
    folder
        The run's scratch folder.

    Yields
    ------
    StageProgress
        "joining" and "measuring" every object task.

    Raises
    ------
    DataError
        If a tile is damaged.
    """
    result = folder / RESULT_FOLDER
    if Result.is_whole(result):
        return
    name = job.slide.path.name
    joiner = TaskJoiner(job, tiles, job.instance_tasks, grid=list(tile_grid(job)), area=job.area)
    for index, task in enumerate(joiner.tasks):
        yield StageProgress(name, f"joining {task}", index, len(joiner.tasks))
        objects = joiner.join(task)
        for done in stored_objects(result, job, objects):
            yield StageProgress(name, f"measuring {task}", done, objects.n_blocks)
    maps = run_maps(job, tiles)
    store_maps(result, maps)
    mark_whole(result, job, {task: model_classes(job, task)[0] for task in joiner.tasks}, maps)
