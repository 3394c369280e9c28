"""Runs, comparisons and rounds in words and tables, as the command line prints them and the window shows them."""

import os
from collections.abc import Sequence
from pathlib import Path

from pathloop.core import DataError, ModelError
from pathloop.learn import TuneConfig
from pathloop.loop.tuning._comparison import Comparison, Gain, TaskComparison, read_comparison
from pathloop.loop.tuning._current import model_history
from pathloop.loop.tuning._runs import TuneRun, read_tune_config, tune_runs
from pathloop.networks import read_card
from pathloop.predict import may_have_bf16, may_have_gpu
from pathloop.store import counted

__all__ = ["comparison_text", "gain_text", "plan_text", "rounds_text", "verdict"]

WHAT = {
    "quick": "{tasks} and the layers below",
    "full": "{tasks} and the layers below, these by and by",
    "subtype": "a decoder for the classes of {tasks}, everything else stays as it is",
    "new-task": "a new decoder for {tasks}, everything else stays as it is",
}
CORE_S_PER_MEGAPIXEL = {"quick": 10.0, "full": 14.0, "subtype": 6.0, "new-task": 6.0}
"""Processor seconds for a million training pixels of the model `fast`; measured on two cores without bf16."""
BF16_GAIN = 0.45
"""How much of that a CPU takes that computes in bfloat16."""
GPU_S_PER_MEGAPIXEL = 0.3
STRIDE_1 = 4.0
"""How much longer a stem of stride 1 takes."""


def plan_text(run: TuneRun) -> str:
    """What a run will do, on what, and for about how long; in one line."""
    config = read_tune_config(run.folder)
    tasks = ", ".join(run.facts.tasks) or "nothing"
    held = len(run.facts.held_out)
    n = len(run.facts.regions)
    return (
        f"{run.name} ({run.facts.recipe}): trains {WHAT[run.facts.recipe].format(tasks=tasks)}, on {n} done"
        f" {'region' if n == 1 else 'regions'} ({held} held out), from {run.facts.parent};"
        f" {config.fit.steps} steps, about {_minutes(seconds_of(config))}"
    )


def seconds_of(config: TuneConfig) -> float:
    """About how long training takes on this computer, in seconds."""
    try:
        stride = read_card(config.parent).architecture.stem_stride
    except ModelError:
        stride = 2
    megapixels = config.fit.steps * config.fit.batch * config.fit.patch_px**2 / 1e6
    factor = STRIDE_1 if stride == 1 else 1.0
    # not choose_engine: it loads the engine, and this is asked for in the window's process too
    if config.device in ("cuda", "mps") or (config.device == "auto" and may_have_gpu()):
        return megapixels * GPU_S_PER_MEGAPIXEL * factor
    if config.fit.precision != "fp32" and may_have_bf16():
        factor *= BF16_GAIN
    return megapixels * CORE_S_PER_MEGAPIXEL[config.recipe] * factor / max(1, min(8, os.cpu_count() or 1))


def _minutes(seconds: float) -> str:
    return "a minute" if seconds < 90 else f"{round(seconds / 60)} minutes"


def comparison_text(comparison: Comparison) -> str:
    """Scores of both models, the gains with their intervals, old skills, and what follows."""
    one = comparison
    lines = [
        f"{one.candidate.name} against {one.parent.name} on {counted('held-out region', one.n_regions)}"
        f" of {one.n_patients} {'patient' if one.n_patients == 1 else 'patients'}"
        f" ({one.engine})",
        "",
    ]
    rows: list[tuple[str, ...]] = [("task", "score", "parent", "candidate", "gain", "95 % interval")]
    for task, found in one.tasks.items():
        rows += _task_rows(task, found)
    for key, sides in one.old_skills.items():
        old, new = sides["parent"], sides["candidate"]
        rows.append((f"old skills: {key}", "Dice", _number(old), _number(new), f"{new - old:+.3f}", ""))
    lines.append(_table(rows))
    worst = [row for row in one.regions if row.gain < 0][:3]
    if worst:
        lines += ["", "largest losses: " + "; ".join(f"{row.region} {row.task} {row.gain:+.3f}" for row in worst)]
    return "\n".join([*lines, "", *verdict(one)])


