"""Open slides of every kind as one virtual RGB image, and find the tissue on them."""

from pathloop.slides._levels import Level
from pathloop.slides._open import SLIDE_SUFFIXES, open_slide
from pathloop.slides._slide import Slide
from pathloop.slides._tissue import TissueMask, tissue_mask

__all__ = ["SLIDE_SUFFIXES", "Level", "Slide", "TissueMask", "open_slide", "tissue_mask"]
