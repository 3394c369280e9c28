"""Labelled images at the model's scale, and how often each is drawn for each task. numpy and OpenCV only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, LabelSchema, TaskSpec
from pathloop.interchange import TrainingImage

__all__ = ["IGNORE", "PooledImage", "SamplePool", "WeightedImage", "truth_of"]

IGNORE = 255
"""Target value of pixels and cells whose truth is unknown."""

# images that are this many times finer than the model are reduced once, before training
FINER = 1.5
# a class is drawn from images in which it covers more than this of what is known
CLASS_COVER = 1 / 20


@dataclass(frozen=True, slots=True)
class WeightedImage:
    """A training image and how its data set uses it.

    Parameters
    ----------
    item
        The image with its labels.
    data_set
        Which entry of the configuration's ``data`` it is from.
    weight
        How often the set is drawn against the other sets of the same task.
    tasks
        Which of its labels train; None = all.
    zoom
        Least and greatest zoom of a patch, beside the image's own ``scale_range``.
    """

    item: TrainingImage
    data_set: str
    weight: float = 1.0
    tasks: tuple[str, ...] | None = None
    zoom: tuple[float, float] = (1.0, 1.0)

    def trains(self, labels: LabelSchema) -> list[str]:
        """The model's tasks that it trains."""
        chosen = [task for task in labels.tasks if self.tasks is None or task.name in self.tasks]
        return [task.name for task in chosen if truth_of(self.item, task) is not None]


@dataclass(frozen=True, slots=True)
class PooledImage:
    """A training image whose pixels are no finer than the model's, with what is needed to draw it.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    um_per_px, scale_range
        Patches are drawn at ``um_per_px`` times a number in this range.
    labels
        By dense task: (H, W) uint16, ids of instances or class codes of a type task.
    ignore
        By dense task: (H, W) uint8, nonzero = unknown.
    cells
        By patch task: (H, W) uint8 class codes, 255 = unknown.
    data_set, weight, stratum
        What decides how often it is drawn.
    window
        (top, left, bottom, right) of what is known of any dense task: patches are drawn in it.
    """

    image: NDArray[np.uint8]
    um_per_px: float
    scale_range: tuple[float, float]
    labels: dict[str, NDArray[np.uint16]]
    ignore: dict[str, NDArray[np.uint8]]
    cells: dict[str, NDArray[np.uint8]]
    data_set: str
    weight: float
    stratum: str
    window: tuple[int, int, int, int]

    def owns(self, task: str) -> bool:
        """Whether it holds the truth of a task."""
        return task in self.labels or task in self.cells


class SamplePool:
    """All images of a run, and how often each is drawn for each task.

    Parameters
    ----------
    images
        Images with the weight of their data set.
    labels
        The model's tasks.
    um_per_px
        The model's scale; images that are more than 1.5 times finer are reduced once, here.

    Attributes
    ----------
    dense_tasks, patch_tasks
        The tasks that at least one image can train.

    Raises
    ------
    DataError
        If a class image holds codes that its task does not have.
    """

    def __init__(self, images: Sequence[WeightedImage], labels: LabelSchema, um_per_px: float) -> None:
        self.labels = labels
        self.um_per_px = um_per_px
        self.images = [_pooled(one, labels, um_per_px) for one in images]
        dense = [task.name for task in labels.tasks if task.output != "patch"]
        self.dense_tasks = [name for name in dense if any(image.owns(name) for image in self.images)]
        self._odds = {task: self._odds_of(task) for task in self.dense_tasks}
        classes = {task.name: self._images_of_classes(task) for task in labels.tasks if task.output == "patch"}
        self._classes = {name: found for name, found in classes.items() if found}
        self.patch_tasks = list(self._classes)

    def _odds_of(self, task: str) -> NDArray[np.float64]:
        """Per image: the set's weight, shared out by stratum (square root of its size) and by area."""
        owners = [(index, image) for index, image in enumerate(self.images) if image.owns(task)]
        counts: dict[tuple[str, str], int] = {}
        for _, image in owners:
            group = (image.data_set, image.stratum)
            counts[group] = counts.get(group, 0) + 1
        raw = np.zeros(len(self.images))
        totals: dict[str, float] = {}
        for index, image in owners:
            area = image.image.shape[0] * image.image.shape[1] * image.um_per_px**2
            raw[index] = np.sqrt(area) / np.sqrt(counts[image.data_set, image.stratum])
            totals[image.data_set] = totals.get(image.data_set, 0.0) + raw[index]
        for index, image in owners:
            raw[index] *= image.weight / totals[image.data_set]
        return np.asarray(raw / raw.sum())

    def _images_of_classes(self, task: TaskSpec) -> dict[int, NDArray[np.int64]]:
        rows: dict[int, list[int]] = {}
        for index, image in enumerate(self.images):
            if task.name in image.cells:
                cells = image.cells[task.name]
                counts = np.bincount(cells.ravel(), minlength=256)[: len(task.classes)]
                for code in np.flatnonzero(counts > CLASS_COVER * counts.sum()):
                    rows.setdefault(int(code), []).append(index)
        return {code: np.array(rows[code]) for code in sorted(rows)}

    def draw_dense(self, task: str, rng: np.random.Generator) -> PooledImage:
        """A random image that owns a dense task."""
        return self.images[int(rng.choice(len(self.images), p=self._odds[task]))]

    def draw_patch(self, task: str, rng: np.random.Generator) -> tuple[PooledImage, int]:
        """A random class of a patch task, and a random image that shows it."""
        codes = list(self._classes[task])
        code = codes[int(rng.integers(len(codes)))]
        rows = self._classes[task][code]
        return self.images[int(rows[rng.integers(len(rows))])], code


