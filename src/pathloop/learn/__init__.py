"""Training: configuration, samples, sampler, losses, the fit loop and recipes. This module imports no torch.

Recipes are named by string and imported when they are asked for: ``RECIPES.resolve("train")``.
"""

from pathloop.core import Registry
from pathloop.learn._check_set import drawn_images, drawn_slide, old_data
from pathloop.learn._config import AugmentConfig, DataConfig, FitConfig, TrainConfig
from pathloop.learn._control import Wish, read_wish, write_wish
from pathloop.learn._presets import COLON_LABELS
from pathloop.learn._processes import is_first_process
from pathloop.learn._scoring import ImageScores, owned_tasks, predicted, score_image
from pathloop.learn._tune_config import RecipeName, TuneConfig, default_fit

__all__ = [
    "COLON_LABELS",
    "RECIPES",
    "TUNING",
    "AugmentConfig",
    "DataConfig",
    "FitConfig",
    "ImageScores",
    "RecipeName",
    "TrainConfig",
    "TuneConfig",
    "Wish",
    "default_fit",
    "drawn_images",
    "drawn_slide",
    "is_first_process",
    "old_data",
    "owned_tasks",
    "predicted",
    "read_wish",
    "score_image",
    "write_wish",
]

RECIPES = Registry(
    "recipe",
    {
        "train": "pathloop.learn.recipes._train:train",
        "subtype": "pathloop.learn.recipes._subtype:subtype",
    },
)
"""Recipes by name; each takes a `TrainConfig` and is a generator of events."""

TUNING = Registry(
    "recipe",
    {
        "quick": "pathloop.learn.recipes._quick:quick",
        "full": "pathloop.learn.recipes._full:full",
        "subtype": "pathloop.learn.recipes._tune_subtype:tune_subtype",
        "new-task": "pathloop.learn.recipes._new_task:new_task",
    },
)
"""Ways to fine-tune by name; each takes a `TuneConfig` and a function that says what the user wishes."""
