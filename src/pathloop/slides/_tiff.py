"""TIFF slides: Aperio SVS, OME-TIFF, pyramids with and without SubIFDs, plain TIFF; read through tifffile."""

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TIFF, TiffFile, TiffFileError, TiffPage

from pathloop.core import PathloopError, Scale, SlideError, UsageError
from pathloop.slides._levels import LevelLayout, SlideHeader, exact_downsample, spread_tiles
from pathloop.slides._metadata import aperio_facts, imagej_scale, ome_facts, tiff_scale
from pathloop.slides._rgb import PixelKind, sixteen_bit_top
from pathloop.slides._slide import Slide
from pathloop.slides._tiff_layout import Planes, TiffLayout, tiff_layout

__all__ = ["TiffSlide", "needs_openslide"]

STRIP_ROWS = 512  # strips are read in groups of about this many rows
SAMPLED_TILES = 16
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
COLOUR_BY_CODEC = {6, 7, 34892, 33007}  # JPEG: the decoder turns YCbCr into RGB itself
APERIO_YCBCR_JPEG2000 = 33003
SUBSAMPLING_TAG, ICC_TAG = 530, 34675
OUTSIDE = 255

_quiet: ContextVar[bool] = ContextVar("pathloop_quiet_tifffile", default=False)
logging.getLogger("tifffile").addFilter(lambda record: not _quiet.get())


@contextlib.contextmanager
def _damage_as(path: Path) -> Iterator[None]:
    """Silence tifffile's log in this thread, and turn whatever its parsers and codecs raise into a SlideError."""
    token = _quiet.set(True)
    try:
        yield
    except PathloopError:
        raise
    except Exception as error:  # codecs raise classes of their own, damaged bytes anything at all
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise SlideError(f"{path}: this TIFF is damaged or not supported ({reason})") from error
    finally:
        _quiet.reset(token)


def needs_openslide(path: Path) -> bool:
    """True for Aperio's JPEG 2000 in subsampled YCbCr, which the JPEG 2000 codec here does not turn into RGB."""
    with _damage_as(path), TiffFile(path) as tiff:
        return int(tiff.pages.first.compression) == APERIO_YCBCR_JPEG2000


class TiffSlide(Slide):
    """A slide in a TIFF file.

    Raises
    ------
    SlideError
        If the file is damaged, cut off, compressed in an unknown way, or not an RGB-like image.
    """

    def __init__(self, path: Path, *, um_per_px: float | None = None) -> None:
        with _damage_as(path):
            self._tiff = TiffFile(path)
            try:
                self._tiff.filehandle.set_lock(True)  # threads share one file position
                self._layout = tiff_layout(self._tiff, path)
                self._check_complete(path)
                self._kind = _pixel_kind(self._layout.levels[0], path)
                super().__init__(path, _header(self._tiff, self._layout), um_per_px=um_per_px)
                if self._kind.top == 65_535:
                    self._kind = _pixel_kind(self._layout.levels[0], path, top=sixteen_bit_top(self._largest_sample()))
            except BaseException:
                self._tiff.close()
                raise

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        planes = self._layout.associated.get(name)
        if planes is None:
            raise UsageError(
                f"{self.path} holds no image named {name!r}; it holds: {', '.join(self.associated) or 'none'}"
            )
        with _damage_as(self.path):
            kind = _pixel_kind(planes, self.path)
            pixels = planes.pages[0].asarray()
            return kind.to_rgb(pixels.reshape(*planes.shape, -1))

    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        with _damage_as(self.path):
            return self._kind.to_rgb(self._samples(level, row, column))

    def _samples(self, level: int, row: int, column: int) -> NDArray[Any]:
        """Stored samples of a tile, (h, w, samples)."""
        planes = self._layout.levels[level]
        return np.concatenate([_page_tile(page, row, column) for page in planes.pages], axis=2)

    def _largest_sample(self) -> int:
        """Largest value in some tiles of the coarsest level, spread evenly: tells 12 bits in 16 from 16."""
        last = len(self._layouts) - 1
        tiles = spread_tiles(self._layouts[last], SAMPLED_TILES)
        return max(int(self._samples(last, row, column).max()) for row, column in tiles)

    def _zarr(self, level: int) -> Any | None:
        planes = self._layout.levels[level]
        page = planes.pages[0]
        if not self._kind.stored_as_rgb or len(planes.pages) > 1 or page.axes != "YXS":
            return None
        with _damage_as(self.path):
            return zarr.open_array(page.aszarr(fillvalue=OUTSIDE), mode="r")

    def _close_file(self) -> None:
        self._tiff.close()

    def _check_complete(self, path: Path) -> None:
        """Find a cut-off file at once: tiles or pages that lie beyond its end."""
        size = self._tiff.filehandle.size
        if _next_page(self._tiff) >= size:
            raise SlideError(f"{path}: the file is cut off (pages are missing); copy it again from its source")
        for planes in self._layout.levels:
            for page in planes.pages:
                if min(_tile_shape(page.keyframe)) < 1:
                    raise SlideError(f"{path}: this TIFF is damaged (tiles without pixels); copy it from its source")
                offsets = np.asarray(page.dataoffsets, dtype=np.int64)
                counts = np.asarray(page.databytecounts, dtype=np.int64)
                if offsets.size == 0 or offsets.size != counts.size:
                    raise SlideError(f"{path}: this TIFF is damaged (no table of tiles); copy it again from its source")
                if int((offsets + counts).max()) > size:
                    raise SlideError(f"{path}: the file is cut off (pixels are missing); copy it again from its source")


