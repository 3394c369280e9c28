"""Scores of a network in training on labelled images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pathloop.interchange import TrainingImage
from pathloop.learn._scoring import ImagePrediction, owned_tasks, predicted, score_image, summarised
from pathloop.learn._step import precision_scope
from pathloop.networks.multitask import InferenceNetwork, MultiTaskNetwork, forward_tiles

__all__ = ["predict_image", "validate"]


def predict_image(
    network: MultiTaskNetwork, image: NDArray[np.uint8], *, zoom: float, tasks: Sequence[str]
) -> ImagePrediction:
    """Run a network on one image held in memory; see `predicted`."""
    inference, device = InferenceNetwork(network, tasks), next(network.parameters()).device

    def run(pixels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        with precision_scope("auto", device):
            out = forward_tiles(inference, torch.from_numpy(pixels)[None].to(device))
        return {task: value[0].cpu().numpy() for task, value in out.items()}

    return predicted(run, image, network.labels, zoom=zoom, cell_px=network.config.cell_px)


def validate(
    network: MultiTaskNetwork, images: Sequence[TrainingImage], um_per_px: float
) -> dict[str, dict[str, float]]:
    """Scores by "set/task" of the tasks that each image owns; see `summarised`."""
    rows, labels = [], network.labels
    for item in images:
        owned = owned_tasks(item, labels)
        owners = [owner for owner in (labels[task].post.clip_to for task in owned) if owner]
        tasks = [*dict.fromkeys([*owned, *owners])]
        if tasks:
            prediction = predict_image(network, item.image, zoom=item.um_per_px / um_per_px, tasks=tasks)
            rows.append(score_image(prediction, item, labels, cell_px=network.config.cell_px, tasks=owned))
    return summarised(rows)
