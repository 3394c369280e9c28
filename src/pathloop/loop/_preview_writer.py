"""Writing previews of an unfinished run, tile by tile, in the process that runs the tiles."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Instances, Rect, read_json, write_json
from pathloop.loop._frames import FIRST_PREVIEW_ID
from pathloop.loop._joining import TaskJoiner, model_classes
from pathloop.loop._level0 import level0_rect
from pathloop.loop._preview import (
    HEADER,
    PREVIEW_FOLDER,
    PREVIEW_SLOTS,
    PREVIEW_VERSION,
    SLOT_IDS,
    Preview,
    tile_table,
)
from pathloop.loop._tables import columns_of, read_arrays, write_arrays
from pathloop.predict import TileFolder, TileJob, tile_grid
from pathloop.rasters import LabelPyramid, create_label_pyramid, open_label_pyramid

__all__ = ["PreviewWriter"]

Place = tuple[int, int]

LINKED_SHARE = 0.5
"""Pieces are one object if they touch along this share of the shorter one's run of pixels at the seam."""

_NEIGHBOURS = (
    ((-1, 0), "top", "bottom"),
    ((1, 0), "bottom", "top"),
    ((0, -1), "left", "right"),
    ((0, 1), "right", "left"),
)


class PreviewWriter:
    """Decodes each finished tile by itself and shows it before the run is finished.

    A kill at any point is made good by the next writer of the run: a tile's table is written last and appears whole,
    and a tile without one is previewed again, with ids that no whole tile has.

    Parameters
    ----------
    folder
        The run's scratch folder, ``<slide id>-<12 letters>``.
    job
        The run.
    tiles
        Its finished tiles; those without a preview get one now.
    catch_up
        False leaves that to ``catch_up``, which tells how far it is.
    """

    def __init__(self, folder: Path, job: TileJob, tiles: TileFolder, *, catch_up: bool = True) -> None:
        self._job, self._tiles, self._grid = job, tiles, tile_grid(job)
        self._folder = folder / PREVIEW_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        slot = _slot(self._folder)
        if slot is None:
            _remove(self._folder)  # none yet, or of no use
            slot = _free_slot(self._folder)
        self._pyramids = {task: self._open(task) for task in job.instance_tasks}
        if not (self._folder / HEADER).is_file():
            self._write_header(slot)
        self.preview = Preview(self._folder)
        self._done = {place for place in self.preview.done() if self._is_whole(*place)}
        first_id = FIRST_PREVIEW_ID + slot * SLOT_IDS
        self._next_ids = {task: max(self._ids(task), default=first_id - 1) + 1 for task in job.instance_tasks}
        # a kill may have left pixels of these
        self._torn = tiles.done() - self._done
        if catch_up:
            for _ in self.catch_up():
                pass

    def catch_up(self) -> Iterator[Place]:
        """Preview the tiles that are recorded and have no preview, telling each one when it is done."""
        grid = {(tile.row, tile.col) for tile in self._grid}
        for place in sorted((self._tiles.done() & grid) - self._done):
            self.add(*place)
            yield place

    def add(self, row: int, col: int) -> None:
        """Preview a recorded tile; nothing is done where it has a preview.

        Raises
        ------
        DataError
            If the tile is damaged.
        """
        if (row, col) in self._done:
            return
        tile = self._grid.tile(row, col)
        rect = level0_rect(self._job, tile.core)
        arrays: dict[str, NDArray[Any]] = {"rect": np.array([rect.y, rect.x, rect.height, rect.width], np.int64)}
        joiner = TaskJoiner(self._job, self._tiles, self._job.instance_tasks, grid=[tile], area=tile.core)
        next_ids = dict(self._next_ids)
        for task in joiner.tasks:
            labels, instances = np.zeros(rect.shape, np.int32), Instances.empty()
            if rect.area:
                objects = joiner.join(task, first_id=next_ids[task])
                labels = objects.labels(rect)
                instances = objects.instances()
                _show(self._pyramids[task], rect, labels, is_blank=(row, col) not in self._torn)
            next_ids[task] = int(instances.ids.max(initial=next_ids[task] - 1)) + 1
            edges = _edges(labels)
            arrays |= columns_of(instances, f"{task}/")
            arrays[f"{task}/links"] = self._links(task, row, col, edges)
            arrays |= {_edge_name(task, side): ids for side, ids in edges.items()}
        write_arrays(tile_table(self._folder, row, col), arrays, compress=True)
        self._done.add((row, col))
        self._next_ids = next_ids

    def _open(self, task: str) -> LabelPyramid:
        path, job = self._folder / task, self._job
        if path.exists():
            return open_label_pyramid(path, write=True)
        attributes = {"task": task, "run_key": job.run_key}
        return create_label_pyramid(path, job.slide.shape, scale=job.scale, attributes=attributes)

    def _write_header(self, slot: int) -> None:
        """The last step of making a preview: from here on readers find it."""
        job, region = self._job, self._job.region
        classes = {task: model_classes(job, task)[0] for task in job.instance_tasks}
        values = {
            "version": PREVIEW_VERSION,
            "run_key": job.run_key,
            "slot": slot,
            "region": [region.y, region.x, region.height, region.width],
            "tasks": {task: [one.model_dump(mode="json") for one in specs] for task, specs in classes.items()},
        }
        write_json(self._folder / HEADER, values)

    def _is_whole(self, row: int, col: int) -> bool:
        """Whether a tile's table can be read; a damaged one goes, since the recorded tile makes it anew."""
        try:
            self.preview.load(row, col)
        except DataError:
            tile_table(self._folder, row, col).unlink(missing_ok=True)
            return False
        return True

    def _ids(self, task: str) -> Iterator[int]:
        """The largest id of each whole tile that has objects."""
        for place in self._done:
            with read_arrays(tile_table(self._folder, *place)) as arrays:
                whole = arrays[f"{task}/whole"]
            if len(whole):
                yield int(whole[:, 0].max())

    def _links(self, task: str, row: int, col: int, edges: dict[str, NDArray[np.int32]]) -> NDArray[np.int64]:
        found = [np.zeros((0, 2), np.int64)]
        for (down, right), side, other_side in _NEIGHBOURS:
            place = (row + down, col + right)
            if place in self._done and edges[side].any():
                with read_arrays(tile_table(self._folder, *place)) as arrays:
                    found.append(_linked(edges[side], arrays[_edge_name(task, other_side)]))
        return np.unique(np.concatenate(found), axis=0)


