"""Train a model from public or local data sets, from the configuration to the model folder."""

from collections.abc import Generator, Iterator

import torch

from pathloop.core import Event, JobFinished, LabelSchema, Message
from pathloop.learn._config import TrainConfig
from pathloop.learn._fit import FitJob, Metrics, fit
from pathloop.learn._pool import SamplePool
from pathloop.learn._sampler import TaskSampler
from pathloop.learn._validate import validate
from pathloop.learn.recipes._data import data_sources, derived_tasks, load_images, spread
from pathloop.learn.recipes._run_folder import CardFacts, model_card, model_folder, recorded
from pathloop.networks import ModelCard, find_model, read_card
from pathloop.networks.foreign import load_encoder
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model

__all__ = ["train"]


def train(config: TrainConfig) -> Iterator[Event]:
    """Train the network of a configuration on its data, all tasks but the TYPE decoders (see `subtype`).

    Writes ``events.jsonl``, ``config.json``, ``checkpoint.safetensors`` and, whenever validation is the best so
    far, ``model/`` in the output folder. Run it again to resume.

    Yields
    ------
    Event
        Messages, steps, validations, checkpoints; the last one is `JobFinished` with the model's folder.

    Raises
    ------
    TrainingError, DataError
        If the data cannot be read or own none of the tasks, or the folder holds another run.
    ModelError
        If the model or the encoder to start from cannot be read or does not fit.
    """
    # TYPE decoders train in a stage of their own, on a frozen network (Graham et al. 2023)
    joint = LabelSchema(tasks=tuple(task for task in config.labels.tasks if task.output != "type"))
    own = config.model_copy(update={"labels": joint})
    # first: what it starts from may not fit, and nothing is written then
    network = _start_network(own)
    yield from recorded(own, _train(config, joint, network))


def _train(asked: TrainConfig, joint: LabelSchema, network: MultiTaskNetwork) -> Generator[Event]:
    later = [task for task in asked.labels.names if task not in joint]
    if later:
        yield Message(f"{', '.join(later)}: left to the recipe 'subtype', on the model that this run makes")
    config = asked.model_copy(update={"labels": joint})
    train_images, held = load_images(config)
    yield Message(f"{len(train_images)} training images, {len(held)} validation images")
    parent = None if config.init_from is None else read_card(find_model(config.init_from))
    facts = CardFacts(data_sources(train_images, config), derived_tasks(train_images, config), parent=parent)
    pool = SamplePool(train_images, joint, config.um_per_px)
    # the pool holds what training needs; let the full images go
    del train_images
    chosen = spread(held, config.fit.validation_images)
    del held
    sampler = TaskSampler(pool, config)
    if config.fit.batching == "mixed" and config.fit.batch <= len(pool.dense_tasks):
        yield Message(
            f"a mixed batch of {config.fit.batch} can miss some of {len(pool.dense_tasks)} tasks; raise fit.batch",
            level="warning",
        )
    folder = model_folder(config)
    trained = _trained_labels(config, pool, parent)
    untrained = [task for task in joint.names if task not in trained]
    if untrained:
        yield Message(f"{', '.join(untrained)}: no image is labelled for it; the model leaves it out", level="warning")
    card_config = config.model_copy(update={"labels": trained})

    def keep_best(best: MultiTaskNetwork, metrics: Metrics, step: int) -> None:
        save_model(folder, best.restricted_to(trained), model_card(card_config, facts, metrics, step))

    job = FitJob(
        network=network,
        sampler=sampler,
        config=config,
        validate=lambda network: validate(network, chosen, config.um_per_px),
        keep_best=keep_best,
    )
    if (yield from fit(job)) is not None:
        yield JobFinished(folder, {"model": config.name, "steps": config.fit.steps})


def _trained_labels(config: TrainConfig, pool: SamplePool, parent: ModelCard | None) -> LabelSchema:
    """The tasks that this run's data or its parent trained: a head of random weights is no result."""
    known = {*pool.dense_tasks, *pool.patch_tasks, *(() if parent is None else parent.labels.names)}
    kept = [task for task in config.labels.tasks if task.name in known]
    return LabelSchema(
        tasks=tuple(
            task
            if task.post.clip_to is None or task.post.clip_to in known
            else task.model_copy(update={"post": task.post.model_copy(update={"clip_to": None})})
            for task in kept
        )
    )


def _start_network(config: TrainConfig) -> MultiTaskNetwork:
    torch.manual_seed(config.seed)
    network = MultiTaskNetwork(config.network, config.labels)
    if config.init_from is not None:
        parent, _ = load_model(config.init_from)
        own = network.state_dict()
        fitting = {
            name: value for name, value in parent.state_dict().items() if name in own and own[name].shape == value.shape
        }
        network.load_state_dict(own | fitting)
    if config.encoder_from is not None:
        load_encoder(network, config.encoder_from)
    return network
