"""Texts and buttons of the panel "Train"."""

from collections.abc import Sequence

from pathloop.gui.running import Button
from pathloop.gui.training._reading import TrainContent, last_word
from pathloop.gui.training._view import CompareRow
from pathloop.loop.tuning import Comparison, gain_text, verdict
from pathloop.store import counted

__all__ = ["RECIPES", "buttons", "comparison_rows", "end_words", "plan_words", "tasks_for"]

RECIPES: tuple[tuple[str, str, str], ...] = (
    (
        "quick",
        "Quick",
        "Tunes the reviewed tasks and the layers below, in few steps. Minutes on two CPU cores; the first choice",
    ),
    ("full", "Full", "The same, unfrozen by and by, in three times the steps. For a GPU, or for a long break"),
    (
        "subtype",
        "Classes of mine",
        "Teaches the classes that you gave to objects: a new type decoder. Nothing else of the model changes",
    ),
    (
        "new-task",
        "New objects",
        "Teaches objects that the model does not know, painted by you. Nothing else of the model changes",
    ),
)
"""Key, name and tooltip."""

_WHAT = {
    "quick": "Tunes the reviewed tasks and the layers below; takes minutes.",
    "full": "The same by and by, in more steps; takes long without a GPU.",
    "subtype": "Adds a decoder for your classes; all else stays as it is.",
    "new-task": "Adds a decoder for your objects; all else stays as it is.",
}

_MISSING = {
    "subtype": "Give objects classes of yours first (panel Correct, + beside the classes), and mark their regions done",
    "new-task": "Paint objects of a new kind first (panel Correct, New task...), and mark their regions done for it",
}
"""What to do where there is nothing to learn, by recipe."""


def plan_words(content: TrainContent, recipe: str) -> tuple[str, str]:
    """The words on the button, and below it what it will do."""
    n, held = content.n_regions, content.n_held_out
    button = f"Train on {n} done {'region' if n == 1 else 'regions'} ({held} held out)"
    if n == 0:
        return button, "Review regions of the queue and mark them as done; every fourth one is held out to judge by."
    if recipe in _MISSING and not tasks_for(content, recipe):
        return button, f"{_WHAT[recipe]} {_MISSING[recipe]}."
    tasks = f" Reviewed: {', '.join(content.tasks)}." if content.tasks else ""
    start = f" Starts from {content.model}." if content.model else ""
    few = "" if held >= 4 else f" With {held} of 4 held-out regions nothing can be proved."
    return button, f"{_WHAT[recipe]}{tasks}{start}{few}"


def tasks_for(content: TrainContent, recipe: str) -> tuple[str, ...]:
    """Tasks that a recipe can be asked to learn."""
    if recipe == "subtype":
        return tuple(task for task in content.tasks if task in content.classes)
    return tuple(task for task in content.tasks if task not in content.known) if recipe == "new-task" else ()


def buttons(content: TrainContent, *, is_open: bool, is_writer: bool, recipe: str, is_busy: bool) -> dict[str, Button]:
    """What can be done now, and why the rest cannot."""
    state, runs = content.state, content.state in ("running", "paused")
    why = ""
    if not is_open:
        why = "Open a slide with a project first"
    elif is_busy:
        why = "Something is being prepared"
    elif runs:
        why = "A run is under way"
    elif content.n_regions == 0:
        why = "No region is done, besides held-out ones"
    elif recipe in _MISSING and not tasks_for(content, recipe):
        why = _MISSING[recipe]
    train = Button(not why, why or "Starts in the background; go on correcting meanwhile")
    idle = "Nothing is running"
    can_resume = state == "paused" or (state in ("interrupted", "cancelled", "failed", "waiting") and is_open)
    ready = content.comparison is not None and state == "finished"
    promoted = content.run is not None and any(
        row.run == content.run.name and "in use" in row.cells for row in content.rows
    )
    no_promote = "" if ready else "There is no compared candidate"
    no_promote = no_promote or ("This candidate is in use" if promoted else "")
    no_promote = no_promote or ("" if is_writer else "The project is open for reading only")
    return {
        "train": train,
        "pause": Button(state == "running", "Rests after this step" if state == "running" else idle),
        "resume": Button(can_resume, "Goes on from the last checkpoint" if can_resume else "Nothing waits"),
        "finish": Button(state == "running", "Trains no further and compares what there is" if runs else idle),
        "cancel": Button(runs, "Stops; it can go on later" if runs else idle),
        "promote": Button(not no_promote, no_promote or "The project works with the candidate from now on"),
        "rollback": Button(
            content.n_promoted > 0 and is_writer,
            "Back to the model before" if content.n_promoted else "Nothing was promoted yet",
        ),
    }


def end_words(content: TrainContent) -> str:
    """How the last run came to its end."""
    words = {
        "finished": "Training has ended; see how the candidate does.",
        "cancelled": "Training was stopped; it can go on later.",
        "interrupted": "The training process is gone; it can go on from its last checkpoint.",
    }
    return words.get(content.state or "", f"Training failed: {last_word(content)}")


def comparison_rows(comparison: Comparison) -> tuple[str, list[CompareRow], Sequence[str]]:
    """Title, lines (tasks, then regions with the largest losses first; the last part says where it leads), verdict."""
    one = comparison
    title = f"{one.candidate.name} against {one.parent.name}, {counted('held-out region', one.n_regions)}"
    rows: list[CompareRow] = []
    for task, found in one.tasks.items():
        old, new = (None if side is None else side.get(found.score) for side in (found.parent, found.candidate))
        word = "PQ" if found.score == "pq" else "mean F1"
        gain = "" if found.gain is None else gain_text(found.gain)
        rows.append((f"{task} {word}", _value(old), _value(new), gain, ""))
    for key, sides in one.old_skills.items():
        lost = sides["candidate"] - sides["parent"]
        source, _, task = key.rpartition("/")
        rows.append(
            (
                f"{task} Dice, {source}",
                _value(sides["parent"]),
                _value(sides["candidate"]),
                f"{lost:+.3f}, old skill",
                "",
            )
        )
    for number, row in enumerate(one.regions):
        if row.parent is not None or row.candidate is not None:
            text = f"region {row.region.removeprefix(f'{row.slide_id}_region')} of {row.slide_id}, {row.task}"
            rows.append((text, _value(row.parent), _value(row.candidate), f"{row.gain:+.3f}", str(number)))
    return title, rows, verdict(one)


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
