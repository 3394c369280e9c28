"""Finished tiles of a run on disk: one file a tile, written whole or not at all, so a killed run resumes."""

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, atomic_path
from pathloop.objects import TilePart

__all__ = ["FinishedTile", "TileFolder"]

_NAME = re.compile(r"^tile_(\d+)_(\d+)\.npz$")


@dataclass(frozen=True, slots=True)
class FinishedTile:
    """What a tile leaves behind.

    Parameters
    ----------
    parts
        By instance task: components and votes over the tile's core.
    cells
        By patch task: (rows, cols) uint8, 1-based class code of each cell that the core touches; 0 = no tissue there.
    uncertainty
        (rows, cols) uint8, of each step that the core touches: entropy of the maps, 0 sure .. 255 undecided.
    """

    parts: dict[str, TilePart]
    cells: dict[str, NDArray[np.uint8]]
    uncertainty: NDArray[np.uint8]


class TileFolder:
    """Saves and loads finished tiles.

    Parameters
    ----------
    folder
        The run's scratch folder; created when the first tile is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def done(self) -> set[tuple[int, int]]:
        """(row, col) of every finished tile."""
        names = (_NAME.match(path.name) for path in self.folder.glob("tile_*.npz"))
        return {(int(match[1]), int(match[2])) for match in names if match}

    def save(self, row: int, col: int, tile: FinishedTile) -> None:
        """Record a tile."""
        arrays: dict[str, NDArray[Any]] = {"uncertainty": tile.uncertainty}
        for task, part in tile.parts.items():
            arrays |= {f"part/{task}/{name}": value for name, value in part.to_arrays().items()}
        arrays |= {f"cells/{task}": value for task, value in tile.cells.items()}
        with atomic_path(self._path(row, col)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

    def load_part(self, task: str, row: int, col: int) -> TilePart | None:
        """A task's part of a tile, or None where the tile was not run.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        path = self._path(row, col)
        if not path.is_file():
            return None
        prefix = f"part/{task}/"
        with _opened(path) as arrays:
            names = [name for name in arrays if name.startswith(prefix)]
            return TilePart.from_arrays({name.removeprefix(prefix): arrays[name] for name in names})

    def load_maps(self, row: int, col: int) -> tuple[dict[str, NDArray[np.uint8]], NDArray[np.uint8]]:
        """Cells of every patch task and the uncertainty of a finished tile.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        with _opened(self._path(row, col)) as arrays:
            cells = {name.removeprefix("cells/"): arrays[name] for name in arrays if name.startswith("cells/")}
            return cells, arrays["uncertainty"]

    def _path(self, row: int, col: int) -> Path:
        return self.folder / f"tile_{row}_{col}.npz"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """A tile's arrays; a file that cannot be read names itself."""
    try:
        # numpy leaves a file open that it cannot read, so it gets one that is open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged tile ({error}); delete it and run the same command again") from error
