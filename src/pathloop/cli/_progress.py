"""Progress bars: events in, one line that moves, or JSON lines."""

import contextlib
import sys
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from pathloop.core import (
    CheckpointSaved,
    Evaluated,
    Event,
    JobFinished,
    Message,
    RunStarted,
    StageProgress,
    StepDone,
    TileDone,
)

__all__ = ["ProgressLine", "follow"]


def follow(events: Generator[Event, None, Any], *, as_json: bool = False) -> JobFinished:
    """Show a job's events until it ends; returns its last event.

    Closing happens on the way out, so Ctrl-C leaves whatever is finished recorded.
    """
    last: Event | None = None
    with contextlib.closing(events), ProgressLine() as line:
        for event in events:
            last = event
            if as_json:
                print(event.to_json(), flush=True)
            else:
                line.show(event)
    assert isinstance(last, JobFinished)
    return last


class ProgressLine:
    """One progress bar at a time, on standard error; where that is no terminal, only messages."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._key: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Message):
            self._say(f"{'warning: ' if event.level == 'warning' else ''}{event.text}")
        elif isinstance(event, RunStarted):
            resumed = f", {event.n_done} of them done before" if event.n_done else ""
            self._say(
                f"{event.slide}: {event.area_mm2:.2f} mm2 in {event.n_tiles} tiles{resumed};"
                f" {event.engine} ({event.reason})"
            )
            self._open(event.run_key, event.slide, event.n_tiles, event.n_done)
        elif isinstance(event, TileDone):
            self._advance(event.n_done)
            eta = "" if event.eta_s is None else f", {_duration(event.eta_s)} left"
            self._note(f"{event.done_mm2:.2f} mm2, {event.s_per_mm2:.2f} s/mm2{eta}")
        elif isinstance(event, StageProgress):
            self._open((event.slide, event.stage), f"{event.slide}: {event.stage}", event.total, event.done)
            self._advance(event.done)
        else:
            self._show_training(event)

    def _show_training(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self._open("steps", "training", event.n_steps, event.step)
            self._advance(event.step)
            parts = " ".join(f"{task} {value:.3f}" for task, value in event.losses.items())
            self._note(f"loss {event.loss:.3f} ({parts}), {event.samples_per_s:.1f}/s, {_duration(event.eta_s)} left")
        elif isinstance(event, Evaluated):
            best = "  best so far" if event.is_best else ""
            self._say(f"step {event.step}: validation{best}")
            for name, values in event.metrics.items():
                self._say(f"  {name:28s} " + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
        elif isinstance(event, CheckpointSaved):
            self._say(f"step {event.step}: checkpoint {event.path}")

    def _say(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def _open(self, key: object, title: str, total: int, done: int) -> None:
        if key == self._key:
            return
        self._close()
        self._key = key
        if total > 0:
            form = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {postfix}"
            self._bar = tqdm(
                total=total, initial=done, desc=title, bar_format=form, file=sys.stderr, leave=False, disable=None
            )

    def _advance(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def _note(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar, self._key = None, None


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
