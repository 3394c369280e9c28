"""The final pass of a run: join tiles, write level-0 labels, object tables and maps. Idempotent."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Rect, StageProgress, TileGrid
from pathloop.loop._maps import write_maps
from pathloop.objects import Joined, Measurer, join
from pathloop.predict import TileFolder, TileJob, tile_grid
from pathloop.store import Project

__all__ = ["finish_slide"]

BLOCK_PX = 2048
"""Side of the level-0 blocks that are written at once; a multiple of the pyramid's chunks."""

SOURCE_PX = 4096**2
"""Model pixels that are held at once; only slides coarser than the model need more than a block has."""


def finish_slide(project: Project, slide_id: str, job: TileJob, tiles: TileFolder) -> Iterator[Event]:
    """Turn the recorded tiles of a run into the project's objects, labels and maps.

    A kill at any point leaves each task with its old objects or its new ones; the next run of the same command goes
    on with the tasks that are missing, and the result is the same, ids included.
    """
    name, grid = job.slide.path.name, list(tile_grid(job))
    stored = project.run(slide_id, job.run_key).areas
    missing = {task for task in job.instance_tasks if stored.get(task) != job.region}
    needed = missing | {job.labels[task].post.clip_to for task in missing}
    # those that clip others come first
    specs = [job.labels[task] for task in job.instance_tasks if task in needed]
    specs.sort(key=lambda spec: spec.post.clip_to is not None)
    joined: dict[str, Joined] = {}
    for index, spec in enumerate(specs):
        yield StageProgress(name, f"joining {spec.name}", index, len(specs))
        owner = joined.get(spec.post.clip_to or "")
        clip = None if owner is None else partial(_inside, owner)
        objects = join(grid, partial(tiles.load_part, spec.name), spec.post, area=job.area, clip=clip)
        if any(other.post.clip_to == spec.name for other in specs):
            joined[spec.name] = objects
        if spec.name in missing:
            yield from _write_objects(project, slide_id, spec.name, job, objects)
    write_maps(project, slide_id, job, tiles)
    project.finish_run(slide_id, job.run_key, remove_folder=True)


def _inside(owner: Joined, rect: Rect) -> NDArray[np.bool_]:
    return owner.labels(rect) > 0


def _write_objects(project: Project, slide_id: str, task: str, job: TileJob, joined: Joined) -> Iterator[Event]:
    classes = _class_codes(project, task, job, joined)
    measurer = Measurer()
    blocks = list(TileGrid(job.region, BLOCK_PX))
    with project.replace_predicted(slide_id, task, run_key=job.run_key, area=job.region) as replacement:
        for index, block in enumerate(blocks):
            labels = _level0_labels(job, joined, block.core)
            labels = np.where(labels > 0, labels + np.int32(replacement.first_id - 1), 0)
            replacement.write(block.core, labels)
            measurer.add(labels, y=block.core.y, x=block.core.x)
            yield StageProgress(job.slide.path.name, f"writing {task}", index + 1, len(blocks))
        rows = measurer.ids - replacement.first_id
        instances = measurer.instances(
            confidences=joined.confidences[rows],
            class_codes=classes[joined.class_codes[rows]],
            class_probabilities=joined.class_probabilities[rows],
        )
        replacement.commit(instances)


def _class_codes(project: Project, task: str, job: TileJob, joined: Joined) -> NDArray[np.int16]:
    """The project's code of each code that the run uses.

    Without a type head every object has the task's one class; a type head's codes go by name.
    """
    typed = next((job.labels[name] for name in job.tasks if job.labels[name].of == task), None)
    spec = typed or job.labels[task]
    codes = project.register_classes(task, spec.classes)
    return codes if typed is not None else np.array([codes[1]], np.int16)


def _level0_labels(job: TileJob, joined: Joined, block: Rect) -> NDArray[np.int32]:
    """Ids of a level-0 block: each pixel takes the model pixel that its centre lies in."""
    step_y, step_x = job.scale.y / job.card.um_per_px, job.scale.x / job.card.um_per_px
    rows = np.floor((np.arange(block.y, block.bottom) + 0.5) * step_y).astype(np.int64)
    cols = np.floor((np.arange(block.x, block.right) + 0.5) * step_x).astype(np.int64)
    area = job.area
    rows, cols = np.clip(rows, area.y, area.bottom - 1), np.clip(cols, area.x, area.right - 1)
    source = Rect.from_bounds(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    if source.area > SOURCE_PX and min(block.shape) > 1:
        half = -(-max(block.shape) // 2)
        parts = [
            Rect(y, x, half, half).intersect(block)
            for y in (block.y, block.y + half)
            for x in (block.x, block.x + half)
        ]
        out = np.zeros(block.shape, np.int32)
        for part in parts:
            if part.area:
                out[part.relative_to(block).slices] = _level0_labels(job, joined, part)
        return out
    labels = joined.labels(source)
    return np.asarray(labels[np.ix_(rows - source.y, cols - source.x)], np.int32)
