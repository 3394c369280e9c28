"""From a snapshot of a project to a run folder that holds all that a fine-tuning run needs."""

from collections.abc import Generator, Sequence
from pathlib import Path

from pathloop import __version__
from pathloop.core import (
    Event,
    Message,
    ProjectError,
    StageProgress,
    TaskSpec,
    UsageError,
    file_sha256,
    new_folder,
    write_json,
)
from pathloop.learn import DataConfig, TuneConfig, default_fit
from pathloop.loop.queue import ENOUGH_PATIENTS
from pathloop.loop.tuning._current import model_of_project
from pathloop.loop.tuning._recipe_data import RecipeData, TuneRequest
from pathloop.loop.tuning._regions import WrittenRegion, write_regions
from pathloop.loop.tuning._runs import (
    CONFIG,
    FACTS,
    REQUEST,
    RegionName,
    RunFacts,
    TuneRun,
    new_run_folder,
    read_tune_config,
    tune_runs,
)
from pathloop.networks import ModelCard, find_model, read_card
from pathloop.predict import choose_engine
from pathloop.store import Project, now, who_am_i

__all__ = ["prepare", "same_run"]

TISSUE = "tissue"


def prepare(request: TuneRequest) -> Generator[Event, None, TuneRun]:
    """Make the folder of a run: the reviewed regions as they are now, and its configuration. Whole or not at all.

    Yields
    ------
    Event
        `StageProgress` and `Message`.

    Returns
    -------
    TuneRun
        The run, waiting.

    Raises
    ------
    ProjectError
        If no region is done, or a slide is not there.
    UsageError
        If the recipe needs a task that is not named, or not there, or the device is not there.
    ModelError
        If the model is not there.
    """
    if request.device not in ("auto", "cpu"):
        choose_engine(request.device)  # before regions are copied for a device that is not there
    with Project.open(request.project, write=False) as project:
        parent = model_of_project(project) if request.model is None else find_model(request.model)
        card = read_card(parent)
        recipe = RecipeData(request, project, card)
        folder = new_run_folder(project.path)
        with new_folder(folder) as building:
            yield StageProgress(project.path.stem, "copying regions", 0, 2)
            regions = write_regions(project, building / "data" / "regions", held_out=False, change=recipe.changed)
            if not regions:
                raise ProjectError(f"{project.path}: {recipe.nothing}")
            yield StageProgress(project.path.stem, "copying regions", 1, 2)
            held = write_regions(project, building / "data" / "held_out", held_out=True, change=recipe.changed)
            yield StageProgress(project.path.stem, "copying regions", 2, 2)
            run = TuneRun(folder, _facts(request, project, card, (regions, held), folder, building))
            config = _config(request, run, card, parent, recipe.task_spec(), len(regions))
            write_json(building / FACTS, run.facts.model_dump(mode="json"))
            write_json(building / CONFIG, config.model_dump(mode="json"))
            write_json(building / REQUEST, {"run": str(folder.resolve())})
    if len(held) == 0:
        yield Message("no held-out region is done yet: the candidate cannot be judged", level="warning")
    yield from _warn_of_both(regions, held)
    return run


def _warn_of_both(regions: Sequence[WrittenRegion], held: Sequence[WrittenRegion]) -> Generator[Event]:
    train, judges = {one.patient for one in regions}, {one.patient for one in held}
    both = sorted(train & judges)
    if both and len(train | judges) >= ENOUGH_PATIENTS:
        more = f" and {len(both) - 1} more" if len(both) > 1 else ""
        text = f"regions of {both[0]}{more} train and others of that patient judge: the gain will look too large"
        yield Message(text, level="warning")


def _facts(
    request: TuneRequest,
    project: Project,
    card: ModelCard,
    written: tuple[list[WrittenRegion], list[WrittenRegion]],
    folder: Path,
    building: Path,
) -> RunFacts:
    train, held = (
        tuple(
            RegionName(
                slide_id=one.provenance["slide"],
                region=one.provenance["region"],
                tasks=one.tasks,
                patient=one.patient,
                who=one.provenance.get("who", ""),
            )
            for one in regions
        )
        for regions in written
    )
    base = str(card.training.get("base", card.name))
    return RunFacts(
        recipe=request.recipe,
        parent=card.name,
        parent_checksum=card.checksum,
        name=f"{base}-r{int(folder.name.rpartition('-')[2])}",
        regions=train,
        held_out=held,
        tasks=tuple(dict.fromkeys(task for one in train for task in one.tasks)),
        data_sha256=file_sha256(building / "data" / "regions" / "manifest.json"),
        journal=max((entry.number for entry in project.journal()), default=0),
        who=request.who or who_am_i(),
        at=now(),
        program=__version__,
    )


def _config(
    request: TuneRequest, run: TuneRun, card: ModelCard, parent: Path, task: TaskSpec | None, n_regions: int
) -> TuneConfig:
    fit = default_fit(request.recipe, card, n_regions)
    if request.steps is not None:
        if request.steps < 1:
            raise UsageError("a run has at least one step")
        fit = fit.model_copy(update={"steps": request.steps})
    return TuneConfig(
        recipe=request.recipe,
        name=run.facts.name,
        version=str(run.number),
        summary=f"{card.name}, fine-tuned ({request.recipe}) on {n_regions} reviewed regions.",
        output=run.folder,
        parent=parent.resolve(),
        regions=run.folder / "data" / "regions",
        with_data=tuple(one.model_copy(update={"path": one.path.resolve()}) for one in request.with_data),
        task=task,
        fit=fit,
        seed=request.seed,
        device=request.device,
    )


def same_run(request: TuneRequest) -> TuneRun | None:
    """The last run if it was interrupted and would be the same if it were started now; None otherwise.

    The same means: recipe, task, model, data sets, steps and seed, and a project that has not changed since.
    """
    runs = [run for run in tune_runs(request.project) if run.state in ("waiting", "interrupted", "cancelled", "failed")]
    if not runs or runs[-1] != tune_runs(request.project)[-1]:
        return None
    run, config = runs[-1], read_tune_config(runs[-1].folder)
    with Project.open(request.project, write=False) as project:
        parent = model_of_project(project) if request.model is None else find_model(request.model)
        journal = max((entry.number for entry in project.journal()), default=0)
    asked = (request.recipe, journal, read_card(parent).checksum, request.seed, _sets(request.with_data))
    there = (run.facts.recipe, run.facts.journal, run.facts.parent_checksum, config.seed, _sets(config.with_data))
    task = None if config.task is None else config.task.of or config.task.name
    alike = asked == there and request.steps in (None, config.fit.steps) and request.task in (None, task)
    return run if alike else None


def _sets(data: Sequence[DataConfig]) -> list[tuple[str, Path]]:
    return [(one.kind, one.path.resolve()) for one in data]
