"""Where the frames of a DICOM file lie in its bytes, and how their bytes become RGB."""

import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pathloop.core import SlideError
from pathloop.slides._rgb import PixelKind

__all__ = ["Decoder", "FrameBytes", "frame_decoder", "frame_table"]

Decoder = Callable[[bytes], NDArray[np.uint8]]

SYNTAX = "1.2.840.10008.1.2"
NATIVE = {SYNTAX, f"{SYNTAX}.1"}  # implicit and explicit little endian
CODECS = {
    f"{SYNTAX}.4.50": "jpeg",
    f"{SYNTAX}.4.51": "jpeg",
    f"{SYNTAX}.4.80": "jpegls",
    f"{SYNTAX}.4.81": "jpegls",
    f"{SYNTAX}.4.90": "jpeg2000",
    f"{SYNTAX}.4.91": "jpeg2000",
    f"{SYNTAX}.5": "rle",
}
ITEM, END_OF_ITEMS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
UNDEFINED_LENGTH = 0xFFFFFFFF
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR_MARKS, MARKS_WITHIN = (b"JFIF\0", b"Adobe"), 4096
# In JPEG 2000 the codec itself undoes ICT and RCT.
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
CUT_OFF = "the file is cut off (pixels are missing); copy it again from its source"


@dataclass(frozen=True, slots=True)
class FrameBytes:
    """The (start, length) of each frame's pieces in the file."""

    pieces: tuple[tuple[tuple[int, int], ...], ...]

    def read(self, file: BinaryIO, frame: int) -> bytes:
        """The encoded bytes of one frame."""
        data = []
        for start, length in self.pieces[frame]:
            file.seek(start)
            data.append(file.read(length))
            if len(data[-1]) != length:
                raise EOFError("the file ends inside its pixels")
        return b"".join(data)


