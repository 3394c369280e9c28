"""Changes as the journal holds them: frozen records, each with what was before and what is after."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.store._review_records import Flag, ObjectRow, Region, TissueCell

__all__ = [
    "CellChange",
    "Change",
    "FlagChange",
    "ObjectChange",
    "PixelChange",
    "RegionChange",
]


@dataclass(frozen=True, slots=True, eq=False)
class PixelChange:
    """Ids of a rectangle of a task, before and after.

    Parameters
    ----------
    task
        Object task.
    rect
        Level-0 pixels inside the slide.
    before, after
        Shape ``rect.shape``, int32; 0 = background. Pixels that do not differ are not touched.

    Raises
    ------
    UsageError
        If shapes or types do not fit.
    """

    task: str
    rect: Rect
    before: NDArray[np.int32]
    after: NDArray[np.int32]

    def __post_init__(self) -> None:
        for labels in (self.before, self.after):
            if labels.shape != self.rect.shape or labels.dtype != np.int32:
                raise UsageError(f"labels of shape {labels.shape} and type {labels.dtype} do not fit {self.rect}")

    @property
    def reversed(self) -> "PixelChange":
        """The change back."""
        return PixelChange(self.task, self.rect, self.after, self.before)


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object's row before and after; None = there is no such object."""

    task: str
    id: int
    before: ObjectRow | None
    after: ObjectRow | None

    @property
    def reversed(self) -> "ObjectChange":
        """The change back."""
        return ObjectChange(self.task, self.id, self.after, self.before)


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell of the tissue map's grid before and after; None = as the model predicts it."""

    row: int
    col: int
    before: TissueCell | None
    after: TissueCell | None

    @property
    def reversed(self) -> "CellChange":
        """The change back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True)
class RegionChange:
    """A region before and after; None = there is none."""

    id: int
    before: Region | None
    after: Region | None

    @property
    def reversed(self) -> "RegionChange":
        """The change back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True)
class FlagChange:
    """An object's flag before and after; None = none."""

    task: str
    id: int
    before: Flag | None
    after: Flag | None

    @property
    def reversed(self) -> "FlagChange":
        """The change back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Everything that one entry of the journal changes on one slide."""

    pixels: tuple[PixelChange, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    cells: tuple[CellChange, ...] = ()
    regions: tuple[RegionChange, ...] = ()
    flags: tuple[FlagChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.pixels or self.objects or self.cells or self.regions or self.flags)

    @property
    def reversed(self) -> "Change":
        """The change back."""
        return Change(
            tuple(one.reversed for one in reversed(self.pixels)),
            tuple(one.reversed for one in reversed(self.objects)),
            tuple(one.reversed for one in reversed(self.cells)),
            tuple(one.reversed for one in reversed(self.regions)),
            tuple(one.reversed for one in reversed(self.flags)),
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Object tasks whose pixels or objects change."""
        names = [one.task for one in self.pixels] + [one.task for one in self.objects]
        return tuple(dict.fromkeys(names + [one.task for one in self.flags]))
