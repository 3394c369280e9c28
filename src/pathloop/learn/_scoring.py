"""What a model says of a labelled image, and how that is scored: the objects and metrics that users get. No torch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import LabelSchema, TaskSpec
from pathloop.interchange import TrainingImage
from pathloop.learn._pool import IGNORE, truth_of
from pathloop.learn._samples import cell_classes
from pathloop.metrics import (
    ClassConfusion,
    ObjectScores,
    PanopticCounts,
    class_confusion,
    class_panoptic,
    score_objects,
    summarise_objects,
)
from pathloop.rasters import overlap_table
from pathloop.targets import clip_labels, decode_instances

__all__ = ["ImagePrediction", "ImageScores", "Run", "decode", "owned_tasks", "predicted", "score_image", "summarised"]

Run = Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]
"""(H, W, 3) uint8 at the model's scale, sides multiples of its stride and cell, to maps by task (see
`pathloop.predict.Engine`)."""


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """What a model says about one small image, at the model's scale.

    Parameters
    ----------
    maps
        By instance task: (2, h, w) uint8 interior and boundary probability.
    types
        By type task: (h, w) uint8 class codes.
    cells
        By patch task: (C, rows, cols) float32 probabilities.
    image
        (h, w, 3) uint8: the image at the model's scale.
    """

    maps: dict[str, NDArray[np.uint8]]
    types: dict[str, NDArray[np.uint8]]
    cells: dict[str, NDArray[np.float32]]
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ImageScores:
    """The scores of one image.

    Parameters
    ----------
    item
        Which image.
    objects
        By instance task.
    classes
        By type and patch task; codes from 1 on, in the order of the task's classes (a type task's 1 = "none").
    typed
        By type task: panoptic counts of each of its classes; an object has the class that most of its pixels have.
    found
        By instance task: (H, W) int32 the predicted objects at the image's size.
    """

    item: TrainingImage
    objects: dict[str, ObjectScores] = field(default_factory=dict)
    classes: dict[str, ClassConfusion] = field(default_factory=dict)
    typed: dict[str, tuple[PanopticCounts, ...]] = field(default_factory=dict)
    found: dict[str, NDArray[np.int32]] = field(default_factory=dict)


def predicted(run: Run, image: NDArray[np.uint8], labels: LabelSchema, *, zoom: float, cell_px: int) -> ImagePrediction:
    """Run a model on one image held in memory.

    Parameters
    ----------
    labels
        The model's tasks.
    zoom
        Model pixels per image pixel (image um per px / model um per px).
    cell_px
        Input sides are filled up to multiples of this, by mirroring.
    """
    height, width = (max(1, round(side * zoom)) for side in image.shape[:2])
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)
    pad_y, pad_x = -height % cell_px, -width % cell_px
    padded = cv2.copyMakeBorder(scaled, 0, pad_y, 0, pad_x, cv2.BORDER_REFLECT_101)
    maps, types, cells = {}, {}, {}
    for task, array in run(np.asarray(padded, np.uint8)).items():
        if labels[task].output == "instance":
            maps[task] = array[:, :height, :width]
        elif labels[task].output == "type":
            types[task] = array[0, :height, :width]
        else:
            cells[task] = array.astype(np.float32)
    return ImagePrediction(maps, types, cells, scaled)


def decode(prediction: ImagePrediction, labels: LabelSchema) -> dict[str, NDArray[np.int32]]:
    """Objects of every instance task in the prediction, clipped where the task says so."""
    found = {task: decode_instances(maps[0], maps[1], labels[task].post) for task, maps in prediction.maps.items()}
    for task in list(found):
        owner = labels[task].post.clip_to
        if owner in found:
            found[task] = clip_labels(found[task], found[owner] > 0)
    return found


def owned_tasks(item: TrainingImage, labels: LabelSchema) -> list[str]:
    """The model's tasks that can be scored on an image."""
    return [task.name for task in labels.tasks if truth_of(item, task) is not None]


def score_image(
    prediction: ImagePrediction, item: TrainingImage, labels: LabelSchema, *, cell_px: int, tasks: Sequence[str]
) -> ImageScores:
    """Score what a model said of an image against its truth, at the image's own size; unknown pixels do not count."""
    scores = ImageScores(item)
    found = decode(prediction, labels)
    for task in (labels[name] for name in tasks):
        if task.output == "instance":
            scores.found[task.name] = _at_size(found[task.name], item.image.shape[:2])
            scores.objects[task.name] = _score(scores.found[task.name], item, task.name)
        elif task.output == "type":
            scores.classes[task.name] = _compare_types(prediction, item, task)
            if task.of in found and task.of in item.labels:
                scores.typed[task.name] = _typed(prediction, found[task.of], item, task)
        else:
            scores.classes[task.name] = _compare_cells(prediction, item, task, cell_px)
    return scores


