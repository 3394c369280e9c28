"""Label images in ordinary image files."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError

__all__ = ["read_confidence", "read_label_image", "read_probabilities"]

_TIFF_SUFFIXES = (".tif", ".tiff")
_LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jp2", ".webp")


def read_label_image(path: Path) -> NDArray[Any]:
    """Read a label image, a mask or an image of class codes as it is.

    Parameters
    ----------
    path
        TIFF (also OME-TIFF; the first series at full size), or PNG and whatever else OpenCV reads unchanged.

    Returns
    -------
    labels
        (H, W) bool, or integers of 8, 16 or 32 bit (signed or not); values >= 0 as stored.

    Raises
    ------
    DataError
        If the file is missing, unreadable, lossy (JPEG), has several channels or pages, is not integer, or holds
        negative values.
    """
    labels = _read(path)
    if labels.ndim != 2:
        raise DataError(
            f"{path}: has shape {' x '.join(str(n) for n in labels.shape)}, not one channel; "
            "give a single-channel label image (0 = background, one number an object), not a colour image"
        )
    if labels.dtype.kind not in "biu":
        raise DataError(f"{path}: holds {labels.dtype} values; a label image holds whole numbers of 8, 16 or 32 bit")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise DataError(f"{path}: holds negative values; a label image has 0 for background and ids above 0")
    return labels


def read_confidence(path: Path) -> NDArray[np.float32]:
    """Read an image of confidences.

    Parameters
    ----------
    path
        TIFF or PNG with one channel: floating point 0..1, or 8 or 16 bit where the largest value means 1.

    Returns
    -------
    confidence
        (H, W) float32, 0..1.

    Raises
    ------
    DataError
        If the file is missing, unreadable, lossy, has several channels, or holds other values.
    """
    image = _read(path)
    if image.ndim != 2:
        raise DataError(f"{path}: has shape {' x '.join(str(n) for n in image.shape)}; confidences have one channel")
    if image.dtype in (np.uint8, np.uint16):
        return np.asarray(image / np.float32(np.iinfo(image.dtype).max), np.float32)
    if image.dtype.kind != "f" or not ((image >= 0) & (image <= 1)).all():
        raise DataError(f"{path}: confidences are floating point 0 to 1, or whole numbers of 8 or 16 bit")
    return np.asarray(image, np.float32)


def read_probabilities(path: Path, shape: tuple[int, int]) -> NDArray[Any]:
    """Read an image with one channel a class.

    Parameters
    ----------
    path
        TIFF: floating point 0..1, or 8 or 16 bit unsigned where the largest value means 1; channels first or last.
    shape
        (height, width) that it must have.

    Returns
    -------
    probabilities
        (C, H, W) as stored.

    Raises
    ------
    DataError
        If the file is missing, unreadable, no TIFF, of another size, or holds other values.
    """
    if path.suffix.lower() not in _TIFF_SUFFIXES:
        # channels of colour pictures come in the decoder's order, not in that of the classes
        raise DataError(f"{path}: class probabilities are read from TIFF files only")
    image = _read(path)
    if image.ndim == 2:
        image = image[None]
    if image.ndim == 3 and image.shape[1:] != shape and image.shape[:2] == shape:
        image = np.moveaxis(image, -1, 0)
    if image.ndim != 3 or image.shape[1:] != shape:
        sizes = " x ".join(str(n) for n in image.shape)
        raise DataError(f"{path}: has shape {sizes}, not one channel a class of {shape[0]} x {shape[1]} pixels")
    in_range = image.dtype in (np.uint8, np.uint16) or (
        image.dtype.kind == "f" and bool(((image >= 0) & (image <= 1)).all())
    )
    if not in_range:
        raise DataError(f"{path}: probabilities are floating point 0 to 1, or whole numbers of 8 or 16 bit")
    return image


def _read(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix in _LOSSY_SUFFIXES:
        raise DataError(f"{path}: a {suffix} file is no label image, compression changes its ids; use PNG or TIFF")
    return _read_tiff(path) if suffix in _TIFF_SUFFIXES else _read_other(path)


def _read_tiff(path: Path) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            image = file.series[0].levels[0].asarray()
    except (OSError, ValueError, LookupError, RuntimeError, struct.error, tifffile.TiffFileError) as error:
        # RuntimeError: what the decoders raise on damaged tiles
        raise DataError(f"{path}: not readable as TIFF ({error})") from error
    # an axis of length 1 is no channel, as long as two axes for the picture remain
    while image.ndim > 2 and 1 in (image.shape[0], image.shape[-1]):
        image = image[0] if image.shape[0] == 1 else image[..., 0]
    return np.asarray(image)


def _read_other(path: Path) -> NDArray[Any]:
    # from memory, since OpenCV cannot open every path on every system
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise DataError(f"{path}: not readable as an image; give a label image as TIFF or PNG")
    return np.asarray(image)
