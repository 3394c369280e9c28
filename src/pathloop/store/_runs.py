"""Segmentation runs: what was asked, how far it is, which ids and areas are its own."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.store._clock import now
from pathloop.store._database import Database
from pathloop.store._layers import make_layer
from pathloop.store._records import RunRecord
from pathloop.store._slides import find_slide

__all__ = ["begin_run", "find_run", "find_runs", "finish_run", "run_folder", "run_number"]

KEY_LETTERS = 12


def begin_run(
    database: Database, slide_id: str, run_key: str, parameters: Mapping[str, Any], *, tasks: Sequence[str]
) -> RunRecord:
    """Record that a run begins; a run that goes on, or is finished, stays as it is.

    A finished run of which another run replaced a part begins anew, for the tasks that were replaced.
    """
    try:
        text = json.dumps(parameters, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a run's parameters must be plain values: {error}") from error
    if not re.fullmatch(r"[0-9a-zA-Z_-]{12,}", run_key):
        raise UsageError(f"a run key has at least {KEY_LETTERS} letters, digits, _ or -, not {run_key!r}")
    with database.transaction():
        layers = [make_layer(database, slide_id, task).number for task in tasks]
        known = [run for run in find_runs(database, slide_id) if run.run_key == run_key]
        if known and known[0].state == "replaced":
            run = run_number(database, slide_id, run_key)
            # replaced areas stay on record, marked as such, until this run fills them again
            free = "(SELECT next_id FROM layers WHERE layer = run_layers.layer)"
            database.rows(f"UPDATE run_layers SET first_id = {free} WHERE replaced = 1 AND run = ?", (run,))
            database.rows("UPDATE runs SET state = 'running', started = ?, finished = NULL WHERE run = ?", (now(), run))
        elif not known:
            sql = "INSERT INTO runs (slide_id, run_key, parameters, state, started) VALUES (?, ?, ?, 'running', ?)"
            database.rows(sql, (slide_id, run_key, text, now()))
        run = run_number(database, slide_id, run_key)
        for layer in layers:
            sql = "INSERT OR IGNORE INTO run_layers (run, layer, first_id) SELECT ?, layer, next_id FROM layers"
            database.rows(f"{sql} WHERE layer = ?", (run, layer))
    record = find_run(database, slide_id, run_key)
    record.folder.mkdir(parents=True, exist_ok=True)
    return record


def finish_run(database: Database, slide_id: str, run_key: str) -> RunRecord:
    """Record that a run is complete."""
    run = run_number(database, slide_id, run_key)
    database.rows("UPDATE runs SET state = 'finished', finished = ? WHERE run = ?", (now(), run))
    return find_run(database, slide_id, run_key)


def run_number(database: Database, slide_id: str, run_key: str) -> int:
    """Number of a run.

    Raises
    ------
    ProjectError
        If the slide has no such run.
    """
    found = database.rows("SELECT run FROM runs WHERE slide_id = ? AND run_key = ?", (slide_id, run_key))
    if not found:
        raise ProjectError(f"{database.path.parent}: slide {slide_id!r} has no run {run_key[:KEY_LETTERS]}")
    return int(found[0][0])


def find_run(database: Database, slide_id: str, run_key: str) -> RunRecord:
    """One run of a slide."""
    run_number(database, slide_id, run_key)
    return next(run for run in find_runs(database, slide_id) if run.run_key == run_key)


def find_runs(database: Database, slide_id: str) -> list[RunRecord]:
    """All runs of a slide, in the order in which they were first begun."""
    find_slide(database, slide_id)
    sql = "SELECT run, run_key, parameters, state, started, finished FROM runs WHERE slide_id = ? ORDER BY run"
    return [_record(database, slide_id, row) for row in database.rows(sql, (slide_id,))]


def _record(database: Database, slide_id: str, row: Sequence[Any]) -> RunRecord:
    run, run_key, parameters, state, started, finished = row
    sql = 'SELECT task, first_id, replaced, top, "left", bottom, "right" FROM run_layers JOIN layers USING (layer)'
    layers = database.rows(f"{sql} WHERE run = ? ORDER BY layer", (run,))
    shown: Literal["running", "finished", "replaced"] = (
        "replaced" if state == "finished" and any(row[2] for row in layers) else state
    )
    return RunRecord(
        slide_id=slide_id,
        run_key=run_key,
        parameters=json.loads(parameters),
        state=shown,
        first_ids={task: first_id for task, first_id, *_ in layers},
        areas={
            task: Rect.from_bounds(*bounds)
            for task, _, replaced, *bounds in layers
            if bounds[0] is not None and not replaced
        },
        started=started,
        finished=finished,
        folder=run_folder(database.path.parent, slide_id, run_key),
    )


def run_folder(project: Path, slide_id: str, run_key: str) -> Path:
    """Where a run keeps its scratch files."""
    return project / "runs" / f"{slide_id}-{run_key[:KEY_LETTERS]}"
