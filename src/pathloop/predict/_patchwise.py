"""The published way over a slide, to compare with: small patches with a wide margin, each for itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.predict._engine import Engine

__all__ = ["PATCH_CORE_PX", "PATCH_MARGIN_PX", "PATCH_PX", "PatchwiseEngine"]

PATCH_PX = 448
"""Side of a patch's input."""

PATCH_CORE_PX = 144
"""Side of the centre that is kept, and step of the patches; also the published network's tissue cell."""

PATCH_MARGIN_PX = (PATCH_PX - PATCH_CORE_PX) // 2


class PatchwiseEngine:
    """Runs an engine on patches of 448 px and keeps the central 144 px of each, as the published pipeline does.

    The tissue head sees the middle 9 x 9 of a patch's 28 x 28 cells, which begin 8 px before the centre that is kept.
    Costs about five times the operations of large tiles.

    Parameters
    ----------
    engine
        Of a network with tissue cells of 144 px.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Maps of a tile as `Engine.run` gives them, put together from its patches.

        Parameters
        ----------
        pixels
            (n * 144 + 304, m * 144 + 304, 3) uint8 RGB.

        Returns
        -------
        dict
            Shapes as of `Engine.run`. Filled inside the margin of 152 px, and from the second cell to the last but one;
            zeros elsewhere.
        """
        height, width = pixels.shape[:2]
        core = slice(PATCH_MARGIN_PX, PATCH_MARGIN_PX + PATCH_CORE_PX)
        out: dict[str, NDArray[Any]] = {}
        for row in range((height - 2 * PATCH_MARGIN_PX) // PATCH_CORE_PX):
            for col in range((width - 2 * PATCH_MARGIN_PX) // PATCH_CORE_PX):
                y, x = row * PATCH_CORE_PX, col * PATCH_CORE_PX
                found = self._engine.run(np.ascontiguousarray(pixels[y : y + PATCH_PX, x : x + PATCH_PX]))
                for task, maps in found.items():
                    is_dense = maps.shape[1:] == (PATCH_PX, PATCH_PX)
                    step = 1 if is_dense else PATCH_CORE_PX
                    if task not in out:
                        out[task] = np.zeros((len(maps), height // step, width // step), maps.dtype)
                    if is_dense:
                        top, left = y + core.start, x + core.start
                        own = maps[:, core, core]
                        out[task][:, top : top + PATCH_CORE_PX, left : left + PATCH_CORE_PX] = own
                    else:
                        out[task][:, row + 1, col + 1] = maps[:, 1, 1]
        return out