def frame_table(file: BinaryIO, start: int, header: Any, *, count: int, path: Path) -> FrameBytes:
    """Find the frames.

    Parameters
    ----------
    file, start
        The open file, and where its pixel data begins.
    header
        Its attributes.
    count
        Number of frames.
    path
        For errors.

    Raises
    ------
    SlideError
        If frames are missing, or cannot be told apart.
    """
    size = file.seek(0, 2)
    file.seek(start)
    implicit = _syntax(header) == SYNTAX
    head = file.read(8 if implicit else 12)
    if len(head) < (8 if implicit else 12) or head[:4] != struct.pack("<HH", 0x7FE0, 0x0010):
        raise SlideError(f"{path}: {CUT_OFF}")
    (length,) = struct.unpack("<I", head[-4:])
    start = file.tell()
    if _syntax(header) in NATIVE:
        each = int(header.Rows) * int(header.Columns) * _samples(header) * (int(header.BitsAllocated) // 8)
        if length < each * count or start + each * count > size:
            raise SlideError(f"{path}: {CUT_OFF}")
        return FrameBytes(tuple(((start + index * each, each),) for index in range(count)))
    if length != UNDEFINED_LENGTH:
        raise SlideError(f"{path}: this DICOM file is damaged (compressed pixels without items)")
    pieces = _items(file, limit=64 * (count + 1), size=size, path=path)
    table = _numbers(file, pieces[0], "<u4") if pieces else np.zeros(0, np.uint64)
    if extended := header.get("ExtendedOffsetTable"):
        table = np.frombuffer(bytes(extended), "<u8")
    return FrameBytes(_grouped(pieces[1:], table, count, path))


def frame_decoder(header: Any, path: Path) -> Decoder:
    """What turns a frame's bytes into (rows, columns, 3) uint8 RGB.

    Raises
    ------
    SlideError
        If the frames are compressed in an unknown way, or are no RGB-like image.
    """
    syntax, samples = _syntax(header), _samples(header)
    codec = "native" if syntax in NATIVE else CODECS.get(syntax)
    if codec is None:
        raise SlideError(f"{path}: DICOM transfer syntax {syntax[:64] or 'unknown'} is not supported; convert the file")
    colours = str(header.get("PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2"))
    bits = int(header.get("BitsAllocated") or 8)
    wrong_samples = samples != (1 if colours in GREY else 3)
    if wrong_samples or colours not in (*GREY, *COLOURS) or bits not in (8, 16) or header.get("PixelRepresentation"):
        raise SlideError(f"{path}: not an RGB-like image ({samples} samples of {bits} bits, {colours[:16]})")
    if codec in ("native", "rle") and colours == "YBR_FULL_422":
        raise SlideError(f"{path}: subsampled YCbCr without compression is not supported; convert the file")
    shape = int(header.Rows), int(header.Columns), samples
    kind = PixelKind(
        samples,
        255 if bits == 8 else (1 << min(max(int(header.get("BitsStored") or 16), 8), 16)) - 1,
        white_is_zero=colours == "MONOCHROME1",
        # JPEG's decoder is told; the others give what is stored
        ycbcr=colours in ("YBR_FULL", "YBR_FULL_422") and codec != "jpeg",
    )
    dtype = np.dtype("<u1" if bits == 8 else "<u2")
    planes = codec == "rle" or (codec == "native" and samples > 1 and int(header.get("PlanarConfiguration") or 0) == 1)

    def decode(data: bytes) -> NDArray[np.uint8]:
        if codec == "native":
            stored: NDArray[Any] = np.frombuffer(data, dtype)
        elif codec == "rle":
            stored = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
        else:
            stored = _decoded(codec, data, ycbcr=colours != "RGB", shape=shape, dtype=dtype)
        if stored.size != shape[0] * shape[1] * samples:
            raise ValueError("a frame of another size")
        pixels = stored.reshape(samples, *shape[:2]).transpose(1, 2, 0) if planes else stored.reshape(shape)
        return kind.to_rgb(pixels).copy() if codec == "native" else kind.to_rgb(pixels)

    return decode


def _decoded(
    codec: str, data: bytes, *, ycbcr: bool, shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Stored samples of a compressed frame; into a ready array, so that a damaged size cannot ask for any memory."""
    out: NDArray[Any] = np.empty(shape if shape[2] > 1 else shape[:2], dtype)
    if codec == "jpeg":
        wanted = "GRAYSCALE" if shape[2] == 1 else "RGB"
        stored: str | None = wanted if shape[2] == 1 or not ycbcr else "YCBCR"
        if shape[2] == 3 and any(mark in data[:MARKS_WITHIN] for mark in COLOUR_MARKS):
            stored = None  # the picture states its colours itself, and files are known whose attributes contradict it
        return np.asarray(imagecodecs.jpeg8_decode(data, colorspace=stored, outcolorspace=wanted, out=out))
    if codec == "jpegls":
        return np.asarray(imagecodecs.jpegls_decode(data, out=out))
    return np.asarray(imagecodecs.jpeg2k_decode(data, out=out))


def _items(file: BinaryIO, *, limit: int, size: int, path: Path) -> list[tuple[int, int]]:
    """(start, length) of the items from here to the end of the sequence."""
    pieces: list[tuple[int, int]] = []
    while len(pieces) <= limit:
        head = file.read(8)
        if len(head) < 8:
            raise SlideError(f"{path}: {CUT_OFF}")
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == END_OF_ITEMS:
            return pieces
        at = file.tell()
        if (group, element) != ITEM:
            raise SlideError(f"{path}: this DICOM file is damaged (no item where a frame should begin)")
        if at + length > size:
            raise SlideError(f"{path}: {CUT_OFF}")
        pieces.append((at, length))
        file.seek(at + length)
    raise SlideError(f"{path}: this DICOM file is damaged (many more items than frames)")


def _grouped(
    pieces: list[tuple[int, int]], table: NDArray[Any], count: int, path: Path
) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The pieces of each frame: one each, or as the offset table says."""
    if len(pieces) == count:
        return tuple((piece,) for piece in pieces)
    if len(pieces) < count:
        raise SlideError(f"{path}: {len(pieces)} frames of {count} are there; copy it again from its source")
    if count == 1:
        return (tuple(pieces),)
    if len(table) != count:
        raise SlideError(f"{path}: the frames of this DICOM file cannot be told apart (no offset table)")
    # offsets count from the first item's head, 8 bytes before its content
    starts = np.asarray([start - pieces[0][0] for start, _ in pieces])
    firsts = np.searchsorted(starts, table.astype(np.int64))
    if firsts[0] != 0 or (np.diff(firsts) <= 0).any() or firsts[-1] >= len(pieces):
        raise SlideError(f"{path}: this DICOM file is damaged (its offset table fits no frames)")
    bounds = [*firsts.tolist(), len(pieces)]
    return tuple(tuple(pieces[first:last]) for first, last in itertools.pairwise(bounds))


def _numbers(file: BinaryIO, piece: tuple[int, int], dtype: str) -> NDArray[Any]:
    file.seek(piece[0])
    data = file.read(piece[1])
    return np.frombuffer(data[: len(data) // 4 * 4], dtype)


def _syntax(header: Any) -> str:
    return str(header.file_meta.get("TransferSyntaxUID") or "")


def _samples(header: Any) -> int:
    return int(header.get("SamplesPerPixel") or 1)
