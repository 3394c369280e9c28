import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pathloop.core import DataError, Rect
from pathloop.interchange import (
    GeoJSONObject,
    read_geojson,
)
from pathloop.rasters import fill_outlines

SQUARE = [[20, 10], [20, 30], [40, 30], [40, 10]]
POLYGON = {"type": "Polygon", "coordinates": [[[10, 20], [30, 20], [30, 40], [10, 40], [10, 20]]]}


def feature(geometry=POLYGON, **properties) -> dict:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def read_value(folder: Path, value) -> list[GeoJSONObject]:
    path = folder / "in.geojson"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return list(read_geojson(path))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda features: {"type": "FeatureCollection", "features": features},
        lambda features: {"features": features, "type": "FeatureCollection", "name": "x", "crs": {"a": [1]}},
        lambda features: features,
    ],
)
def test_collections_and_arrays(tmp_path: Path, wrap, indent: int | None) -> None:
    found = read_value(tmp_path, json.dumps(wrap([feature(name="a"), feature(name="b")]), indent=indent))
    assert [item.name for item in found] == ["a", "b"]


def test_bare_feature_with_a_byte_order_mark(tmp_path: Path) -> None:
    (found,) = read_value(tmp_path, "\ufeff" + json.dumps(feature(name="ä")))
    assert found.name == "ä"
    assert found.uuid is None
    assert found.object_type == "annotation"
    np.testing.assert_array_equal(found.outline[0][0], SQUARE)


@pytest.mark.parametrize("name", ["a.geojson", "a.json", "a.geojson.gz", "a.zip"])
def test_packed_files_are_told_by_content(tmp_path: Path, name: str) -> None:
    text = json.dumps([feature(name="x")]).encode()
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/a.geojson", text)
            archive.writestr("b.json", text)
            archive.writestr("readme.txt", "no JSON")
        assert len(list(read_geojson(path))) == 2
    else:
        path.write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
        assert [item.name for item in read_geojson(path)] == ["x"]
    misnamed = path.rename(tmp_path / "b.geojson")
    assert next(read_geojson(misnamed)).name == "x"


@pytest.mark.parametrize(
    ("classification", "name", "color"),
    [
        ("Tumor", "Tumor", None),
        (None, None, None),
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor", (200, 0, 0)),
        ({"name": "Tumor", "color": [200, 0, 0, 255]}, "Tumor", (200, 0, 0)),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive", (1, 2, 3)),
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor", (200, 0, 0)),
        ({"name": "Stroma", "colorRGB": -6895466}, "Stroma", (150, 200, 150)),
    ],
)
def test_forms_of_classes(tmp_path: Path, classification, name: str | None, color) -> None:
    (found,) = read_value(tmp_path, feature(classification=classification))
    assert (found.class_name, found.color) == (name, color)


def test_colour_of_the_object_where_the_class_has_none(tmp_path: Path) -> None:
    packed, plain = read_value(
        tmp_path, [feature(classification="a", color=-3670016), feature(classification="a", color=[9, 8, 7])]
    )
    assert packed.color == (200, 0, 0)
    assert plain.color == (9, 8, 7)


@pytest.mark.parametrize(
    "measurements",
    [
        {"Area": 4, "Bad": "NaN", "Far": "-Infinity"},
        [{"name": "Area", "value": 4}, {"name": "Bad", "value": "NaN"}, {"name": "Far", "value": "-Infinity"}],
    ],
)
def test_forms_of_measurements(tmp_path: Path, measurements) -> None:
    (found,) = read_value(tmp_path, feature(measurements=measurements))
    assert found.measurements["Area"] == 4
    assert np.isnan(found.measurements["Bad"])
    assert found.measurements["Far"] == -np.inf


@pytest.mark.parametrize("key", ["childObjects", "children"])
def test_children_follow_their_parent(tmp_path: Path, key: str) -> None:
    tree = feature(name="a", **{key: [feature(name="b", **{key: [feature(name="c")]}), feature(name="d")]})
    assert [item.name for item in read_value(tmp_path, [tree, feature(name="e")])] == ["a", "b", "c", "d", "e"]


def test_cells_have_a_nucleus(tmp_path: Path) -> None:
    inner = {"type": "Polygon", "coordinates": [[[12, 22], [14, 22], [14, 24], [12, 22]]]}
    (found,) = read_value(tmp_path, {**feature(objectType="cell"), "nucleusGeometry": inner})
    assert found.object_type == "cell"
    np.testing.assert_array_equal(found.nucleus_outline[0][0], [[22, 12], [22, 14], [24, 14]])


@pytest.mark.parametrize(
    ("old", "object_type"),
    [("PathDetectionObject", "detection"), ("PathCellObject", "cell"), ("PathAnnotationObject", "annotation")],
)
def test_files_of_before_uuids(tmp_path: Path, old: str, object_type: str) -> None:
    (found,) = read_value(tmp_path, {**feature(), "id": old})
    assert found.uuid is None
    assert found.object_type == object_type