def _show(pyramid: LabelPyramid, rect: Rect, labels: NDArray[np.int32], *, is_blank: bool) -> None:
    """Put a tile's labels into all levels. Where nothing was before, empty levels need no writing."""
    for level, factor in enumerate(pyramid.factors):
        own = pyramid.level_rect(rect, level)
        part = labels[own.y * factor - rect.y :: factor, own.x * factor - rect.x :: factor]
        if own.area and not (is_blank and not part.any()):
            pyramid.levels[level][own.slices] = part


def _edges(labels: NDArray[np.int32]) -> dict[str, NDArray[np.int32]]:
    """The ids of the outermost pixels, by side."""
    if labels.size == 0:
        return {side: np.zeros(0, np.int32) for _, side, _ in _NEIGHBOURS}
    return {"top": labels[0], "bottom": labels[-1], "left": labels[:, 0], "right": labels[:, -1]}


def _edge_name(task: str, side: str) -> str:
    return f"{task}/{side}"


def _linked(own: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pairs of ids whose runs of pixels face each other along at least half of the shorter run."""
    if len(own) != len(other):  # one of the tiles holds no level-0 pixel
        return np.zeros((0, 2), np.int64)
    (runs, lengths), (other_runs, other_lengths) = _runs(own), _runs(other)
    facing = (own > 0) & (other > 0)
    pairs, counts = np.unique(np.stack([runs, other_runs], axis=1)[facing], axis=0, return_counts=True)
    shorter = np.minimum(lengths[pairs[:, 0]], other_lengths[pairs[:, 1]])
    pairs = pairs[counts >= LINKED_SHARE * shorter]
    starts, other_starts = np.cumsum(lengths) - lengths, np.cumsum(other_lengths) - other_lengths
    return np.stack([own[starts[pairs[:, 0]]], other[other_starts[pairs[:, 1]]]], axis=1).astype(np.int64)


def _runs(line: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of the run of equal ids that each pixel is in, and the runs' lengths."""
    numbers = np.concatenate([[0], np.cumsum(line[1:] != line[:-1])]).astype(np.int64)
    return numbers, np.bincount(numbers).astype(np.int64)


def _slot(folder: Path) -> int | None:
    """The slot of a preview; None where there is none that this version can use."""
    with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
        values = read_json(folder / HEADER)
        if values["version"] == PREVIEW_VERSION:
            return int(values["slot"])
    return None


def _free_slot(folder: Path) -> int:
    """A slot that no other run of the slide has; if all are taken, the preview that rested longest gives way."""
    run = folder.parent
    slide_id = run.name.rpartition("-")[0]
    others = [one for one in run.parent.iterdir() if one != run and one.name.rpartition("-")[0] == slide_id]
    taken: dict[int, Path] = {}
    for other in others:
        slot = _slot(other / PREVIEW_FOLDER)
        if slot is not None:
            taken[slot] = other / PREVIEW_FOLDER
    free = set(range(PREVIEW_SLOTS)) - taken.keys()
    if not free:
        oldest = min(taken, key=lambda slot: taken[slot].stat().st_mtime)
        _remove(taken[oldest])  # it is made again from its tiles when that run goes on
        return oldest
    return min(free)


def _remove(folder: Path) -> None:
    """Take a preview away; readers find the whole of it or none."""
    if folder.exists():
        (folder / HEADER).unlink(missing_ok=True)
        shutil.rmtree(folder)
