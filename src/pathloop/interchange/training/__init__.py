"""Corrected regions as training sets: our own layout, nnU-Net v2, Cellpose, StarDist and COCO."""

from pathloop.interchange.training._layout import TrainingOptions
from pathloop.interchange.training._region import SPLITS, TrainingRegion, TrainingTask, TrainingTissue
from pathloop.interchange.training._splits import SplitPlan, read_splits
from pathloop.interchange.training._writing import (
    SET_FORMAT,
    SET_VERSION,
    TRAINING_FLAVOURS,
    TrainingFlavour,
    write_training_set,
)

__all__ = [
    "SET_FORMAT",
    "SET_VERSION",
    "SPLITS",
    "TRAINING_FLAVOURS",
    "SplitPlan",
    "TrainingFlavour",
    "TrainingOptions",
    "TrainingRegion",
    "TrainingTask",
    "TrainingTissue",
    "read_splits",
    "write_training_set",
]
