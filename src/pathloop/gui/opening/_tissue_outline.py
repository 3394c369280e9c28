"""The tissue mask as outlines on the slide."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.rasters import trace_outlines
from pathloop.slides import TissueMask, tissue_mask

__all__ = ["OUTLINE_SUFFIX", "TissueOutline", "tissue_polygons"]

OUTLINE_SUFFIX = "tissue outline"
MOST_RINGS = 400
TOLERANCE_PX = 0.75


def tissue_polygons(mask: TissueMask) -> list[NDArray[np.float64]]:
    """Outlines of the tissue and of its holes, the longest first.

    Returns
    -------
    list
        (n, 2) level-0 pixels (y, x), not closed; corners closer than a mask pixel are left out.
    """
    rings = [
        np.asarray(ring, np.float32)
        for _, outline in trace_outlines(mask.mask.astype(np.uint8))
        for part in outline
        for ring in part
    ]
    rings.sort(key=len, reverse=True)
    simple = [cv2.approxPolyDP(ring[:, None], TOLERANCE_PX, closed=True)[:, 0] for ring in rings[:MOST_RINGS]]
    # a corner of the mask's grid is a corner of level-0 pixels, whose centres are at whole numbers
    return [np.asarray(ring * np.array(mask.downsample) - 0.5, np.float64) for ring in simple if len(ring) >= 3]


class TissueOutline:
    """Shows and takes away the outline of the current slide's tissue.

    Parameters
    ----------
    session
        The viewer's session.
    changed
        Called when it came.
    """

    def __init__(self, session: Session, changed: Callable[[], Any]) -> None:
        self._session, self._changed = session, changed

    @property
    def is_shown(self) -> bool:
        """Whether the current slide has it."""
        opened = self._session.current
        return opened is not None and self._layer(opened) is not None

    def show(self, *, on: bool) -> None:
        """Find the tissue in a thread and draw its outline, or take it away."""
        opened = self._session.current
        if opened is None:
            return
        layer = self._layer(opened)
        if layer is not None and not on:
            self._session.viewer.layers.remove(layer)
        elif layer is None and on:
            slide = opened.slide
            self._session.background.run(
                lambda: tissue_mask(slide), lambda mask: self._add(opened, mask), self._session.report
            )

    def _layer(self, opened: OpenedSlide) -> Any | None:
        name = f"{opened.name} - {OUTLINE_SUFFIX}"
        return next((layer for layer in self._session.viewer.layers if layer.name == name), None)

    def _add(self, opened: OpenedSlide, mask: TissueMask) -> None:
        if opened is not self._session.current or self._layer(opened) is not None:
            return
        polygons = tissue_polygons(mask)
        if polygons:
            viewer, image = self._session.viewer, opened.layer
            screen_px = 1 / (max(float(viewer.scene.camera.zoom), 1e-6) * float(image.scale[-1]))
            viewer.add_shapes(
                polygons,
                name=f"{opened.name} - {OUTLINE_SUFFIX}",
                shape_type="polygon",
                scale=image.scale[-2:],
                units=image.units[-2:],
                edge_color="#009e73",
                face_color="transparent",
                edge_width=3 * screen_px,
                metadata={"pathloop": {"kind": "tissue outline"}},
            )
            viewer.layers.selection.active = image
        else:
            self._session.say(f"No tissue was found on {opened.name}: a run takes the whole slide.", "warning")
        self._changed()
