"""What the slide, the view or a region is made of, kept up to date while somebody looks. No Qt."""

from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from psygnal import SignalInstance

from pathloop.core import Rect
from pathloop.gui.objects._pace import LatestOnly, Throttle
from pathloop.gui.objects._presenter import PACE_MS, ObjectsPresenter
from pathloop.loop import Composition, composition, write_composition_csv

__all__ = ["AREA_NAMES", "Area", "CompositionPresenter", "CompositionView"]

Area = Literal["slide", "view", "region"]
AREA_NAMES: dict[Area, str] = {"slide": "whole slide", "view": "view", "region": "region"}


class CompositionView(Protocol):
    """The composition as its presenter sees it."""

    def show_composition(self, found: Composition | None, text: str) -> None:
        """Show the numbers and a line above them; None: only the line."""
        ...


class CompositionPresenter:
    """Counts anew when objects, maps or what is on screen change.

    Attributes
    ----------
    area
        ``slide``, ``view``, or ``region``: the region that the objects are filtered by.
    found
        What is shown; None where there is nothing.
    """

    def __init__(self, objects: ObjectsPresenter, view: CompositionView) -> None:
        self.area: Area = "slide"
        self.found: Composition | None = None
        self._objects = objects
        self._session = session = objects.session
        self._view = view
        self._active = False
        self._work = LatestOnly(session.background)
        self._soon = Throttle(session.background, 2 * PACE_MS, self._count)
        for signal in self._signals():
            signal.connect(self._changed)
        session.view_moved.connect(self._on_moved)
        objects.shown_changed.connect(self._on_shown)

    def close(self) -> None:
        """Hear no more."""
        session = self._session
        for signal in self._signals():
            signal.disconnect(self._changed)
        session.view_moved.disconnect(self._on_moved)
        self._objects.shown_changed.disconnect(self._on_shown)
        self._work.cancel()
        self._soon.cancel()

    def set_active(self, *, active: bool) -> None:
        """Begin or end counting."""
        self._active = active
        self._changed()

    def choose(self, area: Area) -> None:
        """Count in another area."""
        self.area = area
        self._count()

    def save_csv(self, path: Path) -> None:
        """Write what is shown; tells the user when it is done."""
        found, current, session = self.found, self._session.current, self._session
        if found is None or current is None:
            return
        name = current.slide_id or current.path.name.split(".")[0]
        session.background.run(
            lambda: write_composition_csv(path, found, slide=name, area_name=AREA_NAMES[self.area]),
            lambda written: session.say(f"composition written to {written}"),
        )

    def _signals(self) -> list[SignalInstance]:
        session = self._session
        return [session.current_changed, session.maps_changed, session.scale_changed, session.objects_changed]

    def _on_moved(self) -> None:
        if self.area == "view":
            self._changed()

    def _on_shown(self) -> None:
        if self.area == "region":
            self._changed()

    def _changed(self) -> None:
        if self._active:
            self._soon()

    def _count(self) -> None:
        if not self._active:
            return
        current = self._session.current
        if current is None:
            self._nothing("Open a slide to see what it is made of.")
            return
        tissue = current.desk.tissue
        frames = [self._session.frame(task) for task in self._session.tasks]
        if not any(len(frame) for frame in frames) and tissue is None:
            self._nothing("Nothing has been found on this slide yet. Run a model on it first.")
            return
        area = self._rect()
        if area is None and self.area != "slide":
            text = "No region is set: choose one under Filters in the Table tab." if self.area == "region" else ""
            self._nothing(text or "The slide is not on screen.")
            return
        scale, shape = current.scale, current.slide.shape
        self._work.run(partial(composition, frames, area, tissue, scale, shape=shape), self._show)

    def _rect(self) -> Rect | None:
        if self.area == "view":
            return self._session.view_rect()
        return self._objects.filters.region if self.area == "region" else None

    def _nothing(self, text: str) -> None:
        self._work.cancel()
        self.found = None
        self._view.show_composition(None, text)

    def _show(self, found: Composition) -> None:
        self.found = found
        self._view.show_composition(found, area_text(found, self.area))


def area_text(found: Composition, area: Area) -> str:
    """How large the area is, in words."""
    text = AREA_NAMES[area].capitalize()
    if found.area_mm2 is None:
        size = "" if found.area is None else f": {found.area.width:,} × {found.area.height:,} px"
        return f"{text}{size}. The slide's µm per pixel is not known: areas are in pixels."
    text += f": {found.area_mm2:,.2f} mm²"
    return text if found.tissue_mm2 is None else f"{text}, of which tissue {found.tissue_mm2:,.2f} mm²"
