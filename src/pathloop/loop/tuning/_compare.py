"""Two models on the same held-out regions, with one engine: from images to a comparison."""

import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, JobFinished, Message, ProjectError, StageProgress, read_json
from pathloop.interchange import TrainingImage, iter_dataset
from pathloop.learn import DataConfig, ImageScores, drawn_images, old_data, owned_tasks, predicted, score_image
from pathloop.loop._tables import write_arrays
from pathloop.loop.tuning._comparison import Comparison, ModelName, RegionScore, TaskComparison, write_comparison
from pathloop.loop.tuning._regions import write_regions
from pathloop.loop.tuning._scores import compare_task, region_score
from pathloop.networks import ModelCard, read_card
from pathloop.predict import EngineChoice, choose_engine, load_engine
from pathloop.store import Project

__all__ = ["CompareRequest", "compare", "compare_on"]

OLD, NEW = "parent", "candidate"


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What to compare.

    Parameters
    ----------
    project
        Project folder; only read.
    parent, candidate
        Model folders.
    with_data
        Data sets of the initial training: a fifth of their patients tells what is forgotten.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    project: Path
    parent: Path
    candidate: Path
    with_data: tuple[DataConfig, ...] = ()
    device: str = "auto"


def compare(request: CompareRequest) -> Generator[Event, None, Comparison]:
    """Compare two models on the project's held-out regions.

    Yields
    ------
    Event
        `Message`, `StageProgress`; the last one is `JobFinished`, whose summary is the comparison as plain values.

    Returns
    -------
    Comparison
        The same.

    Raises
    ------
    ProjectError
        If no held-out region is done.
    PathloopError
        If the project, a slide, a data set or a model cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="pathloop-") as scratch, Project.open(request.project, write=False) as one:
        held = Path(scratch) / "held_out"
        if not write_regions(one, held, held_out=True):
            raise ProjectError(
                f"{request.project}: no held-out region is done; every fourth region of the queue is held out,"
                " review some of them first"
            )
        choice = choose_engine(request.device)
        comparison = yield from compare_on(
            held, request.parent, request.candidate, with_data=request.with_data, choice=choice
        )
    assert comparison is not None
    yield JobFinished(request.project, comparison.model_dump(mode="json"))
    return comparison


def compare_on(
    held: Path,
    parent: Path,
    candidate: Path,
    *,
    with_data: Sequence[DataConfig] = (),
    choice: EngineChoice,
    keep: Path | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Comparison | None]:
    """Compare two models on a training set of held-out regions; it may be missing, then only old skills are checked.

    Parameters
    ----------
    keep
        Folder for ``comparison.json`` and, by region, ``NAME.npz`` with both models' objects; None = keep nothing.
    is_stopped
        Asked after every image.

    Returns
    -------
    Comparison or None
        None where it was stopped; nothing is kept then.
    """
    models = {OLD: _Model(parent, read_card(parent)), NEW: _Model(candidate, read_card(candidate))}
    regions = list(iter_dataset("pathloop_set", held)) if held.is_dir() else []
    places = _places(held) if regions else {}
    old_card = models[OLD].card
    _, given = old_data(with_data, old_card.labels)
    checks = [*drawn_images(old_card.labels, old_card.um_per_px), *given]
    yield Message(f"comparing on {len(regions)} held-out regions; {choice.summary} ({choice.reason})")
    total, done = len(models) * (len(regions) + len(checks)), 0
    for model in models.values():
        # one engine in memory at a time
        model.load(choice, [*regions, *checks])
        for images, rows in ((regions, model.regions), (checks, model.checks)):
            for image in images:
                rows.append(model.score(image))
                done += 1
                yield StageProgress(model.card.name, "comparing", done, total)
                if is_stopped():
                    return None
        model.unload()
    comparison = Comparison(
        parent=models[OLD].name,
        candidate=models[NEW].name,
        engine=choice.summary,
        n_regions=len(regions),
        n_patients=len({one.group for one in regions}),
        tasks=_tasks(models),
        regions=_regions(models, places),
        old_skills=_old_skills(models),
    )
    if keep is not None:
        for old, new in zip(models[OLD].regions, models[NEW].regions, strict=True):
            arrays = {f"{OLD}/{task}": labels for task, labels in old.found.items()}
            arrays |= {f"{NEW}/{task}": labels for task, labels in new.found.items()}
            write_arrays(keep / f"{old.item.name}.npz", arrays, compress=True)
        write_comparison(keep / "comparison.json", comparison)
    return comparison


@dataclass(slots=True)
class _Model:
    """A model and what it scored so far."""

    folder: Path
    card: ModelCard
    regions: list[ImageScores] = field(default_factory=list)
    checks: list[ImageScores] = field(default_factory=list)
    _engine: Any = None

    @property
    def name(self) -> ModelName:
        return ModelName(name=self.card.name, checksum=self.card.checksum)

    def load(self, choice: EngineChoice, images: Sequence[TrainingImage]) -> None:
        """Build the engine for the tasks that the images own, and those that clip or are typed by them."""
        labels = self.card.labels
        owned = {task for image in images for task in owned_tasks(image, labels)}
        owned |= {one for task in owned for one in (labels[task].post.clip_to, labels[task].of) if one}
        tasks = tuple(task for task in labels.names if task in owned)
        self._engine = load_engine(self.folder, tasks, choice) if tasks else None

    def unload(self) -> None:
        self._engine = None

    def score(self, image: TrainingImage) -> ImageScores:
        """Run on one image and score it."""
        labels, cell = self.card.labels, self.card.architecture.cell_px
        owned = owned_tasks(image, labels)
        if self._engine is None or not owned:
            return ImageScores(image)

        def run(pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
            return dict(self._engine.run(pixels))

        prediction = predicted(run, image.image, labels, zoom=image.um_per_px / self.card.um_per_px, cell_px=cell)
        return score_image(prediction, image, labels, cell_px=cell, tasks=owned)


def _tasks(models: Mapping[str, _Model]) -> dict[str, TaskComparison]:
    specs = {task.name: task for model in models.values() for task in model.card.labels.tasks}
    found = {}
    for name, spec in specs.items():
        sides = {
            which: [row for row in model.regions if name in row.objects or name in row.classes]
            for which, model in models.items()
        }
        if any(sides.values()):
            old = sides[OLD] if _is_same(models, name) else []
            found[name] = compare_task(spec, old or None, sides[NEW] or None)
    return found


def _is_same(models: Mapping[str, _Model], name: str) -> bool:
    """Whether the models that know a task mean the same classes by it; else only the candidate's can be scored."""
    specs = [model.card.labels[name] for model in models.values() if name in model.card.labels]
    return len({(spec.output, tuple(one.name for one in spec.classes)) for spec in specs}) == 1


