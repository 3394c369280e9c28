"""Where a region can be added: what is on screen, or what was drawn."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import Shapes

from pathloop.core import Rect, UsageError
from pathloop.gui.running import start_drawing_regions

__all__ = ["LARGEST_PX", "check_size", "drawn_rects", "new_rects", "start_drawing_regions"]

SMALLEST_PX = 16
LARGEST_PX = 4096 - 2 * 256
"""An edit window holds a region and 256 px around it, and is at most 4,096 px a side."""


def drawn_rects(viewer: Any, slide_layer: Any, shape: tuple[int, int]) -> list[Rect]:
    """Boxes of what is drawn in a Shapes layer, cut to the slide.

    The selected Shapes layer counts, else the only one that people drew in; of its shapes the selected ones, else all.

    Parameters
    ----------
    viewer, slide_layer, shape
        As for `pathloop.gui.objects._region.drawn_region`.
    """
    layer = viewer.layers.selection.active
    if not isinstance(layer, Shapes) or is_ours(layer):
        drawn = [one for one in viewer.layers if isinstance(one, Shapes) and not is_ours(one) and len(one.data)]
        layer = drawn[0] if len(drawn) == 1 else None
    if layer is None:
        return []
    chosen = sorted(layer.selected_data) or range(len(layer.data))
    rects = [_rect(layer.data[index], layer, slide_layer, shape) for index in chosen]
    return [rect for rect in rects if min(rect.shape) >= SMALLEST_PX]


def is_ours(layer: Any) -> bool:
    """Whether a layer shows something of ours, such as the outline of the tissue."""
    return isinstance(layer.metadata, dict) and "pathloop" in layer.metadata


def _rect(corners: Any, layer: Any, slide_layer: Any, shape: tuple[int, int]) -> Rect:
    world = [layer.data_to_world(corner) for corner in np.asarray(corners)]
    own = np.array([slide_layer.world_to_data(place)[:2] for place in world])
    top, left = np.floor(own.min(axis=0) + 0.5).astype(int).tolist()
    bottom, right = np.ceil(own.max(axis=0) + 0.5).astype(int).tolist()
    return Rect.from_bounds(top, left, bottom, right).intersect(Rect(0, 0, *shape))


def new_rects(rects: Iterable[Rect], there: Iterable[Rect]) -> list[Rect]:
    """Those that are not regions already, each once."""
    known = set(there)
    return [rect for rect in dict.fromkeys(rects) if rect not in known]


def check_size(rects: Sequence[Rect]) -> None:
    """Raise UsageError where one is too small to be seen or too large to be corrected in one window."""
    for rect in rects:
        if min(rect.shape) < SMALLEST_PX:
            raise UsageError(f"a region of {rect.width} x {rect.height} px is too small: at least {SMALLEST_PX} px")
        if max(rect.shape) > LARGEST_PX:
            raise UsageError(
                f"{rect.width:,} x {rect.height:,} px are too many for one region: zoom in, or draw at most"
                f" {LARGEST_PX:,} px a side"
            )
