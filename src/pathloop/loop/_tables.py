"""Arrays on disk: files that appear whole or not at all, and objects as columns in them."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Instances, atomic_path

__all__ = ["columns_of", "instances_of", "read_arrays", "write_arrays"]

Arrays = Mapping[str, NDArray[Any]]


_WHOLE = ("ids", "areas_px", "class_codes")
_REAL = ("confidences", "class_probabilities")


def write_arrays(path: Path, arrays: Arrays, *, compress: bool) -> None:
    """Write an ``.npz`` atomically."""
    save = np.savez_compressed if compress else np.savez
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        save(stream, **arrays)  # type: ignore[arg-type]


@contextlib.contextmanager
def read_arrays(path: Path) -> Iterator[Arrays]:
    """The arrays of an ``.npz``, each read when it is asked for.

    Raises
    ------
    DataError
        If the file is missing or damaged, or lacks an array that was asked for.
    """
    try:
        # numpy leaves a file open that it cannot read, so it gets one that is open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged ({error}); delete its folder and segment again") from error


def columns_of(instances: Instances, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Two arrays, because every array of a file costs time; ``instances_of`` reads them back.

    ``whole``: (N, 7) int64 id, area_px, class_code, top, left, bottom, right. ``real``: (N, 4) float64 confidence,
    class_probability, centroid y, centroid x.
    """
    whole = np.column_stack([*(getattr(instances, name) for name in _WHOLE), instances.boxes])
    real = np.column_stack([*(getattr(instances, name) for name in _REAL), instances.centroids])
    return {f"{prefix}whole": whole.astype(np.int64), f"{prefix}real": real.astype(np.float64)}


def instances_of(arrays: Arrays, prefix: str = "") -> Instances:
    """The inverse of ``columns_of``."""
    whole, real = arrays[f"{prefix}whole"], arrays[f"{prefix}real"]
    return Instances(
        ids=whole[:, 0].copy(),
        areas_px=whole[:, 1].copy(),
        class_codes=whole[:, 2].astype(np.int16),
        boxes=whole[:, 3:].copy(),
        confidences=real[:, 0].astype(np.float32),
        class_probabilities=real[:, 1].astype(np.float32),
        centroids=real[:, 2:].copy(),
    )
