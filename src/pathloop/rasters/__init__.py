"""Operations on label images and maps that several rooms need.

zarr and tifffile are imported on use: machines that only train need neither.
"""

from pathloop.rasters._components import (
    drop_small,
    first_pixels,
    label_components,
    label_parts,
    link,
    rank_by_first_pixel,
)
from pathloop.rasters._grow import disc, grow
from pathloop.rasters._maps import cut_maps, is_sure, quantise
from pathloop.rasters._morphology import Background, background_regions, close_each, fill_enclosed
from pathloop.rasters._outlines import Outline, Outlines, fill_outlines, trace_outlines
from pathloop.rasters._overlap import OverlapTable, overlap_table
from pathloop.rasters._resample import resample, source_rect
from pathloop.rasters._stain import STAIN_OD, density_to_rgb, rgb_to_density
from pathloop.rasters._tiff import JPEG_QUALITY, RasterSource, write_tiff_pyramid
from pathloop.rasters._zarr import (
    LabelPyramid,
    create_label_pyramid,
    open_label_pyramid,
    pyramid_factors,
    restore_chunks,
    save_chunks,
)
from pathloop.rasters._zarr_maps import read_map, write_map

__all__ = [
    "JPEG_QUALITY",
    "STAIN_OD",
    "Background",
    "LabelPyramid",
    "Outline",
    "Outlines",
    "OverlapTable",
    "RasterSource",
    "background_regions",
    "close_each",
    "create_label_pyramid",
    "cut_maps",
    "density_to_rgb",
    "disc",
    "drop_small",
    "fill_enclosed",
    "fill_outlines",
    "first_pixels",
    "grow",
    "is_sure",
    "label_components",
    "label_parts",
    "link",
    "open_label_pyramid",
    "overlap_table",
    "pyramid_factors",
    "quantise",
    "rank_by_first_pixel",
    "read_map",
    "resample",
    "restore_chunks",
    "rgb_to_density",
    "save_chunks",
    "source_rect",
    "trace_outlines",
    "write_map",
    "write_tiff_pyramid",
]
