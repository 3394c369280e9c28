"""Synthetic slides of any size on disk, and the sample slide that comes with the package."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pathloop.core import Rect, Scale, SlideNotFoundError, UsageError
from pathloop.rasters import density_to_rgb, write_tiff_pyramid
from pathloop.synth._colon import SynthSlide, draw_colon
from pathloop.synth._stain import draw_stain

__all__ = ["TRUTH_LAYERS", "sample_slide_path", "write_slide"]

TRUTH_LAYERS = ("nuclei", "gland", "lumen", "tissue")
"""What `write_slide` can write beside the image."""

_WHOLE_PX = 4096  # up to this side a slide is one piece of tissue
_PIECE_PX = 2048  # beyond it, pieces of at most this side
_DRAWINGS = 3  # different pieces that a mosaic repeats

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Mosaic:
    """Pieces of tissue on a regular grid, like biopsies on a slide; glass around each keeps objects whole."""

    shape: tuple[int, int]
    piece: tuple[int, int]
    drawings: tuple[SynthSlide, ...]
    choice: npt.NDArray[np.int64]
    """(rows, columns, 3): which drawing, flipped upside down?, mirrored?"""
    first_id: dict[str, npt.NDArray[np.int64]]
    """(rows, columns) number of objects in the pieces before."""
    glass: npt.NDArray[np.uint8]

    def read(self, layer: str, rect: Rect) -> Array:
        """Pixels of "image" or a truth layer."""
        height, width = self.piece
        rows, columns = self.choice.shape[:2]
        dtype = np.uint32 if layer in self.first_id else np.uint8
        out: Array = np.empty((*rect.shape, 3) if layer == "image" else rect.shape, dtype)
        if rect.bottom > rows * height or rect.right > columns * width:
            out[...] = self.glass if layer == "image" else 0
        for row in range(rect.y // height, min(-(-rect.bottom // height), rows)):
            for column in range(rect.x // width, min(-(-rect.right // width), columns)):
                place = Rect(row * height, column * width, height, width)
                common = place.intersect(rect)
                pixels = self._piece(layer, row, column)[common.relative_to(place).slices]
                if layer in self.first_id:
                    shift = np.uint32(self.first_id[layer][row, column])
                    pixels = np.where(pixels > 0, pixels.astype(np.uint32) + shift, np.uint32(0))
                out[common.relative_to(rect).slices] = pixels
        return out

    def _piece(self, layer: str, row: int, column: int) -> Array:
        drawing, upside_down, mirrored = self.choice[row, column]
        slide = self.drawings[drawing]
        pixels: Array = {"image": slide.image, "tissue": slide.tissue, **slide.labels}[layer]
        return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def write_slide(
    path: Path,
    shape: tuple[int, int],
    *,
    um_per_px: float = 0.5,
    seed: int = 0,
    truth_dir: Path | None = None,
    abnormal: float = 0.35,
) -> None:
    """Write a synthetic slide as a pyramidal JPEG TIFF, and its exact truth as lossless TIFFs.

    Up to 4,096 px a side the slide is one drawn piece of colon. A larger slide is a grid of pieces of at most 2,048 px,
    each surrounded by glass, that repeat three drawings, upside down or mirrored by chance: no object is cut, every
    object has its own id, and memory does not grow with the size.

    Parameters
    ----------
    path
        The TIFF to write.
    shape
        (H, W) px, both >= 1.
    um_per_px
        Pixel size.
    seed
        Equal seeds give equal slides.
    truth_dir
        Folder for ``<stem>_nuclei.tif``, ``<stem>_gland.tif``, ``<stem>_lumen.tif`` (uint32 ids, unique over the slide)
        and ``<stem>_tissue.tif`` (uint8 codes of `TISSUES`); none are written without it.
    abnormal
        Fraction of the mucosa with abnormal glands, 0 .. 1.

    Raises
    ------
    UsageError
        If a value lies outside its range.
    """
    if min(shape) < 1:
        raise UsageError(f"{path}: a slide needs at least 1 x 1 px, got {shape[0]} x {shape[1]}")
    mosaic = _mosaic(shape, um_per_px, seed, abnormal)
    scale = Scale.isotropic(um_per_px)
    write_tiff_pyramid(path, partial(mosaic.read, "image"), shape=shape, um_per_px=scale)
    if truth_dir is not None:
        for layer in TRUTH_LAYERS:
            target = truth_dir / f"{path.stem}_{layer}.tif"
            write_tiff_pyramid(target, partial(mosaic.read, layer), shape=shape, um_per_px=scale)


def _mosaic(shape: tuple[int, int], um_per_px: float, seed: int, abnormal: float) -> _Mosaic:
    if max(shape) <= _WHOLE_PX:
        grid, drawn = (1, 1), 1
    else:
        grid = (math.ceil(shape[0] / _PIECE_PX), math.ceil(shape[1] / _PIECE_PX))
        drawn = min(_DRAWINGS, grid[0] * grid[1])
    piece = (shape[0] // grid[0], shape[1] // grid[1])
    rng = np.random.default_rng(seed)
    choice = np.stack([rng.integers(0, upper, grid) for upper in (drawn, 2, 2)], axis=-1)
    if grid == (1, 1):
        choice[...] = 0  # the slide is the drawing of the same seed
    seeds = [seed, *(seed + 7919 * number for number in range(1, drawn))]
    drawings = tuple(
        draw_colon(piece, um_per_px=um_per_px, seed=each, abnormal=abnormal, stain_seed=seed) for each in seeds
    )
    first_id = {}
    for layer in drawings[0].labels:
        counts = np.array([int(drawing.labels[layer].max(initial=0)) for drawing in drawings])[choice[..., 0]]
        first_id[layer] = (np.cumsum(counts) - counts.ravel()).reshape(grid)
    glass = density_to_rgb(draw_stain(np.random.default_rng(seed)).glass)
    return _Mosaic(shape, piece, drawings, choice, first_id, glass)


def sample_slide_path() -> Path:
    """The synthetic sample slide, in an installed package or in a checkout of the repository.

    Its truth lies beside it in ``truth/colon_sample_<layer>.tif``.

    Raises
    ------
    SlideNotFoundError
        If the package was installed without it.
    """
    here = Path(__file__).resolve()
    places = (here.parents[1] / "_sample_data", here.parents[3] / "sample_data")
    for place in places:
        if (place / "colon_sample.tif").is_file():
            return place / "colon_sample.tif"
    raise SlideNotFoundError(
        f"{places[0] / 'colon_sample.tif'}: the sample slide is missing; reinstall pathloop, or in a checkout run"
        " examples/make_sample_data.py"
    )
