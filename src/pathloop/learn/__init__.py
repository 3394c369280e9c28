"""Training: configuration, samples, sampler, losses, the fit loop and recipes. This module imports no torch.

Recipes are named by string and imported when they are asked for: ``RECIPES.resolve("train")``.
"""

from pathloop.core import Registry
from pathloop.learn._config import AugmentConfig, DataConfig, FitConfig, TrainConfig
from pathloop.learn._presets import COLON_LABELS

__all__ = ["COLON_LABELS", "RECIPES", "AugmentConfig", "DataConfig", "FitConfig", "TrainConfig"]

RECIPES = Registry(
    "recipe",
    {
        "train": "pathloop.learn.recipes._train:train",
        "subtype": "pathloop.learn.recipes._subtype:subtype",
    },
)
"""Recipes by name; each takes a `TrainConfig` and is a generator of events."""
