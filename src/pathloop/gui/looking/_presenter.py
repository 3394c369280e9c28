"""What the panel "Look" shows and does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.display import TISSUE, UNCERTAINTY, ColourBy, LegendEntry, Style
from pathloop.gui.looking._canvas import CanvasHands

__all__ = ["COLOUR_BY", "LookPresenter", "LookView", "TaskLegend"]

COLOUR_BY: dict[ColourBy, tuple[str, str]] = {
    "class": ("Class", "One colour a class; classes can be switched off below"),
    "instance": ("Object", "Neighbours differ, so that each object can be told from the next"),
    "confidence": ("Confidence", "How sure the model is of each object"),
    "area": ("Area", "Small to large"),
    "review": ("Review state", "Predicted, edited, accepted, locked"),
}

NAMES = {"nuclei": "Nuclei", "gland": "Glands", "lumen": "Lumina"}


@dataclass(frozen=True, slots=True)
class TaskLegend:
    """One task's part of the class table.

    Parameters
    ----------
    task, title
        Its key, and what it is called.
    is_shown
        Whether its layer is visible.
    entries
        Colours and what they mean.
    can_hide
        Whether single entries can be switched off: classes can, bins of a scale cannot.
    """

    task: str
    title: str
    is_shown: bool
    entries: tuple[LegendEntry, ...]
    can_hide: bool


class LookView(Protocol):
    """What the panel can show."""

    def show_legend(self, legends: Sequence[TaskLegend]) -> None:
        """The class table."""

    def show_maps(
        self,
        *,
        tissue: Sequence[LegendEntry],
        has_tissue: bool,
        has_uncertainty: bool,
        tissue_shown: bool,
        uncertainty_shown: bool,
    ) -> None:
        """Legend of the tissue map, which maps there are, and which are shown."""


class LookPresenter:
    """Decides for the panel; see `LookView`.

    Parameters
    ----------
    session, view
        The viewer's session and the panel.
    """

    def __init__(self, session: Session, view: LookView) -> None:
        session.hands = session.hands or CanvasHands(session)
        self.colour_by: ColourBy = "class"
        self.style: Style = session.settings.view.style
        self.patterns = False
        self.opacity = session.settings.view.opacity
        self.tissue_shown = False
        self.uncertainty_shown = False
        self._session, self._view = session, view
        self._hidden_tasks: set[str] = set()
        self._hidden_classes: set[tuple[str, int]] = set()
        self._soon: Any = None
        session.current_changed.connect(self._on_current)
        session.objects_changed.connect(self._on_objects)
        session.maps_changed.connect(self._on_current)
        self._on_current()

    def set_colour_by(self, mode: ColourBy) -> None:
        """Class, instance, confidence, area or review state."""
        self.colour_by = mode
        self._apply()

    def set_style(self, style: Style) -> None:
        """Filled objects or their outlines."""
        self.style = style
        self._apply()

    def set_patterns(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Hatch classes, so that they can be told without colours."""
        self.patterns = on
        self._apply()

    def set_opacity(self, opacity: float) -> None:
        """0 to 1."""
        self.opacity = opacity
        self._apply()

    def show_task(self, task: str, shown: bool) -> None:  # noqa: FBT001 - a switch
        """Show or hide all objects of a task."""
        (self._hidden_tasks.discard if shown else self._hidden_tasks.add)(task)
        self._apply()

    def show_class(self, task: str, code: int, shown: bool) -> None:  # noqa: FBT001 - a switch
        """Show or hide one class."""
        (self._hidden_classes.discard if shown else self._hidden_classes.add)((task, code))
        self._apply()

    def show_maps(self, *, tissue: bool, uncertainty: bool) -> None:
        """Show or hide the tissue and uncertainty maps."""
        self.tissue_shown, self.uncertainty_shown = tissue, uncertainty
        self._apply()

    def copy_to_labels(self, task: str, *, view_only: bool) -> None:
        """An ordinary, editable Labels layer with the objects of a task, for other plugins."""
        opened = self._session.current
        if opened is None:
            return
        layers, rect = opened.desk.layers, self._session.view_rect() if view_only else None

        def done(ids: NDArray[np.int32]) -> None:
            layer = layers.copy_to_labels(task, rect, ids)
            self._session.say(
                f"Layer {layer.name!r} is an ordinary Labels layer; changes to it stay outside the project."
            )

        self._session.background.run(lambda: layers.read_ids(task, rect), done, self._session.report)

    def _on_current(self) -> None:
        self._apply()

    def _on_objects(self, task: str) -> None:
        if self._soon is None:
            self._soon = self._session.background.later(50, self._on_settled)

    def _on_settled(self) -> None:
        self._soon = None
        self._apply()

    def _apply(self) -> None:
        opened = self._session.current
        if opened is not None:
            layers = opened.desk.layers
            layers.colour_by(self.colour_by)
            layers.style(self.style)
            layers.patterns(on=self.patterns)
            for task in opened.desk.tasks:
                layers.opacity(task, self.opacity)
                layers.task_visible(task, visible=task not in self._hidden_tasks)
                for code in range(len(opened.desk.frame(task).classes) + 1):
                    layers.hide_class(task, code, hidden=(task, code) in self._hidden_classes)
            layers.task_visible(TISSUE, visible=self.tissue_shown)
            layers.task_visible(UNCERTAINTY, visible=self.uncertainty_shown)
        self._tell(opened)

    def _tell(self, opened: OpenedSlide | None) -> None:
        if opened is None:
            self._view.show_legend(())
            self._view.show_maps(
                tissue=(), has_tissue=False, has_uncertainty=False, tissue_shown=False, uncertainty_shown=False
            )
            return
        layers, desk = opened.desk.layers, opened.desk
        can_hide = self.colour_by == "class"
        self._view.show_legend(
            [
                TaskLegend(
                    task,
                    NAMES.get(task, task.capitalize()),
                    task not in self._hidden_tasks,
                    tuple(layers.legend(task)),
                    can_hide,
                )
                for task in desk.tasks
            ]
        )
        self._view.show_maps(
            tissue=tuple(layers.legend(TISSUE)),
            has_tissue=desk.tissue is not None,
            has_uncertainty=desk.uncertainty is not None,
            tissue_shown=self.tissue_shown,
            uncertainty_shown=self.uncertainty_shown,
        )
