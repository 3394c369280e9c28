"""DICOM whole slides: a series of files, read frame by frame with pydicom (extra ``dicom``), else by OpenSlide."""

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pathloop.core import SlideError, UsageError
from pathloop.slides._fingerprint import dicom_fingerprint, file_fingerprint
from pathloop.slides._levels import LevelLayout, SlideHeader, exact_downsample, shrinking
from pathloop.slides._openslide import OpenSlideSlide, openslide_hash
from pathloop.slides._slide import Slide

if TYPE_CHECKING:
    from pathloop.slides._dicom_file import DicomFile

__all__ = ["dicom_files", "is_dicom", "is_dicom_slide", "open_dicom"]

MAGIC = b"DICM"
MAGIC_AT = 128
MICROSCOPE_CLASS = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.77\.1\.[236]\0?[^0-9.]")
META_BYTES = 1024
NEEDS_EXTRA = "OpenSlide cannot read this DICOM slide; install what reads more of them: pip install 'pathloop[dicom]'"


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these 132 bytes is DICOM."""
    return head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files that lie directly in a folder, by name, whatever their suffix."""
    found = []
    try:
        for path in sorted(folder.iterdir()):
            with contextlib.suppress(OSError), path.open("rb") as file:
                if is_dicom(file.read(MAGIC_AT + len(MAGIC))):
                    found.append(path)
    except OSError as error:
        raise SlideError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return found


def is_dicom_slide(folder: Path) -> bool:
    """Whether a folder holds a DICOM image of a microscope, as the heads of its files state it."""
    for path in dicom_files(folder):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if MICROSCOPE_CLASS.search(file.read(META_BYTES)):
                return True
    return False


def open_dicom(path: Path, *, um_per_px: float | None = None) -> Slide:
    """Open a series by its folder or one of its files.

    Raises
    ------
    SlideError
        If the folder holds several series, the files are damaged or hold no RGB-like slide, or pydicom (extra
        ``dicom``) is needed and not installed.
    """
    file = _only_series(path) if path.is_dir() else path
    try:
        import pydicom  # noqa: F401
    except ImportError:
        try:
            return OpenSlideSlide(path, file=file, um_per_px=um_per_px)
        except SlideError as refused:
            raise SlideError(f"{path}: {NEEDS_EXTRA}") from refused
    # not OpenSlide first: of damaged files its reader of DICOM kills the process
    return DicomSlide(path, file, um_per_px=um_per_px)


class DicomSlide(Slide):
    """A series read frame by frame, files with attributes missing too.

    Files of the series whose image type is LABEL, OVERVIEW or THUMBNAIL are associated images, all others levels.

    Raises
    ------
    SlideError
        If a file of the series is damaged, or it holds no RGB-like slide.
    """

    def __init__(self, path: Path, file: Path, *, um_per_px: float | None = None) -> None:
        self._files: list[DicomFile] = []
        self._images: dict[str, DicomFile] = {}
        try:
            self._open(file)
            if not self._files:
                raise SlideError(f"{path}: this DICOM series holds no slide, only its label or overview")
            top = self._files[0]
            levels = tuple(
                LevelLayout(each.shape, exact_downsample(top.shape, each.shape), each.tile) for each in self._files
            )
            header = SlideHeader(
                "dicom", levels, top.scale, top.objective_power, tuple(sorted(self._images)), top.icc_profile
            )
            super().__init__(path, header, um_per_px=um_per_px)
        except BaseException:
            self._close_file()
            raise

    def read_associated(self, name: str) -> NDArray[np.uint8]:
        if name not in self._images:
            raise UsageError(
                f"{self.path} holds no image named {name!r}; it holds: {', '.join(self.associated) or 'none'}"
            )
        return self._images[name].read_all()

    def _decode_tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        return self._files[level].read_tile(row, column)

    def _identify(self) -> str:
        top = self._files[0]
        return dicom_fingerprint(*top.uids, top.shape) if all(top.uids) else file_fingerprint(top.path)

    def _close_file(self) -> None:
        for each in (*self._files, *self._images.values()):
            each.close()

    def _open(self, file: Path) -> None:
        """Open the files of a series; levels by size, of the same proportions as the largest."""
        from pathloop.slides._dicom_file import DicomFile

        for path in _series_files(file):
            part = DicomFile(path)
            if part.kind == "level":
                self._files.append(part)
            elif part.kind in self._images:
                part.close()
            else:
                self._images[part.kind] = part
        kept = shrinking([each.shape for each in self._files]) if self._files else []
        for index, part in enumerate(self._files):
            if index not in kept:
                part.close()
        self._files = [self._files[index] for index in kept]


def _series_files(file: Path) -> list[Path]:
    """The files of the same series beside a file, itself included."""
    from pathloop.slides._dicom_file import read_series

    series = read_series(file)
    if series is None:
        return [file]
    return [path for path in dicom_files(file.parent) if path == file or read_series(path) == series]


def _only_series(folder: Path) -> Path:
    """A file of the one series in a folder."""
    first: dict[str, Path] = {}
    for path in dicom_files(folder):
        first.setdefault(_series_key(path), path)
    if len(first) > 1:
        names = ", ".join(path.name for path in list(first.values())[:4])
        raise SlideError(f"{folder}: holds {len(first)} DICOM series; give one file of the slide ({names}, ...)")
    return next(iter(first.values()))


def _series_key(path: Path) -> str:
    """What files of a series have in common: its identifier, or OpenSlide's hash of that where pydicom is missing."""
    try:
        from pathloop.slides._dicom_file import read_series
    except ImportError:
        return openslide_hash(path) or ""
    return read_series(path) or ""
