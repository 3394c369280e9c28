"""Tiles of a slide through the network: read, run, cut into parts, record."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Rect, RunStarted, Tile, TileDone
from pathloop.objects import TilePart, tile_part
from pathloop.predict._engine import Engine
from pathloop.predict._job import TileJob, tiles_to_run
from pathloop.predict._lanes import lanes_of
from pathloop.predict._reading import read_mirrored
from pathloop.predict._tile_folder import FinishedTile, TileFolder

__all__ = ["UNCERTAINTY_STEP_PX", "After", "Pick", "segment_tiles"]

UNCERTAINTY_STEP_PX = 16
"""Model pixels per pixel of the uncertainty map."""

_Maps = dict[str, NDArray[Any]]
_Running = tuple[Tile, Future[_Maps]]
_Recording = tuple[Tile, Future[None]]

Pick = Callable[[Sequence[Tile]], Tile | None]
"""Chooses the next tile among those that are left; None ends the run early."""

After = Callable[[Tile], None]
"""Is told of a tile that is recorded."""


def segment_tiles(
    job: TileJob, engine: Engine, folder: TileFolder, *, pick: Pick | None = None, after: After | None = None
) -> Iterator[Event]:
    """Run every tile that is not recorded yet. Closing the generator stops after the tiles in work.

    Parameters
    ----------
    job
        What to run.
    engine
        Runs the network.
    folder
        Where finished tiles are, and are put.
    pick
        Asked for the next tile whenever one is read, while the one before it is in the network; given the tiles that
        nobody has asked for yet, in grid order, not empty. None: nothing is wanted now; the tiles that are read are
        finished, and the run ends. Without it tiles come row by row.
    after
        Called with every tile once it is recorded and before its `TileDone`, in another thread, one tile at a time.
        What it raises ends the run.

    Yields
    ------
    Event
        `RunStarted`, then `TileDone` for every tile, in the order in which they were picked.
    """
    lanes = lanes_of(job.choice, job.core_px + 2 * job.margin_px)
    progress = _Progress(job, folder.done())
    yield progress.run_started()
    progress.start_clock()
    with (
        ThreadPoolExecutor(lanes.readers, "read") as readers,
        ThreadPoolExecutor(lanes.networks, "network") as networks,
        ThreadPoolExecutor(lanes.posters, "post") as posters,
    ):
        recorder = _Recorder(job, folder, after, posters)
        running: deque[_Running] = deque()
        recording: deque[_Recording] = deque()
        try:
            for tile, pixels in _read_ahead(job, progress.todo, pick or _first, readers, lanes.readers + 1):
                running.append((tile, networks.submit(engine.run, pixels)))
                # tiles are post-processed while the next ones are in the network, and told of as soon as they are
                # recorded; no queue grows
                while recording and (len(recording) >= lanes.posters or recording[0][1].done()):
                    yield progress.finished(*recording.popleft())
                if len(running) >= lanes.networks:
                    recording.append(recorder.take(*running[0]))
                    running.popleft()
            while running or recording:
                if running and len(recording) < lanes.posters:
                    recording.append(recorder.take(*running[0]))
                    running.popleft()
                else:
                    yield progress.finished(*recording.popleft())
        finally:
            for tile, maps in running:  # closed meanwhile: what the network has begun is not thrown away
                if maps.exception() is None:
                    recorder.take(tile, maps)


class _Recorder:
    """Cuts maps into objects and writes tiles, in several threads; tells of one at a time."""

    def __init__(self, job: TileJob, folder: TileFolder, after: After | None, posters: ThreadPoolExecutor) -> None:
        self._job, self._folder, self._after, self._posters = job, folder, after, posters
        self._telling = threading.Lock()

    def take(self, tile: Tile, maps: Future[_Maps]) -> _Recording:
        """Wait for a tile's maps, and have it recorded."""
        return tile, self._posters.submit(self._record, tile, maps.result())

    def _record(self, tile: Tile, maps: _Maps) -> None:
        self._folder.save(tile.row, tile.col, _finished_tile(self._job, tile, maps))
        if self._after is not None:
            with self._telling:
                self._after(tile)


