"""Open slides of every kind as one virtual RGB image, and find the tissue on them."""

from pathloop.slides._levels import Level
from pathloop.slides._ome_zarr_layout import is_ome_zarr
from pathloop.slides._open import SLIDE_FOLDER_SUFFIXES, SLIDE_SUFFIXES, open_slide
from pathloop.slides._slide import Slide
from pathloop.slides._tissue import TissueMask, tissue_mask

__all__ = [
    "SLIDE_FOLDER_SUFFIXES",
    "SLIDE_SUFFIXES",
    "Level",
    "Slide",
    "TissueMask",
    "is_ome_zarr",
    "open_slide",
    "tissue_mask",
]
