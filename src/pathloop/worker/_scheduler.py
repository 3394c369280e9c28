"""Which tile comes next, and whether one comes at all."""

import threading
from collections.abc import Iterator, Sequence

from pathloop.core import Event, Rect, RunIdle, RunPaused, RunResumed, Tile

__all__ = ["Scheduler", "next_tile"]


def next_tile(todo: Sequence[Tile], view: Rect | None, *, live: bool) -> Tile | None:
    """The tile that the user most wants to see; None where none is wanted.

    Parameters
    ----------
    todo
        Tiles that are not done, in reading order.
    view
        What is on the screen, in the tiles' pixels; None = not known.
    live
        Want only tiles that meet the view; else all are wanted, those in view first, and the nearest to its centre
        first.
    """
    if view is None:
        return todo[0] if todo and not live else None
    y, x = view.y + view.height / 2, view.x + view.width / 2

    def rank(tile: Tile) -> tuple[bool, float]:
        core = tile.core
        away = core.intersect(view).area == 0
        return away, (core.y + core.height / 2 - y) ** 2 + (core.x + core.width / 2 - x) ** 2

    best = min(todo, key=rank, default=None)
    return None if best is None or (live and rank(best)[0]) else best


class Scheduler:
    """Steers one run. Orders come from any thread; the thread that runs the tiles asks `pick`, and rests in `rest`.

    Parameters
    ----------
    live
        Want only what is in view.
    view
        What is on the screen, level-0 pixels.

    Attributes
    ----------
    model_px
        Model pixels per level-0 pixel, (y, x); set it before the first tile is picked.
    """

    def __init__(self, *, live: bool = False, view: Rect | None = None) -> None:
        self.live = live
        self.model_px = 1.0, 1.0
        self._view = view
        self._paused = self._resumed = self._cancelled = False
        # set whenever an order may change what is to do
        self._changed = threading.Event()

    def is_cancelled(self) -> bool:
        """Whether the run shall end."""
        return self._cancelled

    def look(self, view: Rect | None) -> None:
        """The view is here now; what was wanted for an earlier view is no longer."""
        self._view = view
        self._changed.set()

    def pause(self) -> None:
        """Begin no tile until it goes on."""
        self._paused = True
        self._changed.set()

    def resume(self) -> None:
        """Go on."""
        self._paused, self._resumed = False, True
        self._changed.set()

    def cancel(self) -> None:
        """Begin no tile any more."""
        self._cancelled = True
        self._changed.set()

    def pick(self, todo: Sequence[Tile]) -> Tile | None:
        """The next tile; None where the run shall rest or end."""
        if self._paused or self._cancelled:
            return None
        return self._next(todo)

    def resumed(self) -> Iterator[Event]:
        """Say so if the run was told to go on since the last time, be it before it came to rest."""
        if self._resumed:
            self._resumed = False
            yield RunResumed()

    def rest(self, todo: Sequence[Tile] | None = None) -> Iterator[Event]:
        """Wait while nothing is to do, or the run is paused; say once which.

        Parameters
        ----------
        todo
            Tiles that are left; None = something is to do that is no tile.
        """
        said: Event | None = None
        while True:
            # first, so that no order is missed between here and the wait
            self._changed.clear()
            if self._cancelled:
                return
            for event in self.resumed():
                said = None
                yield event
            if not self._paused and (todo is None or self._next(todo)):
                return
            state = RunPaused() if self._paused else RunIdle()
            if state != said:
                said = state
                yield state
            self._changed.wait()

    def _next(self, todo: Sequence[Tile]) -> Tile | None:
        view = self._view
        if view is not None:
            y, x = self.model_px
            # outwards, so that a sliver of a tile on the screen counts
            top, left, bottom, right = int(view.y * y // 1), int(view.x * x // 1), -view.bottom * y, -view.right * x
            view = Rect.from_bounds(top, left, -int(bottom // 1), -int(right // 1))
        return next_tile(todo, view, live=self.live)
