"""What the fine-tuning recipes share: from a parent and reviewed regions to a candidate's model folder."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from pathloop.core import Evaluated, Event, JobFinished, LabelSchema, Message, TaskSpec
from pathloop.interchange import TrainingImage, iter_dataset
from pathloop.learn._check_set import drawn_images, old_data
from pathloop.learn._checkpoint import CHECKPOINT_NAME
from pathloop.learn._config import TrainConfig
from pathloop.learn._control import Wish
from pathloop.learn._fit import FitJob, Metrics, fit
from pathloop.learn._parts import Phase
from pathloop.learn._pool import SamplePool, WeightedImage
from pathloop.learn._sampler import TaskSampler
from pathloop.learn._step import choose_device
from pathloop.learn._tune_config import TuneConfig
from pathloop.learn._validate import validate
from pathloop.learn._weights import between
from pathloop.learn.recipes._data import data_sources, derived_tasks, spread
from pathloop.learn.recipes._run_folder import CardFacts, model_card, model_folder
from pathloop.networks import ModelCard
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model

__all__ = ["Plan", "forgetting", "reviewed_tasks", "tuned", "with_task"]

SHARES = (0.5, 0.4, 0.25, 0.1)
"""How far from its parent a candidate may stay, tried from the farthest on.

Never all the way: what was learnt from a few regions serves other patients best between both (Wortsman et al. 2022;
measured in docs/explanation/the-loop.md)."""

DRAWN_SHARE = 0.25
"""Weight of drawn slides beside each data set that is given: the check set holds some, so they must not be lost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe decides.

    Parameters
    ----------
    labels
        Tasks of the candidate.
    tasks
        Those that train.
    phases
        What trains when.
    forgets
        Whether old skills can suffer: then they are replayed, the parent is asked, and the result is checked.
    like
        By new task: the parent's task whose branch it starts from.
    """

    labels: LabelSchema
    tasks: tuple[str, ...]
    phases: tuple[Phase, ...]
    forgets: bool
    like: dict[str, str]


def reviewed_tasks(regions: Sequence[TrainingImage], labels: LabelSchema) -> tuple[str, ...]:
    """The tasks of a model that reviewed regions can train, in its order."""
    return tuple(task for task in labels.names if any(task in WeightedImage(one, "").trains(labels) for one in regions))


def with_task(labels: LabelSchema, task: TaskSpec) -> LabelSchema:
    """The tasks of a model with one more, or another one in the place of that of the same name."""
    return LabelSchema(tasks=(*(one for one in labels.tasks if one.name != task.name), task))


def tuned(
    config: TuneConfig, choose: Callable[[ModelCard, Sequence[TrainingImage]], Plan], wish: Callable[[], Wish]
) -> Generator[Event]:
    """Train as a recipe plans it, draw the result back towards the parent until old skills stay, and save it.

    Yields
    ------
    Event
        As `fit`; the last one is `JobFinished` with the candidate's folder, or `RunCancelled`.

    Raises
    ------
    TrainingError
        If no region trains what the recipe trains, or training fails.
    DataError, UsageError, ModelError
        If data or parent cannot be read.
    """
    parent, card = load_model(config.parent)
    regions = list(iter_dataset("pathloop_set", config.regions))
    held = [] if config.held_out is None else list(iter_dataset("pathloop_set", config.held_out))
    plan = choose(card, regions)
    training = config.training(card, plan.labels)
    data = _collected(config, plan, card, regions)
    yield Message(
        f"{config.recipe}: training {', '.join(plan.tasks)} on {len(regions)} regions"
        f" ({len(held)} held out, {len(data.images) - len(regions)} images replayed), {config.fit.steps} steps"
    )
    network, seen = _start(training, plan, parent), spread(held, config.fit.validation_images)
    curves: list[Metrics] = [{}]

    def measure(net: MultiTaskNetwork) -> Metrics:
        # shown while training goes on; nothing is chosen by it, since the hold-out judges the candidate
        curves.append(validate(net, seen, card.um_per_px))
        return curves[-1]

    if seen and not (config.output / CHECKPOINT_NAME).is_file():
        yield Evaluated(0, measure(network.to(choose_device(config.device)).eval()), is_best=False)
    job = FitJob(
        network=network,
        sampler=TaskSampler(SamplePool(data.images, plan.labels, card.um_per_px), training),
        config=training,
        validate=measure,
        keep_best=lambda *_: None,
        phases=plan.phases,
        teacher=parent if plan.forgets and config.fit.distil else None,
        wish=wish,
    )
    weights = yield from fit(job)
    if weights is None:
        return
    network.load_state_dict(weights)
    told = {} if not plan.forgets else (yield from _drawn_back(config, network, parent, data.checks, card.um_per_px))
    base = card.training.get("base", card.name)
    told |= {"base": base, "recipe": config.recipe, "regions": len(regions), "tasks": list(plan.tasks)}
    made = _card(training, plan, card, data, curves[-1])
    folder = model_folder(training)
    save_model(folder, network, made.model_copy(update={"training": made.training | told}))
    yield JobFinished(folder, {"model": config.name, "steps": config.fit.steps, **told})


@dataclass(frozen=True, slots=True)
class _Data:
    """What a run trains on, and what it is checked on.

    Parameters
    ----------
    images
        All that train: the regions, and what is replayed.
    known
        Those of them whose source the card names.
    checks
        Old skills.
    """

    images: list[WeightedImage]
    known: list[WeightedImage]
    checks: list[TrainingImage]


def _collected(config: TuneConfig, plan: Plan, card: ModelCard, regions: Sequence[TrainingImage]) -> _Data:
    own = [WeightedImage(one, "regions", 1.0, plan.tasks) for one in regions]
    if not plan.forgets:
        return _Data(own, own, [])
    mixed, given = old_data(config.with_data, card.labels)
    replayed = _replayed(config, plan, card, mixed)
    return _Data([*own, *replayed], [*own, *mixed], [*drawn_images(card.labels, card.um_per_px), *given])


def _card(training: TrainConfig, plan: Plan, parent: ModelCard, data: _Data, metrics: Metrics) -> ModelCard:
    facts = CardFacts(
        (*parent.training_data, *data_sources(data.known, training)),
        sorted({*parent.experimental_tasks, *derived_tasks(data.known, training)} & {*plan.labels.names}),
        parent=parent,
    )
    return model_card(training, facts, metrics, training.fit.steps)


def _replayed(config: TuneConfig, plan: Plan, card: ModelCard, mixed: Sequence[WeightedImage]) -> list[WeightedImage]:
    """What keeps old skills: given data, and drawings of the tasks that train; weighted to the share of `replay`."""
    if not config.replay:
        return []
    weight = DRAWN_SHARE if mixed else 1.0
    drawn = [
        WeightedImage(one, "drawn", weight, plan.tasks)
        for one in drawn_images(card.labels, card.um_per_px, replay=True)
    ]
    found = [*mixed, *drawn]
    whole = sum({one.data_set: one.weight for one in found}.values())
    factor = config.replay / (1 - config.replay) / whole if whole else 0.0
    return [replace(one, weight=one.weight * factor) for one in found]


def _start(training: TrainConfig, plan: Plan, parent: MultiTaskNetwork) -> MultiTaskNetwork:
    """The parent's weights, new branches from those that are most alike, heads that fit none from a seed."""
    torch.manual_seed(training.seed)
    network = MultiTaskNetwork(training.network, plan.labels)
    own, old = network.state_dict(), parent.state_dict()
    for new, like in plan.like.items():
        old |= {name.replace(f".{like}.", f".{new}.", 1): value for name, value in old.items() if f".{like}." in name}
    fitting = {name: value for name, value in old.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict(own | fitting)
    return network


def _drawn_back(
    config: TuneConfig,
    network: MultiTaskNetwork,
    parent: MultiTaskNetwork,
    checks: Sequence[TrainingImage],
    um_per_px: float,
) -> Generator[Event, None, dict[str, Any]]:
    """Move the weights back towards the parent's until the check sets lose little; what is told of it.

    Losses need not fall with the way back. Where every share loses too much, the one that loses least stays.
    """
    device = next(network.parameters()).device
    old = {name: value.to(device) for name, value in parent.state_dict().items()}
    new = {name: value.clone() for name, value in network.state_dict().items()}
    before = validate(parent.to(device), checks, um_per_px)
    losses: dict[float, float] = {}
    for share in SHARES:
        network.load_state_dict(between(old, new, share))
        losses[share] = forgetting(before, validate(network.eval(), checks, um_per_px))
        if losses[share] <= config.max_forgetting:
            break
    share = min(losses, key=lambda one: (losses[one] > config.max_forgetting, losses[one]))
    network.load_state_dict(between(old, new, share))
    yield Message(
        f"old skills: {losses[share]:.3f} Dice lost on {len(checks)} check images;"
        f" the weights stay at {share:.0%} of the way from their parent's"
    )
    return {"share": share, "forgetting": round(losses[share], 4)}


def forgetting(before: Metrics, after: Metrics) -> float:
    """The largest loss of Dice over the check sets and tasks; below 0 where all gained."""
    losses = [
        values["dice"] - after[key]["dice"]
        for key, values in before.items()
        if "dice" in after.get(key, {}) and "dice" in values
    ]
    return max(losses, default=0.0)
