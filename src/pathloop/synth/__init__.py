"""Synthetic H&E slides of colon mucosa with exact truth."""

from pathloop.synth._canvas import NUCLEUS_CLASSES, STRUCTURES, TISSUES
from pathloop.synth._colon import SynthSlide, draw_colon
from pathloop.synth._slide import TRUTH_LAYERS, sample_slide_path, write_slide

__all__ = [
    "NUCLEUS_CLASSES",
    "STRUCTURES",
    "TISSUES",
    "TRUTH_LAYERS",
    "SynthSlide",
    "draw_colon",
    "sample_slide_path",
    "write_slide",
]
