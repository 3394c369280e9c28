"""Decoded file tiles, kept while they are likely to be asked for again."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

__all__ = ["TileCache"]

TileKey = tuple[int, int, int]


class TileCache:
    """Least-recently-used cache of decoded tiles, limited in bytes, safe for threads.

    Threads that ask for the same missing tile wait for one decoding. The newest tile is kept even if it alone is larger
    than the limit (a TIFF with one strip is one tile).

    Parameters
    ----------
    max_bytes
        Limit on the pixels kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._tiles: OrderedDict[TileKey, NDArray[np.uint8]] = OrderedDict()
        self._pending: dict[TileKey, Future[NDArray[np.uint8]]] = {}
        self._lock = threading.Lock()

    def fetch(self, key: TileKey, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The tile under ``key`` (read-only), decoded by this thread if no other has it or is at it."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
            waiting = self._pending.get(key)
            if waiting is None:
                mine: Future[NDArray[np.uint8]] = Future()
                self._pending[key] = mine
        if waiting is not None:
            return waiting.result()
        try:
            tile = decode()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            mine.set_exception(error)
            raise
        tile.flags.writeable = False
        with self._lock:
            self._keep(key, tile)
            del self._pending[key]
        mine.set_result(tile)
        return tile

    def clear(self) -> None:
        """Drop every tile."""
        with self._lock:
            self._tiles.clear()
            self._bytes = 0

    def _keep(self, key: TileKey, tile: NDArray[np.uint8]) -> None:
        self._tiles[key] = tile
        self._bytes += tile.nbytes
        while self._bytes > self._max_bytes and len(self._tiles) > 1:
            _, dropped = self._tiles.popitem(last=False)
            self._bytes -= dropped.nbytes
