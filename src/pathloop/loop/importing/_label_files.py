"""Label images of other tools, read block by block: TIFF, zarr (OME-Zarr label groups), and PNG at once."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect, file_sha256
from pathloop.interchange import read_label_image

__all__ = ["LabelFile", "content_hash", "open_label_file"]

TIFF_SUFFIXES = (".tif", ".tiff", ".btf")


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label image.

    Parameters
    ----------
    path
        The file or folder.
    shape
        (height, width), pixels.
    read
        ``read(rect)``: ids of a rectangle inside the image, 0 = background; ``rect.shape``, int64.
    """

    path: Path
    shape: tuple[int, int]
    read: Callable[[Rect], NDArray[np.int64]]


@contextlib.contextmanager
def open_label_file(path: Path, name: str | None = None) -> Iterator[LabelFile]:
    """Open a label image.

    Parameters
    ----------
    path
        TIFF, PNG or another image file, or a zarr folder: a label group, or an image with ``labels`` in it.
    name
        Which of several label groups of a zarr folder is meant.

    Raises
    ------
    DataError
        If there is none, or it is no label image: several channels, no whole numbers, negative numbers, lossy.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_dir():
        yield _label_file(path, _zarr_array(path, name))
    elif path.suffix.lower() in TIFF_SUFFIXES:
        with _open_tiff(path) as array:
            yield _label_file(path, array)
    else:
        yield _label_file(path, read_label_image(path))


@contextlib.contextmanager
def _open_tiff(path: Path) -> Iterator[Any]:
    import struct

    import tifffile
    import zarr

    with contextlib.ExitStack() as stack:
        try:
            tiff = stack.enter_context(tifffile.TiffFile(path))
            store = stack.enter_context(contextlib.closing(tiff.series[0].levels[0].aszarr()))
            array = zarr.open_array(store, mode="r")
        except (OSError, ValueError, LookupError, RuntimeError, struct.error, tifffile.TiffFileError) as error:
            raise DataError(f"{path}: not readable as TIFF ({error})") from error
        yield array


def _zarr_array(path: Path, name: str | None) -> Any:
    """The finest level of a label group."""
    import zarr
    import zarr.errors

    try:
        found = zarr.open(store=path, mode="r")
        if isinstance(found, zarr.Array):
            return found
        group = _label_group(path, found, name)
        attributes = dict(group.attrs)
        attributes = dict(attributes.get("ome", attributes))
        finest = attributes["multiscales"][0]["datasets"][0]["path"]
        return group[str(finest)]
    except (OSError, KeyError, IndexError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        raise DataError(f"{path}: not readable as a zarr label image ({error})") from error


def _label_group(path: Path, group: Any, name: str | None) -> Any:
    parent = group.get("labels", group)
    attributes = dict(parent.attrs)
    if "multiscales" in attributes or "multiscales" in attributes.get("ome", {}):
        return parent
    names = sorted(parent.group_keys())
    if name in names:
        return parent[name]
    if len(names) != 1:
        raise DataError(f"{path}: holds {', '.join(names) or 'no labels'}; name the folder of the one that you mean")
    return parent[names[0]]


def _label_file(path: Path, array: Any) -> LabelFile:
    """Check a two-dimensional array of whole numbers; axes of length 1 do not count."""
    shape = tuple(int(n) for n in array.shape)
    kept = [axis for axis, n in enumerate(shape) if n > 1] if len(shape) > 2 else list(range(len(shape)))
    if len(kept) < 2 <= len(shape):
        kept = [len(shape) - 2, len(shape) - 1]
    if len(kept) != 2:
        raise DataError(
            f"{path}: has shape {' x '.join(map(str, shape))}, not one channel; give a single-channel label image"
            " (0 = background, one number an object), not a colour image"
        )
    kind = np.dtype(array.dtype).kind
    if kind not in "iu":
        what = "a mask, not one number an object" if kind == "b" else "not whole numbers"
        raise DataError(f"{path}: holds {array.dtype} values, {what}; number its objects first")

    def read(rect: Rect) -> NDArray[np.int64]:
        index: list[Any] = [0] * len(shape)
        index[kept[0]], index[kept[1]] = rect.slices
        try:
            labels = np.asarray(array[tuple(index)]).astype(np.int64)
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{path}: damaged at {rect} ({error}); write it again") from error
        if labels.size and labels.min() < 0:
            raise DataError(f"{path}: holds negative values; a label image has 0 for background and ids above 0")
        return labels

    return LabelFile(path, (shape[kept[0]], shape[kept[1]]), read)


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files; hexadecimal."""
    if path.is_file():
        return file_sha256(path)
    digest = hashlib.sha256()
    for one in sorted(found for found in path.rglob("*") if found.is_file()):
        digest.update(f"{one.relative_to(path).as_posix()} {file_sha256(one)}\n".encode())
    return digest.hexdigest()
