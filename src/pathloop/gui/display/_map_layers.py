"""Tissue and uncertainty maps as layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.gui.display._layer_stack import LayerStack
from pathloop.gui.display._palettes import LegendEntry, letters
from pathloop.store import TissueMap, UncertaintyMap

__all__ = ["TISSUE", "UNCERTAINTY", "MapLayers", "label_colormap"]

TISSUE, UNCERTAINTY = "tissue", "uncertainty"

TISSUE_ALPHA = 0.3
MAX_UNCERTAINTY_ALPHA = 0.65
UNCERTAINTY_LIMITS = (30, 255)
"""Models are never quite sure of anything, glass included; what lies below is not tinted."""
WHITE = (255, 255, 255)

# Steps of inferno (N. Smith, S. van der Walt; matplotlib; CC0), from its middle on: dark ones would look like nuclei.
INFERNO = ((101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164))


def label_colormap(table: NDArray[np.float32]) -> Any:
    """A napari label colormap that gives each of 256 codes its own colour."""
    from napari.utils.colormaps import CyclicLabelColormap

    return CyclicLabelColormap(table)


class MapLayers:
    """The two maps of a slide.

    Parameters
    ----------
    stack
        Where their layers go.
    options
        Arguments for the layer of a key.
    """

    def __init__(self, stack: LayerStack, options: Callable[[str], dict[str, Any]]) -> None:
        self._stack, self._options = stack, options
        self._tissue: TissueMap | None = None
        self._uncertainty: UncertaintyMap | None = None
        self._hidden: frozenset[int] = frozenset()

    def show_tissue(self, tissue: TissueMap | None) -> None:
        """Show a tissue map in the place of the one before; None: none."""
        from napari.layers import Labels

        self._tissue = tissue
        self._stack.discard(TISSUE)
        if tissue is not None:
            pixels = tissue_pixels(tissue, self._hidden)
            layer = Labels(pixels, colormap=label_colormap(tissue_colors(tissue)), **self._options(TISSUE))
            layer.editable = False
            self._put(TISSUE, layer, tissue)

    def show_uncertainty(self, uncertainty: UncertaintyMap | None) -> None:
        """Show an uncertainty map in the place of the one before; None: none."""
        from napari.layers import Image
        from napari.utils import Colormap

        self._uncertainty = uncertainty
        self._stack.discard(UNCERTAINTY)
        if uncertainty is not None:
            layer = Image(
                uncertainty.values,
                colormap=Colormap(uncertainty_colors(), name="pathloop uncertainty"),
                contrast_limits=UNCERTAINTY_LIMITS,
                interpolation2d="linear",
                **self._options(UNCERTAINTY),
            )
            self._put(UNCERTAINTY, layer, uncertainty)

    def bring_back(self, key: str) -> None:
        """Show a map again whose layer someone has removed."""
        if key == TISSUE:
            self.show_tissue(self._tissue)
        elif key == UNCERTAINTY:
            self.show_uncertainty(self._uncertainty)

    def hide_tissue(self, code: int, *, hidden: bool) -> bool:
        """Leave out a tissue class, or take it in again; whether that changes anything."""
        if (code in self._hidden) == hidden:
            return False
        self._hidden = self._hidden ^ {code}
        if self._tissue is not None and TISSUE in self._stack:
            self._stack[TISSUE].data = tissue_pixels(self._tissue, self._hidden)
            self._stack[TISSUE].editable = False
        return True

    def legend(self, key: str) -> list[LegendEntry]:
        """Lines of a map's legend; none where there is no map."""
        if key == TISSUE:
            return [] if self._tissue is None else tissue_legend(self._tissue, self._hidden)
        return [] if self._uncertainty is None else uncertainty_legend(self._uncertainty)

    def _put(self, key: str, layer: Any, cells: TissueMap | UncertaintyMap) -> None:
        # origin_px is the corner of the first cell where (0, 0) is the slide's corner, half a pixel from the centre
        # of its first pixel; napari wants the centre of the first cell
        y, x = (start + size / 2 - 0.5 for start, size in zip(cells.origin_px, cells.cell_px, strict=True))
        self._stack.put(key, layer, cell=cells.cell_px, origin=(y, x))


def tissue_pixels(tissue: TissueMap, hidden: frozenset[int]) -> NDArray[np.uint8]:
    """(rows, columns) uint8: class codes, 0 where nothing ran or the class is hidden."""
    lookup = np.array([0 if code in hidden else code for code in range(256)], np.uint8)
    return np.asarray(lookup[tissue.codes])


def tissue_colors(tissue: TissueMap) -> NDArray[np.float32]:
    """(256, 4) float32, RGBA 0..1, by class code; what is white (glass) stays clear."""
    table = np.zeros((256, 4), np.float32)
    for code, color in enumerate(tissue.class_colors[:255], 1):
        table[code] = (*(value / 255 for value in color), 0.0 if color == WHITE else TISSUE_ALPHA)
    return table


def tissue_legend(tissue: TissueMap, hidden: frozenset[int]) -> list[LegendEntry]:
    """A line for each class; counts are cells."""
    counts = np.bincount(tissue.codes.reshape(-1), minlength=256)
    badges = letters(tissue.class_names)
    return [
        LegendEntry(code, name, color, badge, int(counts[code]), hidden=code in hidden)
        for code, (name, color, badge) in enumerate(
            zip(tissue.class_names, tissue.class_colors, badges, strict=True), 1
        )
    ]


def uncertainty_colors() -> NDArray[np.float32]:
    """(N, 4) float32 RGBA: the surer, the more transparent."""
    steps = np.array(INFERNO, np.float32) / 255
    alpha = MAX_UNCERTAINTY_ALPHA * np.linspace(0, 1, len(steps), dtype=np.float32) ** 1.5
    return np.column_stack([steps, alpha])


def uncertainty_legend(uncertainty: UncertaintyMap) -> list[LegendEntry]:
    """Thirds of the range; counts are cells."""
    thirds = np.bincount(np.minimum(uncertainty.values.reshape(-1) // 86, 2), minlength=3)
    names = ("sure", "less sure", "unsure")
    colors: Any = (INFERNO[0], INFERNO[2], INFERNO[4])
    return [
        LegendEntry(code, name, color, badge, int(count))
        for code, (name, color, badge, count) in enumerate(zip(names, colors, letters(names), thirds, strict=True))
    ]
