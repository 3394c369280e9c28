"""Tissue and uncertainty maps: records to and from small zarr arrays, each pair side by side."""

from pathlib import Path

from pathloop.core import DataError, UsageError
from pathloop.rasters import read_map, write_map
from pathloop.store._records import TissueMap, UncertaintyMap

__all__ = ["read_tissue", "read_uncertainty", "write_tissue", "write_uncertainty"]


def write_tissue(path: Path, tissue: TissueMap) -> None:
    """Write a tissue map.

    Raises
    ------
    UsageError
        If the map is empty, or a code has no class.
    """
    if tissue.codes.size == 0 or tissue.codes.max() > len(tissue.class_names):
        raise UsageError(f"a tissue map needs cells with codes in 0 .. {len(tissue.class_names)}")
    classes = zip(tissue.class_names, tissue.class_colors, strict=True)
    attributes = {
        "classes": [{"code": code, "name": name, "color": color} for code, (name, color) in enumerate(classes, 1)],
        "cell_px": tissue.cell_px,
        "origin_px": tissue.origin_px,
        "run_key": tissue.run_key,
    }
    write_map(path, tissue.codes, attributes)


def read_tissue(path: Path) -> TissueMap | None:
    """Read a tissue map; None where there is none, DataError if it is damaged."""
    found = read_map(path)
    if found is None:
        return None
    codes, attributes = found
    try:
        classes = sorted(attributes["classes"], key=lambda entry: int(entry["code"]))
        return TissueMap(
            codes=codes,
            class_names=tuple(str(entry["name"]) for entry in classes),
            class_colors=tuple(_color(entry["color"]) for entry in classes),
            cell_px=_pair(attributes["cell_px"]),
            origin_px=_pair(attributes["origin_px"]),
            run_key=str(attributes["run_key"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: damaged tissue map ({error!r}); segment the slide again") from error


def write_uncertainty(path: Path, uncertainty: UncertaintyMap) -> None:
    """Write an uncertainty map.

    Raises
    ------
    UsageError
        If the map is empty.
    """
    if uncertainty.values.size == 0:
        raise UsageError("an uncertainty map needs at least one cell")
    attributes = {
        "measure": uncertainty.measure,
        "cell_px": uncertainty.cell_px,
        "origin_px": uncertainty.origin_px,
        "run_key": uncertainty.run_key,
    }
    write_map(path, uncertainty.values, attributes)


def read_uncertainty(path: Path) -> UncertaintyMap | None:
    """Read an uncertainty map; None where there is none, DataError if it is damaged."""
    found = read_map(path)
    if found is None:
        return None
    values, attributes = found
    try:
        return UncertaintyMap(
            values=values,
            measure=str(attributes["measure"]),
            cell_px=_pair(attributes["cell_px"]),
            origin_px=_pair(attributes["origin_px"]),
            run_key=str(attributes["run_key"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: damaged uncertainty map ({error!r}); segment the slide again") from error


def _pair(values: list[float]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _color(values: list[int]) -> tuple[int, int, int]:
    red, green, blue = values
    return int(red), int(green), int(blue)
