"""What comparing and merging copies hand out: frozen records."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect
from pathloop.metrics import (
    ClassConfusion,
    DetectionAgreement,
    Kappa,
    ObjectDiceSums,
    PanopticCounts,
    PixelCounts,
    cohen_kappa,
    detection_agreement,
)
from pathloop.store import Region, SlideRecord

__all__ = [
    "DIFFERENCES",
    "Difference",
    "Disagreement",
    "MatchedPlaces",
    "ObjectAgreement",
    "Prefer",
    "SlideMerge",
    "TissueAgreement",
]

Difference = Literal["outline", "first only", "second only", "class", "cell"]
DIFFERENCES: tuple[Difference, ...] = ("outline", "first only", "second only", "class", "cell")
Prefer = Literal["ask", "mine", "theirs"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where two readers differ.

    Parameters
    ----------
    slide_id
        In the first project.
    task
        Object task, or "tissue".
    difference
        ``outline``: both have an object there, but other outlines; ``first only``, ``second only``: one has it;
        ``class``: the same object (or cell of the tissue map, ``cell``) has other classes.
    rect
        Level-0 pixels.
    n
        Objects (or cells) that it is about.
    """

    slide_id: str
    task: str
    difference: Difference
    rect: Rect
    n: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class MatchedPlaces:
    """Matched pairs: (N, 2) float64 centres in the first project (y, x), level-0 pixels, and (N,) float64 IoU."""

    centres: NDArray[np.float64]
    ious: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectAgreement:
    """How far two readers agree on a task's objects of a slide. Sums and counts: `pooled` adds slides up.

    Parameters
    ----------
    slide_id, task
        Which; slide_id "" = all slides.
    compared_on
        ``regions`` done in both copies, ``edited`` places, or ``everything``.
    area_px
        Level-0 pixels that were compared.
    objects
        Matches at IoU > 0.5; "predictions" are the first reader's objects, "truths" the second's.
    object_dice, pixels
        Object Dice, and foreground pixels.
    classes
        Matched objects by class (row = second reader, column = first); objects without a class are left out.
    class_names
        By code - 1.
    matched
        Where the pairs are.
    """

    slide_id: str
    task: str
    compared_on: str
    area_px: int
    objects: PanopticCounts
    object_dice: ObjectDiceSums
    pixels: PixelCounts
    classes: ClassConfusion
    class_names: tuple[str, ...]
    matched: MatchedPlaces = field(repr=False)

    @property
    def n_first(self) -> int:
        """Objects of the first reader."""
        return self.objects.detection.tp + self.objects.detection.fp

    @property
    def n_second(self) -> int:
        """Objects of the second reader."""
        return self.objects.detection.tp + self.objects.detection.fn

    @property
    def class_kappa(self) -> Kappa:
        """Kappa of the classes of matched objects."""
        return cohen_kappa(self.classes.matrix)

    @property
    def pixel_kappa(self) -> float:
        """Kappa of foreground and background; its interval would mean nothing, for pixels are not independent."""
        one = self.pixels
        return cohen_kappa(np.array([[one.tp, one.fp], [one.fn, one.tn]])).value

    @property
    def detection(self) -> DetectionAgreement:
        """F1 of detection, with its interval."""
        return detection_agreement(self.objects.detection)


@dataclass(frozen=True, slots=True, eq=False)
class TissueAgreement:
    """How far two readers agree on the cells of a slide's tissue map that both reviewed.

    Parameters
    ----------
    slide_id
        Which; "" = all slides.
    classes
        Cells by class (row = second reader, column = first).
    class_names
        By code - 1.
    """

    slide_id: str
    classes: ClassConfusion
    class_names: tuple[str, ...]

    @property
    def kappa(self) -> Kappa:
        """Kappa of the cells' classes."""
        return cohen_kappa(self.classes.matrix)


@dataclass(frozen=True, slots=True)
class SlideMerge:
    """What merging did, or would do, to a slide.

    Parameters
    ----------
    slide
        In the project.
    entry
        The entry of the journal; None where nothing changes, or nothing was written.
    taken
        What came in, by what it is: ``added``, ``changed``, ``deleted`` and ``trimmed`` objects by task
        (``added gland``), ``cells``, ``regions``, ``flags``.
    conflicts
        What both readers changed, differently; the first one's stays.
    overruled
        Conflicts in which the second reader's was taken, because that was asked for.
    regions
        The regions that the conflicts became.
    """

    slide: SlideRecord
    entry: int | None
    taken: dict[str, int]
    conflicts: tuple[Disagreement, ...] = ()
    overruled: tuple[Disagreement, ...] = ()
    regions: tuple[Region, ...] = ()
