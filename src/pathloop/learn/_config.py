"""Configuration of a training run, as it is written in TOML. Imports no torch."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pathloop.core import LabelSchema, StrictConfig
from pathloop.learn._presets import COLON_LABELS
from pathloop.networks import CERBERUS, FAST, NetworkConfig

__all__ = ["AugmentConfig", "DataConfig", "FitConfig", "TrainConfig"]


class DataConfig(StrictConfig):
    """One data set.

    Parameters
    ----------
    kind
        Adapter: ``ebhi_seg``, ``cpm_sbu``, ``dsb2018_color``, ``glas`` or ``folder``.
    path
        Its folder; relative paths start at the configuration file's folder.
    tasks
        Which of its labels train, or all.
    strata
        Which of its images, by diagnosis, organ or stain; None = all. The same set may be named twice.
    absent
        Object tasks of which these images hold nothing: they train as background.
    weight
        How often it is drawn against the other sets of the same task.
    zoom
        Least and greatest zoom of a patch, beside what the set's own scale leaves open; unlike ``augment.scale`` it
        keeps the aspect ratio. Wide where users' slides differ in scale and sharpness more than the set does.
    um_per_px
        For ``folder``: its scale.
    """

    kind: str
    path: Path
    tasks: tuple[str, ...] | None = None
    strata: tuple[str, ...] | None = None
    absent: tuple[str, ...] = ()
    weight: float = Field(default=1.0, gt=0)
    zoom: tuple[float, float] = (1.0, 1.0)
    um_per_px: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError("zoom must hold the least and the greatest, both above 0")
        return self


class AugmentConfig(StrictConfig):
    """Random changes of a training patch. Ranges follow Graham et al. 2023 and its published loader.

    Parameters
    ----------
    scale
        Least and greatest zoom, drawn per axis.
    shear_degrees, rotate_degrees
        Largest angle either way; patches of the tissue map rotate by quarter turns only when
        ``rotate_degrees`` is 0.
    blur
        Probability of a Gaussian blur, a median blur or sensor noise (one of them).
    sharpen
        Probability of unsharp masking, before any blur: for sets that are coarser than the model's scale.
    color
        Probability of a change of hue, saturation, brightness and contrast in random order.
    hue, saturation, brightness, contrast
        Half-widths: hue in degrees of 180, saturation as a share, brightness in 0..255, contrast as a share.
    stain
        Probability of jitter of the optical densities of haematoxylin, eosin and the rest.
    stain_scale, stain_shift
        Half-widths of the factor and of the offset (optical density).
    """

    scale: tuple[float, float] = (0.9, 1.1)
    shear_degrees: float = Field(default=5.0, ge=0, le=45)
    rotate_degrees: float = Field(default=179.0, ge=0, le=180)
    blur: float = Field(default=0.5, ge=0, le=1)
    color: float = Field(default=0.9, ge=0, le=1)
    hue: float = Field(default=8.0, ge=0, le=90)
    saturation: float = Field(default=0.2, ge=0, le=1)
    brightness: float = Field(default=26.0, ge=0, le=255)
    contrast: float = Field(default=0.25, ge=0, le=1)
    sharpen: float = Field(default=0.0, ge=0, le=1)
    stain: float = Field(default=0.5, ge=0, le=1)
    stain_scale: float = Field(default=0.3, ge=0, le=1)
    stain_shift: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError("scale must hold the least and the greatest zoom, both above 0")
        return self


class FitConfig(StrictConfig):
    """The schedule of a run.

    Parameters
    ----------
    steps
        Optimiser steps. The published run has 90,000.
    batch
        Samples a segmentation batch.
    patch_px
        Side of a segmentation patch at the model's scale; a multiple of the network's stride.
    patch_batch, patch_side_px
        Samples and side of a patch-classification batch; a side of several cells trains them all in context.
    segmentation_share
        Probability that a step draws the segmentation super task (0.7 in the paper).
    batching
        ``mixed`` draws a task for every sample, ``fixed`` one for the batch.
    optimizer, learning_rate, weight_decay
        Adam at 1e-3 in the paper.
    schedule
        ``step``: a tenth after 7/9 of the steps (the paper's 70,000 of 90,000); ``cosine``: down to a hundredth.
    warmup_steps
        Linear rise at the start.
    encoder_rate
        Factor of the rate for encoder and neck.
    dice
        Weight of a soft Dice term beside the cross-entropy; 0 in the paper.
    ema
        Decay of the averaged weights that are validated and saved; 0 = none.
    distil, distil_every
        Weight of agreeing with the parent where a sample has no truth of a task, and how many steps it is asked once
        in; 0 = not at all. Only fine-tuning has a parent.
    patience
        Stop early once the mean loss over this many rows of the log is less than 1 % below that of as many rows
        before; 0 = never.
    precision
        ``bf16`` (autocast) or ``fp32``; ``auto`` takes bf16 where the device has instructions for it.
    validate_every, validation_images, checkpoint_every, log_every
        In steps; ``validation_images`` are images of each kind of data set.
    workers
        Processes that prepare batches.
    """

    steps: int = Field(default=90_000, ge=1)
    batch: int = Field(default=27, ge=1)
    patch_px: int = Field(default=448, ge=32)
    patch_batch: int = Field(default=27, ge=1)
    patch_side_px: int | None = Field(default=None, ge=32)
    segmentation_share: float = Field(default=0.7, ge=0, le=1)
    batching: Literal["mixed", "fixed"] = "mixed"
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["step", "cosine"] = "step"
    warmup_steps: int = Field(default=0, ge=0)
    dice: float = Field(default=0.0, ge=0)
    ema: float = Field(default=0.0, ge=0, lt=1)
    encoder_rate: float = Field(default=1.0, gt=0, le=1)
    distil: float = Field(default=0.0, ge=0)
    distil_every: int = Field(default=4, ge=1)
    patience: int = Field(default=0, ge=0)
    precision: Literal["auto", "bf16", "fp32"] = "bf16"
    validate_every: int = Field(default=2_000, ge=1)
    validation_images: int = Field(default=40, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)
    log_every: int = Field(default=20, ge=1)
    workers: int = Field(default=1, ge=0)


class TrainConfig(StrictConfig):
    """One training run.

    Parameters
    ----------
    name, version, summary
        For the model card.
    output
        Folder of the run: checkpoint, events, model. Relative to the working directory.
    architecture
        ``fast``, ``cerberus`` or a table of `NetworkConfig`.
    labels
        Tasks and classes; the four colon tasks by default.
    um_per_px, margin_px
        Input scale and the context around a tile.
    data
        Data sets.
    n_folds, train_folds, validation_folds
        Patients are dealt into folds 0..n_folds - 1 once, over the union of all sets; folds named in neither
        list are for testing. Without validation folds the latest model is kept.
    seed
        Everything random follows from it.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    init_from
        Model folder or known model's name to start from; None = random weights.
    encoder_from
        File of a ResNet18 or ResNet34 as torchvision keeps it (``.pth``, ``.safetensors``) to start the encoder from,
        instead of ``init_from``.
    """

    name: str = "model"
    version: str = "1"
    summary: str = "A model trained with pathloop."
    output: Path = Path("runs/train")
    architecture: NetworkConfig | Literal["fast", "cerberus"] = "fast"
    labels: LabelSchema = COLON_LABELS
    um_per_px: float = Field(default=0.5, gt=0)
    margin_px: int = Field(default=128, ge=0)
    data: tuple[DataConfig, ...] = Field(min_length=1)
    n_folds: int = Field(default=3, ge=1)
    train_folds: tuple[int, ...] = (0,)
    validation_folds: tuple[int, ...] = (1,)
    seed: int = Field(default=5, ge=0, lt=2**31)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    init_from: str | None = None
    encoder_from: Path | None = None
    fit: FitConfig = FitConfig()
    augment: AugmentConfig = AugmentConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        folds = (*self.train_folds, *self.validation_folds)
        if any(not 0 <= fold < self.n_folds for fold in folds):
            raise ValueError(f"folds must lie in 0..{self.n_folds - 1}")
        if set(self.train_folds) & set(self.validation_folds):
            raise ValueError("train_folds and validation_folds must not share a fold")
        if self.init_from is not None and self.encoder_from is not None:
            raise ValueError("give init_from or encoder_from, not both: a model brings its encoder along")
        stride = self.network.total_stride
        if self.fit.patch_px % stride:
            raise ValueError(f"fit.patch_px must be a multiple of {stride}")
        if self.patch_side_px % self.network.cell_px:
            raise ValueError(f"fit.patch_side_px must be a multiple of the tissue cell, {self.network.cell_px}")
        # batch norm cannot train on one value
        if self.fit.batch == 1 and self.fit.patch_px == stride:
            raise ValueError(f"fit.batch must be at least 2 for patches of {stride} px")
        if self.fit.patch_batch == 1 and self.has_one_cell:
            raise ValueError("fit.patch_batch must be at least 2 for patches of one tissue cell")
        return self

    @property
    def network(self) -> NetworkConfig:
        """The architecture as a configuration."""
        if isinstance(self.architecture, NetworkConfig):
            return self.architecture
        return FAST if self.architecture == "fast" else CERBERUS

    @property
    def patch_side_px(self) -> int:
        """Side of a patch-classification sample; one cell unless the configuration says otherwise."""
        return self.fit.patch_side_px or self.network.cell_px

    @property
    def has_one_cell(self) -> bool:
        """Whether a patch-classification sample is one cell."""
        return self.patch_side_px == self.network.cell_px

    @classmethod
    def read(cls, path: Path) -> "TrainConfig":
        """Read a TOML file; relative data paths start at its folder."""
        return cls.from_toml(path).relative_to(path.parent)

    def relative_to(self, folder: Path) -> "TrainConfig":
        """The same configuration with relative data paths resolved against a folder."""
        data = tuple(one.model_copy(update={"path": folder / one.path}) for one in self.data)
        return self.model_copy(update={"data": data})
