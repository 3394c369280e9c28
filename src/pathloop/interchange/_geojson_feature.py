"""One GeoJSON feature as QuPath wants it, from and to plain values."""

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.interchange._object_table import OutlinedObject, SlideIdentity
from pathloop.rasters import Outline

__all__ = ["FeatureError", "GeoJSONObject", "feature_objects", "feature_of"]

_SINGULAR = {"nuclei": "nucleus"}
_OBJECT_TYPES = ("annotation", "detection", "cell", "tile", "tmaCore", "root")
# QuPath before 0.4 had no UUIDs and put the kind of object into "id".
_OLD_IDS = {
    "PathAnnotationObject": "annotation",
    "PathDetectionObject": "detection",
    "PathCellObject": "cell",
    "PathTileObject": "tile",
    "TMACoreObject": "tmaCore",
    "PathRootObject": "root",
}


class FeatureError(ValueError):
    """A feature breaks the rules."""


@dataclass(frozen=True, slots=True)
class GeoJSONObject:
    """One object of a GeoJSON file, as it stands there.

    Parameters
    ----------
    uuid
        Its id, or None where the file has none (QuPath before 0.4).
    object_type
        "annotation", "detection", "cell", "tile", "tmaCore" or "root".
    geometry_type
        As in GeoJSON, "Polygon" or "Point" for example; "" where the object has no geometry.
    outline
        Parts of a Polygon or MultiPolygon: float64 rings (y, x), not closed, level-0 pixel-edge coordinates; may be
        invalid polygons if another program wrote them. Empty for all other geometries.
    points
        (n, 2) float64: (y, x) of the positions of a geometry without area, same coordinates.
    nucleus_outline
        A cell's nucleus; empty where there is none.
    class_name
        Or None. Several names are joined by ": ", as QuPath shows derived classes.
    color
        sRGB of the class, else of the object, each 0..255, or None.
    name
        Or None.
    is_locked
        Locked against changes.
    measurements
        By name; may be NaN or infinite.
    metadata
        By name.
    """

    uuid: uuid.UUID | None
    object_type: str
    geometry_type: str = ""
    outline: Outline = ()
    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    nucleus_outline: Outline = ()
    class_name: str | None = None
    color: tuple[int, int, int] | None = None
    name: str | None = None
    is_locked: bool = False
    measurements: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def feature_of(item: OutlinedObject, slide: SlideIdentity, detection_tasks: frozenset[str]) -> dict[str, Any]:
    """The GeoJSON feature of one object.

    Raises
    ------
    FeatureError
        If the object has no outline.
    """
    if not item.outline:
        raise FeatureError(f"{item.task} {item.id} has no outline")
    parts = [[_closed(ring) for ring in part] for part in item.outline]
    single = len(parts) == 1
    properties: dict[str, Any] = {
        "objectType": "detection" if item.task in detection_tasks else "annotation",
        "name": f"{_SINGULAR.get(item.task, item.task)} {item.id}",
    }
    if item.class_spec is not None:
        # Without a colour QuPath's reader throws.
        properties["classification"] = {"name": item.class_spec.name, "color": list(item.class_spec.color)}
    if item.is_locked:
        properties["isLocked"] = True
    properties["measurements"] = _measurements(item, slide)
    properties["metadata"] = {"state": item.state, "task": item.task, "id": str(item.id)}
    return {
        "type": "Feature",
        "id": str(slide.uuid_of(item.task, item.id)),
        "geometry": {
            "type": "Polygon" if single else "MultiPolygon",
            "coordinates": parts[0] if single else parts,
        },
        "properties": properties,
    }


def _closed(ring: NDArray[Any]) -> list[list[float]]:
    """(x, y) positions, the first one again at the end; fractions to the 0.01 px that QuPath keeps."""
    positions: list[list[float]] = (ring if ring.dtype.kind == "i" else ring.round(2))[:, ::-1].tolist()
    positions.append(positions[0])
    return positions


def _measurements(item: OutlinedObject, slide: SlideIdentity) -> dict[str, float]:
    values = {"Area px^2": float(item.area_px)}
    if slide.scale is not None:
        values["Area um^2"] = round(item.area_px * slide.scale.um2_per_px, 4)
    values["Confidence"] = item.confidence
    values["Class probability"] = item.class_probability
    values.update(item.measurements)
    return {name: value for name, value in values.items() if math.isfinite(value)}


