"""Tile grids: pure integer geometry."""

from collections.abc import Iterator
from dataclasses import dataclass

from pathloop.core._errors import UsageError
from pathloop.core._geometry import Rect

__all__ = ["Tile", "TileGrid"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a grid.

    Parameters
    ----------
    row, col
        Place in the grid.
    core
        The pixels that this tile owns; the cores of a grid cover its area exactly once.
    padded
        The core with its margin; may reach over the area's edge.
    """

    row: int
    col: int
    core: Rect
    padded: Rect


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Cuts an area into tiles whose cores lie on a grid anchored at (0, 0).

    Because the grid is anchored at the origin and not at the area, two areas of one slide share tiles.

    Parameters
    ----------
    area
        What to cover, pixels.
    core
        Side of a tile's core, pixels, > 0. Cores at the area's edge are cut to the area.
    margin
        Pixels added on every side of a core, >= 0.
    """

    area: Rect
    core: int
    margin: int = 0

    def __post_init__(self) -> None:
        if self.core <= 0 or self.margin < 0:
            raise UsageError(f"a tile grid needs core > 0 and margin >= 0, got {self.core} and {self.margin}")

    @property
    def rows(self) -> range:
        """Grid rows that touch the area."""
        return range(self.area.y // self.core, -(-self.area.bottom // self.core)) if self.area.area else range(0)

    @property
    def cols(self) -> range:
        """Grid columns that touch the area."""
        return range(self.area.x // self.core, -(-self.area.right // self.core)) if self.area.area else range(0)

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def __iter__(self) -> Iterator[Tile]:
        for row in self.rows:
            for col in self.cols:
                yield self.tile(row, col)

    def tile(self, row: int, col: int) -> Tile:
        """The tile at a place of the grid."""
        core = Rect(row * self.core, col * self.core, self.core, self.core).intersect(self.area)
        return Tile(row, col, core, core.expand(self.margin))
