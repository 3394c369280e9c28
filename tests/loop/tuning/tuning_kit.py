"""Regions of a slide of blobs, an engine that is as good as its model's name, and comparisons that are made up."""

import hashlib

import drawn_slides
import numpy as np

from pathloop.core import Rect, read_json
from pathloop.loop.tuning import Comparison, Gain, TaskComparison
from pathloop.networks import WEIGHTS_NAME, ModelCard, write_card
from pathloop.predict import ENGINES

TASKS = ("nuclei", "gland", "lumen")
TRAIN = (Rect(0, 0, 150, 200), Rect(0, 210, 150, 190))
HELD = (Rect(160, 0, 80, 100), Rect(160, 110, 80, 100), Rect(160, 220, 80, 100), Rect(245, 0, 80, 100))


class UnevenEngine(drawn_slides.DrawnEngine):
    """Reads the maps off the colours; a model whose folder's name begins with "worse" sees nothing but background."""

    def __init__(self, folder, tasks, choice):
        super().__init__(folder, tasks, choice)
        self._is_worse = folder.name.startswith("worse")

    def run(self, pixels):
        maps = super().run(pixels)
        return {task: np.zeros_like(values) if self._is_worse else values for task, values in maps.items()}


ENGINES.add("uneven", f"{__name__}:UnevenEngine")


def with_weights(folder, data):
    """The model folder with other weights, and a card that names them."""
    (folder / WEIGHTS_NAME).write_bytes(data)
    card = ModelCard.model_validate(read_json(folder / "model.json"))
    write_card(folder, card.model_copy(update={"checksum": hashlib.sha256(data).hexdigest()}))
    return folder


def gain(value, *, low=None, high=None):
    return Gain(value=value, low=low, high=high, n=4)


def comparison(gains, *, n_regions=4, lost=0.0):
    tasks = {
        task: TaskComparison(
            output="instance",
            score="pq",
            n=n_regions,
            parent={"pq": 0.5},
            candidate={"pq": 0.5 + value},
            gains={"pq": gain(value)},
        )
        for task, value in gains.items()
    }
    return Comparison(
        parent={"name": "a", "checksum": "1"},
        candidate={"name": "b", "checksum": "2"},
        engine="drawn",
        n_regions=n_regions,
        n_patients=1,
        tasks=tasks,
        old_skills={"drawn/gland": {"parent": 0.9, "candidate": 0.9 - lost}},
    )
