"""Second pass, one window: growth and closing with strips of the neighbouring tiles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pathloop.core import PostProcessing, Rect
from pathloop.objects._mosaic import Mosaic
from pathloop.objects._seeds import Seeds
from pathloop.rasters import close_each, grow

__all__ = ["Window", "closed_window"]


@dataclass(frozen=True, slots=True)
class Window:
    """Objects of a rectangle before holes are filled.

    Parameters
    ----------
    labels
        (h, w) int32: 0 = background, else a row of ``ids``.
    valid
        (h, w) bool: False = outside (beyond the area, or a tile that was not run).
    ids
        (k + 1,) int64, ascending: seed of each local label; ``ids[0]`` is 0.
    """

    labels: NDArray[np.int32]
    valid: NDArray[np.bool_]
    ids: NDArray[np.int64]


def closed_window(mosaic: Mosaic, seeds: Seeds, post: PostProcessing, rect: Rect) -> Window:
    """Grown and closed objects of a rectangle, equal to those on the whole mosaic.

    A grown pixel depends on what lies within ``grow_px``, a closed one on grown pixels within twice
    ``closing_px``; so the tiles are read that much wider, from as many neighbours as it takes.
    """
    reach = post.grow_px + 2 * post.closing_px
    wide = rect.expand(reach)
    found = [hit for hit in mosaic.touching(wide) if hit[0] in seeds.of_tile]
    ids = np.unique(np.concatenate([np.zeros(1, np.int64), *(seeds.of_tile[place] for place, _, _ in found)]))
    labels = np.zeros(wide.shape, np.int32)
    mask, valid = np.zeros(wide.shape, bool), np.zeros(wide.shape, bool)
    for place, core, common in found:
        part = mosaic.part(place)
        if part is None:
            continue
        there, here = common.relative_to(core).slices, common.relative_to(wide).slices
        local = np.searchsorted(ids, seeds.of_tile[place]).astype(np.int32)
        labels[here] = local[part.interior[there]]
        mask[here] = part.mask[there]
        valid[here] = True
    labels = close_each(grow(labels, mask, post.grow_px), post.closing_px, allowed=valid)
    inner = rect.relative_to(wide).slices
    return Window(labels[inner], valid[inner], ids)
