"""OME-Zarr slides, versions 0.4 and 0.5: folders of chunks, read through zarr."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pathloop.core import SlideError, UsageError
from pathloop.slides._levels import LevelLayout, SlideHeader, exact_downsample, spread_tiles
from pathloop.slides._ome_zarr_layout import Multiscale, damage_as, multiscale, ome_zarr_layout
from pathloop.slides._rgb import PixelKind, sixteen_bit_top
from pathloop.slides._slide import Slide

__all__ = ["OmeZarrSlide"]

LEAST_TILE_PX = 256
SAMPLED_TILES = 16
SAMPLED_CHUNKS = 32
SAMPLE_BYTES = 2**16


class OmeZarrSlide(Slide):
    """A slide in an OME-Zarr folder. Chunks that are not stored have the array's fill value.

    Raises
    ------
    SlideError
        If the folder is damaged or holds anything but an RGB-like image.
    """

    def __init__(self, path: Path, *, um_per_px: float | None = None) -> None:
        layout = ome_zarr_layout(path)
        self._image, self._others = layout.slide, layout.associated
        levels = tuple(_level(self._image, index) for index in range(len(self._image.arrays)))
        header = SlideHeader("ome-zarr", levels, self._image.scale, associated=tuple(sorted(self._others)))
        super().__init__(path, header, um_per_px=um_per_px)
        last = len(levels) - 1
        tiles = [(last, row, column) for row, column in spread_tiles(levels[last], SAMPLED_TILES)]
        with damage_as(path):
            self._kind = _pixel_kind([self._samples(*tile) for tile in tiles])

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        key = self._others.get(name)
        if key is None:
            raise UsageError(
                f"{self.path} holds no image named {name!r}; it holds: {', '.join(self.associated) or 'none'}"
            )
        with damage_as(self.path):
            image = multiscale(zarr.open_group(self.path, mode="r", path=key, use_consolidated=False), self.path / key)
            pixels = _plane(image, 0, slice(None), slice(None))
            return _pixel_kind([pixels]).to_rgb(pixels)

    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        with damage_as(self.path):
            return self._kind.to_rgb(self._samples(level, row, column))

    def _samples(self, level: int, row: int, column: int) -> NDArray[Any]:
        """Stored values of a tile, (h, w, samples)."""
        height, width = self._layouts[level].tile
        rows, columns = slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width)
        return _plane(self._image, level, rows, columns)

    def _zarr(self, level: int) -> Any | None:
        return self._image.arrays[level] if self._kind.stored_as_rgb and self._image.axes == ("y", "x", "c") else None

    def _identify(self) -> str:
        """SHA-256 over sizes and samples of the stored chunks; labels, names and colours kept beside them do not count.

        Metadata alone would not tell two slides of one scanner apart, and reading all of the chunks takes too long: so
        the coarsest level, and chunks spread evenly over the finest one.
        """
        digest = hashlib.sha256(b"pathloop-ome-zarr-1")
        try:
            for array in self._image.arrays:
                digest.update(f"\n{array.shape}{array.dtype.str}{self._image.axes}".encode())
            for array in (self._image.arrays[-1], self._image.arrays[0]):
                for key, file in _chunk_files(array):
                    digest.update(f"\n{key}".encode())
                    _add_sample(digest, file)
        except OSError as error:
            raise SlideError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        return digest.hexdigest()

    def _close_file(self) -> None:
        """Nothing is kept open: chunks are files of their own."""


def _level(image: Multiscale, index: int) -> LevelLayout:
    full, shape = image.shape(0), image.shape(index)
    array = image.arrays[index]
    chunk = (int(array.chunks[image.axes.index(axis)]) for axis in "yx")
    # many small chunks are read at a time
    tile_h, tile_w = (side * max(1, LEAST_TILE_PX // side) for side in chunk)
    stated = tuple(image.steps[index][axis] / image.steps[0][axis] for axis in (0, 1))
    fits = all(step >= 1 and abs(size / step - part) <= 1 for step, size, part in zip(stated, full, shape, strict=True))
    downsample = (stated[0], stated[1]) if fits else exact_downsample(full, shape)
    return LevelLayout(shape, downsample, (tile_h, tile_w))


def _plane(image: Multiscale, level: int, rows: slice, columns: slice) -> NDArray[Any]:
    """(h, w, channels) of a level, in the byte order of this machine."""
    place: dict[str, slice | int] = {"t": 0, "z": 0, "c": slice(None), "y": rows, "x": columns}
    stored = np.asarray(image.arrays[level][tuple(place[axis] for axis in image.axes)])
    left = [axis for axis in image.axes if axis in "cyx"]
    if "c" not in left:
        stored, left = stored[..., None], [*left, "c"]
    pixels = stored.transpose([left.index(axis) for axis in "yxc"])
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def _pixel_kind(sampled: list[NDArray[Any]]) -> PixelKind:
    """How values become RGB, told by some tiles: cameras store 8, 10, 12, 14 or 16 bits in 16."""
    first = sampled[0]
    top = 255 if first.dtype == np.uint8 else sixteen_bit_top(max(int(each.max(initial=0)) for each in sampled))
    return PixelKind(first.shape[2], top, alpha="straight" if first.shape[2] == 4 else None)


def _chunk_files(array: Any) -> list[tuple[str, Path]]:
    """Keys and files of at most `SAMPLED_CHUNKS` of an array's stored chunks (shards), spread evenly over it."""
    grid = [-(-size // part) for size, part in zip(array.shape, array.shards or array.chunks, strict=True)]
    total = int(np.prod(grid, dtype=np.int64))
    chosen = np.unique(np.linspace(0, total - 1, min(total, SAMPLED_CHUNKS)).astype(np.int64))
    places = (np.unravel_index(int(each), grid) for each in chosen)
    keys = (array.metadata.encode_chunk_key(tuple(int(index) for index in place)) for place in places)
    return [(key, Path(str(array.store.root)) / array.path / key) for key in keys]


def _add_sample(digest: Any, file: Path) -> None:
    """Add a file's size and the bytes at its beginning, middle and end; nothing where there is none."""
    if not file.is_file():
        return
    size = file.stat().st_size
    digest.update(f":{size}:".encode())
    with file.open("rb") as stream:
        for start in (0, max(0, (size - SAMPLE_BYTES) // 2), max(0, size - SAMPLE_BYTES)):
            stream.seek(start)
            digest.update(stream.read(SAMPLE_BYTES))