def _regions(models: Mapping[str, _Model], places: Mapping[str, Any]) -> tuple[RegionScore, ...]:
    pairs = zip(models[OLD].regions, models[NEW].regions, strict=True)
    rows = [row for old, new in pairs for row in _pairs(models, old, new, places)]
    return tuple(sorted(rows, key=lambda row: (row.gain, row.region, row.task)))


def _pairs(
    models: Mapping[str, _Model], old: ImageScores, new: ImageScores, places: Mapping[str, Any]
) -> Iterator[RegionScore]:
    place = places[new.item.name]
    for name in {**old.objects, **old.classes, **new.objects, **new.classes}:
        scores = {}
        for which, row in ((OLD, old), (NEW, new)):
            labels = models[which].card.labels
            scores[which] = region_score(labels[name], row) if name in row.objects or name in row.classes else None
        yield RegionScore(
            region=new.item.name,
            slide_id=place["slide"],
            rect=tuple(place["rect"]),
            task=name,
            parent=scores[OLD],
            candidate=scores[NEW],
        )


def _old_skills(models: Mapping[str, _Model]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {}
    for which, model in models.items():
        for row in model.checks:
            for task, scores in row.objects.items():
                if not np.isnan(dice := scores.pixels.dice):
                    found.setdefault(f"{row.item.source}/{task}", {}).setdefault(which, []).append(dice)
    return {
        key: {which: float(np.mean(values)) for which, values in sides.items()}
        for key, sides in sorted(found.items())
        if len(sides) == 2
    }


def _places(held: Path) -> dict[str, Any]:
    """By name of a region: where it is."""
    return {row["name"]: row["provenance"] for row in read_json(held / "manifest.json")["regions"]}
