"""What every flavour of training set does, and what the flavours of one task a folder share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, UsageError
from pathloop.interchange.training._files import NumberedLabels, number_labels
from pathloop.interchange.training._pieces import reviewed_rects
from pathloop.interchange.training._region import TrainingRegion

__all__ = ["Piece", "SetWriter", "TrainingOptions", "cut_pieces"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Choices that only some flavours know.

    Parameters
    ----------
    min_side_px
        ``cellpose``, ``stardist``, ``coco``: the least side of a rectangle that is cut out of a region which was
        reviewed only in part.
    coco_segmentation
        ``coco``: "rle" is exact for every object; "polygon" gives objects without a hole the corners of their
        pixels' edges, the others still run lengths.
    nnunet_id
        ``nnunet``: number of the first data set, 1 .. 999; nnU-Net asks for 500 and more for one's own.
    nnunet_boundary_px
        ``nnunet``: width of the boundary class at the inner edge of every object; 0 = none, plain semantic classes.

    Raises
    ------
    UsageError
        If a value is out of its range.
    """

    min_side_px: int = 128
    coco_segmentation: Literal["rle", "polygon"] = "rle"
    nnunet_id: int = 501
    nnunet_boundary_px: int = 1

    def __post_init__(self) -> None:
        if self.min_side_px < 1 or not 1 <= self.nnunet_id <= 999 or not 0 <= self.nnunet_boundary_px <= 64:
            raise UsageError(
                "min_side_px must be at least 1, nnunet_id lie in 1 .. 999 and nnunet_boundary_px in 0 .. 64, got"
                f" {self.min_side_px}, {self.nnunet_id} and {self.nnunet_boundary_px}"
            )
        if self.coco_segmentation not in ("rle", "polygon"):
            raise UsageError(f"coco_segmentation is {self.coco_segmentation!r}; known: rle, polygon")


class SetWriter(Protocol):
    """Writes the files of one flavour into a folder that is put in place when all is done."""

    summary: str
    """What lies where and what was decided, Markdown, for the set's README."""

    def add(self, region: TrainingRegion) -> dict[str, Any]:
        """Write what can be written before the splits are known.

        Returns
        -------
        dict
            For the manifest: ``images``, a list of {"task", "file" (its name without folder and ending), "rect" (y,
            x, height, width in the region)}, ``dropped``, what was left out, in words, and what else is to be told.
        """
        ...

    def finish(self, splits: Mapping[str, str]) -> None:
        """Put every file where the split of its region (by name) wants it, and write the lists."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A rectangle of a region, reviewed everywhere, with the objects of one task numbered 1 .. n.

    Parameters
    ----------
    name
        Of its files: the region's, with ``~1``, ``~2``, ... where that was cut
        (no name of a region ends like that).
    rect
        In pixels of the region.
    image
        (H, W, 3) uint8.
    numbered
        Its objects; what the rectangle's edge cuts is cut.
    """

    name: str
    rect: Rect
    image: NDArray[np.uint8]
    numbered: NumberedLabels

    def entry(self, task: str) -> dict[str, Any]:
        """What the manifest says about it."""
        place = [self.rect.y, self.rect.x, self.rect.height, self.rect.width]
        return {"task": task, "file": self.name, "rect": place, "objects": len(self.numbered.ids)}


def cut_pieces(region: TrainingRegion, task: str, min_side_px: int) -> tuple[list[Piece], list[str]]:
    """The reviewed rectangles of a region, for formats without a value for "ignore".

    Returns
    -------
    pieces
        Largest first; may be none.
    dropped
        What was left out, in words.
    """
    labels, reviewed = region.tasks[task].labels, region.tasks[task].reviewed
    rects = reviewed_rects(reviewed, min_side_px=min_side_px)
    whole = rects == [Rect(0, 0, *labels.shape)]
    pieces = [
        Piece(
            region.name if whole else f"{region.name}~{number}",
            rect,
            np.ascontiguousarray(region.image[rect.slices]),
            number_labels(labels[rect.slices]),
        )
        for number, rect in enumerate(rects, start=1)
    ]
    lost = int(reviewed.sum()) - sum(rect.area for rect in rects)
    if not rects:
        return [], [f"{task}: no reviewed rectangle with sides of {min_side_px} px or more"]
    return pieces, [f"{task}: {lost} reviewed pixels that no rectangle holds"] if lost else []
