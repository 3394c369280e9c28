"""What the panel "Slides" shows, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Scale
from pathloop.slides import Slide

__all__ = [
    "STEPS",
    "LevelRow",
    "LevelsState",
    "ProjectState",
    "ScaleState",
    "SlideRow",
    "SlidesState",
    "SlidesView",
    "level_rows",
]

STEPS = (
    "Open a slide: drop it here, or use Open. To just try it: File > Open Sample > pathloop.",
    "Check um per px below: sizes and the model depend on it.",
    "Panel Segment: choose where, press Run. Results appear tile by tile.",
    "Panel Look: colours, outlines, legend. Panel Objects: numbers, filters, plots.",
    "Export to QuPath, tables or images: Plugins > pathloop > Export.",
)

UM_AT_1X = 10.0


@dataclass(frozen=True, slots=True)
class SlideRow:
    """A slide in the list.

    Parameters
    ----------
    path
        Its file; also its key.
    name
        What it is called.
    status
        In words.
    is_open, is_current, is_missing
        In the window; shown now; file not where it was.
    """

    path: Path
    name: str
    status: str
    is_open: bool = False
    is_current: bool = False
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A level of the pyramid, in words: number, size, um per px, magnification, tile."""

    number: str
    size: str
    um_per_px: str
    magnification: str
    tile: str


@dataclass(frozen=True, slots=True)
class ScaleState:
    """The um per px field.

    Parameters
    ----------
    text
        What stands in it.
    hint
        Where that comes from, or what to do.
    is_missing
        Whether it must be filled in before anything can run.
    problem
        Why the last entry was not taken; empty if it was.
    """

    text: str = ""
    hint: str = ""
    is_missing: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ProjectState:
    """Where the current slide's work is kept.

    Parameters
    ----------
    text
        The place, or where it would be.
    hint
        What to mind: read-only and why, network drive, another place and why.
    can_make, why_not
        Whether a project can be made at the proposed place, and why not.
    """

    text: str = ""
    hint: str = ""
    can_make: bool = False
    why_not: str = "Open a slide first"


@dataclass(frozen=True, slots=True)
class LevelsState:
    """Small levels that a large image lacks.

    Parameters
    ----------
    text
        The question, or how far the build is; empty where none are missing.
    can_build, is_building
        Whether they can be built, and are being built.
    """

    text: str = ""
    can_build: bool = False
    is_building: bool = False


@dataclass(frozen=True, slots=True)
class SlidesState:
    """Everything the panel shows."""

    rows: tuple[SlideRow, ...] = ()
    levels: tuple[LevelRow, ...] = ()
    facts: str = ""
    scale: ScaleState = field(default_factory=ScaleState)
    project: ProjectState = field(default_factory=ProjectState)
    only_tissue: bool = True
    outline_shown: bool = False
    associated: tuple[str, ...] = ()
    small_levels: LevelsState = field(default_factory=LevelsState)
    adoptable: str = ""
    """Name of an image layer of another reader that could become a slide; empty where there is none."""

    @property
    def has_slide(self) -> bool:
        """Whether a slide is shown."""
        return any(row.is_current for row in self.rows)

    @property
    def has_open(self) -> bool:
        """Whether a slide is in the window."""
        return any(row.is_open for row in self.rows)


class SlidesView(Protocol):
    """What the panel can show."""

    def show(self, state: SlidesState) -> None:
        """Everything."""

    def show_thumbnail(self, path: Path, picture: NDArray[np.uint8]) -> None:
        """A slide's picture, (h, w, 3) uint8."""

    def show_associated(self, name: str, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Label and macro images in a dialog of their own; they may show a patient's name."""


def level_rows(slide: Slide, scale: Scale | None) -> tuple[LevelRow, ...]:
    """The levels that the file has, finest first."""
    rows = []
    for number, level in enumerate(slide.levels):
        step = float(np.sqrt(level.downsample[0] * level.downsample[1]))
        um = "?" if scale is None else f"{scale.um_per_px * step:.4g}"
        if slide.objective_power:
            power = f"{slide.objective_power / step:.3g}x"
        else:
            power = "?" if scale is None else f"{UM_AT_1X / (scale.um_per_px * step):.3g}x"
        size = f"{level.shape[1]:,} x {level.shape[0]:,}"
        height, width = level.tile
        tile = f"{width}" if width == height else f"{width} x {height}"
        rows.append(LevelRow(str(number), size, um, power, tile))
    return tuple(rows)
