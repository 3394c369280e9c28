"""A run's objects and maps into the project, from wherever they are kept."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pathloop.core import DataError, Instances, Rect, StageProgress
from pathloop.loop._joining import ObjectSource, shifted, shifted_labels
from pathloop.loop._maps import write_maps
from pathloop.loop._result import Result
from pathloop.store import Overtaken, Project

__all__ = ["land", "put_objects"]

ATTEMPTS = 5


def land(project: Project, slide_id: str, run_key: str, result: Path) -> Iterator[StageProgress]:
    """Put an assembled result into the project: objects, maps, and the word that the run is finished.

    Needs no slide, model or engine. A kill at any point leaves each task with its old objects or its new ones; the
    next call goes on with the tasks that are missing. A run that has landed stays as it is. Closing the generator
    puts the task in work back as it was. What people corrected is kept, see `put_objects`; all tasks together are one
    entry of the journal, which can be undone, unless something else was done between two of them. Maps are not.

    Parameters
    ----------
    project
        Open for writing; the run was begun in it.
    slide_id, run_key
        The run.
    result
        Its ``result`` folder; removed at the end, with all the run's scratch files.

    Yields
    ------
    StageProgress
        "writing" every object task, a block of at most 1024 x 1024 px a step.

    Raises
    ------
    DataError
        If the result is not whole, or that of another run.
    ProjectError
        If something cannot be written; the task in work stays as it was.
    """
    run = project.run(slide_id, run_key)
    if not Result.is_whole(result) and run.state == "finished":
        shutil.rmtree(run.folder, ignore_errors=True)  # a kill left a part of it
        return
    found = Result(result)
    if found.run_key != run_key:
        raise DataError(f"{result}: the result of another run; segment the slide again")
    for task in found.tasks:
        if run.areas.get(task) != found.region:
            objects = found.objects(task)
            yield from put_objects(
                project, slide_id, objects, run_key=run_key, region=found.region, name=found.slide_name
            )
    write_maps(project, slide_id, run_key, found.maps())
    project.finish_run(slide_id, run_key)
    found.unmark()
    project.finish_run(slide_id, run_key, remove_folder=True)


def put_objects(
    project: Project, slide_id: str, objects: ObjectSource, *, run_key: str, region: Rect, name: str
) -> Iterator[StageProgress]:
    """Replace the predicted objects of a task in a run's region by the run's own; see `Replacement` for what stays.

    Corrections come first: if the task is corrected meanwhile, its objects are put in once more.

    Parameters
    ----------
    objects
        What comes, ids 1..n; the project's ids follow on its own.
    region
        Level-0 pixels of the run.
    name
        The slide file, for messages.

    Yields
    ------
    StageProgress
        After every block.
    """
    for attempt in range(ATTEMPTS):
        try:
            yield from _put(project, slide_id, objects, run_key=run_key, region=region, name=name)
            return
        except Overtaken:
            if attempt == ATTEMPTS - 1:
                raise


def _put(
    project: Project, slide_id: str, objects: ObjectSource, *, run_key: str, region: Rect, name: str
) -> Iterator[StageProgress]:
    codes = project.register_classes(objects.task, objects.classes)
    with project.replace_predicted(slide_id, objects.task, run_key=run_key, area=region) as replacement:
        for index, (block, labels) in enumerate(objects.blocks()):
            replacement.write(block, shifted_labels(labels, replacement.first_id))
            yield StageProgress(name, f"writing {objects.task}", index + 1, objects.n_blocks)
        found: Instances = objects.instances()
        replacement.commit(shifted(found, replacement.first_id, codes))
