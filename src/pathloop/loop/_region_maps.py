"""The network's maps of a region on their way from the worker to whoever asked: planned, written, read, joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect, UsageError
from pathloop.loop._level0 import level0_rect
from pathloop.loop._plan import DEFAULT_TILE_PX, check_slide, choose_tasks, core_size
from pathloop.loop._tables import read_arrays, write_arrays
from pathloop.networks import ModelCard
from pathloop.predict import BlockMaps, EngineChoice, TileJob
from pathloop.slides import Slide

__all__ = ["RegionMaps", "join_maps", "plan_maps", "read_maps_block", "write_maps_block"]

VERSION = 1

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class RegionMaps:
    """What the network sees in a part of a slide.

    Parameters
    ----------
    model, checksum
        Name of the model, and what tells its weights from others.
    rect
        Level-0 pixels that take their value here: their centres lie in a map pixel of this part.
    area
        The same part in map pixels, whose (0, 0) is the slide's first one: the maps are (area.height, area.width).
    origin
        (y, x) of the centre of the maps' first pixel, level-0 pixels.
    step
        (y, x) level-0 pixels per map pixel.
    tasks
        By instance task: interior and boundary, both (h, w) uint8, probability x 255.
    types
        By type task: (h, w) uint8 class codes, 0 = none.
    patches
        By patch task: (C, rows, columns) float32 probabilities of the tissue cells that the part touches.
    first_cell
        (row, column) of the first of these cells in the slide's grid; (0, 0) where there are none.
    cell_px
        (y, x) size of a cell, level-0 pixels; the first cell of the slide's grid begins at the slide's corner, (-0.5,
        -0.5).
    """

    model: str
    checksum: str
    rect: Rect
    area: Rect
    origin: Pair
    step: Pair
    tasks: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    types: dict[str, NDArray[np.uint8]]
    patches: dict[str, NDArray[np.float32]]
    first_cell: tuple[int, int]
    cell_px: Pair


def plan_maps(slide: Slide, card: ModelCard, rect: Rect, tasks: Sequence[str] | None, choice: EngineChoice) -> TileJob:
    """What `region_maps` shall run: the tasks and their type tasks, on the part of ``rect`` that lies on the slide.

    A slide that is far coarser than the model is taken as it is: whoever corrects it has seen what came of it.

    Raises
    ------
    UnknownScaleError
        If the slide's scale is not known.
    UsageError
        If a task is unknown, or the rectangle lies outside the slide.
    """
    asked = choose_tasks(tasks, card)
    if tasks is not None:
        # what clips a task is needed for objects, not for maps
        asked = tuple(task for task in asked if task in tasks or card.labels[task].of in tasks)
    region, _ = check_slide(slide, card, roi=rect, force=True)
    return TileJob(slide, card, asked, region, None, choice, core_size(DEFAULT_TILE_PX, card))


def write_maps_block(path: Path, job: TileJob, block: BlockMaps) -> Rect:
    """Write a block for `read_maps_block`, whole or not at all; the level-0 pixels that it covers."""
    rect = level0_rect(job, block.area)
    cell = job.card.architecture.cell_px
    step = _step(job)
    has_patches = any(job.labels[task].output == "patch" for task in block.maps)
    arrays: dict[str, NDArray[Any]] = {
        "version": np.array(VERSION),
        "model": np.array([job.card.name, job.card.checksum]),
        "rect": _bounds(rect),
        "area": _bounds(block.area),
        "step": np.array(step),
        "first_cell": np.array([block.area.y // cell, block.area.x // cell] if has_patches else [0, 0]),
        "cell_px": np.array([cell * step[0], cell * step[1]]),
    }
    arrays |= {f"{job.labels[task].output}/{task}": values for task, values in block.maps.items()}
    write_arrays(path, arrays, compress=False)
    return rect


def read_maps_block(path: Path) -> RegionMaps:
    """A block that the worker wrote.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another version.
    """
    try:
        with read_arrays(path) as arrays:
            if int(arrays["version"]) != VERSION:
                raise ValueError(f"version {int(arrays['version'])}, this program reads {VERSION}")
            return _parsed({name: arrays[name] for name in arrays})
    except DataError as error:
        raise DataError(f"{path}: the maps of this region cannot be read; open the region again") from error


def _parsed(arrays: dict[str, NDArray[Any]]) -> RegionMaps:
    kinds: dict[str, dict[str, NDArray[Any]]] = {"instance": {}, "type": {}, "patch": {}}
    for name, values in arrays.items():
        kind, _, task = name.partition("/")
        if task:
            kinds[kind][task] = values
    model, checksum = (str(value) for value in arrays["model"])
    area, step = Rect(*arrays["area"].tolist()), _pair(arrays["step"])
    return RegionMaps(
        model=model,
        checksum=checksum,
        rect=Rect(*arrays["rect"].tolist()),
        area=area,
        origin=_origin(area, step),
        step=step,
        tasks={task: (values[0], values[1]) for task, values in kinds["instance"].items()},
        types={task: values[0] for task, values in kinds["type"].items()},
        patches=kinds["patch"],
        first_cell=(int(arrays["first_cell"][0]), int(arrays["first_cell"][1])),
        cell_px=_pair(arrays["cell_px"]),
    )


def join_maps(blocks: Sequence[RegionMaps]) -> RegionMaps:
    """Blocks of one request side by side, so that what a seam cuts is whole; 0 where a block is missing.

    Raises
    ------
    UsageError
        If there is none, or they are of several models, scales or sets of tasks.
    """
    if not blocks:
        raise UsageError("no maps to join")
    one = blocks[0]
    alike = {(b.checksum, b.step, (*b.tasks,), (*b.types,), (*b.patches,)) for b in blocks}
    if len(alike) > 1:
        raise UsageError("maps of several models, scales or sets of tasks cannot be joined")
    areas, cells = [block.area for block in blocks], [_cells(block) for block in blocks]
    area, all_cells = _around(areas), _around(cells)
    interiors, boundaries = (
        {task: _pasted(areas, [block.tasks[task][which] for block in blocks], area) for task in one.tasks}
        for which in (0, 1)
    )
    return RegionMaps(
        model=one.model,
        checksum=one.checksum,
        rect=_around([block.rect for block in blocks]),
        area=area,
        origin=_origin(area, one.step),
        step=one.step,
        tasks={task: (interiors[task], boundaries[task]) for task in one.tasks},
        types={task: _pasted(areas, [block.types[task] for block in blocks], area) for task in one.types},
        patches={task: _pasted(cells, [block.patches[task] for block in blocks], all_cells) for task in one.patches},
        first_cell=(all_cells.y, all_cells.x),
        cell_px=one.cell_px,
    )


def _pasted(places: Sequence[Rect], parts: Sequence[NDArray[Any]], onto: Rect) -> NDArray[Any]:
    """Arrays, whose last two axes are their places', laid onto one."""
    out = np.zeros((*parts[0].shape[:-2], *onto.shape), parts[0].dtype)
    for place, values in zip(places, parts, strict=True):
        out[(..., *place.relative_to(onto).slices)] = values
    return out


def _cells(block: RegionMaps) -> Rect:
    shape = next((values.shape[1:] for values in block.patches.values()), (0, 0))
    return Rect(*block.first_cell, *shape)


def _around(rects: Sequence[Rect]) -> Rect:
    return Rect.from_bounds(
        min(rect.y for rect in rects),
        min(rect.x for rect in rects),
        max(rect.bottom for rect in rects),
        max(rect.right for rect in rects),
    )


def _step(job: TileJob) -> Pair:
    return job.card.um_per_px / job.scale.y, job.card.um_per_px / job.scale.x


def _origin(area: Rect, step: Pair) -> Pair:
    """The centre of the first pixel of an area: both images share their top-left corner."""
    return (area.y + 0.5) * step[0] - 0.5, (area.x + 0.5) * step[1] - 0.5


def _bounds(rect: Rect) -> NDArray[np.int64]:
    return np.array([rect.y, rect.x, rect.height, rect.width])


def _pair(values: NDArray[Any]) -> Pair:
    return float(values[0]), float(values[1])
