"""One session a viewer: which slides are open, which one is current, what is selected, and who wants to know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from pathloop.core import PathloopError, Rect, Scale, UsageError
from pathloop.gui._background import Background
from pathloop.gui._journal import Journal
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._project_link import ProjectLink, same_scale
from pathloop.gui._projects import Projects
from pathloop.gui._slide_desk import SlideDesk
from pathloop.gui._slide_opener import SlideOpener
from pathloop.gui.display import SlideLayers
from pathloop.gui.opening import (
    GuiSettings,
    UnitKeeper,
    fit_to_screen,
    read_settings,
)
from pathloop.loop import ObjectFrame, RecentProjects
from pathloop.slides import Slide

__all__ = ["OpenedSlide", "Session"]


class Session:
    """What the panels of one viewer share. Main thread only; slow work goes through the background.

    Parameters
    ----------
    viewer
        The napari viewer or its model; only public names are used.
    say
        Shows a message: text and "info", "warning" or "error".
    background
        Makes the `Background`, given who is told of errors.
    settings
        None: napari's, or the defaults.
    """

    current_changed = Signal()
    slide_opened = Signal(object)
    slide_closed = Signal(object)
    scale_changed = Signal()
    project_changed = Signal()
    objects_changed = Signal(str)
    maps_changed = Signal()
    selection_changed = Signal(str, object, str)
    view_moved = Signal()
    run_changed = Signal()
    places_changed = Signal()
    regions_changed = Signal()
    region_wanted = Signal(object)
    step_wanted = Signal(int)

    def __init__(
        self,
        viewer: Any,
        *,
        say: Callable[[str, str], Any],
        background: Callable[[Callable[[Exception], None]], Background],
        settings: GuiSettings | None = None,
        recent: RecentProjects | None = None,
    ) -> None:
        self.viewer = viewer
        self.background = background(self.report)
        self.settings = settings or read_settings()
        self.recent = recent or RecentProjects()
        self.projects = Projects(self.background)
        self._link = ProjectLink(self)
        self.opened: list[OpenedSlide] = []
        self.current: OpenedSlide | None = None
        self.closing: list[Callable[[], Any]] = []
        self.is_busy: Callable[[], bool] = lambda: False
        self._say = say
        self._closed = False
        self._opener = SlideOpener(self)
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.scene.camera.events.center.connect(self._on_view_moved)
        viewer.scene.camera.events.zoom.connect(self._on_view_moved)
        self.units = UnitKeeper(self)
        self.journal = Journal(self)
        self.conductor: Any = None
        self.hands: Any = None
        for layer in list(viewer.layers):
            self._adopt(layer)

    # messages

    def say(self, text: str, level: str = "info") -> None:
        """Show a message to the user."""
        if not self._closed:
            self._say(text, level)

    def report(self, error: Exception) -> None:
        """Show an error in one line; what was not foreseen says so."""
        text = " ".join(str(error).split()) or type(error).__name__
        known = isinstance(error, PathloopError | OSError)
        self.say(text if known else f"unforeseen {type(error).__name__}: {text}", "error")

    # slides

    def open_slide(self, path: Path, um_per_px: float | None = None, project: Path | None = None) -> None:
        """Open a slide in the background and show it; a slide that is open already becomes the current one."""
        self._opener.open(Path(path), um_per_px, project)

    def shows(self, path: Path) -> bool:
        """Whether a slide is open or being opened; one that is open becomes the current one."""
        return self._opener.shows(Path(path))

    def set_current(self, opened: OpenedSlide | None) -> None:
        """Make a slide the one that panels show; the others are hidden."""
        if opened is self.current:
            return
        self.current = opened
        for one in self.opened:
            one.layer.visible = one is opened
            one.desk.layers.set_visible(visible=one is opened)
        if opened is not None:
            self.viewer.layers.selection.active = opened.layer
        self.current_changed.emit()
        if opened is not None:
            fit_to_screen(self.viewer, opened.layer, opened.slide.shape)

    def close_slide(self, opened: OpenedSlide) -> None:
        """Take a slide out of the window; its project keeps everything."""
        if opened.layer in self.viewer.layers:
            self.viewer.layers.remove(opened.layer)

    def set_scale(self, um_per_px: float) -> None:
        """Say how large a pixel of the current slide is.

        Raises
        ------
        UsageError
            If the value lies outside 0.05 .. 20, or objects were measured at another scale.
        """
        opened = self._need_current()
        scale = Scale.isotropic(um_per_px)
        measured = opened.scale is not None and any(len(self.frame(task)) for task in self.tasks)
        if measured and opened.scale is not None and not same_scale(scale, opened.scale):
            raise UsageError(
                f"{opened.name} was segmented at {opened.scale.um_per_px:g} um per px; to use another scale, choose"
                " another project for it"
            )
        opened.set_scale(scale)
        self.scale_changed.emit()
        fit_to_screen(self.viewer, opened.layer, opened.slide.shape)

    # projects

    def open_project(
        self,
        path: Path,
        *,
        create: bool = False,
        then: Callable[[], Any] | None = None,
        opened: OpenedSlide | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Keep a slide's work in a project, and restore what it holds.

        Parameters
        ----------
        path
            Its folder.
        create
            Make it where it is missing.
        then
            Called when it is open and read.
        opened
            Whose work; None = the current slide.
        failed
            Told what went wrong; None = the user is.
        """
        opened = opened or self._need_current()
        self._link.open(opened, path, create=create, then=then, failed=failed)

    def restore(
        self,
        opened: OpenedSlide,
        then: Callable[[], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Read what the project holds of a slide, and show it."""
        self._link.restore(opened, then, failed)

    # objects

    @property
    def tasks(self) -> tuple[str, ...]:
        """Object tasks of the current slide."""
        return () if self.current is None else self.current.desk.tasks

    def frame(self, task: str) -> ObjectFrame:
        """What is shown of a task now."""
        return ObjectFrame.empty(task) if self.current is None else self.current.desk.frame(task)

    def select(self, task: str, ids: NDArray[np.int64], origin: str = "") -> None:
        """Mark objects of the current slide everywhere: on the canvas, in the table, in plots."""
        if self.current is not None:
            self.current.desk.layers.selected(task, ids)
            self.selection_changed.emit(task, ids, origin)

    # the view

    def view_rect(self) -> Rect | None:
        """Level-0 pixels of the current slide that are on screen; None where there are none."""
        return None if self.current is None else self.current.view_rect(self.viewer)

    def um_per_screen_px(self) -> float | None:
        """How fine the view is; None where the scale is not known."""
        if self.current is None or self.current.scale is None or self.viewer.scene.camera.zoom <= 0:
            return None
        return float(1 / self.viewer.scene.camera.zoom)

    def go_to(self, rect: Rect) -> None:
        """Bring a level-0 rectangle into the middle of the view; zoom out only as far as needed to see it all."""
        if self.current is None:
            return
        self.current.bring_into_view(rect, self.viewer)

    @property
    def is_closed(self) -> bool:
        """Whether the session is over."""
        return self._closed

    def close(self) -> None:
        """End everything that runs for this viewer; what is finished is kept."""
        if self._closed:
            return
        for call in self.closing:
            call()
        self._closed = True
        self.units.close()
        self.journal.close()
        events, camera = self.viewer.layers.events, self.viewer.scene.camera.events
        events.inserted.disconnect(self._on_layer_inserted)
        events.removed.disconnect(self._on_layer_removed)
        camera.center.disconnect(self._on_view_moved)
        camera.zoom.disconnect(self._on_view_moved)
        self.projects.close()
        self.background.close()
        for opened in self.opened:
            opened.slide.close()

    # what napari tells

    def _on_view_moved(self, event: Any = None) -> None:
        if self.current is not None:
            self.view_moved.emit()

    def _on_layer_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Any) -> None:
        """Take an image layer of our reader for a slide."""
        own = layer.metadata.get("pathloop") if isinstance(layer.metadata, dict) else None
        if not isinstance(own, dict) or own.get("kind") != "slide":
            return
        slide: Slide = own["slide"]
        if any(one.slide is slide for one in self.opened):
            return  # napari's "duplicate layer"
        layers = SlideLayers(self.viewer, self.background, str(layer.name), slide.shape, slide.scale)
        desk = SlideDesk(layers, self.background, slide.shape, slide.scale, self.objects_changed.emit)
        opened = OpenedSlide(slide.path.resolve(), slide, layer, slide.scale, desk)
        opened.given_um_per_px = slide.given_um_per_px
        self.opened.append(opened)
        self.slide_opened.emit(opened)
        # the layer is in the list, but not yet on the canvas: what moves the camera comes after
        self.background.later(0, lambda: self.set_current(opened) if opened in self.opened else None)
        self._link.find(opened, self._opener.wanted_project(opened.path))

    def _on_layer_removed(self, event: Any) -> None:
        opened = next((one for one in self.opened if one.layer is event.value), None)
        if opened is None:
            return
        self.opened.remove(opened)
        opened.desk.remove()
        self.slide_closed.emit(opened)
        if self.current is opened:
            self.current = None
            self.set_current(self.opened[-1] if self.opened else None)
            if self.current is None:
                self.current_changed.emit()
        self.background.run(opened.slide.close)

    def _need_current(self) -> OpenedSlide:
        if self.current is None:
            raise UsageError("open a slide first")
        return self.current
