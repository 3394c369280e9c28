"""Runs that were begun and not finished, and what newer results have left of them.

A tile is older than a result if it was written before the result was complete: times are compared, to the second.
"""

import contextlib
from datetime import datetime
from pathlib import Path

from pathloop.core import DataError, Rect
from pathloop.loop._preview import Preview, PreviewPart, tile_table
from pathloop.store import Project, RunRecord

__all__ = ["read_preview", "unfinished_runs"]

RESOLUTION_S = 1.0
"""Of the times in a project."""


def unfinished_runs(project: Project, slide_id: str) -> list[RunRecord]:
    """Runs of a slide that going on with makes sense, the latest to work last.

    Runs are left out of which a newer, finished run has covered the whole region for all their tasks.
    """
    runs = project.runs(slide_id)
    latest = {run.run_key: _latest_work(run) for run in runs if run.state == "running"}
    found = [run for run in runs if run.run_key in latest and not _is_covered(run, latest[run.run_key], runs)]
    return sorted(found, key=lambda run: latest[run.run_key])


def read_preview(project: Project, slide_id: str, preview: Preview) -> dict[tuple[int, int], dict[str, PreviewPart]]:
    """What to show of an unfinished run: its tiles by (row, column), less the areas of newer results.

    Damaged tiles are left out: the run makes them anew when it goes on.
    """
    runs, found = project.runs(slide_id), {}
    for place in sorted(preview.done()):
        with contextlib.suppress(DataError):
            moment = _written(tile_table(preview.folder, *place))
            parts = preview.load(*place)
            found[place] = {task: part.without(_newer(runs, task, moment)) for task, part in parts.items()}
    return found


def _newer(runs: list[RunRecord], task: str, moment: float) -> list[Rect]:
    """Areas of a task's results that were completed after a moment (s since the epoch)."""
    return [
        Rect(*run.parameters["region"])
        for run in runs
        if run.finished is not None
        and task in run.first_ids
        and "region" in run.parameters
        and datetime.fromisoformat(run.finished).timestamp() + RESOLUTION_S > moment
    ]


def _latest_work(run: RunRecord) -> float:
    """When a run's newest tile was written, else when it began; s since the epoch."""
    times = [_written(path) for path in run.folder.glob("tile_*.npz")]
    return max(times, default=datetime.fromisoformat(run.started).timestamp())


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # taken over meanwhile
        return 0.0


def _is_covered(run: RunRecord, latest: float, runs: list[RunRecord]) -> bool:
    if "region" not in run.parameters or not run.first_ids:
        return False
    for task in run.first_ids:
        left: tuple[Rect, ...] = (Rect(*run.parameters["region"]),)
        for area in _newer(runs, task, latest):
            left = tuple(piece for rect in left for piece in rect.minus(area))
        if left:
            return False
    return True
