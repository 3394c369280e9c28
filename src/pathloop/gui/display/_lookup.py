"""From ids to colour codes: dense tables over the few ranges that a task's ids lie in."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameIndex", "Lookup"]

WIDE_GAP = 2**22
"""Ids further apart than this get tables of their own: landed ids start at 1, each preview starts far from the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Codes of the ids ``first``, ``first + 1``, ...

    Parameters
    ----------
    first
        > 0.
    codes
        (n + 2,) uint8: of id ``first - 1 + i``; 0 at both ends, for all that lies beyond.
    """

    first: int
    codes: NDArray[np.uint8]

    @property
    def last(self) -> int:
        """The last id."""
        return self.first + len(self.codes) - 3


class Lookup:
    """Codes of ids; ids that are in no block have code 0.

    Parameters
    ----------
    blocks
        By ascending first id; they do not overlap.
    parts
        First id, and the object's id of this id and the following ones, (n,) int32: for ids of parts.
    """

    def __init__(self, blocks: Sequence[Block] = (), parts: Sequence[tuple[int, NDArray[np.int32]]] = ()) -> None:
        self._blocks, self._parts = tuple(blocks), tuple(parts)

    def codes(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Codes of an array of ids, same shape."""
        if not self._blocks:
            return np.zeros(ids.shape, np.uint8)
        first, *others = self._blocks
        index = ids.astype(np.intp)
        index -= first.first - 1
        out = first.codes.take(index, mode="clip")
        if others and int(ids.max(initial=0)) >= others[0].first:
            flat, result = ids.reshape(-1), out.reshape(-1)
            places = np.flatnonzero(flat >= others[0].first)
            values = flat[places].astype(np.intp)
            for block in others:
                inside = (values >= block.first) & (values <= block.last)
                result[places[inside]] = block.codes[values[inside] - (block.first - 1)]
        return out

    def rooted(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Ids with those of parts replaced by their object's; the array itself where it holds no such id."""
        if not self._parts or int(ids.max(initial=0)) < self._parts[0][0]:
            return ids
        out = ids.copy()
        for first, objects in self._parts:
            inside = (ids >= first) & (ids < first + len(objects))
            out[inside] = objects[ids[inside] - first]
        return out


class FrameIndex:
    """Where the ids of a frame lie, worked out once so that recolouring only fills tables.

    Parameters
    ----------
    ids
        (N,) int64, ascending, > 0.
    aliases, roots
        (M,) ids of parts, ascending, and the id of the object that each belongs to.
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        aliases: NDArray[np.int64] | None = None,
        roots: NDArray[np.int64] | None = None,
    ) -> None:
        self._ids = ids
        self._spans = list(_spans(ids))
        self._places = [ids[start:stop] - (ids[start] - 1) for start, stop in self._spans]
        self._parts = []
        if aliases is not None and roots is not None:
            for start, stop in _spans(aliases):
                first = int(aliases[start])
                objects = np.arange(first, aliases[stop - 1] + 1, dtype=np.int32)
                objects[aliases[start:stop] - first] = roots[start:stop]
                self._parts.append((first, objects))

    def lookup(self, codes: NDArray[np.uint8]) -> Lookup:
        """Tables for the codes of the frame's rows, (N,) uint8."""
        blocks = []
        for (start, stop), places in zip(self._spans, self._places, strict=True):
            table = np.zeros(int(places[-1]) + 2, np.uint8)
            table[places] = codes[start:stop]
            blocks.append(Block(int(self._ids[start]), table))
        return Lookup(blocks, self._parts)

    def row(self, object_id: int) -> int:
        """The row of an object or of a part of it; -1 where the frame has none."""
        for first, objects in self._parts:
            if first <= object_id < first + len(objects):
                object_id = int(objects[object_id - first])
                break
        row = int(np.searchsorted(self._ids, object_id))
        return row if row < len(self._ids) and self._ids[row] == object_id else -1


def _spans(ids: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Start and stop of stretches of ascending ids without a wide gap."""
    cuts = np.flatnonzero(np.diff(ids) > WIDE_GAP) + 1
    for start, stop in itertools.pairwise([0, *cuts.tolist(), len(ids)]):
        if stop > start:
            yield start, stop
