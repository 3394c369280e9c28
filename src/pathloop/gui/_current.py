"""The one session of each viewer, made when the first panel or slide asks for it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathloop.gui._session import Session

__all__ = ["session_for"]

_sessions: "dict[Any, Session]" = {}


def session_for(viewer: Any) -> "Session":
    """The session of a viewer.

    Parameters
    ----------
    viewer
        A `napari.Viewer`, or the proxy of one that napari hands to plugins.
    """
    own = getattr(viewer, "__wrapped__", viewer)
    if own not in _sessions:
        from napari.utils.notifications import show_error, show_info, show_warning

        from pathloop.gui._qt_background import QtBackground
        from pathloop.gui._session import Session
        from pathloop.gui._warm import before_slides

        speakers = {"info": show_info, "warning": show_warning, "error": show_error}

        def say(text: str, level: str) -> None:
            speakers[level](text)

        session = Session(own, say=say, background=lambda report: QtBackground(report))
        session.background.run(before_slides)
        # a session holds its viewer, so nothing would ever be freed while it is listed here
        session.closing.append(lambda: _sessions.pop(own, None))
        _sessions[own] = session
    return _sessions[own]
