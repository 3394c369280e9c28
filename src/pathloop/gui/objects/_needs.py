"""What the object presenters need of a session; `pathloop.gui._session.Session` has it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import SignalInstance

from pathloop.core import Rect, Scale
from pathloop.gui._background import Background
from pathloop.loop import ObjectFrame
from pathloop.loop.correct import Committed
from pathloop.slides import Slide
from pathloop.store import Project, TissueMap

__all__ = ["ObjectsSession", "ShownSlide"]

T = TypeVar("T")


class ReadsIds(Protocol):
    """The layers that show a slide's objects."""

    def read_ids(self, task: str, rect: Rect | None = None) -> NDArray[np.int32]:
        """Ids in a level-0 rectangle, cut to the slide, as the frame has them; from any thread."""
        ...


class Desk(Protocol):
    """What is known of a slide."""

    @property
    def layers(self) -> ReadsIds:
        """Its objects' pixels."""
        ...

    @property
    def tissue(self) -> TissueMap | None:
        """Its tissue map."""
        ...


class ProjectsInUse(Protocol):
    """The open projects, each in the one thread in which it may be used."""

    def use(
        self,
        path: Path,
        work: Callable[[Project], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Call ``work(project)`` in the project thread, then ``done`` on the main thread."""
        ...


class TakesChanges(Protocol):
    """The journal, through which everything goes that people change."""

    @property
    def committed(self) -> SignalInstance:
        """(slide, what was committed)."""
        ...

    def submit(
        self,
        opened: Any,
        work: Callable[[Project, str], Committed | None],
        *,
        done: Callable[[Committed | None], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> Any:
        """Have a change made."""
        ...


class ShownSlide(Protocol):
    """The slide whose panels are shown."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def slide(self) -> Slide:
        """Open for reading, from any thread."""
        ...

    @property
    def layer(self) -> Any:
        """Its napari Image layer, in level-0 pixels."""
        ...

    @property
    def slide_id(self) -> str | None:
        """Its id in the project; None without one."""
        ...

    @property
    def project_path(self) -> Path | None:
        """The project's folder; None without one."""
        ...

    @property
    def is_writer(self) -> bool:
        """Whether this window may change what the project holds."""
        ...

    @property
    def project_reason(self) -> str:
        """Why it may not; empty if it may."""
        ...

    @property
    def scale(self) -> Scale | None:
        """Um per px of level 0."""
        ...

    @property
    def desk(self) -> Desk:
        """Its objects and maps."""
        ...


class ObjectsSession(Protocol):
    """A session as the object presenters see it."""

    @property
    def viewer(self) -> Any:
        """The napari viewer; only its public API is used."""
        ...

    @property
    def background(self) -> Background:
        """Runs what takes longer than a blink."""
        ...

    @property
    def projects(self) -> ProjectsInUse:
        """The open projects."""
        ...

    @property
    def journal(self) -> TakesChanges:
        """Writes what people change."""
        ...

    @property
    def current(self) -> ShownSlide | None:
        """The slide whose panels are shown."""
        ...

    @property
    def tasks(self) -> Sequence[str]:
        """Object tasks of the slide, landed or provisional."""
        ...

    @property
    def current_changed(self) -> SignalInstance:
        """Another slide, or none."""
        ...

    @property
    def objects_changed(self) -> SignalInstance:
        """(task): other objects."""
        ...

    @property
    def maps_changed(self) -> SignalInstance:
        """Other tissue or uncertainty maps."""
        ...

    @property
    def scale_changed(self) -> SignalInstance:
        """The slide's scale was given."""
        ...

    @property
    def project_changed(self) -> SignalInstance:
        """Another project, or what it holds was read."""
        ...

    @property
    def selection_changed(self) -> SignalInstance:
        """(task, ids, origin)."""
        ...

    @property
    def view_moved(self) -> SignalInstance:
        """The camera moved."""
        ...

    def frame(self, task: str) -> ObjectFrame:
        """The objects that are shown now."""
        ...

    def select(self, task: str, ids: NDArray[np.int64], origin: str) -> Any:
        """Select objects everywhere."""
        ...

    def go_to(self, rect: Rect) -> Any:
        """Move the camera to level-0 pixels."""
        ...

    def view_rect(self) -> Rect | None:
        """Level-0 pixels on screen."""
        ...

    def say(self, text: str, level: Any = "info") -> Any:
        """Tell the user."""
        ...