class _Progress:
    """How far a run is, and how long the rest will take at the pace of this call."""

    def __init__(self, job: TileJob, done: set[tuple[int, int]]) -> None:
        self._job = job
        tiles = tiles_to_run(job)
        self.todo = [tile for tile in tiles if (tile.row, tile.col) not in done]
        self._mm2 = job.card.um_per_px**2 * 1e-6
        self._n_tiles, self._n_done = len(tiles), len(tiles) - len(self.todo)
        self._total_px = sum(tile.core.area for tile in tiles)
        self._left_px = sum(tile.core.area for tile in self.todo)
        self._run_px, self._started = 0, 0.0

    def run_started(self) -> RunStarted:
        """The first event."""
        choice, name = self._job.choice, self._job.slide.path.name
        area_mm2 = self._total_px * self._mm2
        return RunStarted(name, self._job.run_key, self._n_tiles, self._n_done, area_mm2, choice.summary, choice.reason)

    def start_clock(self) -> None:
        """The time of tiles counts from here."""
        self._started = time.monotonic()

    def finished(self, tile: Tile, recorded: Future[None]) -> TileDone:
        """Wait until a tile is recorded; its event."""
        recorded.result()
        self._n_done += 1
        self._run_px += tile.core.area
        self._left_px -= tile.core.area
        pace = (time.monotonic() - self._started) / (self._run_px * self._mm2)
        done_mm2, eta = (self._total_px - self._left_px) * self._mm2, pace * self._left_px * self._mm2
        name = self._job.slide.path.name
        return TileDone(name, tile.row, tile.col, self._n_done, self._n_tiles, done_mm2, pace, eta)


def _first(tiles: Sequence[Tile]) -> Tile:
    return tiles[0]


def _read_ahead(
    job: TileJob, todo: Sequence[Tile], pick: Pick, readers: ThreadPoolExecutor, n_ahead: int
) -> Iterator[tuple[Tile, NDArray[np.uint8]]]:
    """Tiles with their pixels; ``n_ahead`` are read or being read and not yet asked for."""
    left = {(tile.row, tile.col): tile for tile in todo}
    waiting: deque[tuple[Tile, Future[NDArray[np.uint8]]]] = deque()
    try:
        while True:
            while left and len(waiting) < n_ahead:
                tile = pick(list(left.values()))
                if tile is None:
                    left.clear()
                    break
                del left[tile.row, tile.col]
                waiting.append((tile, readers.submit(_read, job, tile)))
            if not waiting:
                return
            tile, pixels = waiting.popleft()
            yield tile, pixels.result()
    finally:
        for _, pixels in waiting:
            pixels.cancel()


def _read(job: TileJob, tile: Tile) -> NDArray[np.uint8]:
    """The tile with its margin at the model's scale; mirrored beyond the slide's edge, always the same size."""
    side = job.core_px + 2 * job.margin_px
    wanted = Rect(tile.row * job.core_px - job.margin_px, tile.col * job.core_px - job.margin_px, side, side)
    return read_mirrored(job.slide, wanted, job.card.um_per_px)


def _finished_tile(job: TileJob, tile: Tile, maps: _Maps) -> FinishedTile:
    """Objects, cells and uncertainty of a tile's core."""
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
    return FinishedTile(parts, cells, uncertainty)


def _type_task(job: TileJob, name: str) -> str | None:
    return next((task for task in job.tasks if job.labels[task].of == name), None)


def _cells(job: TileJob, tile: Tile, probabilities: NDArray[np.generic]) -> NDArray[np.uint8]:
    """1-based class code of every cell that the core touches."""
    cell = job.card.architecture.cell_px
    core = tile.core
    top, left, bottom, right = core.y // cell, core.x // cell, -(-core.bottom // cell), -(-core.right // cell)
    # the core is whole cells; what the margin is more than that (patch by patch only) lies before the first cell
    first_row = tile.row * job.core_px // cell - job.margin_px // cell
    first_col = tile.col * job.core_px // cell - job.margin_px // cell
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
