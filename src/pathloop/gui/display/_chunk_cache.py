"""Decoded chunks in memory, the latest used ones, up to a number of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

__all__ = ["CHUNK", "ChunkCache", "ChunkKey"]

CHUNK = 512
EMPTY_BYTES = 64
MISSING = object()


class ChunkKey(NamedTuple):
    """A chunk of one owner: what is cached, level, and place in the grid of 512 x 512 chunks."""

    owner: object
    level: int
    row: int
    col: int


class ChunkCache:
    """Least recently used chunks go first. Any thread.

    Parameters
    ----------
    max_bytes
        What the chunks may take in all. None stands for a chunk of zeros and takes next to nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._stamp = 0
        self._chunks: OrderedDict[ChunkKey, NDArray[Any] | None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """What the chunks take now."""
        return self._bytes

    def __contains__(self, key: ChunkKey) -> bool:
        return key in self._chunks

    def get(self, key: ChunkKey, load: Callable[[ChunkKey], NDArray[Any] | None]) -> NDArray[Any] | None:
        """The chunk, loaded where it is not there; read-only.

        What was loaded while something was dropped is handed out and not kept: it may be old.
        """
        with self._lock:
            found: Any = self._chunks.get(key, MISSING)
            if found is not MISSING:
                self._chunks.move_to_end(key)
                return found  # type: ignore[no-any-return]
            stamp = self._stamp
        chunk = load(key)
        if chunk is not None:
            chunk.flags.writeable = False
        with self._lock:
            if stamp == self._stamp and key not in self._chunks:
                self._chunks[key] = chunk
                self._bytes += _size(chunk)
                while self._bytes > self._max_bytes:
                    self._bytes -= _size(self._chunks.popitem(last=False)[1])
        return chunk

    def drop(self, stale: Callable[[ChunkKey], bool]) -> None:
        """Forget chunks that are no longer right."""
        with self._lock:
            self._stamp += 1
            for key in [key for key in self._chunks if stale(key)]:
                self._bytes -= _size(self._chunks.pop(key))


def _size(chunk: NDArray[Any] | None) -> int:
    return EMPTY_BYTES if chunk is None else chunk.nbytes + EMPTY_BYTES
