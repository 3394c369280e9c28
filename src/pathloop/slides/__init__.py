"""Open slides of every kind as one virtual RGB image, and find the tissue on them and what is wrong with it."""

from pathloop.slides._levels import Level
from pathloop.slides._open import SLIDE_SUFFIXES, open_slide
from pathloop.slides._quality import QualityNote, quality_note, quality_steps
from pathloop.slides._quality_words import QUALITY_NAMES
from pathloop.slides._slide import Slide
from pathloop.slides._tissue import TissueMask, tissue_mask

__all__ = [
    "QUALITY_NAMES",
    "SLIDE_SUFFIXES",
    "Level",
    "QualityNote",
    "Slide",
    "TissueMask",
    "open_slide",
    "quality_note",
    "quality_steps",
    "tissue_mask",
]
