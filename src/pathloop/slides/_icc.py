"""Embedded colour profiles (ICC): found in picture files, named, and applied to give sRGB."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pathloop.core import SlideError

__all__ = ["image_profile", "profile_name", "srgb_conversion"]

Pixels = NDArray[np.uint8]
JPEG_MARK = b"ICC_PROFILE\0"
APP2, START_OF_SCAN = 0xE2, 0xDA


def image_profile(data: bytes) -> bytes | None:
    """The profile in a PNG, JPEG or WebP file, None where it has none; pixels are not decoded."""
    try:
        if data.startswith(b"\x89PNG"):
            return next((_png_profile(body) for name, body in _png_chunks(data) if name == b"iCCP"), None)
        if data.startswith(b"RIFF"):
            return next((body for name, body in _riff_chunks(data) if name == b"ICCP"), None)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_profile(data)
    except (struct.error, zlib.error, ValueError, IndexError):
        return None  # the pixels can be read without it
    return None


def profile_name(profile: bytes) -> str:
    """What a profile calls itself."""
    try:
        text = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return "damaged"
    return " ".join(text.split()) or "without a name"


def srgb_conversion(profile: bytes, path: Path) -> Callable[[Pixels], Pixels]:
    """A function from (h, w, 3) uint8 in the profile's colours to sRGB, by the profile's own rendering intent.

    Raises
    ------
    SlideError
        If the profile is damaged or not one of RGB colours.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space != "RGB":
            raise SlideError(f"{path}: its colour profile is of {space} colours, not RGB; open it without --srgb")
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(source))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB", intent)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise SlideError(f"{path}: its colour profile cannot be used ({reason}); open it without --srgb") from error

    def convert(pixels: Pixels) -> Pixels:
        if pixels.size == 0:
            return pixels
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return np.array(ImageCms.applyTransform(image, transform), np.uint8)

    return convert


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks before the pixels."""
    at, name = 8, b""
    while at + 8 <= len(data) and name != b"IDAT":
        size, name = struct.unpack(">I4s", data[at : at + 8])
        yield name, data[at + 8 : at + 8 + (0 if name == b"IDAT" else size)]
        at += size + 12


def _png_profile(body: bytes) -> bytes:
    # a name, a zero, the method of compression
    return zlib.decompress(body[body.index(b"\0") + 2 :])


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        yield name, data[at + 8 : at + 8 + (size if name == b"ICCP" else 0)]
        at += 8 + size + size % 2


def _jpeg_profile(data: bytes) -> bytes | None:
    """Parts of a profile, each with its number and how many there are, put together."""
    parts: dict[int, bytes] = {}
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != START_OF_SCAN:
        size = int(struct.unpack(">H", data[at + 2 : at + 4])[0])
        body = data[at + 4 : at + 2 + size]
        if data[at + 1] == APP2 and body.startswith(JPEG_MARK):
            parts[body[len(JPEG_MARK)]] = body[len(JPEG_MARK) + 2 :]
        at += 2 + size
    return b"".join(parts[number] for number in sorted(parts)) or None