def feature_objects(value: Any) -> Iterator[GeoJSONObject]:
    """The object that a feature stands for, then its children, depth first.

    Raises
    ------
    FeatureError
        If the value is no feature or a part of it has the wrong form.
    """
    if not isinstance(value, dict) or "geometry" not in value or value.get("type", "Feature") != "Feature":
        raise FeatureError('expected a GeoJSON feature with "geometry"')
    properties = _mapping(value, "properties")
    geometry_type, outline, points = _geometry(value["geometry"])
    class_name, color = _classification(properties.get("classification"))
    name = properties.get("name")
    yield GeoJSONObject(
        uuid=_uuid(value.get("id")),
        object_type=_object_type(value, properties),
        geometry_type=geometry_type,
        outline=outline,
        points=points,
        nucleus_outline=_geometry(value.get("nucleusGeometry"))[1],
        class_name=class_name,
        color=color or _color(properties.get("color", properties.get("colorRGB"))),
        name=None if name is None else str(name),
        is_locked=properties.get("isLocked") is True,
        measurements=_read_measurements(properties.get("measurements")),
        metadata={key: _text(entry) for key, entry in _mapping(properties, "metadata").items()},
    )
    for key in ("childObjects", "children"):
        children = properties.get(key)
        if not isinstance(children, list | None):
            raise FeatureError(f'"{key}" must be a list of features')
        for child in children or ():
            yield from feature_objects(child)


def _mapping(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise FeatureError(f'"{key}" must be an object')
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _uuid(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _object_type(value: dict[str, Any], properties: dict[str, Any]) -> str:
    found = properties.get("objectType", properties.get("object_type"))
    if found is None:
        old = value.get("id")
        return _OLD_IDS.get(old, "annotation") if isinstance(old, str) else "annotation"
    if found not in _OBJECT_TYPES:
        raise FeatureError(f'unknown "objectType" {found!r}; known: {", ".join(_OBJECT_TYPES)}')
    return str(found)


def _classification(value: Any) -> tuple[str | None, tuple[int, int, int] | None]:
    if value is None or isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        raise FeatureError('"classification" must be a string or an object')
    names = value.get("names", value.get("name"))
    if isinstance(names, list):
        names = ": ".join(map(str, names))
    if names is not None and not isinstance(names, str):
        raise FeatureError('"classification" must have a "name"')
    return names, _color(value.get("color", value.get("colorRGB")))


def _color(value: Any) -> tuple[int, int, int] | None:
    """Colour from [r, g, b(, a)] or from a packed, perhaps signed, ARGB integer."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value >> 16 & 255, value >> 8 & 255, value & 255
    is_list = isinstance(value, list) and len(value) in (3, 4)
    if is_list and all(type(entry) is int and 0 <= entry <= 255 for entry in value):
        return value[0], value[1], value[2]
    raise FeatureError(f"a colour must be [r, g, b] with values in 0..255 or a packed integer, got {value!r:.60}")


def _read_measurements(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    try:
        pairs = value.items() if isinstance(value, dict) else [(entry["name"], entry["value"]) for entry in value]
        return {str(name): math.nan if number is None else float(number) for name, number in pairs}
    except (TypeError, KeyError, ValueError) as error:
        raise FeatureError('"measurements" must hold numbers by name') from error


def _geometry(value: Any) -> tuple[str, Outline, NDArray[np.float64]]:
    if value is None:
        return "", (), np.zeros((0, 2))
    kind = value.get("type") if isinstance(value, dict) else None
    read = _GEOMETRIES.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise FeatureError(f"unknown geometry {kind!r}; known: {', '.join(_GEOMETRIES)}")
    try:
        outline, points = read(value.get("coordinates"))
    except (TypeError, ValueError) as error:
        detail = f": {error}" if isinstance(error, FeatureError) else ""
        raise FeatureError(f"the coordinates of a {kind} have the wrong form{detail}") from error
    return str(kind), outline, points


def _positions(value: Any) -> NDArray[np.float64]:
    """(n, 2) positions (y, x); a third coordinate is left out."""
    array = np.asarray(value, np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise FeatureError("expected a list of [x, y]")
    if not np.isfinite(array[:, :2]).all():
        raise FeatureError("a coordinate is not finite")
    return array[:, 1::-1]


def _ring(value: Any) -> NDArray[np.float64]:
    positions = _positions(value)
    if (positions[0] == positions[-1]).all():
        positions = positions[:-1]
    if len(positions) < 3:
        raise FeatureError("a ring needs at least three corners")
    return positions


def _rings(value: Any) -> tuple[NDArray[np.float64], ...]:
    return tuple(_ring(ring) for ring in value)


def _areal(outline: Outline) -> tuple[Outline, NDArray[np.float64]]:
    return outline, np.zeros((0, 2))


_GEOMETRIES: dict[str, Callable[[Any], tuple[Outline, NDArray[np.float64]]]] = {
    "Point": lambda value: ((), _positions([value])),
    "MultiPoint": lambda value: ((), _positions(value)),
    "LineString": lambda value: ((), _positions(value)),
    "MultiLineString": lambda value: ((), np.concatenate([_positions(line) for line in value])),
    "Polygon": lambda value: _areal((_rings(value),) if value else ()),
    "MultiPolygon": lambda value: _areal(tuple(_rings(part) for part in value)),
}
