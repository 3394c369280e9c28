"""One DICOM file of a whole slide, read frame by frame; it may lack attributes that the standard asks for."""

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray

from pathloop.core import PathloopError, SlideError
from pathloop.slides._dicom_frames import Decoder, FrameBytes, frame_decoder, frame_table
from pathloop.slides._metadata import usable_scale

__all__ = ["DicomFile", "damage_as", "read_series"]

# Nothing else is parsed: what a file says of the patient never reaches this program.
SERIES_TAGS = ["SeriesInstanceUID"]
TAGS = [
    *SERIES_TAGS,
    "SOPInstanceUID",
    "ConcatenationUID",
    "InConcatenationNumber",
    "SOPClassUID",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "PixelRepresentation",
    "BitsAllocated",
    "BitsStored",
    "PixelSpacing",
    "DimensionOrganizationType",
    "TotalPixelMatrixRows",
    "TotalPixelMatrixColumns",
    "TotalPixelMatrixFocalPlanes",
    "NumberOfOpticalPaths",
    "ImagedVolumeWidth",
    "ImagedVolumeHeight",
    "OpticalPathSequence",
    "ICCProfile",
    "SharedFunctionalGroupsSequence",
    "ExtendedOffsetTable",
]
MICROSCOPE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.77.1.2",  # VL Microscopic Image Storage
    "1.2.840.10008.5.1.4.1.1.77.1.3",  # VL Slide-Coordinates Microscopic Image Storage
    "1.2.840.10008.5.1.4.1.1.77.1.6",  # VL Whole Slide Microscopy Image Storage
}
NAMES = {"LABEL": "label", "OVERVIEW": "macro", "LOCALIZER": "macro", "THUMBNAIL": "thumbnail"}
MAX_FRAME_PX = 2**28
MAX_FRAMES = 2**24
SAMPLED_SEAMS = 32
DAMAGED = "this DICOM file is damaged or not supported"

_quiet: ContextVar[bool] = ContextVar("pathloop_quiet_pydicom", default=False)
logging.getLogger("pydicom").addFilter(lambda record: not _quiet.get())


@contextlib.contextmanager
def damage_as(path: Path) -> Iterator[None]:
    """Silence pydicom, and turn whatever parsers and codecs raise into a SlideError."""
    token = _quiet.set(True)
    try:
        yield
    except PathloopError:
        raise
    except Exception as error:  # damaged bytes raise anything at all
        # pydicom's messages may quote values: only the kind of the error is told
        raise SlideError(f"{path}: {DAMAGED} ({type(error).__name__}); copy it again from its source") from error
    finally:
        _quiet.reset(token)


