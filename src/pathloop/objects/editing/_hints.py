"""Soft warnings: what is often a mistake, and what would mend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.objects.editing._outline import fill_holes, keep_largest
from pathloop.objects.editing._patch import LabelPatch, Labels, boxes_of, filled, object_box, tight_patch
from pathloop.objects.editing._shapes import delete

__all__ = ["Hint", "find_hints", "fix_hint", "hints_of"]

HintKind = Literal["lumen_outside_gland", "hole", "crumb", "pieces"]

OUTSIDE_SHARE = 0.1
"""Of a lumen: less than this outside its gland is a matter of pixels."""
HOLE_PX = 4


@dataclass(frozen=True, slots=True)
class Hint:
    """A warning about an object.

    Parameters
    ----------
    task, object_id
        Which object.
    kind
        What looks odd.
    words
        The same for a person.
    fix
        In words what `fix_hint` does.
    box
        Of the object, window pixels.
    """

    task: str
    object_id: int
    kind: HintKind
    words: str
    fix: str
    box: Rect


def find_hints(labels: Mapping[str, Labels], *, min_areas_px: Mapping[str, int] | None = None) -> list[Hint]:
    """All warnings about the objects of a window.

    Parameters
    ----------
    labels
        By task, (H, W) int32, of the same rectangle.
    min_areas_px
        By task: objects below this are crumbs.
    """
    found = []
    for task, image in labels.items():
        ids = np.unique(image)
        found += hints_of(labels, task, ids[ids > 0].tolist(), min_areas_px=min_areas_px)
    return found


def hints_of(
    labels: Mapping[str, Labels], task: str, ids: Sequence[int], *, min_areas_px: Mapping[str, int] | None = None
) -> list[Hint]:
    """Warnings about some objects of a task; see `find_hints`."""
    image = labels[task]
    smallest = (min_areas_px or {}).get(task, 0)
    glands = labels.get("gland") if task == "lumen" else None
    found: list[Hint] = []
    for number, box in boxes_of(image, ids).items():
        wider = box.expand(1).intersect(Rect(0, 0, *image.shape))
        part = image[wider.slices]
        found += _of_one(task, number, box, part, None if glands is None else glands[wider.slices], smallest)
    return found


def _of_one(
    task: str, number: int, box: Rect, part: Labels, glands: NDArray[np.int32] | None, smallest: int
) -> list[Hint]:
    mask = part == number
    area = int(mask.sum())
    if area < smallest:
        return [Hint(task, number, "crumb", "very small", "delete it", box)]
    found = []
    if glands is not None:
        outside = int((mask & (glands == 0)).sum()) / area
        if outside > OUTSIDE_SHARE:
            words = "outside every gland" if outside > 0.99 else f"{outside:.0%} outside its gland"
            fix = "delete it" if outside > 0.99 else "cut it to the gland"
            found.append(Hint(task, number, "lumen_outside_gland", words, fix, box))
    n_pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1
    if n_pieces > 1:
        found.append(Hint(task, number, "pieces", f"in {n_pieces} pieces", "keep the largest", box))
    hole = int((filled(mask) & ~mask & (part == 0)).sum())
    if hole >= HOLE_PX:
        found.append(Hint(task, number, "hole", f"a hole of {hole:,} px", "fill it", box))
    return found


def fix_hint(labels: Mapping[str, Labels], hint: Hint) -> tuple[str, LabelPatch | None]:
    """Task and patch that mend what a warning is about; None where there is nothing left to mend."""
    image = labels[hint.task]
    near = (hint.box.y + hint.box.height / 2, hint.box.x + hint.box.width / 2)
    if hint.kind == "hole":
        return hint.task, fill_holes(image, hint.object_id, near=near)
    if hint.kind == "pieces":
        return hint.task, keep_largest(image, hint.object_id, near=near)
    if hint.kind == "lumen_outside_gland" and hint.fix != "delete it":
        place = object_box(image, hint.object_id, near)
        part = image[place.slices]
        cut = np.where((part == hint.object_id) & (labels["gland"][place.slices] == 0), 0, part)
        return hint.task, tight_patch(image, place, cut)
    return hint.task, delete(image, [hint.object_id])
