"""Which model a project works with now, and which it worked with before."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from pathloop.core import DataError, ModelError, StrictConfig, one_line, read_json, write_json
from pathloop.loop._model_of import model_of
from pathloop.networks import DEFAULT_MODEL, find_model
from pathloop.store import Project

__all__ = ["ModelEntry", "current_model", "model_history", "model_of_project", "write_history"]

HISTORY = "history.json"


class ModelEntry(StrictConfig):
    """One change of a project's model.

    Parameters
    ----------
    kind
        ``start`` (what the project worked with before its first promotion), ``promote`` or ``rollback``.
    model
        Name of the folder in ``models/``, or of a model that is known by name.
    checksum
        Of its weights.
    run
        The fine-tuning run that made it; "" = none.
    gains
        By task, of the score that decides, when it was promoted.
    reason
        Why it was promoted although it was worse, or too little was held out; "" = it was not.
    who, at
        By whom, when (ISO 8601, UTC).
    """

    kind: Literal["start", "promote", "rollback"]
    model: str
    checksum: str
    run: str = ""
    gains: dict[str, Any] = Field(default_factory=dict)
    reason: str = ""
    who: str = ""
    at: str = ""


def model_history(project: Path) -> tuple[ModelEntry, ...]:
    """All changes of a project folder's model, the last one being that it works with; empty before the first.

    Raises
    ------
    DataError
        If the record is damaged or of a newer version.
    """
    path = project / "models" / HISTORY
    if not path.exists():
        return ()
    try:
        values = read_json(path)
        if values["format_version"] != 1:
            raise DataError(f"{path}: written by a newer pathloop; update pathloop")
        return tuple(ModelEntry.model_validate(one) for one in values["entries"])
    except ValidationError as error:
        raise DataError(f"{path}: damaged ({one_line(error)}); put back a copy of it, or delete it") from error
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error!r}); put back a copy of it, or delete it") from error


def write_history(project: Path, entries: tuple[ModelEntry, ...]) -> None:
    """Write all changes, in one step."""
    rows = [one.model_dump(mode="json") for one in entries]
    write_json(project / "models" / HISTORY, {"format_version": 1, "entries": rows})


def current_model(project: Path) -> Path | None:
    """Folder of the model that was promoted last (or rolled back to); None before the first promotion.

    Raises
    ------
    ModelError
        If it is not there any more.
    """
    history = model_history(project)
    return folder_of(project, history[-1]) if history else None


def folder_of(project: Path, entry: ModelEntry) -> Path:
    """Where the model of an entry lies."""
    own = project / "models" / entry.model
    if re.fullmatch(r"[\w.-]+", entry.model) and own.is_dir():
        return own
    try:
        return find_model(entry.model)
    except ModelError as error:
        raise ModelError(f"{own}: the project's model is not there; put it back, or name a model") from error


def model_of_project(project: Project) -> Path:
    """The model that a project works with: what was promoted last, else what segmented it last, else the default.

    Raises
    ------
    ModelError
        If it is not there.
    """
    promoted = current_model(project.path)
    if promoted is not None:
        return promoted
    runs = [run for slide in project.slides() for run in project.runs(slide.slide_id) if run.finished]
    if not runs:
        return find_model(DEFAULT_MODEL)
    last = max(runs, key=lambda run: run.finished or "")
    return model_of(project, last.slide_id, None, run_key=last.run_key)
