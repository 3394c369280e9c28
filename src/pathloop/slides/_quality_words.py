"""What a quality grid comes to, in plain sentences."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLURRED",
    "FINE",
    "FOLD",
    "NO_TISSUE",
    "PEN",
    "PEN_ON_GLASS",
    "QUALITY_COLORS",
    "QUALITY_NAMES",
    "UNLIKE",
    "is_fault",
    "sentences",
    "shares",
]

NO_TISSUE, FINE, BLURRED, PEN, FOLD, UNLIKE, PEN_ON_GLASS = range(7)
QUALITY_NAMES = ("no tissue", "fine", "out of focus", "pen", "fold", "stain unlike H&E", "pen beside the tissue")
"""By code."""
QUALITY_COLORS = (
    (255, 255, 255),
    (0, 158, 115),
    (230, 159, 0),
    (0, 114, 178),
    (204, 121, 167),
    (213, 94, 0),
    (86, 180, 233),
)
"""sRGB by code, of Okabe and Ito's palette."""

WORTH_SAYING = 0.01
"""Share of the tissue; below it a fault is not told."""
MOST = 0.5
GATHERED = 0.22
"""Standard deviation of the places of a fault, as a share of the side, up to which it has a place worth naming."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of a fault: of a part of the tissue, and what it means."""

    found: str
    means: str


WORDS = {
    BLURRED: _Words("is out of focus", "nuclei there will be missed; scan the slide again, or leave that part out"),
    PEN: _Words("lies under pen", "what is under the ink is not segmented; clean the slide and scan it again"),
    FOLD: _Words("lies in folds or is very dense", "objects may overlap there; look before you count them"),
    UNLIKE: _Words("is stained unlike H&E", "results there cannot be trusted"),
}


def is_fault(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where something is to be shown: all but glass, and tissue with nothing against it."""
    return np.asarray(codes > FINE)


def shares(codes: NDArray[np.uint8]) -> dict[str, float]:
    """Share of the tissue by name, 0 to 1; every name from "fine" to "stain unlike H&E" is there."""
    counts = np.bincount(codes.ravel(), minlength=len(QUALITY_NAMES))
    tissue = max(int(counts[FINE : UNLIKE + 1].sum()), 1)
    return {QUALITY_NAMES[code]: float(counts[code] / tissue) for code in range(FINE, UNLIKE + 1)}


def sentences(codes: NDArray[np.uint8], stain: str) -> tuple[str, ...]:
    """One sentence a fault, worst first; none where nothing was found.

    Parameters
    ----------
    codes
        The grid.
    stain
        What the stain looks like where it is unlike H&E; may be empty.
    """
    found = shares(codes)
    said = []
    looks = f" ({stain})" if stain else ""
    for code in sorted(WORDS, key=lambda code: -found[QUALITY_NAMES[code]]):
        share, words = found[QUALITY_NAMES[code]], WORDS[code]
        if share < WORTH_SAYING:
            continue
        if code == UNLIKE and share >= MOST:
            said.append(f"The stain is unlike H&E{looks}: results cannot be trusted.")
            continue
        note = looks if code == UNLIKE else ""
        said.append(f"{_percent(share)} of the tissue {words.found}{note}{_place(codes == code)}: {words.means}.")
    if (codes == PEN_ON_GLASS).any() and found[QUALITY_NAMES[PEN]] < WORTH_SAYING:
        said.append("There is pen beside the tissue; it is left out and does no harm.")
    return tuple(said)


def _percent(share: float) -> str:
    return f"{min(share, 0.99) if share < 1 else 1:.0%}"


def _place(fault: NDArray[np.bool_]) -> str:
    """Where most of it lies, if it lies together at least from top to bottom or from left to right."""
    relative = (np.argwhere(fault) + 0.5) / np.array(fault.shape)
    gathered = relative.std(axis=0) <= GATHERED
    y, x = relative.mean(axis=0)
    named = (_third(y, "upper", "lower") if gathered[0] else "", _third(x, "left", "right") if gathered[1] else "")
    words = " ".join(word for word in named if word)
    if words:
        return f", mostly in the {words} part"
    return ", mostly in the middle" if gathered.all() else ""


def _third(place: float, first: str, last: str) -> str:
    return first if place < 0.4 else last if place > 0.6 else ""
