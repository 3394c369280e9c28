"""Small two-dimensional maps as zarr v3."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, new_folder, replaced_folder

__all__ = ["read_map", "write_map"]

MAP_VERSION = 1
CHUNK = 512


def write_map(path: Path, values: NDArray[np.uint8], attributes: Mapping[str, Any]) -> None:
    """Write a small two-dimensional uint8 map with its attributes; replaces the old one in one step.

    Parameters
    ----------
    path
        The folder of the zarr array.
    values
        (rows, columns), uint8, not empty.
    attributes
        Plain values.
    """
    import zarr

    with new_folder(path) as folder:
        array = zarr.create_array(
            store=folder,
            shape=values.shape,
            chunks=(min(values.shape[0], CHUNK), min(values.shape[1], CHUNK)),
            dtype=np.uint8,
            fill_value=0,
            zarr_format=3,
            attributes={"version": MAP_VERSION, **attributes},
            dimension_names=("y", "x"),
        )
        array[:] = values


def read_map(path: Path) -> tuple[NDArray[np.uint8], dict[str, Any]] | None:
    """Values and attributes of a map; None where there is none.

    Raises
    ------
    DataError
        If it is damaged, or a newer version of pathloop wrote it.
    """
    import zarr
    import zarr.errors

    for folder in (path, replaced_folder(path), path):  # a writer was between its two renames, or died there
        try:
            array = zarr.open_array(store=folder, mode="r", zarr_format=3)
            attributes: dict[str, Any] = dict(array.attrs)
            values = np.asarray(array[:], dtype=np.uint8)
            version = int(attributes["version"])
        except FileNotFoundError:
            continue
        except (OSError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
            raise DataError(f"{path}: damaged map ({error}); restore it from a copy") from error
        if version > MAP_VERSION:
            raise DataError(f"{path}: written by a newer pathloop (map format {version}); update pathloop")
        return values, attributes
    return None
