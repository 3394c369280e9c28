"""What the network sees in a region: its maps, block by block, the most wanted block first."""

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.predict._engine import Engine
from pathloop.predict._job import TileJob
from pathloop.predict._reading import read_mirrored

__all__ = ["BlockMaps", "region_blocks", "region_maps"]

BLOCK_PX = 1024
"""Longest side of a block's network input, margin included."""


@dataclass(frozen=True, slots=True, eq=False)
class BlockMaps:
    """The maps of one block.

    Parameters
    ----------
    area
        The block, in pixels at the model's scale.
    maps
        By task, in the job's order. Instance tasks: (2, h, w) uint8 interior and boundary probability x 255. Type
        tasks: (1, h, w) uint8 class codes. Patch tasks: (C, rows, columns) float32 probabilities of the cells that the
        area touches; the first one is cell (area.y // cell, area.x // cell) of the slide's grid.
    """

    area: Rect
    maps: dict[str, NDArray[Any]]


def region_blocks(job: TileJob, first: Rect | None = None) -> list[Rect]:
    """Cut a job's region into blocks that the network can take at once.

    Parameters
    ----------
    job
        Its tissue mask and tile size do not count.
    first
        Level-0 pixels that are wanted first; they get blocks of their own. None = the whole region alike.

    Returns
    -------
    list of Rect
        Pixels at the model's scale that cover the region's exactly once: those of ``first`` from its centre outwards,
        then the others, the nearest first.
    """
    area, unit, margin = job.area, _unit(job), _margin(job)
    most = max((BLOCK_PX - 2 * margin) // unit * unit, unit)
    own = job.region if first is None else first.intersect(job.region)
    wanted = dataclasses.replace(job, region=own).area if own.area else area
    y, x = wanted.y + wanted.height / 2, wanted.x + wanted.width / 2
    whole = _aligned(area, unit)
    inner = _up_to_edge(_aligned(wanted, unit), whole, margin)

    def distance(block: Rect) -> float:
        return (block.y + block.height / 2 - y) ** 2 + (block.x + block.width / 2 - x) ** 2

    found: list[Rect] = []
    for parts in ((inner,), whole.minus(inner)):
        blocks = [block.intersect(area) for part in parts for block in _cut(part, unit, most)]
        found += sorted(blocks, key=distance)
    return found


def region_maps(job: TileJob, engine: Engine, blocks: Sequence[Rect]) -> Generator[BlockMaps]:
    """Run the network over blocks; closing the generator ends it after the block in work.

    Inputs begin at multiples of the network's stride (of the tissue cell where a patch task is among the tasks) and
    have the card's margin around the block, as the tiles of a run have; so the maps are those of a run but for what
    a tile's edge does to them.

    Parameters
    ----------
    job
        Slide, model, tasks.
    engine
        Runs the job's tasks, and maybe more.
    blocks
        From `region_blocks`, in the order in which they shall come.

    Yields
    ------
    BlockMaps
        One a block.
    """
    places = [_input(job, block) for block in blocks]
    with ThreadPoolExecutor(1, "read") as reader:
        # the next block is read while this one is in the network
        coming = reader.submit(_read, job, places[0]) if places else None
        for number, (block, place) in enumerate(zip(blocks, places, strict=True)):
            assert coming is not None
            pixels = coming.result()
            if number + 1 < len(places):
                coming = reader.submit(_read, job, places[number + 1])
            yield BlockMaps(block, _own_part(job, block, place, engine.run(pixels)))


def _unit(job: TileJob) -> int:
    """Inputs begin and end at multiples of this, so that the network's cells lie as they do in a run."""
    architecture = job.card.architecture
    has_patches = any(job.labels[task].output == "patch" for task in job.tasks)
    return architecture.cell_px if has_patches else architecture.total_stride


def _margin(job: TileJob) -> int:
    unit = _unit(job)
    return -(-job.card.margin_px // unit) * unit


def _aligned(rect: Rect, unit: int) -> Rect:
    """Grown to multiples of ``unit``."""
    return Rect.from_bounds(
        rect.y // unit * unit, rect.x // unit * unit, -(-rect.bottom // unit) * unit, -(-rect.right // unit) * unit
    )


def _up_to_edge(inner: Rect, whole: Rect, margin: int) -> Rect:
    """Grown to the edges of ``whole`` that are nearer than a margin: a strip so thin would cost more by itself."""
    return Rect.from_bounds(
        whole.y if inner.y - whole.y < margin else inner.y,
        whole.x if inner.x - whole.x < margin else inner.x,
        whole.bottom if whole.bottom - inner.bottom < margin else inner.bottom,
        whole.right if whole.right - inner.right < margin else inner.right,
    )


def _cut(rect: Rect, unit: int, most: int) -> Iterator[Rect]:
    """Into parts of about one size, with sides that are multiples of ``unit`` and at most ``most``."""
    height, width = (-(-size // -(-size // most) // unit) * unit for size in rect.shape)
    for y in range(rect.y, rect.bottom, height):
        for x in range(rect.x, rect.right, width):
            yield Rect(y, x, height, width).intersect(rect)


def _input(job: TileJob, block: Rect) -> Rect:
    """The pixels that the network is given for a block."""
    cell = job.card.architecture.cell_px
    place = _aligned(block, _unit(job)).expand(_margin(job))
    # an engine may have a patch head besides, which needs a whole cell
    return Rect(place.y, place.x, max(place.height, cell), max(place.width, cell))


def _read(job: TileJob, place: Rect) -> NDArray[np.uint8]:
    return read_mirrored(job.slide, place, job.card.um_per_px)


def _own_part(job: TileJob, block: Rect, place: Rect, maps: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The block's part of what the network gave for its input."""
    cell = job.card.architecture.cell_px
    cells = Rect.from_bounds(block.y // cell, block.x // cell, -(-block.bottom // cell), -(-block.right // cell))
    # where there are patches, the input begins with a whole cell
    by_patch, by_pixel = cells.shift(-(place.y // cell), -(place.x // cell)), block.relative_to(place)
    parts = {task: by_patch if job.labels[task].output == "patch" else by_pixel for task in job.tasks}
    return {task: maps[task][(slice(None), *part.slices)].copy() for task, part in parts.items()}
