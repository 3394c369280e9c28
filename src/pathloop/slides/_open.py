"""One way to open every kind of slide."""

from pathlib import Path

from pathloop.core import Scale, SlideError, SlideNotFoundError
from pathloop.slides._dicom import dicom_files, is_dicom, open_dicom
from pathloop.slides._image import ImageSlide, image_format
from pathloop.slides._openslide import OpenSlideSlide, openslide_vendor
from pathloop.slides._slide import Slide
from pathloop.slides._tiff import TiffSlide, needs_openslide

__all__ = ["SLIDE_SUFFIXES", "open_slide", "reopen"]

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

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The other vendors' TIFFs have levels, bounds or colours that need more than TIFF says, and OpenSlide knows them.
TIFF_VENDORS = ("aperio", "generic-tiff")


def open_slide(path: Path | str, *, um_per_px: float | None = None) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path
        An Aperio SVS, (OME-)TIFF with or without a pyramid, anything OpenSlide reads (NDPI, MIRAX, SCN, BIF, VMS,
        DICOM, ...), or a plain PNG, JPEG, WebP or BMP image. MIRAX: the ``.mrxs`` file beside its folder. DICOM: a
        file of the series, whose other levels lie beside it, or the folder of one series.
    um_per_px
        Size of a level-0 pixel, um, 0.05 to 20; beats what the file states.

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
    path = Path(path)
    if um_per_px is not None:
        Scale.isotropic(um_per_px)
    if path.is_dir() and dicom_files(path):
        return open_dicom(path, um_per_px=um_per_px)
    head = _head(path)
    if not head:
        raise SlideError(f"{path}: the file is empty")
    if is_dicom(head):
        return open_dicom(path, um_per_px=um_per_px)
    vendor = openslide_vendor(path)
    if vendor is not None and vendor not in TIFF_VENDORS:
        return OpenSlideSlide(path, um_per_px=um_per_px)
    if head.startswith(TIFF_MAGIC):
        if vendor is not None and needs_openslide(path):
            return OpenSlideSlide(path, um_per_px=um_per_px)
        return TiffSlide(path, um_per_px=um_per_px)
    if image_format(head) is not None:
        return ImageSlide(path, um_per_px=um_per_px)
    raise SlideError(f"{path}: not a slide or image that can be read (known are {', '.join(SLIDE_SUFFIXES)})")


def reopen(path: Path, um_per_px: float | None) -> Slide:
    """Open a slide again in another process, with the arguments it was opened with."""
    return open_slide(path, um_per_px=um_per_px)


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
