"""Drawn training images, as arrays and as folders, and configurations small enough for a CPU test."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, LabelSchema, PostProcessing, TaskSpec
from pathloop.interchange import TrainingImage
from pathloop.learn import AugmentConfig, DataConfig, FitConfig, TrainConfig
from pathloop.learn._pool import SamplePool, WeightedImage
from pathloop.networks import NetworkConfig

TINY = NetworkConfig(encoder="resnet18", stem_stride=2, patch_window=1)
"""Cells of 32 px."""

STILL = AugmentConfig(scale=(1.0, 1.0), shear_degrees=0, rotate_degrees=0, blur=0, color=0, stain=0)
"""Quarter turns and flips only."""


def classes(*names: str) -> tuple[ClassSpec, ...]:
    return tuple(ClassSpec(name=name, color=(index, 0, 0)) for index, name in enumerate(names))


NUCLEI = TaskSpec(name="nuclei", output="instance", classes=classes("nucleus"))
GLAND = TaskSpec(name="gland", output="instance", classes=classes("gland"), post=PostProcessing(kernel_px=5))
NUCLEI_TYPE = TaskSpec(name="nuclei_type", output="type", of="nuclei", classes=classes("round", "dark"))
TISSUE = TaskSpec(name="tissue", output="patch", classes=classes("background", "stroma", "epithelium"))

JOINT = LabelSchema(tasks=(NUCLEI, GLAND, TISSUE))
TYPED = LabelSchema(tasks=(NUCLEI, GLAND, NUCLEI_TYPE))
ALL_KINDS = LabelSchema(tasks=(NUCLEI, GLAND, NUCLEI_TYPE, TISSUE))


def drawn(seed: int, *, side: int = 80) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int32]], NDArray[np.uint8]]:
    """An image with discs of two kinds in a gland, their labels by task, and a class image in three stripes."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), (226, 190, 214), np.uint8)
    nuclei, types, gland = (np.zeros((side, side), np.int32) for _ in range(3))
    cv2.ellipse(gland, (side // 2, side // 2), (side // 3, side // 4), float(rng.integers(180)), 0, 360, 1, -1)
    image[gland > 0] = (200, 140, 190)
    for number, y in enumerate(range(10, side - 8, 16)):
        for x in range(10, side - 8, 16):
            center = (x + int(rng.integers(-2, 3)), y + int(rng.integers(-2, 3)))
            kind = int(rng.integers(1, 3))
            ident = number * 100 + x
            cv2.circle(nuclei, center, 5, ident, -1)
            cv2.circle(types, center, 5, kind, -1)
            cv2.circle(image, center, 5, (130, 90, 160) if kind == 1 else (60, 30, 110), -1)
    tissue = (np.arange(side)[:, None] * 3 // side).astype(np.uint8).repeat(side, axis=1)
    image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    return image, {"nuclei": nuclei, "gland": gland, "nuclei_type": types}, tissue


def training_image(
    seed: int,
    tasks: tuple[str, ...] = ("nuclei", "gland"),
    *,
    tissue: bool = False,
    source: str = "folder",
    stratum: str = "all",
    side: int = 80,
) -> TrainingImage:
    image, labels, stripes = drawn(seed, side=side)
    return TrainingImage(
        image=image,
        um_per_px=0.5,
        scale_range=(1.0, 1.0),
        labels={task: labels[task] for task in tasks},
        ignore=None,
        tissue=stripes if tissue else None,
        group=f"patient {seed}",
        source=source,
        name=f"image {seed}",
        derived=(),
        stratum=stratum,
    )


def pool(*images: TrainingImage, labels: LabelSchema = JOINT) -> SamplePool:
    return SamplePool([WeightedImage(one, one.source) for one in images], labels, 0.5)


def config(labels: LabelSchema = JOINT, *, augment: AugmentConfig = STILL, **changes: object) -> TrainConfig:
    """A configuration without data; keys of `FitConfig` go into ``fit``."""
    fit = {"batch": 4, "patch_batch": 3, "patch_px": 32, "precision": "fp32", "workers": 0, "steps": 4, "log_every": 1}
    for key in [key for key in changes if key in FitConfig.model_fields]:
        fit[key] = changes.pop(key)
    values: dict[str, object] = {
        "architecture": TINY,
        "labels": labels,
        "data": (DataConfig(kind="folder", path=Path("none"), um_per_px=0.5),),
        "fit": FitConfig.model_validate(fit),
        "augment": augment,
        "seed": 11,
    }
    return TrainConfig.model_validate(values | changes)


def write_set(
    folder: Path, *, n: int = 6, tasks: tuple[str, ...] = ("nuclei", "gland"), tissue: bool = False
) -> DataConfig:
    """A ``folder`` data set of ``n`` images, two of each patient."""
    rows = ["image,case,stratum"]
    for index in range(n):
        image, labels, stripes = drawn(index)
        arrays = {task: labels[task].astype(np.uint16) for task in tasks} | ({"tissue": stripes} if tissue else {})
        (folder / "images").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / "images" / f"i{index}.png"), image[..., ::-1])
        for task, array in arrays.items():
            (folder / "labels" / task).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / "labels" / task / f"i{index}.png"), array)
        rows.append(f"images/i{index}.png,case{index // 2},all")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return DataConfig(kind="folder", path=folder, um_per_px=0.5)


def write_toml(folder: Path, *, steps: int = 2, checkpoint_every: int = 100) -> Path:
    """A ``folder`` data set and the file that `pathloop train` trains a tiny network on it with."""
    write_set(folder / "data", tissue=True)
    text = f"""
architecture = {{ encoder = "resnet18", stem_stride = 2, patch_window = 1 }}
n_folds = 1
validation_folds = []
[[data]]
kind = "folder"
path = "data"
um_per_px = 0.5
[fit]
steps = {steps}
batch = 2
patch_px = 32
patch_batch = 2
log_every = 1
checkpoint_every = {checkpoint_every}
segmentation_share = 1.0
ema = 0.9
precision = "fp32"
workers = 1
"""
    (folder / "train.toml").write_text(text, encoding="utf-8")
    return folder / "train.toml"
