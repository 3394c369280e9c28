"""Small pictures of regions, read one after the other in the background, the last one asked for first."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.gui._background import Background
from pathloop.gui._opened import OpenedSlide
from pathloop.loop.queue import region_thumbnail

__all__ = ["PICTURE_PX", "Thumbnails"]

PICTURE_PX = 128
KEPT = 400
"""Pictures; 50 kB each."""
MOST_WAITING = 24
"""What was scrolled past is not read any more."""

Picture = NDArray[np.uint8]
Key = tuple[Path, Rect]


class Thumbnails:
    """Keeps pictures, and reads those that are asked for and missing. Main thread only.

    Parameters
    ----------
    background
        Reads.
    arrived
        Told which rectangle's picture has come.
    """

    def __init__(self, background: Background, arrived: Callable[[Rect], Any]) -> None:
        self._background, self._arrived = background, arrived
        self._pictures: OrderedDict[Key, Picture] = OrderedDict()
        self._waiting: OrderedDict[Key, OpenedSlide] = OrderedDict()
        self._failed: set[Key] = set()
        self._is_reading = False
        self._is_closed = False

    def get(self, opened: OpenedSlide, rect: Rect) -> Picture | None:
        """The picture of a rectangle of a slide; None while it is not there. Asking has it read."""
        key = opened.path, rect
        found = self._pictures.get(key)
        if found is not None:
            self._pictures.move_to_end(key)
            return found
        if key not in self._failed:
            self._waiting[key] = opened
            self._waiting.move_to_end(key)
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            # painting asks: what comes of it must not happen while it paints
            self._background.later(0, self._read_next)
        return None

    def close(self) -> None:
        """Read no more."""
        self._is_closed = True
        self._waiting.clear()

    def _read_next(self) -> None:
        if self._is_reading or not self._waiting or self._is_closed:
            return
        key, opened = self._waiting.popitem(last=True)
        self._is_reading = True
        slide = opened.slide

        def done(picture: Picture) -> None:
            self._is_reading = False
            if self._is_closed:
                return
            self._pictures[key] = picture
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
            self._arrived(key[1])
            self._read_next()

        def failed(error: Exception) -> None:
            # the slide may be closed by now, or its file gone; the row goes without
            self._is_reading = False
            self._failed.add(key)
            self._read_next()

        self._background.run(lambda: region_thumbnail(slide, key[1], side_px=PICTURE_PX), done, failed)
