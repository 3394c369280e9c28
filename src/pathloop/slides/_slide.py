"""A slide: one virtual RGB image over whatever levels and tiles a file holds."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, Scale, SlideError, UnknownScaleError, UsageError
from pathloop.rasters import resample, source_rect
from pathloop.slides._cache import TileCache
from pathloop.slides._fingerprint import file_fingerprint
from pathloop.slides._icc import srgb_conversion
from pathloop.slides._lazy_level import lazy_level
from pathloop.slides._levels import Level, SlideHeader, isotropic_step
from pathloop.slides._pyramid_store import StoredPyramid, find_pyramid

__all__ = ["OVERVIEW_PX", "SMALL_LEVEL_PX", "Slide"]

OVERVIEW_PX = 8192
"""A slide whose coarsest level is larger than this a side is slow to look at: overviews read all of that level."""

SMALL_LEVEL_PX = 2048
"""A slide whose coarsest level is not larger than this a side needs no others."""

WHITE = 255
CACHE_BYTES = 128 * 2**20
PIECE_PX = 4096  # source pixels along an axis that one resampling step holds
RELATIVE_TOLERANCE = 1e-9


class Slide(ABC):
    """An open slide; made by `open_slide`, closed by ``close()`` or a ``with`` block.

    Reads may come from several threads at once. Pickling stores the path and the given scale; unpickling opens the file
    again.

    Attributes
    ----------
    path
        The file.
    shape
        (height, width) of level 0, px.
    scale
        um per px of level 0; None where the file states none (or one outside 0.05 .. 20) and none was given.
    format
        The kind of file: ``aperio``, ``ome-tiff``, ``tiff``, ``png``, OpenSlide's vendor name, ...
    objective_power
        Magnification that the file states, or None.
    icc_profile
        The colour profile that the file embeds, or None. Pixels are given as stored unless sRGB was asked for.
    is_srgb
        Whether sRGB was asked for: colours then went through the profile, where there is one. Associated images do not.
    associated
        Names of the label, macro and thumbnail images in the file. They may show a patient's name: never show them
        unasked.
    """

    def __init__(self, path: Path, header: SlideHeader, *, um_per_px: float | None = None) -> None:
        self.path = path
        self.shape = header.levels[0].shape
        self.scale = header.scale if um_per_px is None else Scale.isotropic(um_per_px)
        self.format = header.format
        self.objective_power = header.objective_power
        self.associated = header.associated
        self.icc_profile = header.icc_profile
        self.is_srgb = False
        self._to_srgb: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None
        self._layouts = header.levels
        self._given_um_per_px = um_per_px
        self._cache = TileCache(CACHE_BYTES)
        self._n_own = len(header.levels)
        self._pyramid: StoredPyramid | None = None
        self._closed = False

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal identity of the file's content, whatever its path: sizes and samples of the bytes, hashed."""
        return self._identify()

    @property
    def given_um_per_px(self) -> float | None:
        """The um per px that the slide was opened with; None = what the file states holds."""
        return self._given_um_per_px

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest level first."""
        return tuple(
            Level(layout.shape, layout.downsample, lazy_level(self, index, layout), self._array(index), layout.tile)
            for index, layout in enumerate(self._layouts)
        )

    def shape_at(self, um_per_px: float) -> tuple[int, int]:
        """(height, width) of the slide at a scale: the pixels whose centre lies on the slide, at least 1.

        Raises
        ------
        UnknownScaleError
            If the slide's own scale is not known.
        UsageError
            If ``um_per_px`` is not a positive number.
        """
        return self._shape_for(self._step(um_per_px))

    def shape_downsampled(self, downsample: float) -> tuple[int, int]:
        """Like `shape_at`, with the scale given as level-0 pixels per pixel (> 0): needs no um per px."""
        return self._shape_for(isotropic_step(downsample))

    def read(self, rect: Rect, um_per_px: float | None = None) -> NDArray[np.uint8]:
        """Pixels of a rectangle at any scale.

        Parameters
        ----------
        rect
            In pixels of the virtual image whose pixels are ``um_per_px`` x ``um_per_px`` and whose top-left corner is
            the slide's: pixel centre (y + 0.5) * um_per_px / scale.y - 0.5 in level-0 pixels. May reach over the edges.
        um_per_px
            The scale; None reads level-0 pixels as they are.

        Returns
        -------
        ndarray
            (rect.height, rect.width, 3) uint8 RGB, white outside the slide. Averaged down from the nearest finer level
            (interpolated up only where level 0 itself is coarser). Pieces of a rectangle equal it, bit for bit.

        Raises
        ------
        UnknownScaleError
            If ``um_per_px`` is given and the slide's own scale is not known.
        SlideError
            If the slide is closed or the file is damaged.
        """
        if um_per_px is None:
            return self.read_level(0, rect)
        return self._read_at(rect, self._step(um_per_px))

    def read_downsampled(self, rect: Rect, downsample: float) -> NDArray[np.uint8]:
        """Like `read`, with the scale given as level-0 pixels per pixel (> 0): needs no um per px."""
        return self._read_at(rect, isotropic_step(downsample))

    def read_level(self, level: int, rect: Rect) -> NDArray[np.uint8]:
        """Pixels of one level as they are: (rect.height, rect.width, 3) uint8; ``rect`` in that level's pixels."""
        if self._closed:
            raise SlideError(f"{self.path} is closed: open the slide again to read from it")
        layout = self._layouts[level]
        out = np.full((*rect.shape, 3), WHITE, np.uint8)
        inside = rect.intersect(Rect(0, 0, *layout.shape))
        if inside.area == 0:
            return out
        tile_h, tile_w = layout.tile
        for row in range(inside.y // tile_h, -(-inside.bottom // tile_h)):
            for column in range(inside.x // tile_w, -(-inside.right // tile_w)):
                tile = self._tile(level, row, column)
                place = Rect(row * tile_h, column * tile_w, *tile.shape[:2])
                part = place.intersect(inside)
                out[part.relative_to(rect).slices] = tile[part.relative_to(place).slices]
        return out

    def convert_to_srgb(self) -> None:
        """Give colours in sRGB from now on; `open_slide` does this when asked. SlideError for an unusable profile."""
        self.is_srgb = True
        if self.icc_profile is not None:
            self._to_srgb = srgb_conversion(self.icc_profile, self.path)
        self._cache.clear()
        self.__dict__.pop("levels", None)

    def use_built_levels(self) -> bool:
        """Take over levels that `build_pyramid` has made for this slide, where it has no small one; whether there were.

        `open_slide` does this; a slide that was open while they were built can do so later. ``levels`` is then new.
        """
        base = self._layouts[-1].shape
        if max(base) <= SMALL_LEVEL_PX:
            return False
        found = find_pyramid(self.fingerprint, self.shape, base)
        if found is None:
            return False
        self._pyramid = found  # before the layouts: other threads read
        self._layouts += found.layouts
        self.__dict__.pop("levels", None)
        return True

    @abstractmethod
    def read_associated(self, name: str) -> NDArray[np.uint8]:
        """An image of ``associated`` as (h, w, 3) uint8; it may show a patient's name. UsageError for other names."""

    def close(self) -> None:
        """Close the file; further reads raise SlideError. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            self._cache.clear()
            self._close_file()
            if self._pyramid is not None:
                self._pyramid.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        scale = "scale unknown" if self.scale is None else f"{self.scale.um_per_px:.4g} um/px"
        return f"<Slide {self.path.name}: {self.shape[0]} x {self.shape[1]} px, {scale}, {len(self._layouts)} levels>"

    def __reduce__(self) -> tuple[Any, ...]:
        from pathloop.slides._open import reopen  # the readers import this module

        return reopen, (self.path, self._given_um_per_px, self.is_srgb)

    @abstractmethod
    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        """One file tile as (h, w, 3) uint8; may be cut at, or reach over, the level's edge. SlideError if damaged."""

    @abstractmethod
    def _close_file(self) -> None:
        """Release the file."""

    def _array(self, level: int) -> Any | None:
        """See `Level.zarr`."""
        if self._to_srgb is not None:
            return None
        if self._pyramid is None or level < self._n_own:
            return self._zarr(level)
        return self._pyramid.arrays[level - self._n_own]

    def _identify(self) -> str:
        """See `fingerprint`."""
        return file_fingerprint(self.path)

    def _zarr(self, level: int) -> Any | None:
        """A zarr array of the same pixels as the level, where the reader has one."""
        return None

    def _tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        def decode() -> NDArray[np.uint8]:
            if self._pyramid is None or level < self._n_own:
                pixels = self._decode_tile(level, row, column)
            else:
                pixels = self._pyramid.tile(level - self._n_own, row, column)
            return pixels if self._to_srgb is None else self._to_srgb(pixels)

        return self._cache.fetch((level, row, column), decode)

    def _step(self, um_per_px: float) -> tuple[float, float]:
        """Level-0 pixels per pixel at a scale."""
        if not (math.isfinite(um_per_px) and um_per_px > 0):
            raise UsageError(f"um per px must be a positive number, got {um_per_px:g}")
        if self.scale is None:
            raise UnknownScaleError(
                f"{self.path}: the file states no usable um per px; give it with --um-per-px (um_per_px in Python)"
            )
        return um_per_px / self.scale.y, um_per_px / self.scale.x

    def _shape_for(self, step: tuple[float, float]) -> tuple[int, int]:
        height, width = (
            max(1, math.floor(size / each + 0.5 + RELATIVE_TOLERANCE))
            for size, each in zip(self.shape, step, strict=True)
        )
        return height, width

    def _read_at(self, rect: Rect, step: tuple[float, float]) -> NDArray[np.uint8]:
        if all(math.isclose(each, 1, rel_tol=RELATIVE_TOLERANCE) for each in step):
            return self.read_level(0, rect)
        level = self._finer_level(step)
        layout = self._layouts[level]
        inner = step[0] / layout.downsample[0], step[1] / layout.downsample[1]
        out = np.full((*rect.shape, 3), WHITE, np.uint8)
        for piece in _pieces(rect.intersect(Rect(0, 0, *self._shape_for(step))), inner):
            source = self.read_level(level, source_rect(piece, step=inner, size=layout.shape))
            out[piece.relative_to(rect).slices] = resample(source, piece, step=inner, size=layout.shape)
        return out

    def _finer_level(self, step: tuple[float, float]) -> int:
        """The coarsest level that is not coarser than asked for (level 0 if all are)."""
        limit = 1 + RELATIVE_TOLERANCE
        fine = [
            index
            for index, layout in enumerate(self._layouts)
            if layout.downsample[0] <= step[0] * limit and layout.downsample[1] <= step[1] * limit
        ]
        return fine[-1] if fine else 0


def _pieces(rect: Rect, step: tuple[float, float]) -> Iterator[Rect]:
    """Cut a target rectangle so that each piece needs a bounded number of source pixels."""
    height, width = (max(1, int(PIECE_PX / each)) for each in step)
    for y in range(rect.y, rect.bottom, height):
        for x in range(rect.x, rect.right, width):
            yield Rect.from_bounds(y, x, min(y + height, rect.bottom), min(x + width, rect.right))
