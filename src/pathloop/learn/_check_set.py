"""What a model knew before: drawn slides to check any model on, and shares of given data sets. No torch."""

from collections.abc import Sequence

import numpy as np

from pathloop.core import LabelSchema, UsageError
from pathloop.interchange import TrainingImage, assign_folds, list_dataset, load_record
from pathloop.learn._config import DataConfig
from pathloop.learn._pool import IGNORE, WeightedImage
from pathloop.synth import TISSUES, draw_colon

__all__ = ["drawn_images", "drawn_slide", "old_data"]

CHECK_SEED, REPLAY_SEED = 770_000, 880_000
CHECK_IMAGES, CHECK_PX = 6, 512
REPLAY_IMAGES, REPLAY_PX = 6, 768
CHECK_PER_SET = 8
N_FOLDS = 5
"""A fifth of a data set's patients checks, the others train."""


def drawn_images(labels: LabelSchema, um_per_px: float, *, replay: bool = False) -> list[TrainingImage]:
    """Drawn slides with the exact truth of the model's tasks, the same ones for every model.

    Parameters
    ----------
    labels
        The model's tasks; those that no drawing shows are left out.
    um_per_px
        The model's scale.
    replay
        False = the drawings to check a model on; True = others, to train on.

    Returns
    -------
    list of TrainingImage
        Empty where drawings show none of the tasks.
    """
    n, side, seed = (REPLAY_IMAGES, REPLAY_PX, REPLAY_SEED) if replay else (CHECK_IMAGES, CHECK_PX, CHECK_SEED)
    found = [drawn_slide(labels, um_per_px, side, seed + number) for number in range(n)]
    return [image for image in found if image.labels or image.tissue is not None]


def drawn_slide(labels: LabelSchema, um_per_px: float, side: int, seed: int) -> TrainingImage:
    """A drawn square slide of ``side`` px with the exact truth of what it shows; one seed, one slide."""
    slide = draw_colon((side, side), um_per_px=um_per_px, seed=seed, outline=False)
    objects = {task.name: slide.labels[task.name] for task in labels.instance_tasks if task.name in slide.labels}
    tissue = None
    if "tissue" in labels and labels["tissue"].output == "patch":
        names = [one.name for one in labels["tissue"].classes]
        places = [names.index(name) if name in names else IGNORE for name in TISSUES]
        tissue = np.array(places, np.uint8)[slide.tissue] if set(places) != {IGNORE} else None
    return TrainingImage(
        image=slide.image,
        um_per_px=um_per_px,
        scale_range=(1.0, 1.0),
        labels=objects,
        ignore=None,
        tissue=tissue,
        group=f"drawn {seed}",
        source="drawn",
        name=f"drawn {seed}",
        derived=(),
        stratum="all",
    )


def old_data(sets: Sequence[DataConfig], labels: LabelSchema) -> tuple[list[WeightedImage], list[TrainingImage]]:
    """The images of given data sets: those to mix in, and some of other patients to check a model on.

    The same patients check in every run, whatever its seed: what one run trained on must not check another's parent.

    Raises
    ------
    UsageError
        If a set holds none of the model's tasks, or is of one patient.
    DataError
        If a set cannot be read.
    """
    mixed: list[WeightedImage] = []
    checks: list[TrainingImage] = []
    for data in sets:
        records = list_dataset(data.kind, data.path, um_per_px=data.um_per_px)
        groups, strata = [one.group for one in records], [one.stratum for one in records]
        n_folds = min(N_FOLDS, len(set(groups)))
        folds = assign_folds(groups, strata, n_folds=n_folds)
        name = f"{data.kind}:{data.path}"
        own = [
            WeightedImage(load_record(one), name, data.weight, data.tasks) for one in records if folds[one.group] > 0
        ]
        if not any(one.trains(labels) for one in own):
            raise UsageError(f"{data.path}: holds none of the tasks {', '.join(labels.names)}")
        mixed += own
        held = [one for one in records if folds[one.group] == 0]
        checks += [load_record(one) for one in held[:: -(-len(held) // CHECK_PER_SET)]]
    return mixed, checks
