"""Tools of the view: magnifications by key, scale bar, ruler."""

from typing import Any

from pathloop.gui._session import Session
from pathloop.gui.opening._keys import ViewerKeys
from pathloop.gui.opening._ruler import Ruler
from pathloop.gui.opening._screen import fit_to_screen

__all__ = ["MAGNIFICATIONS", "ViewTools"]

MAGNIFICATIONS = {5: "Alt-1", 10: "Alt-2", 20: "Alt-3", 40: "Alt-4"}
"""Objective powers and their keys."""

UM_AT_1X = 10.0
"""um a screen pixel at 1x, so that 40x is 0.25 um and 20x is 0.5 um, as scanners have it."""


class ViewTools:
    """Magnification, scale bar and ruler of one viewer.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._bar: Any = session.viewer.canvas.overlays.scale_bar
        self._before = (self._bar.visible, self._bar.box)
        self.ruler = Ruler(session)
        self._keys = ViewerKeys(
            session.viewer,
            {key: self._action(power) for power, key in MAGNIFICATIONS.items()} | {"Alt-R": self.ruler.start},
        )
        self.show_scale_bar(shown=session.settings.view.scale_bar)
        session.current_changed.connect(self.fit)
        session.scale_changed.connect(self.fit)

    def _action(self, power: int) -> Any:
        return lambda: self.magnify(power)

    def magnify(self, power: float) -> bool:
        """Zoom to an objective power, in the middle of the view; False and a message where the scale is not known."""
        opened = self._session.current
        if opened is None or opened.scale is None:
            what = "Open a slide first" if opened is None else "Enter the um per px of this slide first"
            self._session.say(f"{what}: {power:g}x is a size in um.", "warning")
            return False
        # the world's unit is the um
        self._session.viewer.scene.camera.zoom = power / UM_AT_1X
        return True

    @property
    def magnification(self) -> float | None:
        """Objective power that the view corresponds to; None where the scale is not known."""
        opened = self._session.current
        if opened is None or opened.scale is None:
            return None
        return float(self._session.viewer.scene.camera.zoom) * UM_AT_1X

    def fit(self) -> None:
        """Show the whole slide."""
        opened = self._session.current
        if opened is not None:
            fit_to_screen(self._session.viewer, opened.layer, opened.slide.shape)

    @property
    def scale_bar_shown(self) -> bool:
        """Whether the scale bar is on."""
        return bool(self._bar.visible)

    def show_scale_bar(self, *, shown: bool) -> None:
        """Switch the scale bar; its box keeps it readable on white glass."""
        self._bar.visible = shown
        if shown:
            self._bar.box = True

    def close(self) -> None:
        """Unbind the keys and leave the scale bar as it was."""
        self._session.current_changed.disconnect(self.fit, missing_ok=True)
        self._session.scale_changed.disconnect(self.fit, missing_ok=True)
        self._keys.close()
        self.ruler.close()
        self._bar.visible, self._bar.box = self._before
