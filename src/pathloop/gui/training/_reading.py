"""What the panel "Train" shows of a project: regions, runs, curves, comparison. Read in a thread; no Qt."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathloop.core import DataError, Evaluated, Event, Failed, Message, ModelError, StageProgress, StepDone
from pathloop.loop.tuning import (
    Comparison,
    ModelEntry,
    RunState,
    TuneRun,
    current_model,
    model_history,
    read_comparison,
    read_events,
    stale_slides,
    tune_runs,
)
from pathloop.networks import DEFAULT_MODEL, find_model, read_card
from pathloop.store import Project

__all__ = ["Curves", "RoundRow", "TrainContent", "curves_of", "progress_of", "read_content"]


@dataclass(frozen=True, slots=True)
class Curves:
    """How a run goes, step by step.

    Parameters
    ----------
    losses
        (step, loss) by task.
    held_out
        (step, value) by score, for example "gland PQ", on the held-out regions.
    """

    losses: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    held_out: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A line of the table of rounds.

    Parameters
    ----------
    run
        Its name.
    cells
        Recipe, regions, state, gain, old skills, what became of it.
    """

    run: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainContent:
    """What there is to train on, and what was trained.

    Parameters
    ----------
    n_regions, n_held_out
        Done regions that train, and those that are held out.
    tasks
        Reviewed in regions that train.
    classes
        Tasks of the project whose objects have more than one class.
    known
        Tasks of the model.
    model
        Name of the model that the project works with.
    n_promoted
        Promotions that stand.
    stale
        Slides that hold what another model than the project's found; none before the first promotion.
    rows
        All rounds.
    run, state
        The last run; None where there is none.
    curves, comparison, events
        Of the last run.
    """

    n_regions: int = 0
    n_held_out: int = 0
    tasks: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    model: str = DEFAULT_MODEL
    n_promoted: int = 0
    stale: tuple[str, ...] = ()
    rows: tuple[RoundRow, ...] = ()
    run: TuneRun | None = None
    state: RunState | None = None
    curves: Curves = field(default_factory=Curves)
    comparison: Comparison | None = None
    events: tuple[Event, ...] = ()


def read_content(path: Path) -> TrainContent:
    """Read a project folder.

    Raises
    ------
    PathloopError
        If it is no project, or its record of models is damaged.
    """
    history, model = model_history(path), current_model(path)
    known = _known(model, history)
    with Project.open(path, write=False) as project:
        done = [region for region in project.regions() if "done" in region.states.values()]
        tasks = {task for slide in project.slides() for task in project.tasks(slide.slide_id)}
        classes = tuple(sorted(task for task in tasks if len(project.classes(task)) > 1))
        stale = stale_slides(project, history[-1].checksum, known) if history else ()
    train = [region for region in done if not region.holdout]
    reviewed = {task for region in train for task, state in region.states.items() if state == "done"}
    runs = tune_runs(path)
    run = runs[-1] if runs else None
    events = tuple(read_events(run.folder)) if run is not None else ()
    states = {one.name: one.state for one in runs}
    promoted = [entry.run for entry in history if entry.kind == "promote"]
    standing = len(promoted) - sum(entry.kind == "rollback" for entry in history)
    current = history[-1].model if history else ""
    return TrainContent(
        n_regions=len(train),
        n_held_out=len(done) - len(train),
        tasks=tuple(sorted(reviewed)),
        classes=classes,
        known=known,
        model=model.name if model is not None else DEFAULT_MODEL,
        n_promoted=standing,
        stale=tuple(one.slide.slide_id for one in stale),
        rows=tuple(_row(one, states[one.name], promoted, current) for one in runs),
        run=run,
        state=None if run is None else states[run.name],
        curves=curves_of(events),
        comparison=_comparison(run),
        events=events,
    )


def _known(model: Path | None, history: Sequence[ModelEntry]) -> tuple[str, ...]:
    """Tasks of the model that a project works with; none where it is damaged: whoever works with it says so."""
    try:
        return _tasks_of(model or find_model(DEFAULT_MODEL), history[-1].checksum if history else "")
    except ModelError:
        return ()


@functools.lru_cache(maxsize=8)
def _tasks_of(folder: Path, checksum: str) -> tuple[str, ...]:
    """Tasks of a model; looking takes reading all its weights."""
    return tuple(read_card(folder).labels.names)


def _comparison(run: TuneRun | None) -> Comparison | None:
    if run is None or not run.comparison.is_file():
        return None
    try:
        return read_comparison(run.comparison)
    except DataError:
        return None


def _row(run: TuneRun, state: str, promoted: Sequence[str], current: str) -> RoundRow:
    comparison = _comparison(run)
    gain, lost = "", ""
    if comparison is not None:
        known = [(task, one.gain.value) for task, one in comparison.tasks.items() if one.gain]
        gain = ", ".join(f"{task} {value:+.3f}" for task, value in known if value is not None)
        lost = f"{-comparison.forgetting:+.3f}"
    mark = "in use" if run.facts.name == current else "promoted before" if run.name in promoted else ""
    n, held = len(run.facts.regions), len(run.facts.held_out)
    return RoundRow(run.name, (run.facts.recipe, f"{n} + {held}", mark or state, gain, lost))


def curves_of(events: Sequence[Event]) -> Curves:
    """The curves of a run; after a restart, steps that were done again count once."""
    losses: dict[str, dict[int, float]] = {}
    held: dict[str, dict[int, float]] = {}
    for event in events:
        if isinstance(event, StepDone):
            for task, value in event.losses.items():
                losses.setdefault(task, {})[event.step] = value
        elif isinstance(event, Evaluated):
            for key, values in event.metrics.items():
                for score, word in (("pq", "PQ"), ("dice", "Dice"), ("f1", "F1")):
                    if score in values:
                        held.setdefault(f"{key.rpartition('/')[2]} {word}", {})[event.step] = values[score]
    return Curves(
        {task: sorted(points.items()) for task, points in losses.items()},
        {name: sorted(points.items()) for name, points in held.items()},
    )


def progress_of(content: TrainContent) -> tuple[float | None, str]:
    """How far the last run is, 0..1 or None where that cannot be told, and in words; "" = nothing goes on."""
    if content.state not in ("running", "paused"):
        return None, ""
    word = "Paused" if content.state == "paused" else "Training"
    for event in reversed(content.events):
        if isinstance(event, StepDone):
            share = event.step / event.n_steps
            return share, f"{word}: step {event.step} of {event.n_steps}{_left(event.eta_s)}"
        if isinstance(event, StageProgress):
            return event.done / max(event.total, 1), f"Comparing: {event.done} of {event.total} images"
    return None, "Starting: reading regions"


def _left(seconds: float) -> str:
    from pathloop.gui.running import duration

    return f", {duration(seconds)} left" if seconds > 0 else ""


def last_word(content: TrainContent) -> str:
    """What the last run said last, where it ended otherwise than well, or warned."""
    for event in reversed(content.events):
        if isinstance(event, Failed):
            return event.message
        if isinstance(event, Message) and event.level == "warning":
            return event.text
    return ""
