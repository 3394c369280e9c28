"""From the data sets of a configuration to images in folds, and to what the model card says about them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pathloop.core import TrainingError
from pathloop.interchange import (
    DatasetRecord,
    TrainingImage,
    assign_folds,
    dataset_terms,
    list_dataset,
    load_record,
)
from pathloop.learn._config import DataConfig, TrainConfig
from pathloop.learn._pool import WeightedImage
from pathloop.networks import DataSource

__all__ = ["data_sources", "derived_tasks", "load_images", "spread"]


def load_images(config: TrainConfig) -> tuple[list[WeightedImage], list[TrainingImage]]:
    """The images of the training folds and of the validation folds; no other image is opened.

    Folds are dealt by patient over the union of all sets.

    Raises
    ------
    TrainingError
        If the training folds are empty.
    DataError, UsageError
        If a data set cannot be read, or there are fewer patients than folds.
    """
    for data in config.data:
        _check_absent(data, config)
    listed = [(record, data, place) for place, data in enumerate(config.data) for record in _records(data)]
    # a set that is named twice counts once, whatever is taken of it
    unique = {record.image: record for record, _, _ in listed}
    folds = _folds(list(unique.values()), config)
    used = [(record, data, place) for record, data, place in listed if _takes(data, record)]
    chosen = [one for one in used if folds[one[0].group] in config.train_folds]
    if not chosen:
        raise TrainingError("no image falls into the training folds; lower n_folds or name more folds")
    items = {image: load_record(unique[image]) for image in dict.fromkeys(record.image for record, _, _ in chosen)}
    train = [
        WeightedImage(
            _with_absent(items[record.image], data.absent), f"{place}:{data.kind}", data.weight, data.tasks, data.zoom
        )
        for record, data, place in chosen
    ]
    # an image without objects has no PQ: where a set is named twice, the entry that says less is judged
    judged = {record.image: record for record, data, _ in used if not data.absent}
    held = [load_record(record) for record in judged.values() if folds[record.group] in config.validation_folds]
    return train, held


def _records(data: DataConfig) -> list[DatasetRecord]:
    records = list_dataset(data.kind, data.path, um_per_px=data.um_per_px)
    known = {record.stratum for record in records}
    unknown = sorted(set(data.strata or ()) - known)
    if unknown:
        raise TrainingError(f"{data.kind} has no {', '.join(unknown)}; its strata are {', '.join(sorted(known))}")
    return records


def _takes(data: DataConfig, record: DatasetRecord) -> bool:
    return data.strata is None or record.stratum in data.strata


def _check_absent(data: DataConfig, config: TrainConfig) -> None:
    objects = [task.name for task in config.labels.tasks if task.output == "instance"]
    wrong = sorted(set(data.absent) - set(objects))
    if wrong:
        raise TrainingError(f"absent = {', '.join(wrong)}: only object tasks can be absent, here {', '.join(objects)}")


def _with_absent(item: TrainingImage, absent: Sequence[str]) -> TrainingImage:
    """The image with empty labels of tasks of which it holds nothing.

    Raises
    ------
    TrainingError
        If it is annotated for one of them.
    """
    annotated = sorted(set(absent) & set(item.labels))
    if annotated:
        raise TrainingError(f"{item.name}: said to hold no {annotated[0]}, and is annotated for it; shorten absent")
    empty = {task: np.zeros(item.image.shape[:2], np.int32) for task in absent}
    return replace(item, labels=item.labels | empty)


def _folds(records: list[DatasetRecord], config: TrainConfig) -> dict[str, int]:
    groups = [record.group for record in records]
    if config.n_folds == 1:
        return dict.fromkeys(groups, 0)
    strata = [f"{record.kind}/{record.stratum}" for record in records]
    return assign_folds(groups, strata, n_folds=config.n_folds, seed=config.seed)


def spread(images: Sequence[TrainingImage], per_set: int) -> list[TrainingImage]:
    """At most ``per_set`` images of each kind of set, evenly over its files, so that every diagnosis is seen."""
    chosen: list[TrainingImage] = []
    for source in dict.fromkeys(item.source for item in images):
        own = [item for item in images if item.source == source]
        chosen += own[:: max(1, -(-len(own) // per_set))]
    return chosen


def data_sources(images: Sequence[WeightedImage], config: TrainConfig) -> tuple[DataSource, ...]:
    """What the card says about the training data: a row for each kind of data set."""
    sources = []
    for source in dict.fromkeys(one.item.source for one in images):
        own = [one for one in images if one.item.source == source]
        terms = dataset_terms(source)
        sources.append(
            DataSource(
                name=source,
                licence=terms.licence,
                attribution=terms.attribution,
                tasks=tuple(sorted({task for one in own for task in one.trains(config.labels)})),
                # an image of a set that is named twice is one image
                n_images=len({id(one.item.image) for one in own}),
                note=terms.note,
            )
        )
    return tuple(sources)


def derived_tasks(images: Sequence[WeightedImage], config: TrainConfig) -> tuple[str, ...]:
    """The model's tasks whose labels no annotator drew."""
    return tuple(sorted({task for one in images for task in one.item.derived if task in config.labels}))
