"""Colours for labels with large ids."""

from functools import cached_property
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

__all__ = ["HIGHEST_ID", "ManyLabelsColormap"]

HIGHEST_ID = 2**26
"""Ids above have the default colour: the table has a byte or two for each."""


class ManyLabelsColormap(DirectLabelColormap):
    """napari's colours by id, for ids beyond 65,536.

    Without numba napari refuses those. It looks ids up in a table, whose only bound is memory: 1,000,000 objects take
    1 or 2 MB.
    """

    @cached_property
    def _array_map(self) -> NDArray[Any]:
        mapping = self._values_mapping_to_minimum_values_set()[0]
        known = {key: value for key, value in mapping.items() if key is not None and 0 <= key <= HIGHEST_ID}
        # the last place is that of all ids beyond; 0 stands for "in no table", in napari's tables too
        table = np.zeros(max(known, default=0) + 2, np.uint8 if self._num_unique_colors + 2 <= 255 else np.uint16)
        table[list(known)] = list(known.values())
        return table
