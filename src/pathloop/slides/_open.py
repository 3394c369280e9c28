"""One way to open every kind of slide."""

from pathlib import Path

from pathloop.core import Scale, SlideError, SlideNotFoundError
from pathloop.slides._dicom import dicom_files, is_dicom, is_dicom_slide, open_dicom
from pathloop.slides._image import ImageSlide, image_format
from pathloop.slides._ome_zarr import OmeZarrSlide
from pathloop.slides._ome_zarr_layout import ROOTS, is_ome_zarr
from pathloop.slides._openslide import OpenSlideSlide, openslide_vendor
from pathloop.slides._slide import Slide
from pathloop.slides._tiff import TiffSlide, needs_openslide

__all__ = ["SLIDE_FOLDER_SUFFIXES", "SLIDE_SUFFIXES", "is_slide_folder", "open_slide", "reopen"]

SLIDE_SUFFIXES = (
    ".bif",
    ".bmp",
    ".czi",
    ".dcm",
    ".jpeg",
    ".jpg",
    ".mrxs",
    ".ndpi",
    ".png",
    ".scn",
    ".svs",
    ".svslide",
    ".tif",
    ".tiff",
    ".vms",
    ".vmu",
    ".webp",
)
"""File name endings of the slides that `open_slide` reads (the content decides, not the name)."""

SLIDE_FOLDER_SUFFIXES = (".zarr",)
"""Endings of the folders that are slides; a DICOM series lies in a folder of any name."""

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The other vendors' TIFFs have levels, bounds or colours that need more than TIFF says, and OpenSlide knows them.
TIFF_VENDORS = ("aperio", "generic-tiff")


def open_slide(path: Path | str, *, um_per_px: float | None = None, to_srgb: bool = False) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path
        An Aperio SVS, (OME-)TIFF with or without a pyramid, anything OpenSlide reads (NDPI, MIRAX, SCN, BIF, VMS,
        DICOM, ...), an OME-Zarr folder (0.4, 0.5), or a plain PNG, JPEG, WebP or BMP image. MIRAX: the ``.mrxs`` file
        beside its folder. DICOM: a file of the series, whose other levels lie beside it, or the folder of one series.
    um_per_px
        Size of a level-0 pixel, um, 0.05 to 20; beats what the file states.
    to_srgb
        Convert colours to sRGB by the ICC profile that the file embeds; without one they are given as stored.

    Returns
    -------
    Slide
        Close it after use (it is a context manager).

    Raises
    ------
    SlideNotFoundError
        If there is no such file.
    SlideError
        If the file is empty, cut off, damaged, unreadable or not an RGB-like image.
    UsageError
        If ``um_per_px`` lies outside 0.05 .. 20.
    """
    if um_per_px is not None:
        Scale.isotropic(um_per_px)
    slide = _read(Path(path), um_per_px)
    try:
        slide.use_built_levels()
        if to_srgb:
            slide.convert_to_srgb()
    except BaseException:
        slide.close()
        raise
    return slide


def is_slide_folder(path: Path) -> bool:
    """Whether a folder holds an OME-Zarr picture or a DICOM slide; False for files. Reads metadata only."""
    return path.is_dir() and (is_ome_zarr(path) or is_dicom_slide(path))


def reopen(path: Path, um_per_px: float | None, to_srgb: bool) -> Slide:  # noqa: FBT001 - pickle gives places only
    """Open a slide again in another process, with the arguments it was opened with."""
    return open_slide(path, um_per_px=um_per_px, to_srgb=to_srgb)


def _read(path: Path, um_per_px: float | None) -> Slide:
    """The reader of a slide."""
    if path.is_dir() and any((path / name).is_file() for name in ROOTS):
        return OmeZarrSlide(path, um_per_px=um_per_px)
    if path.is_dir() and dicom_files(path):
        return open_dicom(path, um_per_px=um_per_px)
    head = _head(path)
    if is_dicom(head):
        return open_dicom(path, um_per_px=um_per_px)
    vendor = openslide_vendor(path)
    if not head and vendor != "mirax":  # its pixels lie in the folder beside it
        raise SlideError(f"{path}: the file is empty")
    if vendor is not None and vendor not in TIFF_VENDORS:
        return OpenSlideSlide(path, um_per_px=um_per_px)
    if head.startswith(TIFF_MAGIC):
        if vendor is not None and needs_openslide(path):
            return OpenSlideSlide(path, um_per_px=um_per_px)
        return TiffSlide(path, um_per_px=um_per_px)
    if image_format(head) is not None:
        return ImageSlide(path, um_per_px=um_per_px)
    known = ", ".join((*SLIDE_SUFFIXES, *SLIDE_FOLDER_SUFFIXES))
    raise SlideError(f"{path}: not a slide or image that can be read (known are {known})")


def _head(path: Path) -> bytes:
    """The first bytes of a file, or an error that says why there are none."""
    try:
        with path.open("rb") as file:
            return file.read(132)
    except FileNotFoundError as error:
        raise SlideNotFoundError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise SlideError(f"{path}: a folder, not a slide file (for MIRAX give the .mrxs file beside it)") from error
    except PermissionError as error:
        if path.is_dir():  # what Windows says of folders
            raise SlideError(f"{path}: a folder, not a slide file (for MIRAX give the .mrxs file beside it)") from error
        raise SlideError(f"{path}: no permission to read this file") from error
    except OSError as error:
        raise SlideError(f"{path}: cannot be read ({error.strerror or error})") from error