def read_series(path: Path) -> str | None:
    """The identifier of the series that a file belongs to; None where it states none or cannot be read."""
    try:
        with damage_as(path), path.open("rb") as file:
            return str(_header(file, SERIES_TAGS).get("SeriesInstanceUID", "")) or None
    except (SlideError, OSError):
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Which frame lies where: a number a tile, -1 where the file stores none; whether the file states it."""

    shape: tuple[int, int]
    frames: NDArray[np.int64]
    stated: bool = True


class DicomFile:
    """One file of a series: one level, or an associated image.

    Attributes
    ----------
    path
        The file.
    kind
        ``level``, or the name of an associated image.
    uids
        Of the series and of this instance; empty where not stated.
    shape
        (height, width) of the whole image, px.
    tile
        (height, width) of a frame, px.
    scale
        um per px, or None.
    objective_power
        Magnification, or None.
    icc_profile
        The colour profile's bytes, or None.

    Raises
    ------
    SlideError
        If the file is damaged, cut off, or not an RGB-like image of a slide.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with damage_as(path):
            self._file: BinaryIO = path.open("rb")
            try:
                self._lock = threading.Lock()
                header = _header(self._file, TAGS)
                start = self._file.tell()
                self._check(header)
                self.kind = _kind(header)
                self.uids = str(header.get("SeriesInstanceUID") or ""), str(header.get("SOPInstanceUID") or "")
                self.tile = int(header.Rows), int(header.Columns)
                count = max(1, int(header.get("NumberOfFrames") or 1))
                self._grid = self._layout(header, count)
                self.shape = self._grid.shape
                self.scale = _scale(header, self.shape)
                self.objective_power = _power(header)
                self.icc_profile = _icc_profile(header)
                self._decode: Decoder = frame_decoder(header, path)
                self._frames: FrameBytes = frame_table(self._file, start, header, count=count, path=path)
                if not self._grid.stated and self._runs_down():
                    rows, columns = self._grid.frames.shape
                    self._grid = _Grid(self.shape, np.arange(rows * columns).reshape(columns, rows).T)
            except BaseException:
                self._file.close()
                raise

    def read_tile(self, row: int, column: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8; white where the file stores no frame."""
        frame = int(self._grid.frames[row, column])
        if frame < 0:
            return np.full((*self.tile, 3), 255, np.uint8)
        with damage_as(self.path):
            with self._lock:
                data = self._frames.read(self._file, frame)
            return self._decode(data)

    def read_all(self) -> NDArray[np.uint8]:
        """The whole image, (h, w, 3) uint8: for small ones."""
        if self.shape[0] * self.shape[1] > MAX_FRAME_PX:
            raise SlideError(f"{self.path}: this image is too large to be read at once")
        rows, columns = self._grid.frames.shape
        strips = [np.hstack([self.read_tile(row, column) for column in range(columns)]) for row in range(rows)]
        return np.ascontiguousarray(np.vstack(strips)[: self.shape[0], : self.shape[1]])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check(self, header: Any) -> None:
        """Refuse what is no picture of a slide."""
        kind = str(header.get("SOPClassUID") or "")
        if kind and kind not in MICROSCOPE_CLASSES:
            raise SlideError(f"{self.path}: a DICOM file, but not of a microscope image")
        if header.get("ConcatenationUID") or header.get("InConcatenationNumber"):
            raise SlideError(
                f"{self.path}: a level of this DICOM slide is split over several files (a concatenation), which is not"
                " supported; export it unsplit"
            )
        if int(header.get("NumberOfOpticalPaths") or 1) > 1:
            raise SlideError(f"{self.path}: not an RGB image but several optical paths; export one of them")
        if not (header.get("Rows") and header.get("Columns")):
            raise SlideError(f"{self.path}: this DICOM file does not say how large its frames are")
        if int(header.Rows) * int(header.Columns) > MAX_FRAME_PX or int(header.get("NumberOfFrames") or 1) > MAX_FRAMES:
            raise SlideError(f"{self.path}: {DAMAGED} (frames of {int(header.Columns)} x {int(header.Rows)} px)")

    def _layout(self, header: Any, count: int) -> _Grid:
        """Where frames lie: as they state it, or in rows from the top left (tiled full, and if nothing is stated)."""
        places = None
        if header.get("DimensionOrganizationType") != "TILED_FULL" and count > 1:
            places = _places(self._file, count)
        height, width = (int(header.get(f"TotalPixelMatrix{axis}") or 0) for axis in ("Rows", "Columns"))
        if not (height and width):
            if count > 1 and places is None:
                raise SlideError(f"{self.path}: this DICOM file does not say how large the slide is")
            height, width = self.tile if places is None else (places.max(axis=0) + self.tile).tolist()
        rows, columns = -(-height // self.tile[0]), -(-width // self.tile[1])
        if rows * columns > MAX_FRAMES:
            raise SlideError(f"{self.path}: {DAMAGED} ({width} x {height} px in frames of {self.tile[1]})")
        if places is None:
            if count < rows * columns:
                raise SlideError(f"{self.path}: {count} frames of {rows * columns} are there; copy it from its source")
            # further frames are further focal planes: the first is shown
            stated = header.get("DimensionOrganizationType") == "TILED_FULL" or min(rows, columns) == 1
            return _Grid((height, width), np.arange(rows * columns).reshape(rows, columns), stated=stated)
        return _Grid((height, width), self._placed(places, (rows, columns)))

    def _runs_down(self) -> bool:
        """Whether the frames fit together better column by column than row by row, in a file that states no order."""
        rows, columns = self._grid.frames.shape
        pairs = [index for index in range(rows * columns - 1) if (index + 1) % rows and (index + 1) % columns]
        chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), SAMPLED_SEAMS)).astype(int))
        across = down = 0.0
        for first in (pairs[index] for index in chosen):
            one, next_one = (self._decode(self._frames.read(self._file, first + step)).astype(int) for step in (0, 1))
            across += float(np.abs(one[:, -1] - next_one[:, 0]).mean())
            down += float(np.abs(one[-1] - next_one[0]).mean())
        return down < across

    def _placed(self, places: NDArray[np.int64], grid: tuple[int, int]) -> NDArray[np.int64]:
        cells = places // self.tile
        if (places % self.tile).any() or (cells < 0).any() or (cells >= grid).any():
            raise SlideError(f"{self.path}: the frames of this DICOM file lie on no regular grid: not supported")
        frames = np.full(grid, -1, np.int64)
        # the first frame of a place stays: further ones are further focal planes
        frames[cells[::-1, 0], cells[::-1, 1]] = np.arange(len(places))[::-1]
        return frames


def _header(file: BinaryIO, tags: list[str]) -> Any:
    """The named attributes; the file is left where its pixels begin."""
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values longer than the standard allows
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(tags))
        # values are converted, and complained about, when they are first asked for
        for _ in header.iterall():
            pass
    return header


def _places(file: BinaryIO, count: int) -> NDArray[np.int64] | None:
    """(y, x) of each frame's corner in the whole image, px from 0; None where the file does not state them."""
    groups = _header(file, ["PerFrameFunctionalGroupsSequence"]).get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) != count or any(not group.get("PlanePositionSlideSequence") for group in groups):
        return None
    places = [group.PlanePositionSlideSequence[0] for group in groups]
    names = [f"{axis}PositionInTotalImagePixelMatrix" for axis in ("Row", "Column")]
    if any(place.get(name) is None for place in places for name in names):
        return None
    return np.asarray([[int(place.get(name)) - 1 for name in names] for place in places], np.int64)


