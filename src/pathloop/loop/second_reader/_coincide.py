"""Which objects of two copies lie on each other, before and after: counted block by block, as one table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.loop.second_reader._sides import Copies, Rows, Side
from pathloop.loop.second_reader._since import BLOCK_PX, Place

__all__ = ["Coincidences", "Pairs", "coincide"]

Pairs = dict[tuple[int, int], int]
"""Pixels by pair of ids, both > 0."""
THEIRS_BEFORE, THEIRS, MINE_BEFORE, MINE = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Coincidences:
    """Pixels on which something changed, by what lies there.

    Parameters
    ----------
    ids
        (N, 4) int64: their id before and now, my id before and now; 0 = nothing.
    pixels
        (N,) int64.
    """

    ids: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def pairs(self, first: int, second: int) -> Pairs:
        """Pixels of two columns of ``ids`` by pair of ids."""
        both = (self.ids[:, first] > 0) & (self.ids[:, second] > 0)
        keys, sums = _summed(self.ids[both][:, [first, second]], self.pixels[both])
        return {(one, other): n for (one, other), n in zip(keys.tolist(), sums.tolist(), strict=True)}

    @property
    def before(self) -> Pairs:
        """Theirs and mine when the copies parted."""
        return self.pairs(THEIRS_BEFORE, MINE_BEFORE)

    @property
    def now(self) -> Pairs:
        """Theirs and mine now."""
        return self.pairs(THEIRS, MINE)

    @property
    def handed_over(self) -> tuple[Pairs, Pairs]:
        """Pixels that went from one object to another, in theirs and in mine."""
        theirs, mine = self.pairs(THEIRS_BEFORE, THEIRS), self.pairs(MINE_BEFORE, MINE)
        return (
            {pair: n for pair, n in theirs.items() if pair[0] != pair[1]},
            {pair: n for pair, n in mine.items() if pair[0] != pair[1]},
        )


def coincide(copies: Copies, task: str, theirs: Rows, mine: Rows) -> tuple[Coincidences, Rows]:
    """Count.

    Parameters
    ----------
    theirs, mine
        The objects that changed in each copy.

    Returns
    -------
    tuple
        The table of all pixels on which an object of ``theirs`` lies or lay, or one of the objects of ``mine`` that
        are near enough to matter; and these objects of ``mine``.
    """
    places, near = _reachable(theirs, mine)
    changed = tuple(np.array(sorted(rows), np.int64) for rows in (theirs, near))
    ids, pixels = [np.zeros((0, 4), np.int64)], [np.zeros(0, np.int64)]
    for place in sorted(places):
        keys, sums = _block(copies, task, place, (changed[0], changed[1]))
        ids.append(keys)
        pixels.append(sums)
    return Coincidences(*_summed(np.concatenate(ids), np.concatenate(pixels))), near


def _reachable(theirs: Rows, mine: Rows) -> tuple[set[Place], Rows]:
    """Blocks to look at, and my objects in them: those that no chain of blocks joins to theirs stay out."""
    places = _blocks(theirs)
    by_place: dict[Place, list[int]] = {}
    for number, rows in mine.items():
        for place in _blocks({number: rows}):
            by_place.setdefault(place, []).append(number)
    near: Rows = {}
    waiting = list(places)
    while waiting:
        for number in by_place.pop(waiting.pop(), ()):
            if number not in near:
                near[number] = mine[number]
                reached = _blocks({number: mine[number]})
                waiting += reached - places
                places |= reached
    return places, near


def _blocks(rows: Rows) -> set[Place]:
    """Blocks that objects meet or met; plain integers, for most boxes lie in one block."""
    return {
        (row, col)
        for top, left, bottom, right in (row.box for pair in rows.values() for row in pair if row is not None)
        for row in range(top // BLOCK_PX, (bottom - 1) // BLOCK_PX + 1)
        for col in range(left // BLOCK_PX, (right - 1) // BLOCK_PX + 1)
    }


def _block(
    copies: Copies, task: str, place: Place, changed: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The table of one block, counted by runs of equal pixels."""
    layers = [*_before_and_now(copies.theirs, task, place), *_before_and_now(copies.mine, task, place)]
    flat = [layer.ravel() for layer in layers]
    differs = np.zeros(flat[0].size, bool)
    for layer in flat:
        differs[1:] |= layer[1:] != layer[:-1]
    starts = np.concatenate([[0], np.flatnonzero(differs)])
    lengths = np.diff(starts, append=flat[0].size)
    ids = np.stack([layer[starts] for layer in flat], axis=1).astype(np.int64)
    kept = np.isin(ids[:, :2], changed[0]).any(axis=1) | np.isin(ids[:, 2:], changed[1]).any(axis=1)
    return _summed(ids[kept], lengths[kept])


def _before_and_now(side: Side, task: str, place: Place) -> Iterable[NDArray[np.int32]]:
    rect = side.block(place)
    labels = side.now(task, rect)
    return side.since.before(task, rect, labels), labels


def _summed(ids: NDArray[np.int64], pixels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    keys, index = np.unique(ids, axis=0, return_inverse=True)
    sums = np.zeros(len(keys), np.int64)
    np.add.at(sums, index.ravel(), pixels)
    return keys, sums
