"""The tissue map as outlined regions, one for each connected area of a class."""

from collections.abc import Iterator

import numpy as np

from pathloop.core import ClassSpec
from pathloop.interchange import OutlinedObject
from pathloop.rasters import first_pixels, label_parts, trace_outlines
from pathloop.store import TissueMap

__all__ = ["tissue_regions"]


def tissue_regions(tissue: TissueMap, shape: tuple[int, int]) -> Iterator[OutlinedObject]:
    """Regions of equal class, 4-connected, in level-0 pixel-edge coordinates cut to the slide.

    Parameters
    ----------
    tissue
        The map; cells that were not run (0) and the class "background" give no region.
    shape
        (height, width) of level 0.
    """
    named = [0 if name == "background" else code for code, name in enumerate(tissue.class_names, start=1)]
    shown = np.array([0, *named], np.int32)[tissue.codes]
    parts, n_parts = label_parts(shown)
    codes = shown.ravel()[first_pixels(parts, n_parts)]
    scale, origin = np.array(tissue.cell_px), np.array(tissue.origin_px)
    for region, outline in trace_outlines(parts):
        code = int(codes[region - 1])
        moved = tuple(
            tuple(np.clip(ring * scale + origin, 0, np.array(shape, float)) for ring in part) for part in outline
        )
        spec = ClassSpec(name=tissue.class_names[code - 1], color=tissue.class_colors[code - 1])
        yield OutlinedObject(task="tissue", id=region, outline=moved, class_spec=spec)
