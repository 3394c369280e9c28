"""What is being drawn: two stain layers, label images and the appearance of every nucleus."""

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.core import Rect
from pathloop.synth._noise import Field
from pathloop.synth._shapes import Outline, filled

__all__ = ["NUCLEUS_CLASSES", "STRUCTURES", "TISSUES", "Canvas", "Look", "Structure", "largest_part"]

NUCLEUS_CLASSES = ("background", "neutrophil", "epithelial", "lymphocyte", "plasma", "eosinophil", "connective")
"""Names of the codes in ``nucleus_classes``: the six of the Lizard data set (Graham et al. 2021), in its order."""

TISSUES = ("background", "stroma_other", "normal_epi", "abnormal_epi")
"""Names of the codes in ``tissue``. A gland belongs to its epithelium, lumen included."""

STRUCTURES = (
    "glass",
    "lamina propria",
    "submucosa",
    "muscle",
    "fat",
    "mucus",
    "normal epithelium",
    "abnormal epithelium",
    "lumen",
)
"""Names of the codes in ``structure``, the finer map behind ``tissue``."""


class Structure:
    """The codes of `STRUCTURES`."""

    GLASS, STROMA, SUBMUCOSA, MUSCLE, FAT, MUCUS, NORMAL, ABNORMAL, LUMEN = range(9)


class Look(NamedTuple):
    """How a nucleus is stained: optical densities (log10) and their variation."""

    haematoxylin: float
    eosin: float
    rim: float
    """Extra density of the nuclear membrane, as a fraction."""
    clumps: float
    """Deviation of the chromatin's density, as a fraction."""


@dataclass(slots=True)
class Canvas:
    """An image under construction; every array is (H, W)."""

    um_per_px: float
    structure: npt.NDArray[np.uint8]
    haematoxylin: Field
    eosin: Field
    nuclei: npt.NDArray[np.int32]
    gland: npt.NDArray[np.int32]
    lumen: npt.NDArray[np.int32]
    territory: npt.NDArray[np.int32]
    """Who may put nuclei here: a gland's id, `STROMAL`, `SURFACE`, or 0 for nobody."""
    classes: list[int] = field(default_factory=lambda: [0])
    looks: list[Look] = field(default_factory=lambda: [Look(0, 0, 0, 0)])

    STROMAL = -1
    SURFACE = -2

    @classmethod
    def blank(cls, structure: npt.NDArray[np.uint8], um_per_px: float) -> "Canvas":
        """Nothing drawn yet."""
        shape = structure.shape
        return cls(
            um_per_px,
            structure,
            haematoxylin=np.zeros(shape, np.float32),
            eosin=np.zeros(shape, np.float32),
            nuclei=np.zeros(shape, np.int32),
            gland=np.zeros(shape, np.int32),
            lumen=np.zeros(shape, np.int32),
            territory=np.zeros(shape, np.int32),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) px."""
        height, width = self.structure.shape
        return height, width

    def px(self, um: float) -> float:
        """Length in pixels."""
        return um / self.um_per_px

    def fill(self, outline: Outline, *, margin: int = 0) -> tuple[Rect, npt.NDArray[np.uint8]]:
        """Box and mask of an outline on this canvas."""
        return filled(outline, self.shape, margin=margin)

    def add_nucleus(self, outline: Outline, owner: int, code: int, look: Look) -> int:
        """Draw a nucleus where its owner has free room.

        Returns its id, or 0 where more than a fifth of it has no room. A nucleus that is cut stays in one piece.
        """
        box, mask = self.fill(outline)
        window = self.nuclei[box.slices]
        free = ((window == 0) & (self.territory[box.slices] == owner)).view(np.uint8) & mask
        wanted, room = cv2.countNonZero(mask), cv2.countNonZero(free)
        if room < 4 or room < 0.8 * wanted:
            return 0
        # the tips of a thin nucleus may hang on by a corner only
        free = largest_part(free)
        identity = len(self.classes)
        window[free.view(bool)] = identity
        self.classes.append(code)
        self.looks.append(look)
        return identity

    def stain(self, outline: Outline, haematoxylin: float, eosin: float, owner: int) -> None:
        """Set the stain inside an outline, only on its owner's territory."""
        box, mask = self.fill(outline)
        inside = (mask & (self.territory[box.slices] == owner).view(np.uint8)).view(bool)
        self.haematoxylin[box.slices][inside] = haematoxylin
        self.eosin[box.slices][inside] = eosin


def largest_part(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The largest 4-connected part of a 0/1 mask; the mask itself where it has no more than one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count <= 2:
        return mask
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.equal(labels, best).view(np.uint8)
