"""A slide in the window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pathloop.core import Rect, Scale
from pathloop.gui._slide_desk import SlideDesk
from pathloop.gui.opening import screen_rect
from pathloop.slides import Slide

__all__ = ["OpenedSlide"]

SMALL_SHARE = 0.2
"""Of the view; what is smaller is zoomed in on."""

FILLED_SHARE = 0.95
"""Of the view, what a region fills."""


@dataclass(eq=False)
class OpenedSlide:
    """A slide in the window.

    Parameters
    ----------
    path, slide, layer
        The file, its reader, and its napari image layer.
    scale
        um per px of level 0; None where it is not known.
    desk
        Its objects, maps and layers.
    slide_id, project_path, is_writer, project_reason
        Where its work is kept; None and False before there is a project.
    given_um_per_px
        What the user said the scale is; None = the file's own.
    use_tissue_mask
        Whether runs leave glass out.
    """

    path: Path
    slide: Slide
    layer: Any
    scale: Scale | None
    desk: SlideDesk
    slide_id: str | None = None
    project_path: Path | None = None
    is_writer: bool = False
    project_reason: str = ""
    given_um_per_px: float | None = None
    use_tissue_mask: bool = True

    @property
    def name(self) -> str:
        """What the user calls it."""
        return str(self.layer.name)

    def set_scale(self, scale: Scale) -> None:
        """Take over a scale that the file does not state, for pixels and layers."""
        self.scale, self.given_um_per_px = scale, scale.um_per_px
        self.slide.scale = scale
        self.layer.scale, self.layer.units = (scale.y, scale.x), ("um", "um")
        self.desk.set_scale(scale)

    def view_rect(self, viewer: Any) -> Rect | None:
        """Level-0 pixels that are on screen; None where there are none."""
        return screen_rect(viewer, self.layer, self.slide.shape)

    def bring_into_view(self, rect: Rect, viewer: Any) -> None:
        """Centre the camera on a level-0 rectangle; change the zoom only where it would not fit or be a speck."""
        scale = np.asarray(self.layer.scale)[-2:]
        centre = (np.array([rect.y + rect.bottom, rect.x + rect.right]) / 2 - 0.5) * scale
        view = self.view_rect(viewer)
        camera = viewer.scene.camera
        camera.center = tuple(float(value) for value in centre)
        if view is not None:
            share = max(rect.height / view.height, rect.width / view.width)
            if share > 1 or share < SMALL_SHARE:
                camera.zoom = float(camera.zoom / (share * (1.2 if share > 1 else 1 / SMALL_SHARE)))

    def fill_view(self, rect: Rect, viewer: Any) -> None:
        """Show a level-0 rectangle as large as it fits."""
        scale = np.asarray(self.layer.scale)[-2:]
        camera, canvas = viewer.scene.camera, np.asarray(viewer.canvas.size, float)
        centre = (np.array([rect.y + rect.bottom, rect.x + rect.right]) / 2 - 0.5) * scale
        camera.center = tuple(float(value) for value in centre)
        if canvas.min() > 0:
            camera.zoom = float(FILLED_SHARE * np.min(canvas / (np.array(rect.shape) * scale)))
