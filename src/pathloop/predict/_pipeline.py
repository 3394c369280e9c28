"""Tiles of a slide through the network: read, run, cut into parts, record."""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import (
    Event,
    LabelSchema,
    Rect,
    RunStarted,
    Scale,
    Tile,
    TileDone,
    TileGrid,
    UnknownScaleError,
    UsageError,
)
from pathloop.networks import ModelCard
from pathloop.objects import TilePart, tile_part
from pathloop.predict._engine import Engine, EngineChoice
from pathloop.predict._tile_folder import FinishedTile, TileFolder
from pathloop.slides import Slide, TissueMask

__all__ = ["UNCERTAINTY_STEP_PX", "TileJob", "segment_tiles", "tile_grid", "tiles_to_run"]

UNCERTAINTY_STEP_PX = 16
"""Model pixels per pixel of the uncertainty map."""

_READ_AHEAD = 2


@dataclass(frozen=True, slots=True)
class TileJob:
    """One run over one slide.

    Parameters
    ----------
    slide, card
        What is segmented by which model.
    tasks
        Tasks of the card that run.
    region
        What is segmented: level-0 pixels inside the slide, not empty.
    tissue
        Tiles without any tissue are not run; None = run everything.
    choice
        Engine, device and precision.
    core_px
        Side of a tile's core; a multiple of the tissue cell.
    """

    slide: Slide
    card: ModelCard
    tasks: tuple[str, ...]
    region: Rect
    tissue: TissueMask | None
    choice: EngineChoice
    core_px: int

    @property
    def run_key(self) -> str:
        """Digest of everything that the result depends on; the same key resumes."""
        fields = {
            "slide": self.slide.fingerprint,
            "um_per_px": [self.scale.y, self.scale.x],
            "model": self.card.checksum,
            "tasks": sorted(self.tasks),
            "model_um_per_px": self.card.um_per_px,
            "region": [self.region.y, self.region.x, self.region.height, self.region.width],
            "mask": self.tissue is not None,
            "tile": [self.core_px, self.margin_px],
            "engine": [self.choice.engine, self.choice.device, self.choice.precision],
            "constants": self.card.labels.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    @property
    def scale(self) -> Scale:
        """Pixel size of level 0, um; it must be known."""
        if self.slide.scale is None:
            raise UnknownScaleError(f"{self.slide.path}: states no um per px; give it with --um-per-px")
        return self.slide.scale

    @property
    def area(self) -> Rect:
        """The region at the model's scale: every level-0 pixel finds the model pixel under its centre in it."""
        step_y, step_x = self.scale.y / self.card.um_per_px, self.scale.x / self.card.um_per_px
        top, left = math.floor(self.region.y * step_y), math.floor(self.region.x * step_x)
        bottom, right = math.ceil(self.region.bottom * step_y), math.ceil(self.region.right * step_x)
        whole = Rect(0, 0, *self.slide.shape_at(self.card.um_per_px))
        return Rect.from_bounds(top, left, bottom, right).intersect(whole)

    @property
    def margin_px(self) -> int:
        """The card's margin, rounded up to whole tissue cells so that the cells of a tile stay on the grid."""
        cell = self.card.architecture.cell_px
        return -(-self.card.margin_px // cell) * cell

    @property
    def labels(self) -> LabelSchema:
        """The card's tasks."""
        return self.card.labels

    @property
    def instance_tasks(self) -> tuple[str, ...]:
        """Tasks of the run that yield objects."""
        return tuple(task for task in self.tasks if self.labels[task].output == "instance")

    @property
    def patch_task(self) -> str | None:
        """The task of the run that fills the tissue map."""
        return next((task for task in self.tasks if self.labels[task].output == "patch"), None)


def tile_grid(job: TileJob) -> TileGrid:
    """The grid of a run, anchored at the slide's origin.

    Raises
    ------
    UsageError
        If the core is not a multiple of the tissue cell.
    """
    cell = job.card.architecture.cell_px
    if job.core_px <= 0 or job.core_px % cell:
        raise UsageError(f"the tile core must be a positive multiple of the tissue cell, {cell} px; got {job.core_px}")
    return TileGrid(job.area, job.core_px, job.margin_px)


def tiles_to_run(job: TileJob) -> list[Tile]:
    """All tiles of the grid that hold tissue."""
    tiles = list(tile_grid(job))
    if job.tissue is None:
        return tiles
    return [tile for tile in tiles if job.tissue.fraction_in(tile.core, job.card.um_per_px) > 0]


def segment_tiles(job: TileJob, engine: Engine, folder: TileFolder) -> Iterator[Event]:
    """Run every tile that is not recorded yet. Closing the generator stops after the tile in work.

    Yields
    ------
    Event
        `RunStarted`, then `TileDone` for every tile.
    """
    tiles = tiles_to_run(job)
    done = folder.done()
    todo = [tile for tile in tiles if (tile.row, tile.col) not in done]
    mm2 = job.card.um_per_px**2 * 1e-6
    total_px = sum(tile.core.area for tile in tiles)
    name = job.slide.path.name
    choice = job.choice
    n_done = len(tiles) - len(todo)
    yield RunStarted(name, job.run_key, len(tiles), n_done, total_px * mm2, choice.summary, choice.reason)
    left_px = sum(tile.core.area for tile in todo)
    run_px, started = 0, time.monotonic()
    with ThreadPoolExecutor(1, "read") as readers, ThreadPoolExecutor(1, "post") as posters:
        pending: list[tuple[Tile, Future[None]]] = []
        for tile, pixels in _read_ahead(job, todo, readers):
            maps = engine.run(pixels)
            pending.append((tile, posters.submit(_record, job, tile, maps, folder)))
            # one tile is post-processed while the next one is in the network; no queue grows
            while len(pending) > 1 or (pending and tile is todo[-1]):
                finished, future = pending.pop(0)
                future.result()
                n_done += 1
                run_px += finished.core.area
                left_px -= finished.core.area
                pace = (time.monotonic() - started) / (run_px * mm2)
                done_mm2, eta = (total_px - left_px) * mm2, pace * left_px * mm2
                yield TileDone(name, finished.row, finished.col, n_done, len(tiles), done_mm2, pace, eta)


def _read_ahead(
    job: TileJob, tiles: list[Tile], readers: ThreadPoolExecutor
) -> Iterator[tuple[Tile, NDArray[np.uint8]]]:
    waiting: list[Future[NDArray[np.uint8]]] = []
    try:
        for index, tile in enumerate(tiles):
            for ahead in tiles[index + len(waiting) : index + _READ_AHEAD]:
                waiting.append(readers.submit(_read, job, ahead))
            yield tile, waiting.pop(0).result()
    finally:
        for future in waiting:
            future.cancel()


def _read(job: TileJob, tile: Tile) -> NDArray[np.uint8]:
    """The tile with its margin at the model's scale; mirrored beyond the slide's edge, always the same size."""
    um_per_px = job.card.um_per_px
    height, width = job.slide.shape_at(um_per_px)
    side = job.core_px + 2 * job.margin_px
    wanted = Rect(tile.row * job.core_px - job.margin_px, tile.col * job.core_px - job.margin_px, side, side)
    inside = wanted.intersect(Rect(0, 0, height, width))
    pixels = job.slide.read(inside, um_per_px)
    return np.asarray(
        cv2.copyMakeBorder(
            pixels,
            inside.y - wanted.y,
            wanted.bottom - inside.bottom,
            inside.x - wanted.x,
            wanted.right - inside.right,
            cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )


def _record(job: TileJob, tile: Tile, maps: dict[str, NDArray[np.generic]], folder: TileFolder) -> None:
    origin_y, origin_x = tile.row * job.core_px - job.margin_px, tile.col * job.core_px - job.margin_px
    own = tile.core.shift(-origin_y, -origin_x)
    parts: dict[str, TilePart] = {}
    cells: dict[str, NDArray[np.uint8]] = {}
    for name in job.tasks:
        spec = job.labels[name]
        if spec.output == "instance":
            interior, boundary = (channel[own.slices] for channel in maps[name])
            typed = _type_task(job, name)
            types = None if typed is None else maps[typed][0][own.slices]
            n_classes = 0 if typed is None else len(job.labels[typed].classes)
            parts[name] = tile_part(tile.core, interior, boundary, spec.post, type_map=types, n_classes=n_classes)
        elif spec.output == "patch":
            cells[name] = _cells(job, tile, maps[name])
    uncertainty = _uncertainty([maps[name][(slice(None), *own.slices)] for name in job.instance_tasks], tile.core)
    folder.save(tile.row, tile.col, FinishedTile(parts, cells, uncertainty))


def _type_task(job: TileJob, name: str) -> str | None:
    return next((task for task in job.tasks if job.labels[task].of == name), None)


def _cells(job: TileJob, tile: Tile, probabilities: NDArray[np.generic]) -> NDArray[np.uint8]:
    """1-based class code of every cell that the core touches."""
    cell = job.card.architecture.cell_px
    core = tile.core
    top, left, bottom, right = core.y // cell, core.x // cell, -(-core.bottom // cell), -(-core.right // cell)
    # origin and margin are whole cells, so the tile's first cell lies on the slide's grid
    first_row = (tile.row * job.core_px - job.margin_px) // cell
    first_col = (tile.col * job.core_px - job.margin_px) // cell
    codes = probabilities.argmax(axis=0)[top - first_row : bottom - first_row, left - first_col : right - first_col]
    return np.asarray(codes + 1, np.uint8)


_ENTROPY_OF_BYTE = np.array([0.0] + [-p / 255 * np.log(p / 255) for p in range(1, 256)], np.float32) / np.float32(
    np.log(3)
)


def _uncertainty(maps: list[NDArray[np.generic]], core: Rect) -> NDArray[np.uint8]:
    """Largest entropy over the instance tasks (1 = three classes alike), averaged over steps of the slide's grid."""
    rows, heights = _steps(core.y, core.bottom)
    cols, widths = _steps(core.x, core.right)
    if not maps:
        return np.zeros((len(rows), len(cols)), np.uint8)
    entropy = np.zeros(core.shape, np.float32)
    for interior, boundary in maps:
        rest = (255 - np.minimum(interior.astype(np.int16) + boundary, 255)).astype(np.uint8)
        own = _ENTROPY_OF_BYTE[interior] + _ENTROPY_OF_BYTE[boundary] + _ENTROPY_OF_BYTE[rest]
        np.maximum(entropy, own, out=entropy)
    sums = np.add.reduceat(np.add.reduceat(entropy, rows, axis=0), cols, axis=1)
    means = sums / (heights[:, None] * widths)
    return np.asarray(np.clip(np.rint(255 * means), 0, 255), np.uint8)


def _steps(start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel, counted from ``start``, and length of every step of the slide's grid that is touched."""
    step = UNCERTAINTY_STEP_PX
    edges = np.concatenate([[start], np.arange(start // step * step + step, stop, step), [stop]])
    return edges[:-1] - start, np.diff(edges)
