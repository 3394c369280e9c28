"""Reduced levels of slides that have none, kept in the user's cache: one file a slide, found by the fingerprint."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec
from zarr.storage import ZipStore

from pathloop.core import ProjectLock, SlideError, atomic_path, cache_folder
from pathloop.slides._levels import LevelLayout, exact_downsample

__all__ = [
    "CHUNK_PX",
    "PyramidFile",
    "StoredPyramid",
    "find_pyramid",
    "new_pyramid",
    "pyramid_path",
    "remove_pyramids",
    "stored_pyramids",
]

CHUNK_PX = 512
VERSION = 1
SUFFIX = ".zarr.zip"
FACTS = "pathloop-pyramid"


@dataclass(frozen=True, slots=True)
class PyramidFile:
    """A pyramid in the cache.

    Attributes
    ----------
    path, n_bytes
        The file and its size.
    fingerprint, slide
        Of the slide that it belongs to, and where that lay when it was built.
    shapes
        (height, width) of its levels, px.
    """

    path: Path
    n_bytes: int
    fingerprint: str
    slide: Path
    shapes: tuple[tuple[int, int], ...]


class StoredPyramid:
    """Levels in a file of the cache, open for reading; safe for threads.

    Parameters
    ----------
    path
        The file.
    full
        (height, width) of the slide's level 0, px.
    """

    def __init__(self, path: Path, full: tuple[int, int]) -> None:
        self._path = path
        self._store = ZipStore(path, mode="r")
        try:
            group = zarr.open_group(self._store, mode="r", use_consolidated=False)
            attributes: dict[str, Any] = dict(group.attrs.asdict())
            self.facts: dict[str, Any] = attributes[FACTS]
            self.arrays: tuple[Any, ...] = tuple(group[str(index)] for index in range(int(self.facts["levels"])))
        except BaseException:
            self._store.close()
            raise
        shapes = [(int(array.shape[0]), int(array.shape[1])) for array in self.arrays]
        self.layouts = tuple(
            LevelLayout(shape, exact_downsample(full, shape), (CHUNK_PX, CHUNK_PX)) for shape in shapes
        )

    def tile(self, level: int, row: int, column: int) -> NDArray[np.uint8]:
        """One tile, (h, w, 3) uint8. SlideError where the file is damaged."""
        y, x = row * CHUNK_PX, column * CHUNK_PX
        try:
            return np.asarray(self.arrays[level][y : y + CHUNK_PX, x : x + CHUNK_PX], np.uint8)
        except Exception as error:  # codecs raise classes of their own
            raise SlideError(f"{self._path}: this pyramid is damaged; delete the file and build it again") from error

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def pyramid_path(fingerprint: str) -> Path:
    """Where the pyramid of a slide lies, or would lie."""
    return _folder() / f"{fingerprint}{SUFFIX}"


def find_pyramid(fingerprint: str, shape: tuple[int, int], base: tuple[int, int]) -> StoredPyramid | None:
    """The pyramid of a slide; None where there is none that fits.

    Parameters
    ----------
    fingerprint, shape
        Of the slide.
    base
        (height, width) of its coarsest level of its own, which the pyramid goes on from.
    """
    path = pyramid_path(fingerprint)
    if not path.is_file():
        return None
    try:
        found = StoredPyramid(path, shape)
    except Exception:  # noqa: BLE001 - a file that cannot be read is no pyramid; building it again replaces it
        return None
    if found.facts.get("version") == VERSION and found.facts.get("base") == list(base) and found.arrays:
        return found
    found.close()
    return None


@contextlib.contextmanager
def new_pyramid(
    fingerprint: str, slide: Path, base: tuple[int, int], shapes: list[tuple[int, int]]
) -> Iterator[list[Any]]:
    """Yield empty (h, w, 3) uint8 zarr arrays; what was written becomes the slide's pyramid if the block ends well.

    Only one process builds at a time. Chunks can be written once.

    Raises
    ------
    ProjectLockedError
        If another process builds or removes pyramids.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with ProjectLock(folder / ".lock"):
        _drop_unfinished(folder)
        with atomic_path(pyramid_path(fingerprint)) as temporary:
            store = ZipStore(temporary, mode="w")
            try:
                facts = {"version": VERSION, "base": list(base), "levels": len(shapes), "slide": str(slide.resolve())}
                group = zarr.create_group(store, attributes={FACTS: facts})
                yield [_new_array(group, str(index), shape) for index, shape in enumerate(shapes)]
            finally:
                store.close()


def stored_pyramids() -> list[PyramidFile]:
    """All pyramids in the cache, the largest first."""
    found = []
    for path in _folder().glob(f"[0-9a-f]*{SUFFIX}"):
        try:
            pyramid = StoredPyramid(path, (1, 1))
        except Exception:  # noqa: BLE001 - listed all the same, so that it can be removed
            found.append(PyramidFile(path, path.stat().st_size, path.name.removesuffix(SUFFIX), Path("?"), ()))
            continue
        pyramid.close()
        shapes = tuple(layout.shape for layout in pyramid.layouts)
        fingerprint, slide = path.name.removesuffix(SUFFIX), Path(str(pyramid.facts.get("slide", "?")))
        found.append(PyramidFile(path, path.stat().st_size, fingerprint, slide, shapes))
    return sorted(found, key=lambda one: (-one.n_bytes, one.fingerprint))


def remove_pyramids(files: list[PyramidFile]) -> int:
    """Delete pyramids, and what builds that were killed left behind; returns the bytes that were freed.

    Raises
    ------
    ProjectLockedError
        If one is being built.
    """
    folder = _folder()
    if not folder.is_dir():
        return 0
    with ProjectLock(folder / ".lock"):
        freed = _drop_unfinished(folder)
        for one in files:
            one.path.unlink(missing_ok=True)
            freed += one.n_bytes
    return freed


def _folder() -> Path:
    return cache_folder() / "pyramids"


def _new_array(group: Any, name: str, shape: tuple[int, int]) -> Any:
    # white tiles too: a chunk that is missing is damage
    return group.create_array(
        name,
        shape=(*shape, 3),
        chunks=(CHUNK_PX, CHUNK_PX, 3),
        dtype=np.uint8,
        fill_value=255,
        compressors=[ZstdCodec(level=1)],
        dimension_names=("y", "x", "c"),
        config={"write_empty_chunks": True},
    )


def _drop_unfinished(folder: Path) -> int:
    """Delete what killed builds left; whoever calls holds the lock, so that none is at work."""
    freed = 0
    for path in folder.glob(".*.zip"):
        freed += path.stat().st_size
        path.unlink(missing_ok=True)
    return freed
