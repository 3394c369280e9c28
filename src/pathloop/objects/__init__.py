"""Tiles to objects: joined over seams, filtered, voted, clipped and measured."""

from pathloop.objects._join import Clip, Joined, join
from pathloop.objects._measure import Measurer
from pathloop.objects._parts import TilePart, tile_part

__all__ = ["Clip", "Joined", "Measurer", "TilePart", "join", "tile_part"]
