"""What the panel "Segment" shows and does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pathloop.core import PathloopError, Rect
from pathloop.gui._session import Session
from pathloop.gui.running._activity import ActivityBar
from pathloop.gui.running._conductor import Command, Conductor
from pathloop.gui.running._places import MIN_SIDE_PX, PLACES, Place, PlaceChoice, drawn_regions
from pathloop.gui.running._progress import estimate
from pathloop.gui.running._project_model import ProjectModel
from pathloop.gui.running._start import unfinished_command
from pathloop.gui.running._words import card_text, model_names, task_words
from pathloop.networks import DEFAULT_MODEL, ModelCard, find_model, known_models, read_card
from pathloop.slides import TissueMask, tissue_mask

__all__ = ["Button", "RunPresenter", "RunView"]

SETTLE_MS = 150
STATES = {
    "idle": "",
    "starting": "Starting: loading the model",
    "running": "Running",
    "paused": "Paused. Finished tiles are kept.",
    "finishing": "Finishing: joining objects over tiles",
    "live": "Live: move about, what is on screen is segmented when the view rests",
    "dead": "",
}
STOPS = dict.fromkeys(("idle", "dead"), "Nothing is running") | {
    "live": "Take the tick from Live to end it",
    "finishing": "All tiles are done; the result is put into the project, which takes moments",
}
"""Why a run cannot be stopped, by state."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button's state; ``reason`` says why it is disabled, or what it does."""

    enabled: bool
    reason: str


class RunView(Protocol):
    """What the panel can show."""

    def show_models(self, models: Sequence[tuple[str, str]], current: str, text: str) -> None:
        """The models, each with what the list calls it, and the card of the chosen one in words."""

    def show_tasks(self, tasks: Sequence[tuple[str, str]]) -> None:
        """Tasks of the model with a tooltip each, all ticked."""

    def show_places(self, places: Sequence[tuple[Place, str, str]]) -> None:
        """Where a run can go: key, text, tooltip."""

    def show_device(self, text: str, tooltip: str) -> None:
        """What computes, and why."""

    def show_estimate(self, text: str) -> None:
        """What the run will take."""

    def show_buttons(self, buttons: dict[str, Button]) -> None:
        """State of ``run``, ``pause``, ``resume``, ``cancel``, ``live``."""

    def show_live(self, *, on: bool) -> None:
        """Whether live segmentation is on."""

    def show_progress(self, share: float | None, text: str) -> None:
        """0..1, or None for no bar."""

    def show_message(self, text: str) -> None:
        """One line under the bar."""


