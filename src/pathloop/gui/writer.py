"""File > Save of label layers: OME-Zarr and GeoJSON."""

from typing import Any

__all__ = ["write_ome_zarr", "write_outlines"]


def write_ome_zarr(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as an OME-Zarr 0.5 pyramid of ids (int32).

    Parameters
    ----------
    path
        Folder to make, ends in ``.zarr``.
    data
        (H, W) integers, or a list of levels, finest first. Of a layer of ours, the ids of its objects are written and
        not the colour codes that it shows.
    meta
        The layer's attributes.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    UsageError
        If something is there already, or the layer is no flat image.
    """
    from pathloop.gui.opening import labels_of
    from pathloop.gui.opening._save_labels import save_ome_zarr

    return [str(save_ome_zarr(path, labels_of(data, meta)))]


def write_outlines(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write the outlines of a Labels layer as GeoJSON, which QuPath opens; parameters as of `write_ome_zarr`.

    A layer of ours gives its objects with class, area, confidence and review state; any other its traced outlines.
    """
    from pathloop.gui.opening import labels_of
    from pathloop.gui.opening._save_labels import save_geojson

    return [str(save_geojson(path, labels_of(data, meta)))]
