"""Colours and their codes, chosen to stay distinct for colour-blind eyes and against haematoxylin and eosin.

Every way of colouring has codes of its own, so that a code means one colour whatever is shown: a new way of colouring
changes codes only, and a picture that is still being drawn in the background is never shown in the wrong colours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec
from pathloop.gui.display._codes import RIM, SELECTED, SELECTED_RIM

__all__ = [
    "AREA_FIRST",
    "CLASS_FIRST",
    "CONFIDENCE_FIRST",
    "INSTANCE_FIRST",
    "N_BINS",
    "N_INSTANCE_COLORS",
    "REVIEW_FIRST",
    "REVIEW_NAMES",
    "LegendEntry",
    "class_code",
    "color_table",
    "letters",
]

Color = tuple[int, int, int]

N_CLASSES: Final = 48
CLASS_FIRST: Final = 1
INSTANCE_FIRST: Final = CLASS_FIRST + N_CLASSES
NO_CLASS: Final[Color] = (90, 90, 90)

# Found by a greedy search in CIELAB: the smallest distance between two of them, as seen with normal, protan and deutan
# eyes (Vienot 1999), and to the colours of stained tissue, is as large as can be.
INSTANCE_COLORS: Final[tuple[Color, ...]] = (
    (0, 158, 115),
    (0, 0, 255),
    (255, 175, 0),
    (143, 159, 255),
    (159, 16, 0),
    (175, 0, 143),
    (223, 239, 143),
    (128, 239, 255),
    (0, 64, 207),
    (80, 80, 80),
    (175, 143, 64),
    (0, 255, 191),
    (191, 0, 255),
    (128, 159, 191),
    (159, 255, 96),
    (159, 80, 64),
    (0, 112, 175),
    (255, 48, 32),
    (255, 112, 128),
    (159, 80, 223),
)
N_INSTANCE_COLORS: Final = len(INSTANCE_COLORS)

# Eight even steps of the upper part of viridis (N. Smith, S. van der Walt, E. Firing; matplotlib; CC0): its lower part
# is the colour of stained nuclei.
VIRIDIS: Final[tuple[Color, ...]] = (
    (40, 125, 142),
    (32, 145, 140),
    (32, 165, 134),
    (54, 184, 120),
    (93, 201, 98),
    (144, 215, 67),
    (199, 224, 32),
    (253, 231, 37),
)
N_BINS: Final = len(VIRIDIS)
CONFIDENCE_FIRST: Final = INSTANCE_FIRST + N_INSTANCE_COLORS
AREA_FIRST: Final = CONFIDENCE_FIRST + N_BINS
REVIEW_FIRST: Final = AREA_FIRST + N_BINS

REVIEW_NAMES: Final = ("predicted", "edited", "accepted", "locked", "still running")
# Okabe and Ito's sky blue, orange, bluish green, black and yellow
REVIEW_COLORS: Final[tuple[Color, ...]] = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (0, 0, 0), (240, 228, 66))

SELECTED_COLOR: Final = (0, 255, 255)
SELECTED_RIM_COLOR: Final = (0, 0, 0)
SELECTED_ALPHA: Final = 0.75


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of a legend.

    Parameters
    ----------
    code
        Class code in a legend of classes (0 = no class), else the number of the bin; what ``hide_class`` takes.
    label
        What the colour means.
    color
        sRGB, 0..255.
    badge
        One letter, different for each line, so that colour is never alone.
    count
        Objects, or cells of a map.
    pattern
        Number of the hatch (`pattern_tile`); 0 = solid.
    hidden
        Whether objects of this line are not shown.
    """

    code: int
    label: str
    color: Color
    badge: str
    count: int
    pattern: int = 0
    hidden: bool = False


def class_code(class_codes: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Colour codes of class codes: 0 (no class) has its own; after 47 classes colours repeat."""
    wrapped = np.where(class_codes > 0, (class_codes - 1) % (N_CLASSES - 1) + 1, 0)
    return (wrapped + CLASS_FIRST).astype(np.uint8)


def color_table(classes: Sequence[ClassSpec], *, fill_alpha: float = 1.0) -> NDArray[np.float32]:
    """Colours of all codes.

    Parameters
    ----------
    classes
        By class code - 1.
    fill_alpha
        How opaque the insides of objects are.

    Returns
    -------
    (256, 4) float32, RGBA 0..1. Code 0 is transparent, edges are opaque.
    """
    table = np.zeros((256, 4), np.float32)
    groups: Mapping[int, Sequence[Color]] = {
        CLASS_FIRST: (NO_CLASS, *(one.color for one in classes[: N_CLASSES - 1])),
        INSTANCE_FIRST: INSTANCE_COLORS,
        CONFIDENCE_FIRST: VIRIDIS[::-1],
        AREA_FIRST: VIRIDIS,
        REVIEW_FIRST: REVIEW_COLORS,
    }
    for first, colors in groups.items():
        for code, color in enumerate(colors, first):
            inside = np.array(color, np.float32) / 255
            table[code] = (*inside, fill_alpha)
            table[code + RIM] = (*inside, 1.0)
    table[SELECTED] = (*(value / 255 for value in SELECTED_COLOR), SELECTED_ALPHA)
    table[SELECTED_RIM] = (*SELECTED_RIM_COLOR, 1.0)
    return table


def letters(labels: Sequence[str]) -> list[str]:
    """One upper-case letter for each label: its first that is still free, else any that is."""
    taken: list[str] = []
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for label in labels:
        own = [one for one in label.upper() if one in alphabet]
        taken.append(next((one for one in (*own, *alphabet) if one not in taken), "?"))
    return taken