def summarised(rows: Sequence[ImageScores]) -> dict[str, dict[str, float]]:
    """Scores by "set/task": Dice, PQ and object Dice of instance tasks, F1 and accuracy of the others.

    F1 is the mean over the classes that the truth holds: of cells for patch tasks, of the pixels of true objects
    for type tasks. Scores that are undefined (no object in truth and prediction) are left out.
    """
    objects: dict[str, list[ObjectScores]] = {}
    codes: dict[str, list[ClassConfusion]] = {}
    for row in rows:
        for task, scores in row.objects.items():
            objects.setdefault(f"{row.item.source}/{task}", []).append(scores)
        for task, confusion in row.classes.items():
            codes.setdefault(f"{row.item.source}/{task}", []).append(confusion)
    out = {key: _object_metrics(scores) for key, scores in objects.items()}
    return out | {key: _class_metrics(ClassConfusion.pooled(parts)) for key, parts in codes.items()}


def _typed(
    prediction: ImagePrediction, objects: NDArray[np.int32], item: TrainingImage, spec: TaskSpec
) -> tuple[PanopticCounts, ...]:
    assert spec.of is not None
    shape, known = item.image.shape[:2], ~(item.ignore or {}).get(spec.name, np.zeros(item.image.shape[:2], bool))
    pred, truth = np.where(known, _at_size(objects, shape), 0), np.where(known, item.labels[spec.of], 0)
    table = overlap_table(pred, truth)
    types = np.asarray(cv2.resize(prediction.types[spec.name], shape[::-1], interpolation=cv2.INTER_NEAREST))
    n = len(spec.classes)
    pred_classes = _majority(pred, types, table.first_ids, n)
    return class_panoptic(
        table, pred_classes, _majority(truth, item.labels[spec.name], table.second_ids, n), n_classes=n
    )


def _majority(labels: NDArray[Any], types: NDArray[Any], ids: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    """(len(ids),) the class, 1 .. n, that most typed pixels of each object have; 0 where none is typed."""
    inside = (labels > 0) & (types > 0) & (types <= n_classes)
    places = np.searchsorted(ids, labels[inside])
    counts = np.bincount(places * n_classes + types[inside] - 1, minlength=len(ids) * n_classes)
    counts = counts.reshape(len(ids), n_classes)
    return np.where(counts.any(axis=1), counts.argmax(axis=1) + 1, 0)


def _at_size(labels: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    # OpenCV resizes no int32
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)).astype(np.int32)


def _score(found: NDArray[np.int32], item: TrainingImage, task: str) -> ObjectScores:
    pred, truth = found, item.labels[task]
    unknown = (item.ignore or {}).get(task)
    if unknown is not None:
        pred, truth = np.where(unknown, 0, pred), np.where(unknown, 0, truth)
    return score_objects(pred, truth, name=item.name)


def _object_metrics(scores: list[ObjectScores]) -> dict[str, float]:
    summary = summarise_objects(scores)
    values = {"dice": summary.dice, "pq": summary.pq, "object_dice": summary.object_dice, "n": float(len(scores))}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _compare_types(prediction: ImagePrediction, item: TrainingImage, spec: TaskSpec) -> ClassConfusion:
    """Pixels of the true objects; a pixel predicted as "none" is a miss."""
    truth = item.labels[spec.name]
    pred = cv2.resize(prediction.types[spec.name], truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    known = (truth > 0) & (truth != IGNORE)
    objects = item.labels.get(spec.of or "")
    if objects is not None:
        known &= objects > 0
    unknown = (item.ignore or {}).get(spec.name)
    if unknown is not None:
        known &= ~unknown
    return _confusion(np.asarray(pred), truth, known)


def _compare_cells(prediction: ImagePrediction, item: TrainingImage, spec: TaskSpec, cell_px: int) -> ClassConfusion:
    classes = np.asarray(truth_of(item, spec), np.uint16)
    n_classes, rows, cols = prediction.cells[spec.name].shape
    height, width = prediction.image.shape[:2]
    hint = np.full((rows * cell_px, cols * cell_px), IGNORE, np.uint16)
    hint[:height, :width] = cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST)
    truth = cell_classes(hint, cell_px, n_classes)
    return _confusion(prediction.cells[spec.name].argmax(axis=0), truth, truth != IGNORE)


def _confusion(pred: NDArray[Any], truth: NDArray[Any], known: NDArray[np.bool_]) -> ClassConfusion:
    # codes from 1 on, since 0 stands for "not annotated" there
    return class_confusion(
        np.where(known, pred.astype(np.int32) + 1, 0), np.where(known, truth.astype(np.int32) + 1, 0)
    )


def _class_metrics(confusion: ClassConfusion) -> dict[str, float]:
    held = [code for code, row in zip(confusion.codes, confusion.matrix, strict=True) if row.sum()]
    values = {"n": float(confusion.n_compared)}
    if held:
        values["f1"] = float(np.mean([confusion.of_class(code).dice for code in held]))
        values["accuracy"] = confusion.accuracy
    return values
