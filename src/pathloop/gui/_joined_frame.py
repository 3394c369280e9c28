"""Landed and provisional objects as one frame."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, Instances
from pathloop.loop import ObjectFrame, PreviewPart, inside, merged

__all__ = ["Roots", "joined_frame"]

Roots = tuple[NDArray[np.int64], NDArray[np.int64]]


def joined_frame(
    landed: ObjectFrame, runs: Sequence[Sequence[PreviewPart]], own: tuple[ClassSpec, ...]
) -> tuple[ObjectFrame, Roots]:
    """Landed objects, with those of finished tiles in the place of what lay there.

    Parameters
    ----------
    landed
        What the project holds.
    runs
        Finished tiles by unfinished run.
    own
        Classes of the tiles' class codes.

    Returns
    -------
    tuple
        The frame; and ids and roots, (M,) int64 each, ids ascending, of parts that belong to another part's row.
    """
    found = [merged(parts) for parts in runs if parts]
    if not found:
        return landed, (np.zeros(0, np.int64), np.zeros(0, np.int64))
    instances = Instances.concatenate([each for each, _ in found])
    pairs = np.concatenate([roots for _, roots in found])
    pairs = pairs[np.argsort(pairs[:, 0])]
    classes = landed.classes or own
    rects = [rect for parts in runs for part in parts for rect in part.shown]
    kept = landed.take(~inside(landed.instances.centroids, rects))
    together = Instances.concatenate([kept.instances, _coded(instances, own, classes)])
    n = len(instances)
    states = np.concatenate([kept.states, np.zeros(n, np.uint8)])
    locked = np.concatenate([kept.locked, np.zeros(n, np.bool_)])
    order = np.argsort(together.ids, kind="stable")
    frame = ObjectFrame(landed.task, together.take(order), states[order], locked[order], classes, landed.scale)
    return frame, (pairs[:, 0], pairs[:, 1])


def _coded(instances: Instances, own: Sequence[ClassSpec], wanted: Sequence[ClassSpec]) -> Instances:
    """The same objects with the class codes of another list of classes, by name; unknown names become 0."""
    place = {spec.name: code for code, spec in enumerate(wanted, 1)}
    lookup = np.array([0, *(place.get(spec.name, 0) for spec in own)], np.int16)
    codes = np.minimum(instances.class_codes, len(own))
    values: dict[str, Any] = {name: getattr(instances, name) for name in Instances.__dataclass_fields__}
    return Instances(**values | {"class_codes": lookup[codes]})
