"""Whether the user moves the view, or lets it rest."""

from collections.abc import Callable

from pathloop.core import Rect
from pathloop.gui._session import Session

__all__ = ["ViewWatch", "visible"]

REST_MS = 300
LIVE_UM_PER_SCREEN_PX = 1.5


def visible(session: Session, *, live: bool) -> Rect | None:
    """Level-0 pixels on screen; None where there are none, or where that is too coarse for live segmentation."""
    fine = session.um_per_screen_px()
    if live and (fine is None or fine > LIVE_UM_PER_SCREEN_PX):
        return None
    return session.view_rect()


class ViewWatch:
    """Tells when the view begins to move and when it has come to rest.

    Parameters
    ----------
    session
        Whose view.
    told
        Called with ``moving=True`` when a movement begins, ``moving=False`` when nothing has moved for 300 ms.
    """

    def __init__(self, session: Session, told: Callable[..., None]) -> None:
        self._session, self._told = session, told
        self._cancel: Callable[[], None] | None = None
        session.view_moved.connect(self._on_moved)

    def _on_moved(self) -> None:
        if self._cancel is None:
            self._told(moving=True)
        else:
            self._cancel()
        self._cancel = self._session.background.later(REST_MS, self._on_rest)

    def _on_rest(self) -> None:
        self._cancel = None
        self._told(moving=False)
