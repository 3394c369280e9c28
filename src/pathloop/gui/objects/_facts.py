"""What a project says of a slide beyond its objects: its name space and its runs."""

import uuid
from dataclasses import dataclass

from pathloop.store import Project, RunRecord

__all__ = ["SlideFacts", "read_facts", "run_text"]


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """Facts about one slide of a project.

    Parameters
    ----------
    project_uuid
        The name space of object names.
    runs
        Oldest first.
    """

    project_uuid: uuid.UUID
    runs: tuple[RunRecord, ...]


def read_facts(project: Project, slide_id: str) -> SlideFacts:
    """Read them; call it in the project's thread."""
    return SlideFacts(project.uuid, tuple(project.runs(slide_id)))


def run_text(runs: tuple[RunRecord, ...], task: str, object_id: int) -> str:
    """Which model and run an object comes from, in words; empty where that cannot be told for sure.

    Ids grow and are never given twice, so an object belongs to the last run whose first id it reaches.
    """
    firsts = [(run.first_ids[task], run) for run in runs if run.state != "running" and task in run.first_ids]
    reached = [first for first, _ in firsts if first <= object_id]
    found = [run for first, run in firsts if reached and first == max(reached)]
    if not found:
        return ""
    models = {_model(run) for run in found}
    if len(models) != 1:  # begun together
        return ""
    model = models.pop()
    return f"{model}, {found[0].started[:10]}" if len(found) == 1 else model


def _model(run: RunRecord) -> str:
    name, version = run.parameters.get("model"), run.parameters.get("model_version")
    return f"model {name} {version}" if name and version else f"model {name}" if name else "unknown model"
