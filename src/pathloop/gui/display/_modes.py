"""Ways to colour objects: by class, one by one, by confidence, area or state of review."""

import itertools
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.display._palettes import (
    AREA_FIRST,
    CLASS_FIRST,
    CONFIDENCE_FIRST,
    INSTANCE_FIRST,
    N_BINS,
    N_INSTANCE_COLORS,
    REVIEW_FIRST,
    REVIEW_NAMES,
    LegendEntry,
    class_code,
    color_table,
    letters,
)
from pathloop.gui.display._patterns import N_PATTERNS, SOLID, pattern_bit
from pathloop.loop import ObjectFrame

__all__ = ["COLOUR_BY", "ColourBy", "Colouring", "colour"]

ColourBy = Literal["class", "instance", "confidence", "area", "review"]
COLOUR_BY: tuple[ColourBy, ...] = get_args(ColourBy)

CONFIDENCE_EDGES = np.array([0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95], np.float32)
SAMPLED_ROWS = 50_000
LOCKED, PROVISIONAL = 3, 4


@dataclass(frozen=True, eq=False)
class Colouring:
    """Colours of a frame's objects.

    Parameters
    ----------
    by
        What the colours say.
    bins
        (N,) uint8: line of the legend of each object: class code by class, the number of the bin otherwise.
    codes
        (N,) uint8: colour code of each object; 0 = hidden.
    legend
        Its lines; empty for colours that mean nothing.
    """

    by: ColourBy
    bins: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    legend: tuple[LegendEntry, ...]

    def pattern_bits(self) -> NDArray[np.uint8]:
        """(256,) uint8: bit of the hatch of each colour code; only classes are hatched."""
        bits = np.full(256, SOLID, np.uint8)
        if self.by == "class":
            for entry in self.legend:
                bits[class_code(np.array([entry.code], np.int16))] = pattern_bit(entry.pattern)
        return bits


def colour(frame: ObjectFrame, by: ColourBy, hidden_classes: frozenset[int] = frozenset()) -> Colouring:
    """Colour all objects of a frame; no work is done object by object.

    Parameters
    ----------
    frame
        N objects.
    by
        What the colours shall say.
    hidden_classes
        Class codes whose objects are not shown, whatever the colours say.
    """
    bins, first, labels = _BINNED[by](frame)
    if by == "class":
        codes = class_code(frame.instances.class_codes)
    else:
        codes = bins + np.uint8(first)
    if hidden_classes:
        limit = int(frame.instances.class_codes.max(initial=0)) + 1
        shown = np.array([code not in hidden_classes for code in range(limit)], np.uint8)
        codes = codes * shown[np.maximum(frame.instances.class_codes, 0)]
    counts = np.bincount(bins, minlength=256)
    colors = np.rint(color_table(frame.classes)[:, :3] * 255).astype(int)
    # real classes choose their letters first
    classes = [label for label in labels if label != NO_CLASS]
    own = dict(zip([*classes, NO_CLASS], letters([*classes, NO_CLASS]), strict=True))
    badges = [own[label] for label in labels]
    legend = []
    for line, (label, badge) in enumerate(zip(labels, badges, strict=True)):
        if label == NO_CLASS and not counts[line]:
            continue
        red, green, blue = colors[class_code(np.array([line], np.int16))[0] if by == "class" else first + line].tolist()
        legend.append(
            LegendEntry(
                code=line,
                label=label,
                color=(red, green, blue),
                badge=badge,
                count=int(counts[line]),
                pattern=(line - 1) % N_PATTERNS if by == "class" and line else 0,
                hidden=by == "class" and line in hidden_classes,
            )
        )
    return Colouring(by, bins, codes, tuple(legend))


Binned = tuple[NDArray[np.uint8], int, list[str]]
NO_CLASS = "no class"


def _by_class(frame: ObjectFrame) -> Binned:
    bins = np.clip(frame.instances.class_codes, 0, 255).astype(np.uint8)
    return bins, CLASS_FIRST, [NO_CLASS, *(one.name for one in frame.classes)]


def _by_instance(frame: ObjectFrame) -> Binned:
    return (frame.instances.ids % N_INSTANCE_COLORS).astype(np.uint8), INSTANCE_FIRST, []


def _by_confidence(frame: ObjectFrame) -> Binned:
    edges = [0.0, *CONFIDENCE_EDGES.tolist(), 1.0]
    labels = [f"{low:.2f} to {high:.2f}" for low, high in itertools.pairwise(edges)]
    bins = np.searchsorted(CONFIDENCE_EDGES, frame.instances.confidences, side="right").astype(np.uint8)
    bins[np.isnan(frame.instances.confidences)] = 0
    return bins, CONFIDENCE_FIRST, labels


def _by_area(frame: ObjectFrame) -> Binned:
    """Bins that hold about as many objects each, with round edges."""
    if len(frame) == 0:
        return np.zeros(0, np.uint8), AREA_FIRST, []
    factor, unit = (1.0, "px") if frame.scale is None else (frame.scale.um2_per_px, "um2")
    areas = frame.instances.areas_px
    sample = areas[:: max(1, len(areas) // SAMPLED_ROWS)] * factor
    cuts = np.quantile(sample, np.arange(1, N_BINS) / N_BINS)
    edges = np.unique([float(f"{cut:.2g}") for cut in cuts])
    # whole pixels: the smallest area that lies in the next bin
    bins = np.searchsorted(np.ceil(edges / factor - 1e-9).astype(np.int64), areas, side="right").astype(np.uint8)
    texts = [f"{edge:g}" for edge in edges]
    middle = [f"{low} to {high} {unit}" for low, high in itertools.pairwise(texts)]
    return bins, AREA_FIRST, [f"below {texts[0]} {unit}", *middle, f"{texts[-1]} {unit} and more"]


def _by_review(frame: ObjectFrame) -> Binned:
    bins = frame.states.astype(np.uint8)
    bins[frame.locked] = LOCKED
    bins[frame.is_provisional] = PROVISIONAL
    return bins, REVIEW_FIRST, list(REVIEW_NAMES)


_BINNED = {
    "class": _by_class,
    "instance": _by_instance,
    "confidence": _by_confidence,
    "area": _by_area,
    "review": _by_review,
}
