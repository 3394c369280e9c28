"""What a training set is made of: regions with their corrected labels, in memory."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, UsageError

__all__ = ["SPLITS", "TrainingRegion", "TrainingTask", "TrainingTissue"]

SPLITS = ("train", "val", "test")
"""What a patient can be for: to learn from, to choose the best model by, to report on."""

# What file names cannot hold on some system; "~1" and "~image" are put behind names when files are written.
_UNFIT = re.compile(r"""[\x00-\x1f\x7f/\\:*?"<>|]|^[ .]|[ .]$|~(\d+|image)$""")
_LONGEST_NAME = 180
_TASK = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTask:
    """The labels of one task in one region.

    Parameters
    ----------
    labels
        (H, W) int32: ids of the project, 0 = no object.
    classes
        Class code k (from 1) is ``classes[k - 1]``. The same for a task in all regions of a set.
    class_codes
        Code of an object's class by id; ids that are not named have code 0, no class known.
    states
        "predicted", "edited" or "accepted" by id; ids that are not named are "predicted".
    review
        (H, W) uint8: 1 where a person has reviewed the labels, 0 where they are to be ignored. None = reviewed
        everywhere.

    Raises
    ------
    UsageError
        If shapes or types do not fit, or a class code has no class.
    """

    labels: NDArray[np.int32]
    classes: tuple[ClassSpec, ...] = ()
    class_codes: Mapping[int, int] = field(default_factory=dict)
    states: Mapping[int, str] = field(default_factory=dict)
    review: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.dtype != np.int32 or int(self.labels.min(initial=0)) < 0:
            raise UsageError(f"labels are (H, W) int32 from 0 on, got {self.labels.dtype} {self.labels.shape}")
        _check_review(self.review, self.labels.shape)
        wrong = [code for code in self.class_codes.values() if not 0 <= code <= len(self.classes)]
        if wrong:
            raise UsageError(f"class codes must lie in 0 .. {len(self.classes)}, got {wrong[0]}")
        if len(self.classes) > 250:
            raise UsageError(f"a class image has room for 250 classes, got {len(self.classes)}")

    @property
    def reviewed(self) -> NDArray[np.bool_]:
        """(H, W): where the labels may be used."""
        return np.ones(self.labels.shape, bool) if self.review is None else self.review > 0

    def code_of(self, object_id: int) -> int:
        """Class code of an object, 0 = no class known."""
        return self.class_codes.get(object_id, 0)

    def class_of(self, object_id: int) -> str:
        """Name of an object's class, "" = no class known."""
        code = self.code_of(object_id)
        return self.classes[code - 1].name if code else ""

    def state_of(self, object_id: int) -> str:
        """Review state of an object."""
        return self.states.get(object_id, "predicted")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTissue:
    """The tissue map of one region.

    Parameters
    ----------
    codes
        (H, W) uint8: k stands for ``classes[k - 1]``, 0 = not run.
    classes
        The legend.
    review
        As of a `TrainingTask`.

    Raises
    ------
    UsageError
        If shapes or types do not fit, or a code has no class.
    """

    codes: NDArray[np.uint8]
    classes: tuple[ClassSpec, ...]
    review: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.uint8:
            raise UsageError(f"tissue codes are (H, W) uint8, got {self.codes.dtype} {self.codes.shape}")
        _check_review(self.review, self.codes.shape)
        highest = int(self.codes.max(initial=0))
        if highest > len(self.classes) or len(self.classes) > 250:
            raise UsageError(f"tissue code {highest} has no class, {len(self.classes)} are named (at most 250)")

    @property
    def known(self) -> NDArray[np.uint8]:
        """(H, W) codes, 0 also where nobody has reviewed them."""
        return self.codes if self.review is None else np.where(self.review > 0, self.codes, np.uint8(0))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRegion:
    """One region of a slide at one scale.

    Parameters
    ----------
    name
        Becomes the name of its files: at most 180 characters that every system takes, no space or dot at its ends,
        not ``~`` and a number at its end; not two in a set that differ only in case.
    group
        Patient (or slide, where patients are not known): never in two splits.
    image
        (H, W, 3) uint8 RGB, square pixels.
    um_per_px
        Their size.
    tasks
        By task, lower-case letters, digits and ``_``; "tissue" and "images" are taken.
    tissue
        The tissue map, or None.
    split
        One of `SPLITS` if it is fixed already (hold-out regions: "test"), None = to be dealt.
    stratum
        What splits are balanced by beside tasks and classes: diagnosis, organ.
    provenance
        Plain JSON values for the manifest: slide, rect (y, x, height, width in level-0 pixels), who, when, model.

    Raises
    ------
    UsageError
        If a name is none, sizes differ, or there is neither a task nor a tissue map.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    um_per_px: float
    tasks: Mapping[str, TrainingTask]
    tissue: TrainingTissue | None = None
    split: str | None = None
    stratum: str = "all"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _LONGEST_NAME or _UNFIT.search(self.name):
            raise UsageError(f"{self.name!r} cannot be the name of a region's files")
        if not self.group:
            raise UsageError(f"{self.name}: names no patient; give the slide's name where patients are not known")
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise UsageError(f"{self.name}: image is {self.image.dtype} {self.image.shape}, expected (H, W, 3) uint8")
        if not 0 < self.um_per_px < float("inf"):
            raise UsageError(f"{self.name}: um_per_px is {self.um_per_px}; give a positive number")
        if not self.tasks and self.tissue is None:
            raise UsageError(f"{self.name}: has no labels")
        if self.split is not None and self.split not in SPLITS:
            raise UsageError(f"{self.name}: unknown split {self.split!r}; known: {', '.join(SPLITS)}")
        self._check_labels()
        try:
            json.dumps(dict(self.provenance), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.name}: provenance holds what JSON cannot ({error})") from error

    def _check_labels(self) -> None:
        shapes = {task: one.labels.shape for task, one in self.tasks.items()}
        if self.tissue is not None:
            shapes["tissue map"] = self.tissue.codes.shape
        for task, shape in shapes.items():
            if shape != self.image.shape[:2]:
                raise UsageError(f"{self.name}: {task} is {shape}, its image {self.image.shape[:2]}")
        for task in self.tasks:
            if not _TASK.fullmatch(task) or task in ("tissue", "images"):
                raise UsageError(f"{self.name}: {task!r} cannot be the name of an object task")

    def contents(self) -> Counter[str]:
        """What splits are balanced by: the stratum, each task, and the number of objects of each class."""
        found = Counter({f"stratum {self.stratum}": 1})
        if self.tissue is not None:
            found["tissue"] = 1
        for task, one in self.tasks.items():
            found[task] = 1
            for object_id in np.unique(one.labels[one.reviewed]).tolist():
                if object_id:
                    found[f"{task} {one.code_of(object_id)}"] += 1
        return found


def _check_review(review: NDArray[np.uint8] | None, shape: tuple[int, ...]) -> None:
    if review is None:
        return
    if review.shape != shape or review.dtype != np.uint8 or int(review.max(initial=0)) > 1:
        raise UsageError(f"a review mask is uint8 of 0 and 1 and as large as its labels, got {review.shape}")