class RunPresenter:
    """Decides for the panel; see `RunView`.

    Parameters
    ----------
    session, view
        The viewer's session and the panel.
    conductor
        Runs commands; None makes one.
    activity
        Makes a progress bar in napari's activity dock: called with total and description; None = no bar there.
    """

    def __init__(
        self, session: Session, view: RunView, conductor: Conductor | None = None, *, activity: Any | None = None
    ) -> None:
        # one worker a window, however often the panel is opened
        session.conductor = self.conductor = conductor or session.conductor or Conductor(session)
        self._session, self._view = session, view
        self._bar = ActivityBar(session.background, activity)
        self._card: ModelCard | None = None
        self._model, self._device = DEFAULT_MODEL, str(session.settings.running.device)
        self._tasks: tuple[str, ...] | None = None
        self._place: Place = "view"
        self._tissue: dict[Any, TissueMask | None] = {}
        self._settle: Any = None
        self._message = ""
        session.current_changed.connect(self._forget_message)
        for signal in (session.current_changed, session.scale_changed, session.project_changed, session.places_changed):
            signal.connect(self._refresh_soon)
        session.view_moved.connect(self._refresh_soon)
        self.conductor.changed.connect(self._refresh)
        self.conductor.progressed.connect(self._on_progress)
        self.conductor.told.connect(self._on_told)
        view.show_places([(key, *words) for key, words in PLACES.items()])
        self.choose_model(DEFAULT_MODEL)
        self._project_model = ProjectModel(session, self.choose_model)

    # what the user does

    def choose_model(self, name: str) -> None:
        """A known model's name or a model folder."""
        self._model = name

        def look() -> tuple[ModelCard, list[tuple[str, str]]]:
            return read_card(find_model(name)), model_names(dict.fromkeys([*known_models(), name]))

        def done(found: tuple[ModelCard, list[tuple[str, str]]]) -> None:
            card, models = found
            self._card, self._tasks = card, None
            self._view.show_models(models, name, card_text(card))
            self._view.show_tasks([(spec.name, task_words(card, spec.name)) for spec in card.labels.tasks])
            self._refresh()
            self._prepare()

        self._session.background.run(look, done, self._session.report)

    def choose_device(self, device: str) -> None:
        """``auto``, ``cpu``, ``cuda`` or ``mps``."""
        self._device = device
        self._prepare()
        self._refresh()

    def choose_tasks(self, names: Sequence[str]) -> None:
        """The ticked tasks; all of them is the same as none chosen."""
        everything = () if self._card is None else self._card.labels.names
        self._tasks = None if set(names) == set(everything) else tuple(names)
        self._refresh()

    def choose_place(self, place: Place) -> None:
        """Where to run."""
        self._place = place
        self._refresh()

    def run(self) -> None:
        """Start, if nothing speaks against it."""
        choice = self._choice()
        if self._buttons(choice)["run"].enabled:
            self._message = ""
            self.conductor.start(self._command(choice))

    def resume(self) -> None:
        """Go on with what was paused or interrupted, in this window or before."""
        if self.conductor.can_resume:
            self.conductor.resume()
        elif self._session.current is not None and (command := unfinished_command(self._session.current)):
            self.conductor.start(command)

    def set_live(self, on: bool) -> None:  # noqa: FBT001 - a switch
        """Live segmentation on or off."""
        opened = self._session.current
        mask = True if opened is None else opened.use_tissue_mask
        command = Command((None,), mask, self._model, self._device, self._tasks)
        self.conductor.set_live(on, command)

    # what is shown

    def _command(self, choice: PlaceChoice) -> Command:
        return Command(choice.regions, choice.use_tissue_mask, self._model, self._device, self._tasks)

    def _choice(self) -> PlaceChoice:
        """What the chosen place comes to on the current slide."""
        opened = self._session.current
        if opened is None:
            return PlaceChoice((), use_tissue_mask=True, area_mm2=None, problem="Open a slide first (panel Slides)")
        if opened.scale is None:
            problem = "The um per px of this slide is not known: fill it in under Slides"
            return PlaceChoice((), use_tissue_mask=True, area_mm2=None, problem=problem)
        if min(opened.slide.shape) < MIN_SIDE_PX:
            problem = f"This image is too small: at least {MIN_SIDE_PX} px a side"
            return PlaceChoice((), use_tissue_mask=True, area_mm2=None, problem=problem)
        um2 = opened.scale.um2_per_px * 1e-6
        whole = Rect(0, 0, *opened.slide.shape)
        if self._place == "slide":
            return PlaceChoice((None,), use_tissue_mask=False, area_mm2=whole.area * um2)
        if self._place == "tissue":
            mask = self._tissue_of(opened)
            return PlaceChoice((None,), use_tissue_mask=True, area_mm2=None if mask is None else mask.area_mm2)
        rects = drawn_regions(self._session.viewer, opened.layer)
        problem = "" if rects else "Draw a rectangle first: press Draw regions"
        if self._place == "view":
            view = self._session.view_rect()
            rects, problem = ([], "Nothing of the slide is on screen") if view is None else ([view], "")
        area = sum(rect.area for rect in rects) * um2
        return PlaceChoice(tuple(rects), use_tissue_mask=opened.use_tissue_mask, area_mm2=area, problem=problem)

    def _tissue_of(self, opened: Any) -> TissueMask | None:
        """The slide's tissue mask; asked for once, None until it is there."""
        key = (opened.path, opened.scale)
        if key not in self._tissue:
            self._tissue[key] = None

            def done(mask: TissueMask) -> None:
                self._tissue[key] = mask
                self._refresh()

            self._session.background.run(lambda: tissue_mask(opened.slide), done)
        return self._tissue[key]

    def _forget_message(self) -> None:
        """What was said of another slide does not stay beside this one."""
        if not self.conductor.is_busy:
            self._message = ""

    def _refresh_soon(self) -> None:
        if self._settle is not None:
            self._settle()
        self._settle = self._session.background.later(SETTLE_MS, self._refresh)

    def _refresh(self) -> None:
        choice, conductor = self._choice(), self.conductor
        words = choice.problem or estimate(choice.area_mm2, conductor.computing.s_per_mm2)
        self._view.show_estimate(words)
        engine = conductor.computing.engine or ("loading the model" if self._card else "")
        self._view.show_device(engine, conductor.computing.reason or "The worker process says what it computes with")
        self._view.show_buttons(self._buttons(choice))
        self._view.show_live(on=conductor.live_wanted)
        if conductor.state in ("idle", "dead"):
            self._view.show_progress(None, "")
            self._bar.end()
        elif conductor.state in ("starting", "live"):
            title = f"{conductor.title}: " if conductor.title else ""
            self._view.show_progress(None, f"{title}{STATES[conductor.state]}")
        self._view.show_message(self._message or self._unfinished_words())
        self._prepare()

    def _buttons(self, choice: PlaceChoice) -> dict[str, Button]:
        conductor, opened = self.conductor, self._session.current
        busy = conductor.is_busy
        problem = choice.problem
        if not problem and opened is not None and opened.project_path is not None and not opened.is_writer:
            problem = f"This project is open for reading only. {opened.project_reason}"
        if not problem and self._tasks == ():
            problem = "Tick at least one task"
        if not problem and self._card is None:
            problem = "The model is being read"
        running = conductor.state == "running"
        unfinished = opened is not None and bool(opened.desk.unfinished) and not busy
        can_resume = conductor.can_resume or (unfinished and opened is not None and opened.is_writer)
        return {
            "run": Button(not busy and not problem, "A run is going on" if busy else problem or "Segment this now"),
            "pause": Button(running, "Let the run rest; it keeps its place" if running else "Nothing is running"),
            "resume": Button(
                can_resume, "Go on from the finished tiles" if can_resume else "There is no unfinished run here"
            ),
            "cancel": Button(
                conductor.state in ("starting", "running", "paused"),
                STOPS.get(conductor.state, "Stop; finished tiles are kept"),
            ),
            "live": Button(
                not busy and not problem.startswith(("Open", "The um", "This project", "This image")),
                "Live goes on when the run is over" if busy else problem,
            ),
        }

    def _unfinished_words(self) -> str:
        opened = self._session.current
        if opened is None or not opened.desk.unfinished or self.conductor.is_busy or self.conductor.state == "live":
            return ""
        return "An unfinished run is here: Resume goes on from its finished tiles."

    def _prepare(self) -> None:
        opened = self._session.current
        if self._card is not None and opened is not None:
            try:
                self.conductor.prepare(self._model, self._device, self._tasks)
            except PathloopError as error:
                self._session.report(error)

    def _on_progress(self, share: float, text: str) -> None:
        self._view.show_progress(share, text)
        if self.conductor.state != "live":
            self._bar.show(share, text)

    def _on_told(self, text: str) -> None:
        self._message = text
        self._view.show_message(text)
