"""All label images of a slide as one OME-Zarr file."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Rect, Scale, TileGrid, UsageError, new_folder, read_json
from pathloop.interchange._object_table import ObjectTable
from pathloop.rasters import LabelPyramid, create_label_pyramid

__all__ = ["DESCRIBED_OBJECTS", "write_labels_zarr"]

DESCRIBED_OBJECTS = 10_000
"""Above so many objects, OME-Zarr's JSON attributes are no place for a colour and a class of each."""

FORMAT = "labels-zarr"
FORMAT_VERSION = 1
BLOCK_PX = 512
_TASK = re.compile(r"[a-z][a-z0-9_]*")
_UNCLASSED = (128, 128, 128)


def write_labels_zarr(
    path: Path,
    layers: Mapping[str, Callable[[Rect], NDArray[Any]]],
    *,
    shape: tuple[int, int],
    um_per_px: Scale | None,
    origin: tuple[int, int] = (0, 0),
    objects: Mapping[str, ObjectTable] | None = None,
    picture: NDArray[np.uint8] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write label images of one size as an OME-Zarr 0.5 file (zarr v3); it appears whole or not at all.

    Every label image is a group ``labels/<task>`` with an int32 pyramid: level k holds every ``factors[k]``-th pixel
    of level 0, so ids never mix. Blocks of 512 x 512 px are read, written and forgotten; empty ones take no space.
    With a ``picture`` the file is an image with labels, as OME-NGFF wants it, and opens as a whole; without one, open
    its folder ``labels``.

    Parameters
    ----------
    path
        Folder to make, ends in ``.zarr`` (``<slide>.ome.zarr``). A file that this function wrote is replaced.
    layers
        By task: gives the ids, (height, width) integers in 0 .. 2**31 - 1, of a `Rect` inside ``shape``.
    shape
        (height, width) of all layers, pixels.
    um_per_px
        Size of a pixel; None = unknown, the axes then have no unit.
    origin
        (y, x) of the first pixel on the slide, pixels: the translation of every level.
    objects
        By task: class colour, class, state and confidence of up to `DESCRIBED_OBJECTS` objects.
    picture
        (h, w, 3) uint8 RGB, the same area at any lower resolution: the image that the labels belong to.
    about
        Plain values kept in the attribute ``pathloop`` (project, slide, model, who, when).

    Raises
    ------
    UsageError
        If something else lies at ``path``, a task's name is none, or ids, shape or picture do not fit.
    """
    import zarr

    _check(path, layers, objects or {}, picture)
    known = objects or {}
    with new_folder(path) as folder:
        own = {"format": FORMAT, "version": FORMAT_VERSION, "origin_px": list(origin), **(about or {})}
        root = zarr.create_group(store=folder, zarr_format=3, attributes={"pathloop": own})
        n_levels = 0
        for task, read in layers.items():
            target = folder / "labels" / task
            scale = um_per_px or Scale.isotropic(1.0)
            pyramid = create_label_pyramid(target, shape, scale=scale, attributes={"task": task})
            _fill(pyramid, read)
            n_levels = len(pyramid.levels)
            _finish(target, pyramid, um_per_px, origin, _image_label(known.get(task), picture))
        if picture is not None:
            root.attrs["ome"] = _write_picture(root, picture, n_levels, (shape, um_per_px, origin))
    return path


def _check(
    path: Path,
    layers: Mapping[str, object],
    objects: Mapping[str, ObjectTable],
    picture: NDArray[np.uint8] | None,
) -> None:
    if path.suffix != ".zarr":
        raise UsageError(f"{path}: the name of an OME-Zarr file must end in .zarr")
    if path.exists() and not _is_ours(path):
        raise UsageError(f"{path}: exists and is no label export of pathloop; give another name")
    if not layers:
        raise UsageError(f"{path}: no label image to write")
    for task in (*layers, *objects):
        if not _TASK.fullmatch(task) or task not in layers:
            raise UsageError(f"{path}: {task!r} is no task of its layers; names are lower-case letters, digits and _")
    if picture is not None and (picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8):
        raise UsageError(f"{path}: the picture is {picture.dtype} of shape {picture.shape}; give (h, w, 3) uint8")


def _is_ours(path: Path) -> bool:
    file = path / "zarr.json"
    if not file.is_file():
        return False
    found = read_json(file)
    own = found.get("attributes", {}).get("pathloop", {}) if isinstance(found, dict) else {}
    return isinstance(own, dict) and own.get("format") == FORMAT


def _fill(pyramid: LabelPyramid, read: Callable[[Rect], NDArray[Any]]) -> None:
    for tile in TileGrid(pyramid.bounds, BLOCK_PX):
        ids = read(tile.core)
        if ids.any() or ids.shape != tile.core.shape:
            pyramid.write(tile.core, ids)
    pyramid.build_levels(pyramid.bounds)


def _image_label(table: ObjectTable | None, picture: object) -> dict[str, Any]:
    """The ``image-label`` of OME-NGFF: ``colors`` and ``properties`` hold the same label values, or are not there.

    ``colors`` are left out where an id is above 65,536.
    """
    label: dict[str, Any] = {} if picture is None else {"source": {"image": "../../"}}
    if table is None or not 0 < len(table.instances) <= DESCRIBED_OBJECTS:
        return label
    colors, properties = [], []
    for index, object_id in enumerate(table.instances.ids.tolist()):
        spec = table.class_of(index)
        colors.append({"label-value": object_id, "rgba": [*(spec.color if spec else _UNCLASSED), 255]})
        confidence = float(str(table.instances.confidences[index]))
        properties.append(
            {
                "label-value": object_id,
                "class": spec.name if spec else "",
                "state": table.state_of(index),
                "confidence": confidence if np.isfinite(confidence) else None,
            }
        )
    # napari without numba shows no layer at all whose colours name larger numbers
    shown = {"colors": colors} if int(table.instances.ids.max()) <= 2**16 else {}
    return {**label, **shown, "properties": properties}


def _finish(
    path: Path, pyramid: LabelPyramid, scale: Scale | None, origin: tuple[int, int], label: Mapping[str, Any]
) -> None:
    """What a pyramid of the project does not say: where it lies, what its objects are."""
    import zarr

    group = zarr.open_group(store=path, mode="r+", zarr_format=3)
    ome = cast(dict[str, Any], group.attrs["ome"])
    (image,) = ome["multiscales"]
    image["axes"] = _axes(scale)
    if any(origin):
        # pixel 0 of every level is pixel 0 of level 0
        for level in image["datasets"]:
            level["coordinateTransformations"] += [_translation(scale, [float(value) for value in origin])]
    ome["image-label"] = dict(label)
    group.attrs["ome"] = ome


def _axes(scale: Scale | None) -> list[dict[str, str]]:
    unit = {} if scale is None else {"unit": "micrometer"}
    return [{"name": name, "type": "space", **unit} for name in ("y", "x")]


def _translation(scale: Scale | None, shift_px: list[float], before: tuple[float, ...] = ()) -> dict[str, Any]:
    step = (1.0, 1.0) if scale is None else (scale.y, scale.x)
    return {"type": "translation", "translation": [*before, shift_px[0] * step[0], shift_px[1] * step[1]]}


def _write_picture(
    root: Any,
    picture: NDArray[np.uint8],
    n_levels: int,
    place: tuple[tuple[int, int], Scale | None, tuple[int, int]],
) -> dict[str, Any]:
    """The picture in as many levels as the labels have, which OME-NGFF demands of an image with labels."""
    shape, scale, origin = place
    step = (1.0, 1.0) if scale is None else (scale.y, scale.x)
    datasets = []
    for level in range(n_levels):
        size = tuple(max(-(-side >> level), 1) for side in picture.shape[:2])
        small = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA) if level else picture
        array = root.create_array(
            str(level), shape=(3, *size), chunks=(3, 512, 512), dtype=np.uint8, dimension_names=("c", "y", "x")
        )
        array[:] = np.moveaxis(np.asarray(small), 2, 0)
        factors = [shape[axis] / size[axis] for axis in (0, 1)]
        # its first pixel's centre lies in the middle of the pixels that it stands for
        shifts = [origin[axis] + (factors[axis] - 1) / 2 for axis in (0, 1)]
        sizes = {"type": "scale", "scale": [1.0, factors[0] * step[0], factors[1] * step[1]]}
        moves = [_translation(scale, shifts, (0.0,))]
        datasets.append({"path": str(level), "coordinateTransformations": [sizes, *moves]})
    window = {"min": 0, "max": 255, "start": 0, "end": 255}
    colors = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
    channels = [{"label": name, "color": code, "active": True, "window": window} for name, code in colors.items()]
    axes = [{"name": "c", "type": "channel"}, *_axes(scale)]
    return {
        "version": "0.5",
        "multiscales": [{"name": "picture", "axes": axes, "datasets": datasets, "type": "area mean"}],
        "omero": {"channels": channels, "rdefs": {"model": "color"}},
    }
