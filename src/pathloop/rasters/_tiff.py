"""Streaming writer of tiled, pyramidal TIFF files for images and for label images."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from pathloop.core import Rect, Scale, TileGrid, UsageError, atomic_path

__all__ = ["JPEG_QUALITY", "RasterSource", "write_tiff_pyramid"]

JPEG_QUALITY = 90
"""JPEG quality of image tiles (chroma at half resolution), what slide scanners commonly write."""

Array = npt.NDArray[Any]
RasterSource = Array | Callable[[Rect], Array] | Iterable[Array]
"""A whole array, a function ``read(rect) -> array``, or full-width row strips from top to bottom."""

Compression = Literal["jpeg", "deflate"]

# a classic TIFF addresses 4 GiB; the uncompressed size decides, so that no write fails half-way
_CLASSIC_LIMIT_BYTES = 4_000_000_000
_UM_PER_CM = 10_000.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What every level of one file shares."""

    name: str
    dtype: np.dtype[Any]
    channels: tuple[int, ...]
    tile: int
    downsample: int
    compression: Compression
    scale: Scale | None

    @property
    def is_image(self) -> bool:
        """True for RGB, false for labels."""
        return self.channels == (3,)

    def shrunk(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Size of the next level."""
        return -(-shape[0] // self.downsample), -(-shape[1] // self.downsample)

    def shrink(self, block: Array) -> Array:
        """The next level's pixels: area means of an image, the central id of labels (ids never mix)."""
        step = self.downsample
        if self.is_image:
            size = (block.shape[1] // step, block.shape[0] // step)
            return np.asarray(cv2.resize(block, size, interpolation=cv2.INTER_AREA))
        return block[step // 2 :: step, step // 2 :: step]


def write_tiff_pyramid(
    path: Path,
    source: RasterSource,
    *,
    shape: tuple[int, int],
    um_per_px: float | Scale | None,
    levels: int | None = None,
    downsample: int = 4,
    compression: Compression | None = None,
    tile: int = 512,
) -> None:
    """Write a tiled TIFF (BigTIFF above 4 GB of pixels) atomically and without holding it in memory.

    Reduced levels are plain pages marked "reduced image", OpenSlide's generic tiled TIFF.

    Parameters
    ----------
    path
        File to write; its folder is created. An interrupted write leaves an older file as it was.
    source
        Level 0, (H, W, 3) uint8 RGB or (H, W) integer labels: an array, or a function that gives the pixels of a
        `Rect` inside the image, called tile by tile in reading order, or an iterable of full-width strips.
    shape
        (H, W) of level 0 in pixels, both > 0.
    um_per_px
        Pixel size, stored as resolution tags per centimetre; ``None`` stores none.
    levels
        Number of levels, the first included, >= 1. Default: images shrink until they fit in one tile, labels have one.
    downsample
        Factor between levels, >= 2, divides ``tile``. Images are averaged, labels sampled.
    compression
        "jpeg" (quality `JPEG_QUALITY`, RGB only) or "deflate" (lossless). Default: jpeg for images, deflate for labels.
    tile
        Side of the tiles in pixels, a multiple of 16.

    Raises
    ------
    UsageError
        If the options contradict each other or the source does not give the promised pixels.
    """
    import tifffile

    _check_options(path, shape, levels, downsample, tile)
    blocks = _tiles(source, shape, tile, str(path))
    first = next(blocks)
    plan = _plan(first, um_per_px, compression, (str(path), tile, downsample))
    sizes = [shape]
    while len(sizes) < levels if levels else (plan.is_image and max(sizes[-1]) > tile):
        sizes.append(plan.shrunk(sizes[-1]))
    with contextlib.ExitStack() as files:
        temporary = files.enter_context(atomic_path(path))
        tiff = files.enter_context(tifffile.TiffWriter(temporary, bigtiff=_is_big(plan, shape)))
        tiles: Iterator[Array] = itertools.chain([first], blocks)
        for number, size in enumerate(sizes):
            if number + 1 == len(sizes):
                _write_level(tiff, tiles, plan, (size, number))
                continue
            scratch = files.enter_context(tempfile.TemporaryFile(dir=path.parent, prefix=f".{path.name[:60]}-"))
            _write_level(tiff, _shrunk_to(scratch, tiles, plan, size), plan, (size, number))
            tiles = _tiles(_strips_of(scratch, plan, sizes[number + 1]), sizes[number + 1], tile, plan.name)


def _is_big(plan: _Plan, shape: tuple[int, int]) -> bool:
    # a third more for the reduced levels
    pixels = shape[0] * shape[1] * 4 / 3
    return pixels * plan.dtype.itemsize * (3 if plan.is_image else 1) > _CLASSIC_LIMIT_BYTES


def _check_options(path: Path, shape: tuple[int, int], levels: int | None, downsample: int, tile: int) -> None:
    if tile % 16 or tile <= 0 or downsample < 2 or tile % downsample or min(shape) < 1 or (levels or 1) < 1:
        raise UsageError(
            f"{path}: a TIFF pyramid needs a shape and levels of at least 1, tiles that are a multiple of 16, and a"
            f" downsample of at least 2 that divides the tile; got shape {shape}, levels {levels}, tile {tile},"
            f" downsample {downsample}"
        )


def _plan(
    first: Array, um_per_px: float | Scale | None, compression: Compression | None, fixed: tuple[str, int, int]
) -> _Plan:
    name, tile, downsample = fixed
    channels = first.shape[2:]
    if channels == (3,) and first.dtype == np.uint8:
        chosen: Compression = compression or "jpeg"
    elif channels == () and first.dtype.kind in "ui":
        chosen = compression or "deflate"
    else:
        raise UsageError(
            f"{name}: a TIFF pyramid holds (H, W, 3) uint8 or (H, W) integers, not {first.dtype}"
            f" with {channels or 'no'} channels"
        )
    if chosen == "jpeg" and channels != (3,):
        raise UsageError(f"{name}: JPEG would change the ids of a label image; use deflate")
    scale = um_per_px if isinstance(um_per_px, Scale) or um_per_px is None else Scale.isotropic(um_per_px)
    return _Plan(name, first.dtype, channels, tile, downsample, chosen, scale)


def _write_level(tiff: Any, tiles: Iterator[Array], plan: _Plan, level: tuple[tuple[int, int], int]) -> None:
    size, number = level
    options: dict[str, Any] = {}
    if plan.compression == "jpeg":
        options = {"subsampling": (2, 2), "compressionargs": {"level": JPEG_QUALITY}}
    elif plan.channels == ():
        options = {"predictor": 2}
    if plan.scale is not None:
        factor = plan.downsample**number
        options["resolution"] = (_UM_PER_CM / plan.scale.x / factor, _UM_PER_CM / plan.scale.y / factor)
        options["resolutionunit"] = "CENTIMETER"
    tiff.write(
        tiles,
        shape=(*size, *plan.channels),
        dtype=plan.dtype,
        tile=(plan.tile, plan.tile),
        photometric="rgb" if plan.is_image else "minisblack",  # JPEG tiles are converted to YCbCr and tagged so
        compression="jpeg" if plan.compression == "jpeg" else "adobe_deflate",
        subfiletype=1 if number else 0,
        metadata=None,
        software="pathloop",
        **options,
    )
    for _ in tiles:  # the writer stops at the last tile; a source that goes on must be told so
        pass


def _tiles(source: RasterSource, shape: tuple[int, int], tile: int, name: str) -> Iterator[Array]:
    """Tiles in reading order, those at the right and bottom filled up by repeating the last pixels."""
    if isinstance(source, np.ndarray):
        _check(source, shape, name)
        pixels: Array = source
        yield from _tiles(lambda rect: pixels[rect.slices], shape, tile, name)
        return
    if callable(source):
        for place in TileGrid(Rect(0, 0, *shape), tile):
            yield _filled(_check(source(place.core), place.core.shape, name), tile)
        return
    for band in _bands(source, shape, tile, name):
        for left in range(0, shape[1], tile):
            yield _filled(band[:, left : left + tile], tile)


def _bands(strips: Iterable[Array], shape: tuple[int, int], tile: int, name: str) -> Iterator[Array]:
    """Full-width bands of ``tile`` rows (the last may be lower) from strips of any height."""
    waiting: list[Array] = []
    rows = done = 0
    for strip in strips:
        waiting.append(_check(strip, (strip.shape[0], shape[1]), name))
        rows += strip.shape[0]
        while rows >= tile:
            joined = np.concatenate(waiting)
            yield joined[:tile]
            done, rows, waiting = done + tile, rows - tile, [joined[tile:]]
    if done + rows != shape[0]:
        raise UsageError(f"{name}: the strips have {done + rows} rows in all, the TIFF needs {shape[0]}")
    if rows:
        yield np.concatenate(waiting)


def _check(pixels: Array, shape: tuple[int, int], name: str) -> Array:
    if pixels.shape[:2] != shape:
        raise UsageError(f"{name}: got {pixels.shape[:2]} pixels where the TIFF needs {shape}")
    return pixels


def _filled(block: Array, tile: int) -> Array:
    missing = [(0, tile - side) for side in block.shape[:2]] + [(0, 0)] * (block.ndim - 2)
    return np.pad(block, missing, mode="edge") if any(after for _, after in missing) else np.ascontiguousarray(block)


def _shrunk_to(scratch: IO[bytes], tiles: Iterator[Array], plan: _Plan, size: tuple[int, int]) -> Iterator[Array]:
    """Pass the tiles on and write their next level to ``scratch``, row by row."""
    height, width = plan.shrunk(size)
    step = plan.tile // plan.downsample
    columns = -(-size[1] // plan.tile)
    row: list[Array] = []
    for block in tiles:
        row.append(plan.shrink(block))
        if len(row) == columns:
            band = np.concatenate(row, axis=1)[: min(step, height), :width]
            scratch.write(np.ascontiguousarray(band).tobytes())
            height -= step
            row = []
        yield block


def _strips_of(scratch: IO[bytes], plan: _Plan, size: tuple[int, int]) -> Iterator[Array]:
    """Read back what `_shrunk_to` wrote, a tile's height at a time."""
    scratch.flush()
    scratch.seek(0)
    row = (size[1], *plan.channels)
    row_bytes = int(np.prod(row)) * plan.dtype.itemsize
    for top in range(0, size[0], plan.tile):
        height = min(plan.tile, size[0] - top)
        yield np.frombuffer(scratch.read(height * row_bytes), plan.dtype).reshape(height, *row)
