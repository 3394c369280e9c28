"""What the network says of a region seen in other ways: flips and rotations should change nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import LabelSchema, PostProcessing
from pathloop.loop.queue._views import turned, turned_back
from pathloop.loop.queue._windows import Window
from pathloop.loop.queue._words import counted, listed, percent, plural
from pathloop.predict import Engine

__all__ = ["WIDE_KERNEL_PX", "Seen", "blurred_objects", "flip_words", "look", "outline_words", "view_change"]

LEAST_SHARE = 0.01
"""A task whose objects cover less of a region in all views together has no say: a speck would change by all of it."""

COMPETE = 0.25
"""A pixel of an outline competes where both inside and boundary have at least this probability."""
BLURRED = 0.5
"""An outline is blurred where this share of its band competes."""
WIDE_KERNEL_PX = 5
"""Tasks with a narrower boundary band have no outline to speak of: all of it lies between inside and background."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the views of a region gave.

    Parameters
    ----------
    changes
        By object task: share of its area that changes with the view, 0..1.
    blurred
        By object task: objects whose outline is blurred.
    """

    changes: dict[str, float]
    blurred: dict[str, int]


def look(
    pixels: NDArray[np.uint8],
    window: Window,
    engine: Engine,
    labels: LabelSchema,
    objects: Mapping[str, NDArray[np.int32]],
    *,
    views: int,
) -> Seen:
    """Run the views of a region through the network and compare.

    Parameters
    ----------
    pixels
        The window's square, (side, side, 3) uint8 at the model's scale.
    window
        Where the region lies in it.
    engine
        Runs the object tasks of the card.
    labels
        The card's tasks.
    objects
        By task: ids of the region's pixels at the model's scale, as the project holds them.
    views
        4 or 8.
    """
    masks: dict[str, list[NDArray[np.bool_]]] = {}
    blurred: dict[str, int] = {}
    for view in range(views):
        for task, maps in engine.run(turned(pixels, view)).items():
            post = labels[task].post
            interior, boundary = window.cut(turned_back(maps, view)).astype(np.int16)
            masks.setdefault(task, []).append(interior + boundary > 255 * post.mask_threshold)
            if view == 0 and task in objects:
                blurred[task] = blurred_objects(objects[task], interior, boundary, post)
    changes = {task: view_change(seen) for task, seen in masks.items()}
    return Seen({task: value for task, value in changes.items() if value is not None}, blurred)


def view_change(masks: Sequence[NDArray[np.bool_]]) -> float | None:
    """Share of a mask's area that the other views change: differing pixels over those of either, all views pooled.

    Parameters
    ----------
    masks
        The picture's own mask first, then the others', turned back.

    Returns
    -------
    float or None
        0..1; None where there is hardly anything that could change.
    """
    own, others = masks[0], masks[1:]
    either = sum(int((own | other).sum()) for other in others)
    if not others or either < LEAST_SHARE * own.size * len(others):
        return None
    return sum(int((own ^ other).sum()) for other in others) / either


def blurred_objects(
    ids: NDArray[np.int32], interior: NDArray[np.int16], boundary: NDArray[np.int16], post: PostProcessing
) -> int:
    """How many objects have an outline at which inside and boundary compete for most of the band.

    The band is where the model's own boundary should lie: as deep as the kernel that made its targets.

    Parameters
    ----------
    ids
        (h, w) object ids; objects without a band in it are not counted.
    interior, boundary
        (h, w) probabilities times 255.
    post
        The task's constants.
    """
    if post.kernel_px < WIDE_KERNEL_PX or not ids.any():
        return 0
    size = 2 * (post.kernel_px // 2) + 1
    # ids of the neighbours all around: an object's band ends where another id, or none, begins; the region's own edge
    # is no outline
    low = ndimage.minimum_filter(ids, size, mode="nearest")
    high = ndimage.maximum_filter(ids, size, mode="nearest")
    band = (ids > 0) & (low != high)
    both = (np.minimum(interior, boundary) >= 255 * COMPETE) & band
    one, index = np.unique(ids[band], return_inverse=True)
    share = np.bincount(index, weights=both[band], minlength=len(one)) / np.maximum(np.bincount(index), 1)
    return int((share >= BLURRED).sum())


def flip_words(changes: Mapping[str, float]) -> str:
    """``flipping the picture changes 21 % of the gland area``; of the task that changes most."""
    if not changes:
        return ""
    task, most = max(changes.items(), key=lambda pair: pair[1])
    if round(100 * most) == 0:
        return ""
    name = plural(task, 1)
    return f"flipping the picture changes {percent(most)} of the {name} area"


def outline_words(blurred: Mapping[str, int]) -> str:
    """``the outline of 5 glands is blurred: boundary and inside compete``."""
    found = {task: count for task, count in blurred.items() if count}
    if not found:
        return ""
    objects = listed(counted(count, task) for task, count in found.items())
    return f"the outline of {objects} is blurred: boundary and inside compete"
