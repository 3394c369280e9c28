"""The subtyping stage: train TYPE decoders on a frozen network (Graham et al. 2023)."""

from collections.abc import Generator, Iterator
from dataclasses import replace

import torch

from pathloop.core import Event, JobFinished, LabelSchema, Message, TrainingError
from pathloop.learn._config import TrainConfig
from pathloop.learn._fit import FitJob, Metrics, fit
from pathloop.learn._parts import Phase, branches
from pathloop.learn._pool import SamplePool
from pathloop.learn._sampler import TaskSampler
from pathloop.learn._validate import validate
from pathloop.learn.recipes._data import data_sources, derived_tasks, load_images, spread
from pathloop.learn.recipes._run_folder import CardFacts, model_card, model_folder, recorded
from pathloop.networks import ModelCard
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model

__all__ = ["subtype"]


def subtype(config: TrainConfig) -> Iterator[Event]:
    """Add TYPE decoders to the model named by ``init_from`` and train them alone.

    Everything else is frozen, batch norm included: not a bit of it moves. ``config.labels`` holds the parent's
    tasks that the new model keeps, and the ``type`` tasks. Architecture, scale and margin are the parent's.
    Writes the same files as `train`, and resumes like it.

    Raises
    ------
    TrainingError, DataError
        If there is no parent, no type task, the parent lacks one of the other tasks or has it with other
        channels, or the data cannot be read or own none of the type tasks.
    """
    type_tasks = tuple(task.name for task in config.labels.tasks if task.output == "type")
    if config.init_from is None or not type_tasks:
        raise TrainingError("subtyping needs init_from (the parent model) and at least one task with output 'type'")
    parent, card = load_model(config.init_from)
    _check_parent(card, config.labels)
    config = config.model_copy(
        update={"architecture": card.architecture, "um_per_px": card.um_per_px, "margin_px": card.margin_px}
    )
    yield from recorded(config, _subtype(config, type_tasks, parent=parent, card=card))


def _check_parent(card: ModelCard, labels: LabelSchema) -> None:
    for task in labels.tasks:
        if task.name not in card.labels:
            if task.output != "type":
                raise TrainingError(
                    f"the parent model {card.name!r} has no task {task.name!r}; it has {card.labels.names}"
                )
        elif (card.labels[task.name].output, card.labels[task.name].n_channels) != (task.output, task.n_channels):
            raise TrainingError(f"the parent model {card.name!r} has the task {task.name!r} with other classes")


def _subtype(
    config: TrainConfig, type_tasks: tuple[str, ...], *, parent: MultiTaskNetwork, card: ModelCard
) -> Generator[Event]:
    torch.manual_seed(config.seed)
    network = MultiTaskNetwork(config.network, config.labels)
    own = network.state_dict()
    network.load_state_dict(own | {name: value for name, value in parent.state_dict().items() if name in own})
    loaded, held = load_images(config)
    train_images = [replace(one, tasks=type_tasks) for one in loaded]
    yield Message(f"training {', '.join(type_tasks)} on {len(train_images)} images; the rest of the network is frozen")
    facts = CardFacts(
        (*card.training_data, *data_sources(train_images, config)),
        sorted({*card.experimental_tasks, *derived_tasks(train_images, config)} & set(config.labels.names)),
        parent=card,
    )
    pool = SamplePool(train_images, config.labels, config.um_per_px)
    chosen = spread(held, config.fit.validation_images)
    folder = model_folder(config)

    def keep_best(best: MultiTaskNetwork, metrics: Metrics, step: int) -> None:
        save_model(folder, best, model_card(config, facts, metrics, step))

    job = FitJob(
        network=network,
        sampler=TaskSampler(pool, config),
        config=config,
        validate=lambda net: validate(net, chosen, config.um_per_px),
        keep_best=keep_best,
        phases=(Phase(0.0, branches(type_tasks)),),
    )
    if (yield from fit(job)) is not None:
        yield JobFinished(folder, {"model": config.name, "steps": config.fit.steps})
