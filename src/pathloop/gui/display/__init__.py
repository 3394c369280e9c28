"""A slide's objects and maps as napari layers. No Qt."""

from pathloop.gui.display._codes import CodeLevel, CodePyramid, Look, Style
from pathloop.gui.display._copies import MAX_COPY_PX
from pathloop.gui.display._id_levels import IdLevel, IdPyramid
from pathloop.gui.display._layer_stack import scale_and_units
from pathloop.gui.display._lookup import FrameIndex, Lookup
from pathloop.gui.display._map_layers import TISSUE, UNCERTAINTY, label_colormap
from pathloop.gui.display._modes import COLOUR_BY, ColourBy, Colouring, colour
from pathloop.gui.display._palettes import LegendEntry
from pathloop.gui.display._patterns import pattern_tile
from pathloop.gui.display._slide_layers import Hit, SlideLayers

__all__ = [
    "COLOUR_BY",
    "MAX_COPY_PX",
    "TISSUE",
    "UNCERTAINTY",
    "CodeLevel",
    "CodePyramid",
    "ColourBy",
    "Colouring",
    "FrameIndex",
    "Hit",
    "IdLevel",
    "IdPyramid",
    "LegendEntry",
    "Look",
    "Lookup",
    "SlideLayers",
    "Style",
    "colour",
    "label_colormap",
    "pattern_tile",
    "scale_and_units",
]
