"""Small levels of a large image that has none: the question, the build, and their use in the window."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pathloop.core import StageProgress
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.opening._image_layer import slide_layer_data
from pathloop.gui.opening._slides_state import LevelsState
from pathloop.slides import OVERVIEW_PX, build_pyramid

__all__ = ["SmallLevels"]


class SmallLevels:
    """Builds them on request, beside the window, and shows them in the layer that is there.

    Parameters
    ----------
    session
        The viewer's session.
    changed
        Called when the state has changed.
    """

    def __init__(self, session: Session, changed: Callable[[], Any]) -> None:
        self._session, self._changed = session, changed
        self._building: OpenedSlide | None = None
        self._percent = 0
        self._stopped = False

    def state(self, opened: OpenedSlide) -> LevelsState:
        """What to say of a slide."""
        if self._building is opened:
            return LevelsState(f"Building small levels: {self._percent} %", is_building=True)
        if max(opened.slide.levels[-1].shape) <= OVERVIEW_PX:
            return LevelsState()
        height, width = opened.slide.levels[-1].shape
        text = (
            "This image has no small levels, so that zooming out is slow. Build them once, in the cache"
            f" (at most {height * width / 1e6:,.0f} MB)? The image stays as it is."
        )
        return LevelsState(text, can_build=self._building is None)

    def build(self) -> None:
        """Build them for the current slide; the levels come into its layer when they are done."""
        opened = self._session.current
        if opened is None or not self.state(opened).can_build:
            return
        self._building, self._percent, self._stopped = opened, 0, False
        background = self._session.background

        def work() -> bool:
            events = build_pyramid(opened.path)
            for event in events:
                if isinstance(event, StageProgress):
                    background.post(partial(self._progress, event.done, event.total))
                if self._stopped:
                    events.close()
                    return False
            return opened.slide.use_built_levels()

        background.run(work, lambda built: self._done(opened, built=built), self._failed)
        self._changed()

    def stop(self) -> None:
        """Stop building; nothing is left of it."""
        self._stopped = True

    def _progress(self, done: int, total: int) -> None:
        self._percent = 100 * done // max(total, 1)
        self._changed()

    def _done(self, opened: OpenedSlide, *, built: bool) -> None:
        self._building = None
        if built and opened in self._session.opened:
            opened.layer.data, _ = slide_layer_data(opened.slide)
        self._changed()

    def _failed(self, error: Exception) -> None:
        self._building = None
        self._session.report(error)
        self._changed()
