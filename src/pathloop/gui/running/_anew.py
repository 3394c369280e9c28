"""Segmenting anew, slide after slide, what another model than the project's segmented."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from pathloop.core import Rect
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.running._start import Command, SlideToRun, UnopenedSlide
from pathloop.loop.tuning import StaleSlide, model_of_project, scale_to_give, stale_slides
from pathloop.networks import read_card
from pathloop.store import Project, SlideRecord, counted

if TYPE_CHECKING:
    from pathloop.gui.running._conductor import Conductor

__all__ = ["Anew"]

CONVERTED = "its colours were converted to sRGB: run 'pathloop segment --srgb' on it"
"""Why a slide is left out: the window reads colours as stored."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One command of one slide."""

    slide: SlideRecord
    command: Command


class Anew:
    """Has a conductor run slide after slide, the one on screen first; slides need not be in the window.

    A slide that cannot be run is left out and named. Runs by hand go first; stopping one of these stops this too.

    Parameters
    ----------
    session
        The viewer's session.
    conductor
        Runs the commands.
    """

    changed = Signal()

    def __init__(self, session: Session, conductor: "Conductor") -> None:
        self.is_stopped = False
        self._session, self._conductor = session, conductor
        self._path: Path | None = None
        self._is_asked, self._is_preparing = False, False
        self._pieces: list[_Piece] = []
        self._piece: _Piece | None = None
        self._model = ""
        self._begun: dict[str, int] = {}
        self._n = 0
        self._left_out: dict[str, str] = {}
        self._words = ""
        conductor.ended.connect(self._on_ended)

    # what is asked

    def ask(self, project: Path) -> None:
        """Begin with a project; what is under way for another model of it ends."""
        self._path, self._is_asked, self.is_stopped = project, True, False
        self._pieces, self._words, self._n, self._left_out = [], "", 0, {}
        if self.is_at_work:
            self._conductor.cancel()
        self._go()

    def stop(self) -> None:
        """Stop; finished tiles and slides are kept."""
        if self.is_on:
            self.is_stopped = True
            if self.is_at_work:
                self._conductor.cancel()
            self.changed.emit()

    def resume(self) -> None:
        """Go on after a stop."""
        if self.is_stopped:
            self.is_stopped = False
            self._go()

    @property
    def is_at_work(self) -> bool:
        """Whether the conductor's command is one of these."""
        return self._piece is not None

    @property
    def is_on(self) -> bool:
        """Whether slides are run or wait to be."""
        return (self._is_asked or self._is_preparing or bool(self._pieces)) and not self.is_stopped

    @property
    def waits_here(self) -> bool:
        """Whether it was stopped, and is of the project of the slide on screen."""
        current = self._session.current
        return self.is_stopped and current is not None and current.project_path == self._path

    def words(self, project: Path | None) -> str:
        """What goes on for a project, or came of it; "" = nothing."""
        if project is None or project != self._path:
            return ""
        n = len({piece.slide.slide_id for piece in self._pieces})
        if self.is_stopped and not n:
            return "Stopped. Slides wait to be segmented anew."
        if self.is_stopped:
            return f"Stopped. {'1 slide waits' if n == 1 else f'{n} slides wait'} to be segmented anew."
        if self._piece is not None:
            return f"Segmenting anew with {self._model}: {self._title(self._piece)}."
        if self.is_on and self._conductor.is_busy:
            return "Slides are segmented anew when the run that is under way is over."
        return "Looking for slides to segment anew." if self.is_on else self._words

    # one after the other

    def _go(self) -> None:
        """Do what comes next, unless something is under way."""
        if self._is_preparing or self.is_at_work or self._conductor.is_busy or self.is_stopped:
            self.changed.emit()
        elif self._is_asked:
            self._plan()
        elif self._pieces:
            self._prepare(min(self._pieces, key=self._turn))
        else:
            self._finish()

    def _turn(self, piece: _Piece) -> tuple[int, int]:
        """What is on screen comes first, then what is in the window."""
        opened = self._shown(piece)
        place = 2 if opened is None else int(opened is not self._session.current)
        return place, self._pieces.index(piece)

    def _shown(self, piece: _Piece) -> OpenedSlide | None:
        mine = self._path, piece.slide.slide_id
        return next((one for one in self._session.opened if (one.project_path, one.slide_id) == mine), None)

    def _plan(self) -> None:
        path = self._path
        assert path is not None
        self._is_asked, self._is_preparing = False, True

        def read(project: Project) -> tuple[Path, tuple[StaleSlide, ...]]:
            folder = model_of_project(project)
            card = read_card(folder)
            return folder, stale_slides(project, card.checksum, card.labels.names)

        def planned(found: tuple[Path, tuple[StaleSlide, ...]]) -> None:
            folder, slides = found
            self._is_preparing = False
            self._begun, self._n = {}, len(slides)
            self._left_out = {one.slide.slide_id: CONVERTED for one in slides if one.is_srgb}
            if not self._is_asked:
                self._model = folder.name
                device = str(self._session.settings.running.device)
                kept = [slide for slide in slides if not slide.is_srgb]
                self._pieces = [piece for slide in kept for piece in _pieces(slide, str(folder), device)]
            self._go()

        def failed(error: Exception) -> None:
            self._is_preparing = False
            self._session.report(error)
            self._go()

        self._session.projects.use(path, read, planned, failed)

    def _prepare(self, piece: _Piece) -> None:
        """Find the slide: in the window, else its file."""
        opened, path, slide = self._shown(piece), self._path, piece.slide
        if opened is not None:
            self._start(piece, opened)
            return
        assert path is not None
        self._is_preparing = True

        def ready(um_per_px: float | None) -> None:
            self._is_preparing = False
            if piece in self._pieces and not self._is_asked and not self.is_stopped and not self._conductor.is_busy:
                self._start(piece, UnopenedSlide(slide.path, path, slide.slide_id, um_per_px))
            else:
                self._go()

        def failed(error: Exception) -> None:
            self._is_preparing = False
            self._leave_out(piece, str(error))
            self._go()

        self._session.background.run(lambda: scale_to_give(slide), ready, failed)

    def _start(self, piece: _Piece, slide: SlideToRun) -> None:
        self._begun.setdefault(piece.slide.slide_id, len(self._begun) + 1)
        self._piece = piece
        self._conductor.start_on(slide, piece.command, self._title(piece))
        self.changed.emit()

    def _title(self, piece: _Piece) -> str:
        name = piece.slide.slide_id
        return f"{name}, slide {self._begun.get(name, 1)} of {self._n}" if self._n > 1 else name

    def _on_ended(self, outcome: str, why: str) -> None:
        piece = self._piece
        if piece is not None:
            self._piece = None
            if outcome == "failed":
                self._leave_out(piece, why)
            elif outcome == "done":
                self._pieces = [one for one in self._pieces if one is not piece]
                self.is_stopped = self.is_stopped and bool(self._pieces)
            elif outcome == "stopped" and not self._is_asked:
                self.is_stopped = True
        elif outcome == "stopped":
            # whoever stops a run wants it to stop, and a worker that died of one is not started for the next unasked
            self.is_stopped = self.is_stopped or self.is_on
        self._go()

    def _leave_out(self, piece: _Piece, why: str) -> None:
        name = piece.slide.slide_id
        if any(one.slide == piece.slide for one in self._pieces):
            self._left_out[name] = why
            self._begun.setdefault(name, len(self._begun) + 1)
        self._pieces = [one for one in self._pieces if one.slide != piece.slide]

    def _finish(self) -> None:
        n = self._n - len(self._left_out)
        if self._n:
            self._words = f"{counted('slide', n)} segmented anew with {self._model}."
            if self._left_out:
                why = "; ".join(f"{name} ({reason})" for name, reason in self._left_out.items())
                self._words += f" Left out: {why}"
            self._conductor.told.emit(self._words)
            if self._left_out:
                self._session.say(self._words, "warning")
            self._n = 0
        self.changed.emit()


def _pieces(stale: StaleSlide, model: str, device: str) -> list[_Piece]:
    """Commands for a slide: one for all places where glass is left out, one for the others."""
    whole = Rect(0, 0, *stale.slide.shape)
    found = []
    for is_masked in dict.fromkeys(masked for _, masked in stale.places):
        regions = tuple(None if rect == whole else rect for rect, masked in stale.places if masked == is_masked)
        found.append(_Piece(stale.slide, Command(regions, is_masked, model, device)))
    return found