def truth_of(item: TrainingImage, task: TaskSpec) -> NDArray[Any] | None:
    """The label image of a task, or None; a patch task called ``tissue`` has its class image in ``item.tissue``."""
    return item.tissue if task.output == "patch" and task.name == "tissue" else item.labels.get(task.name)


def _pooled(one: WeightedImage, labels: LabelSchema, um_per_px: float) -> PooledImage:
    item = one.item
    image, scale = item.image, item.um_per_px
    shape = image.shape[:2]
    zoom = scale / um_per_px
    if zoom < 1 / FINER:
        shape = (max(1, round(shape[0] * zoom)), max(1, round(shape[1] * zoom)))
        image = np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        scale = um_per_px
    dense: dict[str, NDArray[np.uint16]] = {}
    ignore: dict[str, NDArray[np.uint8]] = {}
    cells: dict[str, NDArray[np.uint8]] = {}
    for task in (labels[name] for name in one.trains(labels)):
        narrow = _narrow(truth_of(item, task), task, item.name)
        if task.output == "patch":
            cells[task.name] = _nearest(narrow, shape).astype(np.uint8)
            continue
        dense[task.name] = _nearest(narrow, shape)
        unknown = (item.ignore or {}).get(task.name)
        if unknown is not None:
            ignore[task.name] = _nearest(unknown.astype(np.uint8), shape)
    return PooledImage(
        image=image,
        um_per_px=scale,
        scale_range=(item.scale_range[0] * one.zoom[0], item.scale_range[1] * one.zoom[1]),
        labels=dense,
        ignore=ignore,
        cells=cells,
        data_set=one.data_set,
        weight=one.weight,
        stratum=item.stratum,
        window=_window(shape, dense, ignore),
    )


def _window(
    shape: tuple[int, ...], dense: dict[str, NDArray[np.uint16]], ignore: dict[str, NDArray[np.uint8]]
) -> tuple[int, int, int, int]:
    """The box around the pixels that are known for some dense task; everything where none is."""
    whole = (0, 0, shape[0], shape[1])
    if not dense or not dense.keys() <= ignore.keys():
        return whole
    known = np.logical_or.reduce([ignore[task] == 0 for task in dense])
    rows, cols = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    return (int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1) if rows.size else whole


def _narrow(truth: NDArray[Any] | None, task: TaskSpec, name: str) -> NDArray[np.uint16]:
    """Ids or class codes in 16 bits, which is what OpenCV warps; ids beyond are numbered anew."""
    array = np.asarray(truth)
    if task.output == "instance":
        if int(array.max(initial=0)) > np.iinfo(np.uint16).max:
            array = np.searchsorted(np.union1d(array, [0]), array)
        if int(array.max(initial=0)) > np.iinfo(np.uint16).max:
            raise DataError(f"{name}: holds more than 65,535 objects of the task {task.name!r}; cut the image in parts")
        return array.astype(np.uint16)
    # codes of a type task start at 1, 0 = no object; those of a patch task at 0
    last = len(task.classes) if task.output == "type" else len(task.classes) - 1
    highest = int(array[array != IGNORE].max(initial=0))
    if highest > last:
        raise DataError(f"{name}: holds class {highest} of the task {task.name!r}, whose last class is {last}")
    return array.astype(np.uint16)


def _nearest(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.shape == shape:
        return array
    return np.asarray(cv2.resize(array, shape[::-1], interpolation=cv2.INTER_NEAREST))
