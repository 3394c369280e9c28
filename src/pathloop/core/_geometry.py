"""Rectangles and scales, always (y, x), always in level-0 pixels unless a name says otherwise."""

import math
from dataclasses import dataclass

from pathloop.core._errors import UsageError

__all__ = ["Rect", "Scale"]

MIN_UM_PER_PX = 0.05
MAX_UM_PER_PX = 20.0


@dataclass(frozen=True, slots=True, order=True)
class Rect:
    """A half-open pixel rectangle: rows ``y .. y + height - 1``, columns ``x .. x + width - 1``.

    Parameters
    ----------
    y, x
        First row and column. May be negative (a rectangle that reaches over the image's edge).
    height, width
        Size in pixels, >= 0.

    Raises
    ------
    UsageError
        If a size is negative.
    """

    y: int
    x: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 0 or self.width < 0:
            raise UsageError(f"a rectangle needs a height and width of at least 0, got {self.height} x {self.width}")

    @classmethod
    def from_bounds(cls, top: int, left: int, bottom: int, right: int) -> "Rect":
        """Build from half-open bounds; an inverted pair of bounds gives an empty rectangle."""
        return cls(top, left, max(bottom - top, 0), max(right - left, 0))

    @property
    def bottom(self) -> int:
        """First row below the rectangle."""
        return self.y + self.height

    @property
    def right(self) -> int:
        """First column right of the rectangle."""
        return self.x + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.height, self.width

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """``array[rect.slices]`` for an array whose origin is (0, 0)."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def intersect(self, other: "Rect") -> "Rect":
        """The common part; empty (area 0) where there is none."""
        return Rect.from_bounds(
            max(self.y, other.y), max(self.x, other.x), min(self.bottom, other.bottom), min(self.right, other.right)
        )

    def minus(self, other: "Rect") -> "tuple[Rect, ...]":
        """What is left without the common part: up to four rectangles that do not overlap, none of them empty.

        Examples
        --------
        >>> Rect(0, 0, 4, 4).minus(Rect(1, 1, 9, 2))
        (Rect(y=0, x=0, height=1, width=4), Rect(y=1, x=0, height=3, width=1), Rect(y=1, x=3, height=3, width=1))
        """
        common = self.intersect(other)
        if common.area == 0:
            return (self,) if self.area else ()
        pieces = (
            Rect.from_bounds(self.y, self.x, common.y, self.right),
            Rect.from_bounds(common.bottom, self.x, self.bottom, self.right),
            Rect.from_bounds(common.y, self.x, common.bottom, common.x),
            Rect.from_bounds(common.y, common.right, common.bottom, self.right),
        )
        return tuple(piece for piece in pieces if piece.area)

    def expand(self, margin: int) -> "Rect":
        """Grown by ``margin`` pixels on every side."""
        return Rect.from_bounds(self.y - margin, self.x - margin, self.bottom + margin, self.right + margin)

    def shift(self, dy: int, dx: int) -> "Rect":
        """Moved by (dy, dx)."""
        return Rect(self.y + dy, self.x + dx, self.height, self.width)

    def relative_to(self, other: "Rect") -> "Rect":
        """The same place in an array whose (0, 0) lies at ``other``'s first pixel."""
        return self.shift(-other.y, -other.x)


@dataclass(frozen=True, slots=True)
class Scale:
    """Physical size of a pixel.

    Parameters
    ----------
    y, x
        um per px along rows and columns; 0.05 to 20.

    Raises
    ------
    UsageError
        If a value lies outside 0.05 .. 20 um per px (for example a 72 dpi tag).
    """

    y: float
    x: float

    def __post_init__(self) -> None:
        for value in (self.y, self.x):
            if not (math.isfinite(value) and MIN_UM_PER_PX <= value <= MAX_UM_PER_PX):
                raise UsageError(f"um per px must lie in {MIN_UM_PER_PX} .. {MAX_UM_PER_PX:g}, got {value:g}")

    @classmethod
    def isotropic(cls, um_per_px: float) -> "Scale":
        """The same scale along both axes."""
        return cls(um_per_px, um_per_px)

    @property
    def um_per_px(self) -> float:
        """Geometric mean of both axes, um per px."""
        return math.sqrt(self.y * self.x)

    @property
    def um2_per_px(self) -> float:
        """Area of one pixel, um2."""
        return self.y * self.x
