"""Configuration of a fine-tuning run, as ``config.json`` of its folder holds it. Imports no torch."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from pathloop.core import LabelSchema, StrictConfig, TaskSpec
from pathloop.learn._config import AugmentConfig, DataConfig, FitConfig, TrainConfig
from pathloop.networks import ModelCard

__all__ = ["RecipeName", "TuneConfig", "default_fit"]

RecipeName = Literal["quick", "full", "subtype", "new-task"]


class TuneConfig(StrictConfig):
    """One fine-tuning run: a parent model and reviewed regions in, a candidate model out.

    Parameters
    ----------
    recipe
        ``quick``: the reviewed tasks and the encoder, few steps. ``full``: the same, unfrozen by and by, many steps.
        ``subtype``: a new type decoder alone. ``new-task``: a new object decoder alone.
    name, version, summary
        For the candidate's card.
    output
        Folder of the run.
    parent
        Model folder.
    regions
        Training set (``pathloop_set``) of the reviewed regions.
    held_out
        Training set of the held-out regions, for the curves alone; None = there are none.
    with_data
        Further data sets to mix in, so that old skills stay; a fifth of their patients only checks them.
    task
        ``subtype``: the type task; ``new-task``: the object task.
    replay
        Share of the samples of a task that come from drawn slides and, mostly, from ``with_data``.
    max_forgetting
        Dice that a check set may lose; the candidate is drawn back towards its parent until it loses no more, or least.
    fit, augment, seed, device
        As of `TrainConfig`.
    """

    recipe: RecipeName
    name: str = "tuned"
    version: str = "1"
    summary: str = "A model fine-tuned with pathloop."
    output: Path
    parent: Path
    regions: Path
    held_out: Path | None = None
    with_data: tuple[DataConfig, ...] = ()
    task: TaskSpec | None = None
    replay: float = Field(default=0.25, ge=0, lt=1)
    max_forgetting: float = Field(default=0.008, ge=0)
    fit: FitConfig
    augment: AugmentConfig = AugmentConfig()
    seed: int = Field(default=5, ge=0, lt=2**31)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    def training(self, card: ModelCard, labels: LabelSchema) -> TrainConfig:
        """The same as a training configuration with the parent's architecture and scale."""
        return TrainConfig(
            name=self.name,
            version=self.version,
            summary=self.summary,
            output=self.output,
            architecture=card.architecture,
            labels=labels,
            um_per_px=card.um_per_px,
            margin_px=card.margin_px,
            data=(DataConfig(kind="pathloop_set", path=self.regions), *self.with_data),
            n_folds=1,
            validation_folds=(),
            seed=self.seed,
            device=self.device,
            init_from=str(self.parent),
            fit=self.fit,
            augment=self.augment,
        )


def default_fit(recipe: RecipeName, card: ModelCard, n_regions: int) -> FitConfig:
    """The schedule of a recipe: the fewer regions, the fewer steps; five take six minutes on two cores with bf16.

    Patches of 384 px hold a gland with its surroundings; a new decoder learns its statistics from the batch and gets
    more, smaller ones. Steps, rates and patches were chosen by five GlaS images at a time; which scores that makes
    optimistic says docs/explanation/the-loop.md.
    """
    stride, cell = card.architecture.total_stride, card.architecture.cell_px
    few = min(720, 240 + 48 * n_regions)
    steps = {"quick": few, "full": 3 * few}.get(recipe, 200)
    is_tuning = recipe in ("quick", "full")
    batch, side_px = (3, 384) if is_tuning else (6, 256)
    return FitConfig(
        steps=steps,
        batch=batch,
        patch_px=-(-side_px // stride) * stride,
        patch_batch=6,
        patch_side_px=2 * cell,
        optimizer="adamw",
        learning_rate=1e-3,
        encoder_rate=0.3,
        schedule="cosine",
        warmup_steps=10,
        dice=0.5,
        ema=0.97,
        distil=4.0,
        patience=10,
        precision="auto",
        validate_every=60,
        validation_images=4,
        checkpoint_every=20,
        log_every=10,
    )
