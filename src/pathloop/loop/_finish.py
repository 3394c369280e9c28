"""The final pass of a run in the process that holds the project: tiles straight into the project. Idempotent."""

from collections.abc import Iterator

from pathloop.core import Event, StageProgress
from pathloop.loop._joining import TaskJoiner
from pathloop.loop._land import put_objects
from pathloop.loop._maps import run_maps, write_maps
from pathloop.predict import TileFolder, TileJob, tile_grid
from pathloop.store import Project

__all__ = ["finish_slide"]


def finish_slide(project: Project, slide_id: str, job: TileJob, tiles: TileFolder) -> Iterator[Event]:
    """Turn the recorded tiles of a run into the project's objects, labels and maps.

    A kill at any point leaves each task with its old objects or its new ones; the next run of the same command goes
    on with the tasks that are missing, and the result is the same, ids included.
    """
    name, run_key = job.slide.path.name, job.run_key
    stored = project.run(slide_id, run_key).areas
    missing = {task for task in job.instance_tasks if stored.get(task) != job.region}
    joiner = TaskJoiner(job, tiles, missing, grid=list(tile_grid(job)), area=job.area)
    for index, task in enumerate(joiner.tasks):
        yield StageProgress(name, f"joining {task}", index, len(joiner.tasks))
        objects = joiner.join(task)
        if task in missing:
            yield from put_objects(project, slide_id, objects, run_key=run_key, region=job.region, name=name)
    write_maps(project, slide_id, run_key, run_maps(job, tiles))
    project.finish_run(slide_id, run_key, remove_folder=True)