def verdict(comparison: Comparison) -> list[str]:
    """What follows from a comparison, a line each."""
    lines = []
    if comparison.n_regions == 0:
        lines.append("no held-out region is done: nothing is proved")
    elif not comparison.is_enough:
        lines.append(f"not enough evidence: {comparison.n_regions} of at least 4 held-out regions")
    lines += [f"worse: {fault}" for fault in comparison.faults]
    for task, one in comparison.tasks.items():
        if one.gain is None:
            lines.append(f"{task}: only one of the two models knows it")
        elif not one.gain.is_sure and comparison.is_enough:
            lines.append(
                f"{task}: the gain of {gain_text(one.gain)} {one.score.upper()} may be chance;"
                " more regions of this kind no longer help"
            )
    if comparison.is_enough and not comparison.faults:
        lines.append("not worse anywhere: it can be promoted")
    return lines


def gain_text(gain: Gain) -> str:
    """``+0.031 (0.010 to 0.052)``."""
    if gain.value is None:
        return "undefined"
    interval = "" if gain.low is None or gain.high is None else f" ({gain.low:+.3f} to {gain.high:+.3f})"
    return f"{gain.value:+.3f}{interval}"


def _task_rows(task: str, found: TaskComparison) -> list[tuple[str, ...]]:
    names = list(dict.fromkeys([*(found.parent or {}), *(found.candidate or {})]))
    rows: list[tuple[str, ...]] = []
    for name in names:
        old, new = (None if side is None else side.get(name) for side in (found.parent, found.candidate))
        gain = found.gains.get(name)
        value = "" if gain is None or gain.value is None else f"{gain.value:+.3f}"
        interval = "" if gain is None or gain.low is None else f"{gain.low:+.3f} to {gain.high:+.3f}"
        rows.append((task, _shown(name), _number(old), _number(new), value, interval))
    for label, sides in found.classes.items():
        for name in dict.fromkeys(key for side in sides.values() for key in side):
            old, new = (sides.get(side, {}).get(name) for side in ("parent", "candidate"))
            value = f"{new - old:+.3f}" if old is not None and new is not None else ""
            rows.append((f"{task}: {label}", _shown(name), _number(old), _number(new), value, ""))
    return rows


def _shown(score: str) -> str:
    return {"dice": "Dice", "mf1": "mean F1", "accuracy": "accuracy"}.get(score, score.upper())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def rounds_text(project: Path) -> str:
    """All rounds of a project folder: a line a fine-tuning run, with what became of its candidate."""
    runs = tune_runs(project)
    if not runs:
        return "no fine-tuning run yet"
    history = model_history(project)
    promoted = {entry.run for entry in history if entry.kind == "promote"}
    now = history[-1].model if history else ""
    rows = [("round", "recipe", "regions", "held out", "state", "from", "gain", "old skills", "model")]
    for run in runs:
        gain, lost = _round_scores(run)
        facts = run.facts
        mark = "the project's model" if facts.name == now else "promoted" if run.name in promoted else ""
        rows.append(
            (
                run.name,
                facts.recipe,
                str(len(facts.regions)),
                str(len(facts.held_out)),
                run.state,
                facts.parent,
                gain,
                lost,
                mark,
            )
        )
    return _table(rows)


def _round_scores(run: TuneRun) -> tuple[str, str]:
    if not run.comparison.is_file():
        return "-", "-"
    try:
        comparison = read_comparison(run.comparison)
    except DataError:
        return "damaged", "-"
    known = [(task, one.gain.value) for task, one in comparison.tasks.items() if one.gain]
    gains = [f"{task} {value:+.3f}" for task, value in known if value is not None]
    return ", ".join(gains) or "-", f"{-comparison.forgetting:+.3f}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
