"""Where a run can go: what is on screen, drawn regions, the tissue, or the whole slide."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pathloop.core import Rect

__all__ = ["MIN_SIDE_PX", "PLACES", "Place", "PlaceChoice", "drawn_regions", "start_drawing_regions"]

Place = Literal["view", "regions", "tissue", "slide"]

PLACES: dict[Place, tuple[str, str]] = {
    "view": ("This view", "What is on screen now"),
    "regions": ("Drawn regions", "Every rectangle or polygon (its box) of the layer 'regions'"),
    "tissue": ("All tissue", "The whole slide without its glass"),
    "slide": ("Whole slide", "Everything, glass too"),
}
"""By place: what it is called, and what it means."""

REGIONS_LAYER = "regions"
MIN_SIDE_PX = 16


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """What a choice of place comes to.

    Parameters
    ----------
    regions
        Level-0 rectangles to run one after the other; None stands for the whole slide.
    use_tissue_mask
        Whether glass is left out.
    area_mm2
        How much there is to do; None where it is not known.
    problem
        Why nothing can run there, in words; empty if it can.
    """

    regions: tuple[Rect | None, ...]
    use_tissue_mask: bool
    area_mm2: float | None
    problem: str = ""


def drawn_regions(viewer: Any, image_layer: Any) -> list[Rect]:
    """Boxes of what is drawn on the layer "regions", in level-0 pixels of an image layer, cut to the slide."""
    if REGIONS_LAYER not in viewer.layers:
        return []
    layer = viewer.layers[REGIONS_LAYER]
    shape = image_layer.data[0].shape[:2] if image_layer.multiscale else image_layer.data.shape[:2]
    rects = []
    for corners in layer.data:
        points = np.array([image_layer.world_to_data(layer.data_to_world(corner))[:2] for corner in corners])
        top, left = np.floor(points.min(axis=0)).astype(int)
        bottom, right = np.ceil(points.max(axis=0)).astype(int)
        rect = Rect.from_bounds(int(top), int(left), int(bottom), int(right)).intersect(Rect(0, 0, *shape))
        if min(rect.shape) >= MIN_SIDE_PX:
            rects.append(rect)
    return rects


def start_drawing_regions(viewer: Any) -> None:
    """Make the layer "regions" the active one, ready for rectangles."""
    if REGIONS_LAYER not in viewer.layers:
        viewer.add_shapes(
            name=REGIONS_LAYER,
            ndim=2,
            edge_color="#e69f00",
            face_color=[0, 0, 0, 0],
            edge_width=4 / max(viewer.scene.camera.zoom, 1e-6),
            units=next((layer.units[-2:] for layer in viewer.layers if layer.ndim >= 2), None),
        )
    layer = viewer.layers[REGIONS_LAYER]
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
