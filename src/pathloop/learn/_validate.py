"""Scores of a network on labelled images: the same objects and metrics that users get."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pathloop.core import LabelSchema, TaskSpec
from pathloop.interchange import TrainingImage
from pathloop.learn._pool import IGNORE, truth_of
from pathloop.learn._samples import cell_classes
from pathloop.metrics import ClassConfusion, ObjectScores, class_confusion, score_objects, summarise_objects
from pathloop.networks.multitask import InferenceNetwork, MultiTaskNetwork, forward_tiles
from pathloop.targets import clip_labels, decode_instances

__all__ = ["ImagePrediction", "predict_image", "validate"]


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """What a network says about one small image, at the model's scale.

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


def predict_image(
    network: MultiTaskNetwork, image: NDArray[np.uint8], *, zoom: float, tasks: Sequence[str]
) -> ImagePrediction:
    """Run a network on one image held in memory.

    Parameters
    ----------
    zoom
        Model pixels per image pixel (image um per px / model um per px).
    """
    height, width = (max(1, round(side * zoom)) for side in image.shape[:2])
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)
    cell = network.config.cell_px
    pad_y, pad_x = -height % cell, -width % cell
    padded = cv2.copyMakeBorder(scaled, 0, pad_y, 0, pad_x, cv2.BORDER_REFLECT_101)
    device = next(network.parameters()).device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        out = forward_tiles(InferenceNetwork(network, tasks), torch.from_numpy(np.asarray(padded))[None].to(device))
    maps, types, cells = {}, {}, {}
    for task, value in out.items():
        array = value[0].cpu().numpy()
        if network.labels[task].output == "instance":
            maps[task] = array[:, :height, :width]
        elif network.labels[task].output == "type":
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


def validate(
    network: MultiTaskNetwork, images: Sequence[TrainingImage], um_per_px: float
) -> dict[str, dict[str, float]]:
    """Scores by "set/task": Dice, PQ and object Dice of instance tasks, F1 and accuracy of the others.

    F1 is the mean over the classes that the truth holds: of cells for patch tasks, of the pixels of true objects
    for type tasks. Scores that are undefined (no object in truth and prediction) are left out.
    """
    rows: dict[str, list[ObjectScores]] = {}
    codes: dict[str, list[ClassConfusion]] = {}
    labels = network.labels
    for item in images:
        owned = [task for task in labels.tasks if truth_of(item, task) is not None]
        owners = [task.post.clip_to for task in owned if task.post.clip_to]
        tasks = [*dict.fromkeys([*(task.name for task in owned), *owners])]
        if not tasks:
            continue
        prediction = predict_image(network, item.image, zoom=item.um_per_px / um_per_px, tasks=tasks)
        found = decode(prediction, labels)
        for task in owned:
            key = f"{item.source}/{task.name}"
            if task.output == "instance":
                rows.setdefault(key, []).append(_score(found[task.name], item, task.name))
            else:
                compare = _compare_types if task.output == "type" else _compare_cells
                codes.setdefault(key, []).append(compare(prediction, item, task, network.config.cell_px))
    out = {key: _object_metrics(scores) for key, scores in rows.items()}
    return out | {key: _class_metrics(ClassConfusion.pooled(parts)) for key, parts in codes.items()}


def _score(found: NDArray[np.int32], item: TrainingImage, task: str) -> ObjectScores:
    truth = item.labels[task]
    size = truth.shape[::-1]
    pred = np.asarray(cv2.resize(found.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)).astype(np.int32)
    unknown = (item.ignore or {}).get(task)
    if unknown is not None:
        pred, truth = np.where(unknown, 0, pred), np.where(unknown, 0, truth)
    return score_objects(pred, truth, name=item.name)


def _object_metrics(scores: list[ObjectScores]) -> dict[str, float]:
    summary = summarise_objects(scores)
    values = {"dice": summary.dice, "pq": summary.pq, "object_dice": summary.object_dice, "n": float(len(scores))}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _compare_types(prediction: ImagePrediction, item: TrainingImage, spec: TaskSpec, _: int) -> ClassConfusion:
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
