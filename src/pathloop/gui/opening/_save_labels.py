"""Label layers as OME-Zarr and GeoJSON files."""

import tempfile
from pathlib import Path
from typing import Any, cast

from pathloop.core import Rect, Scale, TileGrid, UsageError
from pathloop.gui.opening._labels_to_save import LabelsToSave
from pathloop.interchange import outlined_objects, write_geojson
from pathloop.rasters import create_label_pyramid

__all__ = ["save_geojson", "save_ome_zarr"]

BLOCK_PX = 512
DETECTIONS = frozenset({"nuclei", "object"})


def save_geojson(path: Path | str, labels: LabelsToSave) -> Path:
    """Write every object's outline; coordinates are pixels of the slide.

    Returns
    -------
    Path
        The file: ``<path>.gz`` where it would be larger than 100 MB.
    """
    objects = outlined_objects(labels.table(), labels.read)
    return write_geojson(Path(path), objects, slide=labels.identity, detection_tasks=DETECTIONS)


def save_ome_zarr(path: Path | str, labels: LabelsToSave) -> Path:
    """Write the ids as one OME-Zarr 0.5 label image with its pyramid; it appears whole or not at all.

    Raises
    ------
    UsageError
        If something is there already, or an id does not fit into int32.
    """
    path = Path(path)
    if path.exists():
        raise UsageError(f"{path}: exists already; give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:60]}-", dir=path.parent) as folder:
        attributes = {"task": labels.name, "slide": labels.identity.slide_id}
        scale = labels.identity.scale
        made = Path(folder) / path.name
        bounds = labels.bounds
        pyramid = create_label_pyramid(made, bounds.shape, scale=scale or Scale.isotropic(1.0), attributes=attributes)
        for tile in TileGrid(Rect(0, 0, *bounds.shape), BLOCK_PX):
            ids = labels.read(tile.core.shift(bounds.y, bounds.x))
            if ids.any():
                pyramid.write(tile.core, ids)
        pyramid.build_levels(pyramid.bounds)
        _finish_attributes(made, scale, (bounds.y, bounds.x))
        made.rename(path)
    return path


def _finish_attributes(path: Path, scale: Scale | None, origin: tuple[int, int]) -> None:
    """Say where on the slide the image lies, and leave sizes out where they are not known."""
    import zarr

    group = zarr.open_group(store=path, mode="r+", zarr_format=3)
    ome = cast(dict[str, Any], group.attrs["ome"])
    (image,) = ome["multiscales"]
    if scale is None:
        image["axes"] = [{"name": axis["name"], "type": "space"} for axis in image["axes"]]
    step = (1.0, 1.0) if scale is None else (scale.y, scale.x)
    if any(origin):
        move = {"type": "translation", "translation": [origin[0] * step[0], origin[1] * step[1]]}
        for level in image["datasets"]:
            level["coordinateTransformations"] = [*level["coordinateTransformations"], move]
    group.attrs["ome"] = ome
