"""Slides that OpenSlide reads: Hamamatsu, MIRAX, Leica, Ventana, Philips, Sakura, Trestle, Zeiss, DICOM."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray

from pathloop.core import Rect, SlideError, UsageError
from pathloop.slides._fingerprint import dicom_fingerprint, file_fingerprint
from pathloop.slides._levels import LevelLayout, SlideHeader, exact_downsample
from pathloop.slides._metadata import openslide_facts
from pathloop.slides._rgb import over_white
from pathloop.slides._slide import Slide

__all__ = ["OpenSlideSlide", "openslide_hash", "openslide_vendor"]

TILE_PX = 512
ASSOCIATED = ("label", "macro", "thumbnail")
KEY_FILE_BYTES = 2**20
VMU_GROUP = b"[Uncompressed Virtual Microscope Specimen]"
VMU_KIND = {b"BitsPerPixel": b"36", b"PixelOrder": b"RGB"}


def openslide_vendor(path: Path) -> str | None:
    """The kind of slide that OpenSlide takes the file for, or None."""
    try:
        vendor = openslide.OpenSlide.detect_format(path)
    except openslide.OpenSlideError:
        return None
    return None if vendor is None else str(vendor)


def openslide_hash(path: Path) -> str | None:
    """OpenSlide's own hash of a slide's content, over all files of it; None where it has or can read none."""
    try:
        with openslide.OpenSlide(path) as slide:
            return str(slide.properties.get("openslide.quickhash-1", "")) or None
    except (openslide.OpenSlideError, OSError):
        return None


@contextlib.contextmanager
def _damage_as(path: Path) -> Iterator[None]:
    try:
        yield
    except openslide.OpenSlideUnsupportedFormatError as error:
        raise SlideError(f"{path}: not a slide that OpenSlide can read") from error
    except (openslide.OpenSlideError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()).replace(f"Reading {path}: ", "")[:160]
        what = f"damaged, incomplete or not supported by OpenSlide ({reason})"
        raise SlideError(f"{path}: {what}; copy it again, or convert it to a pyramidal TIFF") from error


class OpenSlideSlide(Slide):
    """A slide read through OpenSlide.

    Where the file states bounds (MIRAX, Leica, Ventana), the slide is the rectangle of the bounds; regions that were
    never scanned are white.

    Parameters
    ----------
    path
        The slide.
    um_per_px
        Size of a level-0 pixel, um; beats what the file states.
    file
        What OpenSlide is given, where that is not ``path``: a file of a DICOM series, whose folder is the slide.

    Raises
    ------
    SlideError
        If OpenSlide cannot read the file.
    """

    def __init__(self, path: Path, *, um_per_px: float | None = None, file: Path | None = None) -> None:
        with _damage_as(path):
            _check_vmu(file or path)
            self._handle = openslide.OpenSlide(file or path)
            try:
                properties = self._handle.properties
                width, height = self._handle.dimensions
                self._bounds = _bounds(properties, height, width)
                scale, power = openslide_facts(properties)
                levels = tuple(
                    self._level((level_h, level_w), (height, width))
                    for level_w, level_h in self._handle.level_dimensions
                )
                names = tuple(name for name in ASSOCIATED if name in self._handle.associated_images)
                vendor = str(properties.get("openslide.vendor", "openslide"))
                header = SlideHeader(vendor, levels, scale, power, names, _profile(self._handle))
                super().__init__(path, header, um_per_px=um_per_px)
            except BaseException:
                self._handle.close()
                raise

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        if name not in self.associated:
            raise UsageError(
                f"{self.path} holds no image named {name!r}; it holds: {', '.join(self.associated) or 'none'}"
            )
        with _damage_as(self.path):
            return _rgb(np.asarray(self._handle.associated_images[name].convert("RGBA")))

    def _level(self, shape: tuple[int, int], full: tuple[int, int]) -> LevelLayout:
        """A level cut to the bounds."""
        downsample = exact_downsample(full, shape)
        height, width = (
            max(1, min(size, round(inside / each)))
            for inside, each, size in zip(self._bounds.shape, downsample, shape, strict=True)
        )
        return LevelLayout((height, width), downsample, (TILE_PX, TILE_PX))

    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        layout = self._layouts[level]
        y, x = row * TILE_PX, column * TILE_PX
        size = min(TILE_PX, layout.shape[1] - x), min(TILE_PX, layout.shape[0] - y)
        corner = (
            self._bounds.x + round(x * layout.downsample[1]),
            self._bounds.y + round(y * layout.downsample[0]),
        )
        with _damage_as(self.path):
            return _rgb(np.asarray(self._handle.read_region(corner, level, size)))

    def _identify(self) -> str:
        # slides in several files: no one of them tells them apart, OpenSlide's hash over all does
        properties = self._handle.properties
        if self.format == "dicom":
            series, instance = (properties.get(f"dicom.{kind}InstanceUID", "") for kind in ("Series", "SOP"))
            return dicom_fingerprint(series, instance, self.shape)
        content = properties.get("openslide.quickhash-1")
        if content and self.path.suffix.lower() in (".vms", ".vmu"):
            return hashlib.sha256(f"pathloop-slide-1:{content}:{self.shape}".encode()).hexdigest()
        return file_fingerprint(self.path)

    def _close_file(self) -> None:
        self._handle.close()


def _check_vmu(path: Path) -> None:
    """Refuse a VMU of another kind than OpenSlide 4.0.1 knows: it would end the process."""
    with path.open("rb") as file:
        head = file.read(KEY_FILE_BYTES)
    if VMU_GROUP not in head:
        return
    group, values = b"", {}
    for line in map(bytes.strip, head.split(b"\n")):
        key, is_pair, value = line.partition(b"=")
        if line.startswith(b"["):
            group = line
        elif is_pair and group == VMU_GROUP:
            values[key.strip()] = value.strip()
    if any(values.get(key) != value for key, value in VMU_KIND.items()):
        raise SlideError(f"{path}: damaged, or a VMU slide of another kind than 36 bits RGB, which is not supported")


def _bounds(properties: Mapping[str, str], height: int, width: int) -> Rect:
    """The scanned rectangle in OpenSlide's level-0 pixels; everything where none is stated or it makes no sense."""
    everything = Rect(0, 0, height, width)
    try:
        y, x, bounds_h, bounds_w = (
            int(properties[f"openslide.bounds-{name}"]) for name in ("y", "x", "height", "width")
        )
    except (KeyError, ValueError):
        return everything
    inside = everything.intersect(Rect(y, x, max(bounds_h, 0), max(bounds_w, 0)))
    return inside if inside.area else everything


def _profile(handle: openslide.OpenSlide) -> bytes | None:
    """The colour profile of the slide, where OpenSlide finds one that can be read."""
    try:
        profile = handle.color_profile
    except (openslide.OpenSlideError, OSError, ValueError):
        return None
    return None if profile is None else bytes(profile.tobytes())


def _rgb(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return over_white(rgba[..., :3], rgba[..., 3], premultiplied=False)
