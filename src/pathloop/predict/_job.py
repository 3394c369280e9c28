"""A run over one slide: what is segmented by what, on which grid, and the key that tells it from others."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from pathloop.core import LabelSchema, Rect, Scale, Tile, TileGrid, UnknownScaleError, UsageError
from pathloop.networks import ModelCard
from pathloop.predict._engine import EngineChoice
from pathloop.predict._patchwise import PATCH_MARGIN_PX
from pathloop.slides import Slide, TissueMask

__all__ = ["TileJob", "tile_grid", "tiles_to_run"]


@dataclass(frozen=True, slots=True)
class TileJob:
    """One run over one slide.

    Parameters
    ----------
    slide, card
        What is segmented by which model.
    tasks
        Tasks of the card that run.
    region
        What is segmented: level-0 pixels inside the slide, not empty.
    tissue
        Tiles without any tissue are not run; None = run everything.
    choice
        Engine, device and precision.
    core_px
        Side of a tile's core; a multiple of the tissue cell.
    """

    slide: Slide
    card: ModelCard
    tasks: tuple[str, ...]
    region: Rect
    tissue: TissueMask | None
    choice: EngineChoice
    core_px: int

    @property
    def run_key(self) -> str:
        """Digest of everything that the result depends on; the same key resumes."""
        fields: dict[str, Any] = {
            "slide": self.slide.fingerprint,
            "um_per_px": [self.scale.y, self.scale.x],
            "model": self.card.checksum,
            "tasks": sorted(self.tasks),
            "model_um_per_px": self.card.um_per_px,
            "region": [self.region.y, self.region.x, self.region.height, self.region.width],
            "mask": self.tissue is not None,
            "tile": [self.core_px, self.margin_px],
            "engine": [self.choice.engine, self.choice.device, self.choice.precision, *self._patchwise],
            "constants": self.card.labels.model_dump(mode="json"),
        }
        if self.slide.is_srgb:
            fields["srgb"] = True
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    @property
    def _patchwise(self) -> tuple[str, ...]:
        return ("patchwise",) if self.choice.patchwise else ()

    @property
    def scale(self) -> Scale:
        """Pixel size of level 0, um; it must be known."""
        if self.slide.scale is None:
            raise UnknownScaleError(f"{self.slide.path}: states no um per px; give it with --um-per-px")
        return self.slide.scale

    @property
    def area(self) -> Rect:
        """The region at the model's scale: every level-0 pixel finds the model pixel under its centre in it."""
        step_y, step_x = self.scale.y / self.card.um_per_px, self.scale.x / self.card.um_per_px
        height, width = self.slide.shape_at(self.card.um_per_px)
        # the last level-0 pixels may have their centre beyond the last model pixel, and take that one all the same
        top, left = (
            min(math.floor(self.region.y * step_y), height - 1),
            min(math.floor(self.region.x * step_x), width - 1),
        )
        bottom, right = math.ceil(self.region.bottom * step_y), math.ceil(self.region.right * step_x)
        return Rect.from_bounds(top, left, min(bottom, height), min(right, width))

    @property
    def margin_px(self) -> int:
        """The card's margin, rounded up to whole tissue cells so that the cells of a tile stay on the grid.

        Patch by patch it is the published one, see `PatchwiseEngine`.
        """
        if self.choice.patchwise:
            return PATCH_MARGIN_PX
        cell = self.card.architecture.cell_px
        return -(-self.card.margin_px // cell) * cell

    @property
    def labels(self) -> LabelSchema:
        """The card's tasks."""
        return self.card.labels

    @property
    def instance_tasks(self) -> tuple[str, ...]:
        """Tasks of the run that yield objects."""
        return tuple(task for task in self.tasks if self.labels[task].output == "instance")

    @property
    def patch_task(self) -> str | None:
        """The task of the run that fills the tissue map."""
        return next((task for task in self.tasks if self.labels[task].output == "patch"), None)


def tile_grid(job: TileJob) -> TileGrid:
    """The grid of a run, anchored at the slide's origin.

    Raises
    ------
    UsageError
        If the core is not a multiple of the tissue cell.
    """
    cell = job.card.architecture.cell_px
    if job.core_px <= 0 or job.core_px % cell:
        raise UsageError(f"the tile core must be a positive multiple of the tissue cell, {cell} px; got {job.core_px}")
    return TileGrid(job.area, job.core_px, job.margin_px)


def tiles_to_run(job: TileJob) -> list[Tile]:
    """All tiles of the grid that hold tissue."""
    tiles = list(tile_grid(job))
    if job.tissue is None:
        return tiles
    return [tile for tile in tiles if job.tissue.fraction_in(tile.core, job.card.um_per_px) > 0]
