"""Labels as the journal says they are, and the way of the journal's pixels into the pyramids."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, ProjectError, Rect, TileGrid
from pathloop.rasters import LabelPyramid, open_label_pyramid
from pathloop.store._database import Database
from pathloop.store._edits import Change, PixelChange
from pathloop.store._layers import Layer
from pathloop.store._patches import unpack
from pathloop.store._review_records import JournalEntry

__all__ = ["CommittedLabels", "KeptLabels", "apply_waiting", "cannot_write"]

CHUNK_PX = 512
PX_AT_ONCE = 16_000_000
CHUNKS_KEPT = 100
"""Bounds of what is in memory: 128 MB of tiles, 100 MB of chunks."""

TAKEN_OVER = 1000

_Key = tuple[int, str, Rect]


class CommittedLabels:
    """Level 0 of a layer as the journal says, whether or not the pyramid holds it yet.

    Chunks are read once; what is committed later must be told (`take_over`).

    Parameters
    ----------
    database, layer
        What to read.
    pyramid
        The layer's; None = opened here, zeros where there is none.
    """

    def __init__(self, database: Database, layer: Layer, pyramid: LabelPyramid | None = None) -> None:
        if pyramid is None and layer.labels.exists():
            pyramid = open_label_pyramid(layer.labels)
        self._database, self._layer, self._pyramid = database, layer, pyramid
        self._chunks: dict[tuple[int, int], NDArray[np.int32]] = {}
        self._waiting = _waiting_tiles(database, layer)

    def read(self, rect: Rect) -> NDArray[np.int32]:
        """Ids of level-0 pixels; 0 beyond the image. Shape ``rect.shape``."""
        labels = np.zeros(rect.shape, np.int32)
        inside = rect if self._pyramid is None else rect.intersect(self._pyramid.bounds)
        for tile in TileGrid(
            Rect.from_bounds(max(inside.y, 0), max(inside.x, 0), inside.bottom, inside.right), CHUNK_PX
        ):
            whole = Rect(tile.row * CHUNK_PX, tile.col * CHUNK_PX, CHUNK_PX, CHUNK_PX)
            chunk = self._chunk((tile.row, tile.col), whole)
            labels[tile.core.relative_to(rect).slices] = chunk[tile.core.relative_to(whole).slices]
        return labels

    def take_over(self, change: PixelChange, entry: int, kind: str) -> None:
        """Look as after a change that was just committed.

        Parameters
        ----------
        change
            As applied.
        entry, kind
            The entry that holds it, and whether that was an ``undo``.
        """
        self._waiting.append((entry, kind, change.rect))
        for tile in TileGrid(change.rect, CHUNK_PX):
            chunk = self._chunks.get((tile.row, tile.col))
            if chunk is not None:
                lay_over(chunk, Rect(tile.row * CHUNK_PX, tile.col * CHUNK_PX, *chunk.shape), change)

    @property
    def is_long(self) -> bool:
        """Whether so much was taken over that a new one is better."""
        return len(self._waiting) > TAKEN_OVER

    def _chunk(self, place: tuple[int, int], rect: Rect) -> NDArray[np.int32]:
        if place not in self._chunks:
            if len(self._chunks) >= CHUNKS_KEPT:
                del self._chunks[next(iter(self._chunks))]
            labels = np.zeros(rect.shape, np.int32) if self._pyramid is None else self._pyramid.read(rect)
            for entry, kind, box in self._waiting:
                if box.intersect(rect).area:
                    lay_over(labels, rect, _tile(self._database, self._layer, (entry, kind, box)))
            self._chunks[place] = labels
        return self._chunks[place]


class KeptLabels:
    """The labels that a project looked at last, kept until something else than a correction changes them."""

    def __init__(self) -> None:
        self._pyramids: dict[int, LabelPyramid] = {}
        self._key: tuple[int, ...] = ()
        self._labels: CommittedLabels | None = None

    def of(self, database: Database, layer: Layer) -> CommittedLabels:
        """The labels of a layer as the journal says."""
        if layer.number not in self._pyramids and layer.labels.exists():
            self._pyramids[layer.number] = open_label_pyramid(layer.labels)  # takes 9 ms, and folders stay
        [(last, n_landings, n_pending)] = database.rows(
            "SELECT ifnull(max(entry), 0), (SELECT count(*) FROM journal_runs), (SELECT count(*) FROM pending)"
            " FROM journal"
        )
        key = (layer.number, last, n_landings)
        if self._labels is None or self._key != key or n_pending or self._labels.is_long:
            self._key, self._labels = key, CommittedLabels(database, layer, self._pyramids.get(layer.number))
        return self._labels

    def follow(self, tasks: Mapping[int, str], entry: JournalEntry, change: Change) -> None:
        """Go on with what was just committed, and nothing else.

        Parameters
        ----------
        tasks
            By layer number, of the slide.
        entry, change
            As committed.
        """
        if self._labels is None:
            return
        layer, _, n_landings = self._key
        for one in change.pixels:
            if tasks.get(layer) == one.task:
                self._labels.take_over(one, entry.target or entry.number, entry.kind)
        self._key = (layer, entry.number, n_landings)


def lay_over(labels: NDArray[np.int32], rect: Rect, change: PixelChange) -> None:
    """Make a change in labels of a rectangle, where both meet."""
    common = rect.intersect(change.rect)
    if common.area:
        inside = common.relative_to(change.rect).slices
        before, after = change.before[inside], change.after[inside]
        np.copyto(labels[common.relative_to(rect).slices], after, where=before != after)


def apply_waiting(database: Database, layer: Layer) -> None:
    """Write what the journal holds of a layer, and its pyramid does not yet, into the pyramid.

    Doing it twice does no harm: ids are written, not differences.

    Raises
    ------
    ProjectError
        If the pyramid cannot be written.
    """
    keys = _waiting_tiles(database, layer)
    if not keys:
        return
    try:
        pyramid = open_label_pyramid(layer.labels, write=True)
        for batch in _batches(keys):
            tiles = [_tile(database, layer, key) for key in batch]
            for level, factor in enumerate(pyramid.factors):
                _write_level(pyramid, level, [one for tile in tiles for one in _sampled(tile, factor)])
    except OSError as error:
        raise cannot_write(layer.labels, error) from error
    except DataError as error:
        raise ProjectError(str(error)) from error
    database.rows("UPDATE layers SET applied = (SELECT max(entry) FROM journal) WHERE layer = ?", (layer.number,))


def _waiting_tiles(database: Database, layer: Layer) -> list[_Key]:
    """Entry that holds it, kind and rectangle of every patch that is not in the pyramid yet, oldest first.

    Those of one entry, which do not overlap, come in Z-order: neighbours share chunks, on coarse levels above all.
    """
    rows = database.rows(
        'SELECT j.entry, p.entry, j.kind, p.top, p."left", p.bottom, p."right" FROM journal j JOIN journal_pixels p ON'
        " p.entry = ifnull(j.target, j.entry) AND p.layer = ?1"
        " WHERE j.entry > (SELECT applied FROM layers WHERE layer = ?1) ORDER BY j.entry",
        (layer.number,),
    )
    rows.sort(key=lambda row: (row[0], _interleaved(row[3] // CHUNK_PX, row[4] // CHUNK_PX)))
    return [(entry, kind, Rect.from_bounds(*bounds)) for _, entry, kind, *bounds in rows]


def _interleaved(row: int, col: int) -> int:
    """Place of a cell on the Z-order curve."""
    return sum(((row >> bit & 1) << 1 | (col >> bit & 1)) << (2 * bit) for bit in range(16))


def _batches(keys: Sequence[_Key]) -> Iterator[list[_Key]]:
    batch: list[_Key] = []
    n_px = 0
    for key in keys:
        if batch and n_px + key[2].area > PX_AT_ONCE:
            yield batch
            batch, n_px = [], 0
        batch.append(key)
        n_px += key[2].area
    if batch:
        yield batch


def _tile(database: Database, layer: Layer, key: _Key) -> PixelChange:
    entry, kind, rect = key
    [(blob,)] = database.rows(
        'SELECT ids FROM journal_pixels WHERE entry = ? AND layer = ? AND top = ? AND "left" = ?',
        (entry, layer.number, rect.y, rect.x),
    )
    change = unpack(layer.task, rect, blob)
    return change.reversed if kind == "undo" else change


def _sampled(change: PixelChange, factor: int) -> Iterator[PixelChange]:
    """A change in the pixels of a coarser level: those on its lattice; none where no such pixel differs."""
    if factor == 1:
        yield change
        return
    rect = change.rect
    top, left, bottom, right = (-(-value // factor) for value in (rect.y, rect.x, rect.bottom, rect.right))
    place = Rect.from_bounds(top, left, bottom, right)
    if place.area:
        where = slice(top * factor - rect.y, None, factor), slice(left * factor - rect.x, None, factor)
        before, after = change.before[where], change.after[where]
        if (before != after).any():
            yield PixelChange(change.task, place, before, after)


def _write_level(pyramid: LabelPyramid, level: int, changes: Sequence[PixelChange]) -> None:
    """Make changes, in their order, in one level; every chunk is read and written once."""
    by_chunk: dict[tuple[int, int], list[PixelChange]] = {}
    for one in changes:
        for tile in TileGrid(one.rect, CHUNK_PX):
            by_chunk.setdefault((tile.row, tile.col), []).append(one)
    array = pyramid.levels[level]
    for (row, col), found in by_chunk.items():
        rect = Rect(row * CHUNK_PX, col * CHUNK_PX, CHUNK_PX, CHUNK_PX).intersect(Rect(0, 0, *array.shape))
        labels = pyramid.read(rect, level=level)
        for one in found:
            lay_over(labels, rect, one)
        array[rect.slices] = labels


def cannot_write(path: Path, error: OSError) -> ProjectError:
    """The error in one line that says what to do."""
    reason = error.strerror or error
    return ProjectError(f"{path}: cannot be written ({reason}); check that the drive is there, writable and not full")
