"""The final pass of a run: join tiles, write level-0 labels, object tables and maps. Idempotent."""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Instances, Rect, StageProgress, TileGrid
from pathloop.objects import Joined, Measurer, join
from pathloop.predict import UNCERTAINTY_STEP_PX, TileFolder, TileJob, tile_grid
from pathloop.store import Project, TissueMap, UncertaintyMap

__all__ = ["finish_slide"]

BLOCK_PX = 2048
"""Side of the level-0 blocks that are written at once; a multiple of the pyramid's chunks."""


def finish_slide(
    project: Project, slide_id: str, job: TileJob, tiles: TileFolder, *, roi: Rect | None
) -> Iterator[Event]:
    """Turn the recorded tiles of a run into the project's objects, labels and maps.

    A kill at any point leaves the project with what it had before, for every task apart; the next run of the same
    command does the pass again with the same result.
    """
    grid = tile_grid(job)
    slide_area = Rect(0, 0, *job.slide.shape)
    area = slide_area if roi is None else roi.intersect(slide_area)
    specs = sorted(
        (job.labels[task] for task in job.tasks if job.labels[task].output == "instance"),
        key=lambda spec: spec.post.clip_to is not None,
    )
    joined: dict[str, Joined] = {}
    for index, spec in enumerate(specs):
        yield StageProgress(job.slide.path.name, f"joining {spec.name}", index, len(specs))
        owner = joined.get(spec.post.clip_to or "")
        clip = None if owner is None else partial(_inside, owner)
        joined[spec.name] = join(list(grid), partial(tiles.load_part, spec.name), spec.post, area=job.area, clip=clip)
    for spec in specs:
        yield from _write_objects(project, slide_id, spec.name, job, joined[spec.name], area)
    _write_maps(project, slide_id, job, tiles, grid)
    project.finish_run(slide_id, job.run_key, remove_folder=True)


def _inside(owner: Joined, rect: Rect) -> NDArray[np.bool_]:
    return owner.labels(rect) > 0


def _write_objects(
    project: Project, slide_id: str, task: str, job: TileJob, joined: Joined, area: Rect
) -> Iterator[Event]:
    classes = _class_codes(project, task, job, joined)
    measurer = Measurer()
    blocks = list(TileGrid(area, BLOCK_PX))
    with project.replace_predicted(slide_id, task, run_key=job.run_key, area=area) as replacement:
        for index, block in enumerate(blocks):
            labels = _level0_labels(job, joined, block.core)
            labels = np.where(labels > 0, labels + np.int32(replacement.first_id - 1), 0)
            replacement.write(block.core, labels)
            measurer.add(labels, y=block.core.y, x=block.core.x)
            yield StageProgress(job.slide.path.name, f"writing {task}", index + 1, len(blocks))
        rows = measurer.ids - replacement.first_id
        instances: Instances = measurer.instances(
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
    assert job.slide.scale is not None
    step_y = job.slide.scale.y / job.card.um_per_px
    step_x = job.slide.scale.x / job.card.um_per_px
    rows = np.floor((np.arange(block.y, block.bottom) + 0.5) * step_y).astype(np.int64)
    cols = np.floor((np.arange(block.x, block.right) + 0.5) * step_x).astype(np.int64)
    rows = np.clip(rows, job.area.y, job.area.bottom - 1)
    cols = np.clip(cols, job.area.x, job.area.right - 1)
    source = Rect.from_bounds(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    labels = joined.labels(source)
    return np.asarray(labels[np.ix_(rows - source.y, cols - source.x)], np.int32)


def _write_maps(project: Project, slide_id: str, job: TileJob, tiles: TileFolder, grid: TileGrid) -> None:
    """Fill the run's part of the slide's tissue and uncertainty maps; the rest stays as it was."""
    cell = job.card.architecture.cell_px
    height, width = job.slide.shape_at(job.card.um_per_px)
    patch = next((task for task in job.tasks if job.labels[task].output == "patch"), None)
    tissue = np.zeros((math.ceil(height / cell), math.ceil(width / cell)), np.uint8)
    step = UNCERTAINTY_STEP_PX
    unsure = np.zeros((math.ceil(height / step), math.ceil(width / step)), np.uint8)
    old_tissue, old_unsure = project.tissue(slide_id), project.uncertainty(slide_id)
    if old_tissue is not None and old_tissue.codes.shape == tissue.shape:
        tissue = old_tissue.codes.copy()
    if old_unsure is not None and old_unsure.values.shape == unsure.shape:
        unsure = old_unsure.values.copy()
    done = tiles.done()
    for tile in grid:
        if (tile.row, tile.col) not in done:
            continue
        cells, uncertainty = tiles.load_maps(tile.row, tile.col)
        if patch is not None:
            _paste(tissue, cells[patch], tile.core.y // cell, tile.core.x // cell)
        _paste(unsure, uncertainty, tile.core.y // step, tile.core.x // step)
    assert job.slide.scale is not None
    pixel = (job.card.um_per_px / job.slide.scale.y, job.card.um_per_px / job.slide.scale.x)
    if patch is not None:
        classes = job.labels[patch].classes
        names, colors = tuple(one.name for one in classes), tuple(one.color for one in classes)
        size = (cell * pixel[0], cell * pixel[1])
        project.write_tissue(slide_id, TissueMap(tissue, names, colors, size, (0.0, 0.0), job.run_key))
    if any(job.labels[task].output == "instance" for task in job.tasks):
        size = (step * pixel[0], step * pixel[1])
        measure = "largest entropy of interior, boundary and background over the object tasks"
        project.write_uncertainty(slide_id, UncertaintyMap(unsure, measure, size, (0.0, 0.0), job.run_key))


def _paste(target: NDArray[np.uint8], part: NDArray[np.uint8], top: int, left: int) -> None:
    view = target[top : top + part.shape[0], left : left + part.shape[1]]
    view[...] = part[: view.shape[0], : view.shape[1]]
