"""Bringing a rectangle so near that it fills the view."""

import numpy as np

from pathloop.core import Rect
from pathloop.gui._session import Session

__all__ = ["bring_near"]

FILLED = 0.85
TOO_SMALL = 2 / 3


def bring_near(session: Session, rect: Rect, filled: float = FILLED) -> None:
    """Bring a level-0 rectangle into view, and nearer where it takes up less than two thirds of what it should.

    Parameters
    ----------
    filled
        Share of the view that it takes up then.
    """
    session.go_to(rect)
    opened, viewer = session.current, session.viewer
    if opened is None or viewer.scene.camera.zoom <= 0 or min(viewer.canvas.size) <= 0:
        return
    # the canvas counts, also where the slide ends on it
    shown = np.asarray(viewer.canvas.size, float) / (viewer.scene.camera.zoom * np.asarray(opened.layer.scale)[-2:])
    share = float(np.max(np.array(rect.shape) / shown))
    if 0 < share < filled * TOO_SMALL:
        viewer.scene.camera.zoom = float(viewer.scene.camera.zoom * filled / share)