@pytest.mark.parametrize(
    ("geometry", "points"),
    [
        ({"type": "Point", "coordinates": [3, 4]}, [[4, 3]]),
        ({"type": "MultiPoint", "coordinates": [[3, 4], [5, 6.5]]}, [[4, 3], [6.5, 5]]),
        ({"type": "LineString", "coordinates": [[3, 4], [5, 6]]}, [[4, 3], [6, 5]]),
        ({"type": "MultiLineString", "coordinates": [[[3, 4], [5, 6]], [[7, 8], [9, 9]]]}, None),
        (None, []),
    ],
)
def test_geometries_without_area(tmp_path: Path, geometry, points) -> None:
    (found,) = read_value(tmp_path, feature(geometry))
    assert found.outline == ()
    assert found.geometry_type == (geometry["type"] if geometry else "")
    if points is not None:
        assert found.points.tolist() == points
    else:
        assert len(found.points) == 4


def test_holes_parts_open_rings_and_heights(tmp_path: Path) -> None:
    shell = [[0, 0, 1], [9, 0, 1], [9, 9, 1], [0, 9, 1]]
    hole = [[2, 2], [2, 4], [4, 4], [4, 2], [2, 2]]
    geometry = {"type": "MultiPolygon", "coordinates": [[shell, hole], [[[20, 0], [22, 0], [22, 1]]]]}
    (found,) = read_value(tmp_path, feature(geometry))
    assert [[len(ring) for ring in part] for part in found.outline] == [[4, 4], [3]]
    filled = fill_outlines([(1, found.outline)], Rect(0, 0, 10, 24))
    assert filled.sum() == 81 - 4 + 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "expected '{' before the end"),
        ("hello", "expected '{' at character 0"),
        ('{"type": "FeatureCollection", "features": [', "Expecting value"),
        ('[{"geometry": null}, {"geometry": nul}]', "Expecting value"),
        ('[{"geometry": null} 3]', "expected ',' or ']' at character 20"),
        ("[] []", "more text behind"),
        ('{3: "x"}', "expected '\"' at character 1"),
        ("[" * 200000, "nested too deeply"),
        ({"a": 1}, "feature 1: expected a GeoJSON feature"),
        ([feature(), 7], "feature 2: expected a GeoJSON feature"),
        ([POLYGON], "feature 1: expected a GeoJSON feature"),
        (feature({"type": "Circle", "coordinates": [1, 2]}), "unknown geometry 'Circle'"),
        (feature({"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]}), "at least three corners"),
        (feature({"type": "Polygon", "coordinates": [[[1, 2], [3, None], [1, 3], [1, 2]]]}), "not finite"),
        (feature({"type": "Polygon", "coordinates": [[["a", 2], [3, 4], [1, 3], [1, 2]]]}), "wrong form"),
        (feature({"type": "Polygon", "coordinates": [[[1], [3], [1]]]}), "wrong form"),
        (feature({"type": "Polygon", "coordinates": 3}), "wrong form"),
        (feature({"type": "Polygon", "coordinates": [[]]}), "wrong form"),
        (feature(objectType="blob"), "unknown \"objectType\" 'blob'"),
        (feature(objectType=["x"]), 'unknown "objectType"'),
        (feature(classification=3), '"classification" must be'),
        (feature(classification={"name": "a", "color": "red"}), "a colour must be"),
        (feature(classification={"name": "a", "color": [1, 2, 256]}), "a colour must be"),
        (feature(measurements={"a": "many"}), '"measurements" must hold'),
        (feature(measurements=[1, 2]), '"measurements" must hold'),
        (feature(metadata=[1]), '"metadata" must be an object'),
        (feature(childObjects={"a": 1}), '"childObjects" must be a list'),
    ],
)
def test_garbage_is_refused_in_one_line(tmp_path: Path, value, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_value(tmp_path, value)
    text = str(caught.value)
    assert message in text
    assert str(tmp_path / "in.geojson") in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"\x1f\x8bnot gzip",
        gzip.compress(b'[{"geometry": null}]', mtime=0)[:-9],
        b"PK\x03\x04 not zip",
    ],
)
def test_unreadable_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.geojson"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not readable"):
        list(read_geojson(path))


def test_missing_files_and_archives_without_features(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_geojson(tmp_path / "none.geojson"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match="holds no"):
        list(read_geojson(tmp_path / "a.zip"))


def test_features_longer_than_the_reading_step(tmp_path: Path) -> None:
    # About 4 MB in one feature among small ones, so that values are cut by the end of a step many times.
    long = feature(name="n" * 3_000_000, measurements={f"m{number}": number * 1.5 for number in range(50_000)})
    found = read_value(tmp_path, [feature(name="a"), long, feature(name="b")])
    assert [len(item.name or "") for item in found] == [1, 3_000_000, 1]
    assert found[1].measurements["m49999"] == 74998.5


def test_numbers_are_not_cut_by_the_reading_step(tmp_path: Path) -> None:
    # A bare number in a collection's members, placed so that the step of 2**20 characters ends inside it.
    start = '{"type": "FeatureCollection", "pad": "'
    for shift in range(4):
        pad = "x" * ((1 << 20) - len(start) - len('", "n": ') - shift)
        text = start + pad + '", "n": 12345, "features": ' + json.dumps([feature(name="a")]) + "}"
        assert [item.name for item in read_value(tmp_path, text)] == ["a"]