def _kind(header: Any) -> str:
    """What the image type says; a file that states none is a level."""
    stated = header.get("ImageType") or []
    values = [str(value).upper() for value in ([stated] if isinstance(stated, str) else stated)]
    return next((NAMES[value] for value in values[2:] if value in NAMES), "level")


def _scale(header: Any, shape: tuple[int, int]) -> Any:
    """From the spacing of pixels, else from the size of the imaged area, both in mm."""
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    measures = shared[0].get("PixelMeasuresSequence") or [{}]
    spacing = measures[0].get("PixelSpacing") or header.get("PixelSpacing")
    if spacing and len(spacing) == 2:
        return usable_scale(float(spacing[0]) * 1000, float(spacing[1]) * 1000)
    sizes = header.get("ImagedVolumeHeight"), header.get("ImagedVolumeWidth")
    if not all(sizes):
        return None
    y, x = (float(size) * 1000 / part for size, part in zip(sizes, shape, strict=True))
    if max(y, x) > 1.05 * min(y, x):
        # a square area stated for an oblong image: pixels are square, and the image's longer side fills the area
        y = x = min(y, x)
    return usable_scale(y, x)


def _power(header: Any) -> float | None:
    paths = header.get("OpticalPathSequence") or [{}]
    power = paths[0].get("ObjectiveLensPower")
    return float(power) if power and float(power) > 0 else None


def _icc_profile(header: Any) -> bytes | None:
    paths = header.get("OpticalPathSequence") or [{}]
    profile = paths[0].get("ICCProfile") or header.get("ICCProfile")
    return bytes(profile) if profile else None
