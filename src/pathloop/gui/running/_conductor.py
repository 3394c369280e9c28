"""Conducts the worker: wishes of the user become requests, events of the worker become tiles and results.

The worker writes scratch files only. This process holds the project's lock and takes the results over.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from psygnal import Signal

from pathloop.core import (
    Assembled,
    Event,
    Failed,
    Message,
    Rect,
    RunCancelled,
    RunIdle,
    RunPaused,
    RunResumed,
    RunStarted,
    StageProgress,
    TileDone,
)
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.running._anew import Anew
from pathloop.gui.running._computing import Computing
from pathloop.gui.running._progress import progress_text
from pathloop.gui.running._recorder import RunRecorder
from pathloop.gui.running._start import Command, NewestOnly, SlideToRun, UnopenedSlide, place_in_project, request_of
from pathloop.gui.running._watch import ViewWatch, visible
from pathloop.loop import MapsRequest, WorkerClient

__all__ = ["Command", "Conductor", "State", "conductor_of"]

State = Literal["idle", "starting", "running", "paused", "finishing", "live", "dead"]


def conductor_of(session: Session) -> "Conductor":
    """The one conductor of a session, made when it is first asked for."""
    conductor: Conductor = session.conductor or Conductor(session)
    session.conductor = conductor
    return conductor


class Conductor:
    """Runs commands on a slide through one worker process.

    Parameters
    ----------
    session
        The viewer's session.
    make_client
        ``make_client(on_event, on_exit)``: the worker's client.
    """

    changed = Signal()
    progressed = Signal(float, str)
    told = Signal(str)
    ended = Signal(str, str)
    """A command is over: ``done``, ``stopped``, ``closed`` (its slide was) or ``failed``, and why."""

    def __init__(self, session: Session, make_client: Callable[..., WorkerClient] = WorkerClient) -> None:
        self.state: State = "idle"
        self.live_wanted = False
        self.title = ""
        """Which slide a run is on that nobody began by hand; "" = of all others."""
        self.listeners: list[Callable[[int, Event], bool]] = []
        """Asked first whether an event of the worker is theirs."""
        self._session = session
        self._post = session.background.post
        self._client = make_client(
            on_event=lambda job, event: self._post(lambda: self._on_event(job, event)),
            on_exit=lambda code, text: self._post(lambda: self._on_exit(code, text)),
        )
        self.computing = Computing(self._client, self.told.emit)
        self._opened: SlideToRun | None = None
        self._owner: SlideToRun | None = None
        self._is_live, self._is_by_hand = False, True
        self._command: Command | None = None
        self._sent = Command((), use_tissue_mask=True, model="")
        self._left: list[Rect | None] = []
        self._job = 0
        self._newest = NewestOnly()
        self._live_command: Command | None = None
        self._recorder: RunRecorder | None = None
        self._watch = ViewWatch(session, self._on_moving)
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            RunStarted: self._on_started,
            TileDone: self._on_tile,
            StageProgress: self._on_stage,
            Assembled: lambda event: self._land(Path(event.folder)),
            Message: lambda event: self.told.emit(event.text),
            RunPaused: lambda _: self._set("paused"),
            RunResumed: lambda _: self._set("running"),
            RunCancelled: lambda _: self._on_cancelled(),
            RunIdle: lambda _: self._on_rest(),
            Failed: lambda event: self._fail(event.message),
        }
        session.current_changed.connect(self._on_current_changed)
        session.slide_closed.connect(self._on_slide_closed)
        session.closing.append(self.close)
        session.is_busy = lambda: self.is_busy
        self.anew = Anew(session, self)

    # what the panel asks

    @property
    def can_resume(self) -> bool:
        """Whether something that was begun can go on."""
        return self.state == "paused" or (self.state in ("idle", "dead") and (self._has_left or self.anew.waits_here))

    @property
    def _has_left(self) -> bool:
        """Whether something was begun by hand on the current slide and is not done."""
        return bool(self._left) and self._owner is self._session.current and self._is_by_hand

    def prepare(self, model: str, device: str, tasks: tuple[str, ...] | None) -> None:
        """Have the engine loaded and warm before it is needed."""
        if self.state in ("idle", "live"):
            self.computing.prepare(model, device, tasks)

    def start(self, command: Command) -> None:
        """Run a command on the current slide; its project is made first where there is none."""
        if self._session.current is not None:
            self.start_on(self._session.current, command)

    def start_on(self, slide: SlideToRun, command: Command, title: str = "") -> None:
        """Run a command on any slide; a ``title`` says which it is, of a command that nobody gave by hand."""
        if self.state in ("idle", "live", "dead"):
            self._owner, self._command, self._left = slide, command, list(command.regions)
            self.title, self._is_by_hand = title, not title
            self._begin(slide)

    def set_live(self, on: bool, command: Command | None = None) -> None:  # noqa: FBT001 - a switch
        """Segment what is on screen whenever the view rests."""
        self.live_wanted = on
        if on and command is not None:
            self._live_command = command
        if on and self.state in ("idle", "dead"):
            self._start_live()
        elif not on and self.state in ("idle", "live"):
            self._end_live()
        self.changed.emit()

    def maps(self, request: MapsRequest) -> int:
        """Have the network look at a window; its events go to `listeners`. The number of the job."""
        self._client.start()
        return self._client.maps(request)

    def cancel_job(self, job: int) -> None:
        """Have the worker forget a job that is nobody's run."""
        self._client.cancel(job)

    def pause(self) -> None:
        """Let the run rest."""
        self._client.pause(self._job)

    def resume(self) -> None:
        """Go on with what was paused, stopped or lost its worker."""
        if self.state == "paused":
            self._client.resume(self._job)
        elif self.state in ("idle", "dead") and self._has_left and self._owner is not None:
            self.title = ""
            self._begin(self._owner)
        elif self.state in ("idle", "dead") and self.anew.waits_here:
            self.anew.resume()

    def cancel(self) -> None:
        """Stop; what is finished is kept, and the same command goes on from there."""
        if self.state == "starting" and not self._job:  # the worker has not heard of it
            self._newest.drop()
            self._on_cancelled()
        elif self.state in ("running", "paused", "starting"):
            self._client.cancel(self._job)

    def close(self) -> None:
        """End the worker; finished tiles are kept."""
        self._client.stop(timeout=1.0)

    @property
    def is_busy(self) -> bool:
        """Whether closing the window would interrupt something."""
        return self.state in ("starting", "running", "paused", "finishing")

    def works_on(self, opened: OpenedSlide) -> bool:
        """Whether something goes on that needs a slide to stay as it is."""
        return self._opened is not None and self._opened.path == opened.path and self.state not in ("idle", "dead")

    # starting

    def _begin(self, opened: SlideToRun) -> None:
        self._opened, self._job = opened, 0
        self._set("starting")
        self._with_project(opened, self._next_region)

    def _with_project(self, opened: SlideToRun, then: Callable[[], None]) -> None:
        call = self._newest.only(then)
        if isinstance(opened, UnopenedSlide):
            call()
        else:
            place_in_project(self._session, opened, call, failed=self._fail, told=self.told.emit)

    def _next_region(self) -> None:
        if self._owner is None and not self._is_by_hand:
            self._end("closed")
            return
        if not self._left:
            self._end("done")
            return
        assert self._command is not None
        self._send(self._command, self._left[0], live=False)

    def _end(self, outcome: str, why: str = "") -> None:
        """The command is over; the next one begins, or live segmentation goes on."""
        self._set("idle")
        self.ended.emit(outcome, why)
        if self.state == "idle" and self.live_wanted:
            self._start_live()

    def _start_live(self) -> None:
        opened = self._session.current
        command = self._live_command
        if opened is None or opened.scale is None or command is None:
            return
        self._opened, self._job, self.title = opened, 0, ""
        self._with_project(opened, lambda: self._send(command, None, live=True))

    def _end_live(self) -> None:
        self._newest.drop()
        if self.state == "live":
            self._client.cancel(self._job)
            self._set("idle")
            self.told.emit("Live is off. What it found is kept.")

    def _send(self, command: Command, region: Rect | None, *, live: bool) -> None:
        opened = self._opened
        if opened is None:
            return
        self._client.start()
        self._recorder, self._sent = None, command
        view = visible(self._session, live=live) if opened is self._session.current else None
        self._is_live = live
        self._job = self._client.segment(request_of(command, opened, region, live=live, view=view))
        self._set("live" if live else "starting")

    # what the worker tells

    def _on_event(self, job: int, event: Event) -> None:
        if any(hear(job, event) for hear in self.listeners):
            return
        if self.computing.hear(job, event):
            self.changed.emit()
        elif job == self._job and type(event) in self._handlers:
            self._handlers[type(event)](event)

    def _on_stage(self, event: StageProgress) -> None:
        self._progress(event.done / max(event.total, 1), f"Finishing: {event.stage}")
        self._set("finishing")

    def _progress(self, share: float, text: str) -> None:
        self.progressed.emit(share, f"{self.title}: {text}" if self.title else text)

    def _on_rest(self) -> None:
        coarse = visible(self._session, live=True) is None
        self.told.emit("Live: zoom in to segment what is on screen" if coarse else "Live: this view is done")

    def _on_cancelled(self) -> None:
        if self.state not in ("idle", "live"):
            self.told.emit("Stopped. What is finished is kept; Resume goes on from there.")
            self._end("stopped")

    def _on_started(self, event: RunStarted) -> None:
        assert self._opened is not None
        self.computing.started(event)
        if self.state == "idle":  # stopped meanwhile
            return
        if self.state != "live":
            self._progress(event.n_done / max(event.n_tiles, 1), f"{event.n_done:,} of {event.n_tiles:,} tiles")
            self._set("running")
        job = self._job

        def mine(call: Callable[..., None]) -> Callable[..., None]:
            return lambda *values: call(*values) if job == self._job else None  # of another run by then

        already, failed = mine(self._on_already), mine(self._fail)
        self._recorder = RunRecorder(self._session, self._opened, event, self._sent.model, already, failed)

    def _on_already(self) -> None:
        """The project holds all of the run's result: nothing is done twice."""
        self._client.cancel(self._job)
        self._job, self._recorder = 0, None
        self.told.emit("This is segmented already with these settings; what is there is shown.")
        self._go_on()

    def _go_on(self) -> None:
        """What comes after a result: the next region, or nothing."""
        if self._is_live:
            self.live_wanted = False
            self._set("idle")
        else:
            self._left = self._left[1:]
            self._next_region()

    def _on_tile(self, event: TileDone) -> None:
        self.computing.s_per_mm2 = event.s_per_mm2
        self._progress(event.n_done / max(event.n_tiles, 1), progress_text(event, live=self.state == "live"))
        if self._recorder is not None:
            self._recorder.show_tile(event.row, event.col)

    def _land(self, folder: Path) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._set("finishing")

        def done() -> None:
            words = "Done." if self._is_live or len(self._left) < 2 else "Next region."
            self.told.emit(f"{self.title}: {words.lower()}" if self.title else words)
            self._go_on()

        recorder.land(folder, self._progress, done)

    @property
    def _is_landing(self) -> bool:
        return self.state == "finishing" and self._recorder is None

    def _on_exit(self, code: int, text: str) -> None:
        self.computing.lost(text if self.state == "idle" else "")
        if self.state != "idle" and not self._is_landing:
            self.live_wanted = False
            self._set("dead")
            self.told.emit(text)
            self.ended.emit("stopped", text)
        self.changed.emit()  # whoever needs an engine asks for one

    def _fail(self, message: str) -> None:
        self.live_wanted = False
        self._left = self._left if self._is_live else []
        if self._job:  # it may go on where only writing it down failed
            self._client.cancel(self._job)
        self._job, self._recorder = 0, None
        self.told.emit(message)
        if not self.anew.is_at_work:  # which says at its end what it could not do
            self._session.say(message, "error")
        self._end("failed", message)

    # the view

    def _on_moving(self, *, moving: bool) -> None:
        if self.state in ("idle", "dead"):
            return
        # one core is enough while the user moves: the window comes first
        self._client.gentle(on=moving)
        if not moving and self._opened is self._session.current:
            self._client.look(visible(self._session, live=self.state == "live"))

    def _on_current_changed(self) -> None:
        if self.state == "live" and self._session.current is not self._opened:
            self._client.cancel(self._job)
            self._set("idle")
            if self._session.current is not None and self._session.current.scale is not None:
                self._start_live()

    def _on_slide_closed(self, opened: OpenedSlide) -> None:
        if opened is self._owner:
            self._owner, self._left = None, [] if self._is_by_hand else self._left
        if opened is self._opened and self.works_on(opened) and not self._is_landing:
            self._newest.drop()
            self._client.cancel(self._job)
            self._job, self._recorder = 0, None
            if self._is_by_hand:
                self.told.emit("Stopped: its slide was closed. What is finished is kept.")
            self._end("closed")

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._session.run_changed.emit()
            self.changed.emit()
