"""Open slides of every kind as one virtual RGB image, and find the tissue on them and what is wrong with it."""

from pathloop.slides._build_pyramid import build_pyramid
from pathloop.slides._icc import profile_name
from pathloop.slides._levels import Level
from pathloop.slides._ome_zarr_layout import is_ome_zarr
from pathloop.slides._open import SLIDE_FOLDER_SUFFIXES, SLIDE_SUFFIXES, is_slide_folder, open_slide
from pathloop.slides._pyramid_store import PyramidFile, remove_pyramids, stored_pyramids
from pathloop.slides._quality import QualityNote, quality_note, quality_steps
from pathloop.slides._quality_words import QUALITY_COLORS, QUALITY_NAMES, is_fault
from pathloop.slides._slide import OVERVIEW_PX, Slide
from pathloop.slides._tissue import TissueMask, tissue_mask

__all__ = [
    "OVERVIEW_PX",
    "QUALITY_COLORS",
    "QUALITY_NAMES",
    "SLIDE_FOLDER_SUFFIXES",
    "SLIDE_SUFFIXES",
    "Level",
    "PyramidFile",
    "QualityNote",
    "Slide",
    "TissueMask",
    "build_pyramid",
    "is_fault",
    "is_ome_zarr",
    "is_slide_folder",
    "open_slide",
    "profile_name",
    "quality_note",
    "quality_steps",
    "remove_pyramids",
    "stored_pyramids",
    "tissue_mask",
]