def _header(tiff: TiffFile, layout: TiffLayout) -> SlideHeader:
    full = layout.levels[0].shape
    scale, power = _facts(tiff, layout)
    levels = tuple(
        LevelLayout(each.shape, exact_downsample(full, each.shape), _tile_shape(each.keyframe))
        for each in layout.levels
    )
    profile = layout.levels[0].keyframe.tags.valueof(ICC_TAG)
    return SlideHeader(
        layout.format,
        levels,
        scale,
        power,
        tuple(sorted(layout.associated)),
        bytes(profile) if profile else None,
    )


def _facts(tiff: TiffFile, layout: TiffLayout) -> tuple[Scale | None, float | None]:
    """Scale and objective power from the first place that states them."""
    page = layout.levels[0].keyframe
    resolution = page.tags.valueof("YResolution"), page.tags.valueof("XResolution")
    power: float | None = None
    if layout.format == "aperio":
        return aperio_facts(page.description)
    if tiff.is_ome and tiff.ome_metadata:
        scale, power = ome_facts(tiff.ome_metadata, layout.levels[0].shape)
        if scale is not None:
            return scale, power
    if tiff.is_imagej:
        return imagej_scale(tiff.imagej_metadata or {}, resolution), power
    return tiff_scale(resolution, page.tags.valueof("ResolutionUnit")), power


def _pixel_kind(planes: Planes, path: Path, *, top: int | None = None) -> PixelKind:
    """How the samples of an image become RGB; SlideError where they cannot."""
    page = planes.keyframe
    samples = int(page.samplesperpixel) * len(planes.pages)
    photometric, compression = int(page.photometric), int(page.compression)
    if compression != 1 and compression not in TIFF.DECOMPRESSORS:
        raise SlideError(f"{path}: compression {compression} is not supported; save it again as JPEG or deflate TIFF")
    if page.dtype is None or page.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise SlideError(
            f"{path}: not an RGB-like image (samples are {page.dtype}, not 8- or 16-bit unsigned integers)"
        )
    if samples not in (1, 2, 3, 4) or photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR):
        raise SlideError(
            f"{path}: not an RGB-like image ({samples} samples, {PHOTOMETRIC(photometric).name}); export it as RGB"
        )
    ycbcr = photometric == YCBCR and compression not in COLOUR_BY_CODEC and samples == 3
    if ycbcr and page.tags.valueof(SUBSAMPLING_TAG, default=(2, 2)) != (1, 1):
        raise SlideError(f"{path}: subsampled YCbCr outside JPEG is not supported; save it again as RGB or JPEG TIFF")
    palette = None
    if photometric == PALETTE and page.colormap is not None:
        palette = (np.asarray(page.colormap).T // 257).astype(np.uint8)
    return PixelKind(
        samples,
        top or (255 if page.dtype == np.dtype(np.uint8) else 65_535),
        white_is_zero=photometric == WHITE_IS_ZERO,
        palette=palette,
        ycbcr=ycbcr,
        alpha={1: "premultiplied", 2: "straight"}.get(int(page.extrasamples[0])) if page.extrasamples else None,
    )


def _next_page(tiff: TiffFile) -> int:
    """Where the page behind the last one that was found should begin; 0 = there is none."""
    file, form, last = tiff.filehandle, tiff.tiff, tiff.pages[-1]
    file.seek(last.offset)
    (n_tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(n_tags * form.tagsize, os.SEEK_CUR)
    stored = file.read(form.offsetsize)
    return int(struct.unpack(form.offsetformat, stored)[0]) if len(stored) == form.offsetsize else file.size


def _tile_shape(page: TiffPage) -> tuple[int, int]:
    """The file's tiles, or groups of whole strips."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    rows = min(int(page.rowsperstrip), int(page.imagelength))
    return rows * max(1, STRIP_ROWS // rows), int(page.imagewidth)


def _page_tile(page: TiffPage, row: int, column: int) -> NDArray[Any]:
    """Samples of one tile (or group of strips) of a page, (h, w, samples); planes stored apart are put side by side."""
    kind = page.keyframe
    apart = int(kind.samplesperpixel) if kind.planarconfig == 2 else 1
    tile_h, tile_w = _tile_shape(kind)
    strips = 1 if kind.is_tiled else tile_h // min(int(kind.rowsperstrip), int(kind.imagelength))
    stored = len(page.dataoffsets) // apart
    across = -(-int(kind.imagewidth) // tile_w)
    samples = []
    for plane in range(apart):
        first = plane * stored + row * strips * across + column
        segments = range(first, min(first + strips, (plane + 1) * stored))
        samples.append(np.concatenate([_segment(page, index) for index in segments], axis=0))
    return np.concatenate(samples, axis=2)


def _segment(page: TiffPage, index: int) -> NDArray[Any]:
    """One decoded tile or strip, (h, w, samples); white where the file stores none."""
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    data = None
    if count:
        handle = page.parent.filehandle
        with handle.lock:
            handle.seek(offset)
            data = handle.read(count)
        if len(data) != count:
            raise TiffFileError("the file ends inside its pixels")
    decoded, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
    if decoded is None:
        empty = 0 if int(page.keyframe.photometric) == WHITE_IS_ZERO else np.iinfo(page.keyframe.dtype).max
        return np.full(shape[1:], empty, page.keyframe.dtype)
    samples: NDArray[Any] = np.asarray(decoded)[0]
    return samples
