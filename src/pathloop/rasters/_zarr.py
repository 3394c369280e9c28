"""Label pyramids as zarr v3, one folder each."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pathloop.core import DataError, Rect, Scale, TileGrid, UsageError, new_folder

__all__ = [
    "LabelPyramid",
    "create_label_pyramid",
    "open_label_pyramid",
    "pyramid_factors",
    "restore_chunks",
    "save_chunks",
]

FORMAT_VERSION = 1
CHUNK = 512
TINY_PX = 64
MAX_ID = np.iinfo(np.int32).max


class LabelPyramid:
    """An int32 id image in levels, on disk: level k holds every ``factors[k]``-th pixel of level 0, from pixel (0, 0).

    Ids are never mixed: a coarse pixel is one fine pixel. Factors double until the level fits into 512 x 512; one
    more level of at most 64 x 64 follows, because napari keeps the coarsest level of a layer in memory and would
    show old labels there.

    Parameters
    ----------
    path
        Folder of the zarr group.
    levels
        The zarr arrays, finest first. napari takes them as they are.
    factors
        Level-0 pixels a pixel, by level: powers of two.
    """

    def __init__(self, path: Path, levels: tuple[Any, ...], factors: tuple[int, ...]) -> None:
        self.path = path
        self.levels = levels
        self.factors = factors

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of level 0."""
        height, width = self.levels[0].shape
        return int(height), int(width)

    @property
    def bounds(self) -> Rect:
        """The whole image."""
        return Rect(0, 0, *self.shape)

    def read(self, rect: Rect, *, level: int = 0) -> NDArray[np.int32]:
        """Ids of a rectangle, in pixels of ``level``; 0 beyond the image's edge. Shape ``rect.shape``, int32."""
        array = self.levels[level]
        out = np.zeros(rect.shape, np.int32)
        inside = rect.intersect(Rect(0, 0, *array.shape))
        if inside.area:
            out[inside.relative_to(rect).slices] = array[inside.slices]
        return out

    def write(self, rect: Rect, labels: NDArray[Any]) -> None:
        """Put ids into level 0; what reaches beyond the image's edge is cut off.

        Any rectangle is right, one on the 512 grid is fastest. The other levels follow with ``build_levels``.

        Parameters
        ----------
        rect
            Level-0 pixels.
        labels
            Shape ``rect.shape``, any integer type, 0 .. 2**31 - 1.

        Raises
        ------
        UsageError
            If shape, type or values do not fit.
        """
        if labels.shape != rect.shape or not np.issubdtype(labels.dtype, np.integer):
            raise UsageError(f"labels of shape {labels.shape} and type {labels.dtype} do not fit {rect}")
        if labels.size and (labels.min() < 0 or labels.max() > MAX_ID):
            raise UsageError(f"ids must lie in 0 .. {MAX_ID}")
        inside = rect.intersect(self.bounds)
        if inside.area:
            self.levels[0][inside.slices] = labels[inside.relative_to(rect).slices].astype(np.int32, copy=False)

    def build_levels(self, rect: Rect) -> None:
        """Bring every coarser level up to date where level 0 changed, at most 1024 x 1024 pixels at a time.

        Parameters
        ----------
        rect
            What changed, level-0 pixels.
        """
        for level in range(1, len(self.levels)):
            step = self.factors[level] // self.factors[level - 1]
            for tile in TileGrid(self.level_rect(rect, level), CHUNK):
                core = tile.core
                fine = Rect(core.y * step, core.x * step, (core.height - 1) * step + 1, (core.width - 1) * step + 1)
                self.levels[level][core.slices] = self.levels[level - 1][fine.slices][::step, ::step]

    def level_rect(self, rect: Rect, level: int) -> Rect:
        """The pixels of a level that lie in a level-0 rectangle (cut to the image), in that level's pixels."""
        inside = rect.intersect(self.bounds)
        factor = self.factors[level]
        return Rect.from_bounds(*(-(-value // factor) for value in (inside.y, inside.x, inside.bottom, inside.right)))

    def chunk_files(self, rect: Rect) -> Iterator[Path]:
        """Paths, relative to ``path``, of all chunks of all levels that hold a part of a level-0 rectangle.

        A chunk without an id in it has no file.
        """
        for level in range(len(self.levels)):
            for tile in TileGrid(self.level_rect(rect, level), CHUNK):
                yield Path(str(level), "c", str(tile.row), str(tile.col))


def pyramid_factors(shape: tuple[int, int]) -> tuple[int, ...]:
    """Factors of a label pyramid for an image of (height, width) pixels.

    Examples
    --------
    >>> pyramid_factors((3000, 2000))
    (1, 2, 4, 8, 16)
    """
    side = max(shape)
    factors = [1]
    while -(-side // factors[-1]) > CHUNK:
        factors.append(2 * factors[-1])
    tiny = 2 * factors[-1]
    while -(-side // tiny) > TINY_PX:
        tiny *= 2
    return (*factors, tiny) if side > 1 else tuple(factors)


def create_label_pyramid(
    path: Path, shape: tuple[int, int], *, scale: Scale, attributes: Mapping[str, Any]
) -> LabelPyramid:
    """Make an empty label pyramid; it appears whole or not at all.

    Its parent becomes a zarr group that lists it, as OME-NGFF asks of a group of label images.

    Parameters
    ----------
    path
        The folder to make; its parents are made too.
    shape
        (height, width), level-0 pixels, each >= 1.
    scale
        um per px of level 0.
    attributes
        Plain values, kept in the group's attributes under "pathloop" beside "version".

    Raises
    ------
    UsageError
        If ``path`` exists, or the shape is empty.
    """
    import zarr
    import zarr.codecs

    if path.exists():
        raise UsageError(f"{path}: exists already")
    if min(shape) < 1:
        raise UsageError(f"a label pyramid needs at least one pixel, got {shape}")
    factors = pyramid_factors(shape)
    with new_folder(path) as folder:
        group = zarr.create_group(store=folder, zarr_format=3, attributes=_attributes(path, factors, scale, attributes))
        for level, factor in enumerate(factors):
            group.create_array(
                str(level),
                shape=(-(-shape[0] // factor), -(-shape[1] // factor)),
                chunks=(CHUNK, CHUNK),
                dtype=np.int32,
                fill_value=0,
                compressors=zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
                dimension_names=("y", "x"),
            )
    parent = zarr.open_group(store=path.parent, mode="a", zarr_format=3)
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    parent.attrs["ome"] = {"version": "0.5", "labels": names}
    return open_label_pyramid(path, write=True)


def open_label_pyramid(path: Path, *, write: bool = False) -> LabelPyramid:
    """Open a label pyramid.

    Raises
    ------
    DataError
        If there is none, it is damaged, or a newer version of pathloop wrote it.
    """
    import zarr
    import zarr.errors

    try:
        group = zarr.open_group(store=path, mode="r+" if write else "r", zarr_format=3)
        own = cast(dict[str, Any], group.attrs["pathloop"])
        factors = tuple(int(factor) for factor in own["factors"])
        version = int(own["version"])
        levels = tuple(group[str(level)] for level in range(len(factors)))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no label pyramid here") from error
    except (OSError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        raise DataError(f"{path}: damaged label pyramid ({error}); restore it from a copy") from error
    if version > FORMAT_VERSION:
        raise DataError(f"{path}: written by a newer pathloop (label format {version}); update pathloop")
    return LabelPyramid(path, levels, factors)


def _attributes(path: Path, factors: tuple[int, ...], scale: Scale, own: Mapping[str, Any]) -> dict[str, Any]:
    """OME-NGFF 0.5 multiscales beside our own; translation 0 because pixel 0 of every level is pixel 0 of level 0."""
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in ("y", "x")]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [scale.y * factor, scale.x * factor]}],
        }
        for level, factor in enumerate(factors)
    ]
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [{"name": path.name, "axes": axes, "datasets": datasets, "type": "nearest"}],
            "image-label": {},
        },
        "pathloop": {
            **own,
            "version": FORMAT_VERSION,
            "factors": list(factors),
            "um_per_px": [[scale.y * factor, scale.x * factor] for factor in factors],
        },
    }


def save_chunks(pyramid: LabelPyramid, rect: Rect, folder: Path) -> None:
    """Copy all chunk files of a level-0 rectangle, all levels, to ``folder`` (made new)."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in pyramid.chunk_files(rect):
        source = pyramid.path / name
        if source.exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def restore_chunks(pyramid: LabelPyramid, rect: Rect, folder: Path) -> None:
    """Put a rectangle back as ``save_chunks`` found it. May be repeated; ``folder`` stays as it is."""
    for name in pyramid.chunk_files(rect):
        saved, target = folder / name, pyramid.path / name
        if saved.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f"{target.name}.partial")
            shutil.copyfile(saved, partial)
            partial.replace(target)
        else:
            target.unlink(missing_ok=True)
