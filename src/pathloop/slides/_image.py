"""Plain images (PNG, JPEG, WebP, BMP): small enough to be decoded on opening."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import SlideError, UsageError
from pathloop.slides._icc import image_profile
from pathloop.slides._levels import LevelLayout, SlideHeader
from pathloop.slides._metadata import image_scale
from pathloop.slides._rgb import PixelKind, sixteen_bit_top
from pathloop.slides._slide import Slide

__all__ = ["ImageSlide", "image_format"]

TILE_PX = 1024
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def image_format(head: bytes) -> str | None:
    """``png``, ``jpeg``, ``webp`` or ``bmp`` by a file's first 16 bytes, else None."""
    if head.startswith(PNG_SIGNATURE):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    # Reserved bytes 6 to 9 are zero; the first two alone would take any text that begins with BM.
    return "bmp" if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0" else None


class ImageSlide(Slide):
    """A slide in an ordinary image file: one level, pixels as stored (no EXIF rotation).

    Raises
    ------
    SlideError
        If the file is damaged, cut off or not an image.
    """

    def __init__(self, path: Path, *, um_per_px: float | None = None) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SlideError(f"{path}: cannot be read ({error.strerror or error})") from error
        kind = image_format(data[:16])
        if kind is None:
            raise SlideError(f"{path}: not a PNG, JPEG, WebP or BMP image")
        if not _complete(data, kind):
            raise SlideError(f"{path}: the file is cut off (pixels are missing); copy it again from its source")
        self._pixels = _decode(data, path)
        height, width = self._pixels.shape[:2]
        layout = LevelLayout((height, width), (1.0, 1.0), (TILE_PX, TILE_PX))
        super().__init__(
            path, SlideHeader(kind, (layout,), image_scale(data), icc_profile=image_profile(data)), um_per_px=um_per_px
        )

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        raise UsageError(f"{self.path} holds no image named {name!r}; it holds: none")

    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        y, x = row * TILE_PX, column * TILE_PX
        return self._pixels[y : y + TILE_PX, x : x + TILE_PX].view()

    def _close_file(self) -> None:
        self._pixels = np.empty((0, 0, 3), np.uint8)


def _decode(data: bytes, path: Path) -> NDArray[np.uint8]:
    """RGB uint8 of an encoded image."""
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise SlideError(
            f"{path}: this image is damaged or too large ({' '.join(str(error).split())[:120]})"
        ) from error
    if stored is None:
        raise SlideError(f"{path}: this image is damaged or of a kind that is not supported")
    pixels: NDArray[Any] = stored[..., None] if stored.ndim == 2 else stored
    if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)) or pixels.shape[2] not in (1, 3, 4):
        raise SlideError(f"{path}: not an RGB-like image ({pixels.shape[2]} channels of {pixels.dtype})")
    if pixels.shape[2] >= 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    top = 255 if pixels.dtype == np.uint8 else sixteen_bit_top(int(pixels.max()))
    return PixelKind(pixels.shape[2], top, alpha="straight").to_rgb(pixels)


def _complete(data: bytes, kind: str) -> bool:
    """Whether a file reaches its own end: decoders fill what is missing with grey, or write to stderr."""
    if kind == "jpeg":
        # A thumbnail in the header has an end mark of its own, but comes before the image's last scan.
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    if kind == "webp":
        return len(data) >= int(struct.unpack("<I", data[4:8])[0]) + 8
    if kind == "bmp":
        return len(data) >= int(struct.unpack("<I", data[2:6])[0])
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        name = data[at + 4 : at + 8]
        at += 12 + int(struct.unpack(">I", data[at : at + 4])[0])
        if name == b"IEND":
            return at <= len(data)
    return False
