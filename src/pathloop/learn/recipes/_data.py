"""From the data sets of a configuration to images in folds, and to what the model card says about them."""

from collections.abc import Sequence

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
    listed = [(record, data) for data in config.data for record in _records(data)]
    folds = _folds([record for record, _ in listed], config)
    train = [
        WeightedImage(load_record(record), f"{data.kind}:{data.path}", data.weight, data.tasks)
        for record, data in listed
        if folds[record.group] in config.train_folds
    ]
    if not train:
        raise TrainingError("no image falls into the training folds; lower n_folds or name more folds")
    held = [load_record(record) for record, _ in listed if folds[record.group] in config.validation_folds]
    return train, held


def _records(data: DataConfig) -> list[DatasetRecord]:
    return list_dataset(data.kind, data.path, um_per_px=data.um_per_px)


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
                n_images=len(own),
                note=terms.note,
            )
        )
    return tuple(sources)


def derived_tasks(images: Sequence[WeightedImage], config: TrainConfig) -> tuple[str, ...]:
    """The model's tasks whose labels no annotator drew."""
    return tuple(sorted({task for one in images for task in one.item.derived if task in config.labels}))
