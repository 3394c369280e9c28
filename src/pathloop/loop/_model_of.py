"""Which model a slide was segmented with."""

import contextlib
from pathlib import Path

from pathloop.core import ModelError, ProjectError
from pathloop.networks import find_model, known_models, read_card
from pathloop.store import Project, RunRecord

__all__ = ["model_of"]


def model_of(project: Project, slide_id: str, wanted: str | None, *, run_key: str | None = None) -> Path:
    """The folder of the model that is asked for, else of the one that segmented a slide.

    Parameters
    ----------
    project
        Its ``models`` folder is looked through after the models that are known by name.
    slide_id
        The slide.
    wanted
        A known model's name or a model folder; None = the model of the run.
    run_key
        The run; None = the last one that finished.

    Raises
    ------
    ModelError
        If no model is named, and that of the run is not here as it was then.
    ProjectError
        If no model is named, and no run of the slide is finished.
    """
    if wanted is not None:
        return find_model(wanted)
    run = _run(project, slide_id, run_key)
    name, checksum = run.parameters.get("model"), run.parameters.get("model_checksum")
    # that name first, since each look reads all weights; a model may have been added under another name
    known = [folder for _, folder in sorted(known_models().items(), key=lambda item: item[0] != name)]
    for folder in (*known, *sorted((project.path / "models").glob("*"))):
        with contextlib.suppress(ModelError):  # a damaged model is none of our business
            if read_card(folder).checksum == checksum:
                return folder
    raise ModelError(f"model {name!r}, which segmented slide {slide_id!r}, is not here; name its folder with --model")


def _run(project: Project, slide_id: str, run_key: str | None) -> RunRecord:
    runs = [run for run in project.runs(slide_id) if run.finished and run_key in (None, run.run_key)]
    if not runs:
        raise ProjectError(f"{project.path}: no run of slide {slide_id!r} is finished; name a model with --model")
    return max(runs, key=lambda run: run.finished or "")
