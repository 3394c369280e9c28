import gzip
import itertools
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
import shapely.geometry
from drawn_features import TUMOR, crop, table_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.core import DataError, Instances, Rect, Scale, UsageError
from pathloop.interchange import (
    ObjectTable,
    OutlinedObject,
    SlideIdentity,
    object_uuid,
    outlined_objects,
    read_geojson,
    read_label_image,
    write_geojson,
)
from pathloop.rasters import fill_outlines, trace_outlines

PROJECT = uuid.UUID("5b0c2f0e-55ad-4b52-9c0a-7c1b1f2d3e4f")
SLIDE = SlideIdentity(PROJECT, "case-7", Scale(0.25, 0.5))
SQUARE = np.array([[20, 10], [20, 30], [40, 30], [40, 10]], np.int32)

label_images = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16), elements=st.sampled_from([0, 0, 3, 8])
)


def one(**changes) -> OutlinedObject:
    return OutlinedObject(**{"task": "nuclei", "id": 812, "outline": ((SQUARE,),), **changes})


def check_for_qupath(text: str) -> list[dict]:
    """QuPath's rules for files, each on its own."""
    collection = json.loads(text, parse_constant=lambda name: pytest.fail(f"bare {name}"))
    assert list(collection) == ["type", "features"]
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        assert feature["type"] == "Feature"
        assert str(uuid.UUID(feature["id"])) == feature["id"]
        geometry = feature["geometry"]
        assert geometry["type"] in ("Polygon", "MultiPolygon")
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        assert len(parts) > (geometry["type"] == "MultiPolygon")
        for ring in itertools.chain.from_iterable(parts):
            assert ring[0] == ring[-1]
            assert len(ring) >= 4
            assert all(len(position) == 2 for position in ring)
        assert shapely.geometry.shape(geometry).is_valid
        properties = feature["properties"]
        assert properties["objectType"] in ("annotation", "detection")
        assert isinstance(properties["name"], str)
        if "classification" in properties:
            assert set(properties["classification"]) == {"name", "color"}
            color = properties["classification"]["color"]
            assert len(color) == 3
            assert all(isinstance(value, int) and 0 <= value <= 255 for value in color)
        assert properties.get("isLocked", True) is True
        assert all(isinstance(value, int | float) for value in properties["measurements"].values())
        assert all(isinstance(value, str) for value in properties["metadata"].values())
    assert len({feature["id"] for feature in collection["features"]}) == len(collection["features"])
    return collection["features"]


@given(label_images)
def test_label_image_to_file_and_back_is_exact(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("export") / "case-7.geojson"
    table = table_of(labels)
    write_geojson(path, outlined_objects(table, crop(labels)), slide=SLIDE)
    features = check_for_qupath(path.read_text(encoding="utf-8"))
    found = list(read_geojson(path))
    ids = [int(item.metadata["id"]) for item in found]
    assert ids == table.instances.ids.tolist()
    filled = fill_outlines(((i, item.outline) for i, item in zip(ids, found, strict=True)), Rect(0, 0, *labels.shape))
    np.testing.assert_array_equal(filled, labels)
    for feature, area in zip(features, table.instances.areas_px.tolist(), strict=True):
        assert shapely.geometry.shape(feature["geometry"]).area == area


def test_a_feature_to_the_letter(tmp_path: Path) -> None:
    item = one(class_spec=TUMOR, area_px=400, confidence=0.93, state="edited", is_locked=True)
    path = write_geojson(tmp_path / "a.geojson", [item], slide=SLIDE)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": str(uuid.uuid5(PROJECT, "case-7/nuclei/812")),
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[10, 20], [30, 20], [30, 40], [10, 40], [10, 20]]],
                },
                "properties": {
                    "objectType": "detection",
                    "name": "nucleus 812",
                    "classification": {"name": "Tumor", "color": [200, 0, 0]},
                    "isLocked": True,
                    "measurements": {"Area px^2": 400.0, "Area um^2": 50.0, "Confidence": 0.93},
                    "metadata": {"state": "edited", "task": "nuclei", "id": "812"},
                },
            }
        ],
    }


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    item = one(class_spec=TUMOR, area_px=400, class_probability=0.5, is_locked=True, measurements={"Roundness": 0.25})
    (found,) = read_geojson(write_geojson(tmp_path / "a.geojson", [item], slide=SLIDE))
    assert found.uuid == object_uuid(PROJECT, "case-7", "nuclei", 812)
    assert found.object_type == "detection"
    assert found.geometry_type == "Polygon"
    np.testing.assert_array_equal(found.outline[0][0], SQUARE)
    assert (found.class_name, found.color, found.name) == ("Tumor", (200, 0, 0), "nucleus 812")
    assert found.is_locked
    assert found.measurements == {"Area px^2": 400, "Area um^2": 50, "Class probability": 0.5, "Roundness": 0.25}
    assert found.metadata == {"state": "predicted", "task": "nuclei", "id": "812"}


def test_unknown_values_are_left_out(tmp_path: Path) -> None:
    nameless = SlideIdentity(PROJECT, "case-7")
    item = one(area_px=400, measurements={"Solidity": float("nan"), "Ratio": float("inf")})
    path = write_geojson(tmp_path / "a.geojson", [item], slide=nameless)
    (feature,) = check_for_qupath(path.read_text(encoding="utf-8"))
    assert feature["properties"]["measurements"] == {"Area px^2": 400}
    assert "classification" not in feature["properties"]
    assert "isLocked" not in feature["properties"]


@pytest.mark.parametrize(
    ("task", "object_type", "name"),
    [
        ("nuclei", "detection", "nucleus 812"),
        ("gland", "annotation", "gland 812"),
        ("lumen", "annotation", "lumen 812"),
        ("tissue", "annotation", "tissue 812"),
    ],
)
def test_object_type_and_name_by_task(tmp_path: Path, task: str, object_type: str, name: str) -> None:
    path = write_geojson(tmp_path / "a.geojson", [one(task=task)], slide=SLIDE)
    (feature,) = check_for_qupath(path.read_text(encoding="utf-8"))
    assert feature["properties"]["objectType"] == object_type
    assert feature["properties"]["name"] == name


def test_other_tasks_can_be_detections(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    write_geojson(path, [one(task="lymphocyte")], slide=SLIDE, detection_tasks=frozenset({"lymphocyte"}))
    assert next(read_geojson(path)).object_type == "detection"


def test_uuids_differ_by_project_slide_task_and_id() -> None:
    other = uuid.UUID(int=4)
    names = [object_uuid(*key) for key in itertools.product([PROJECT, other], ["a", "b"], ["nuclei", "gland"], [1, 2])]
    assert len(set(names)) == 16
    assert all(name.version == 5 for name in names)


def test_outlines_off_the_pixel_grid_keep_two_decimals(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [one(outline=((SQUARE * 1.0017,),))], slide=SLIDE)
    (feature,) = check_for_qupath(path.read_text(encoding="utf-8"))
    assert feature["geometry"]["coordinates"][0][0] == [10.02, 20.03]


def test_large_files_are_packed_and_replace_the_plain_one(tmp_path: Path) -> None:
    path, packed = tmp_path / "a.geojson", tmp_path / "a.geojson.gz"
    objects = [one(id=number, class_spec=TUMOR) for number in range(1, 40)]
    assert write_geojson(path, objects, slide=SLIDE) == path
    plain = path.read_bytes()
    assert write_geojson(path, objects, slide=SLIDE, gzip_above_bytes=len(plain) - 1) == packed
    assert sorted(tmp_path.iterdir()) == [packed]
    assert gzip.decompress(packed.read_bytes()) == plain
    first = packed.read_bytes()
    assert [item.name for item in read_geojson(packed)] == [f"nucleus {number}" for number in range(1, 40)]
    write_geojson(path, objects, slide=SLIDE, gzip_above_bytes=100)
    assert packed.read_bytes() == first
    assert write_geojson(path, objects, slide=SLIDE, gzip_above_bytes=len(plain)) == path
    assert sorted(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == plain


def test_an_error_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text("old")

    def broken() -> Iterator[OutlinedObject]:
        yield one()
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_geojson(path, broken(), slide=SLIDE)
    with pytest.raises(DataError, match="nuclei 5 has no outline"):
        write_geojson(path, [one(), one(id=5, outline=())], slide=SLIDE)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_geojson_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.geojson"):
        write_geojson(tmp_path / "a.json", [one()], slide=SLIDE)


def test_no_objects_are_an_empty_collection(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [], slide=SLIDE)
    assert check_for_qupath(path.read_text(encoding="utf-8")) == []
    assert list(read_geojson(path)) == []


def test_annotated_nuclei_of_real_images_go_out_and_come_back(data_dir: Path, tmp_path: Path) -> None:
    files = sorted((data_dir / "open" / "cpm_sbu" / "labels").glob("*"))[:3]
    assert files
    for file in files:
        labels = read_label_image(file)
        polygons = {i: shapely.MultiPolygon([(p[0], p[1:]) for p in o]) for i, o in trace_outlines(labels)}
        boxes = np.array([np.array(polygon.bounds, int) for polygon in polygons.values()])
        n = len(boxes)
        instances = Instances(
            ids=np.array(list(polygons)),
            boxes=boxes,
            centroids=np.array([[p.centroid.x, p.centroid.y] for p in polygons.values()]) - 0.5,
            areas_px=np.bincount(labels[labels > 0])[list(polygons)],
            confidences=np.ones(n, np.float32),
            class_codes=np.ones(n, np.int16),
            class_probabilities=np.full(n, np.nan, np.float32),
        )
        assert shapely.is_valid(list(polygons.values())).all()
        np.testing.assert_array_equal(shapely.area(list(polygons.values())), instances.areas_px)
        table = ObjectTable("nuclei", instances, (TUMOR,))
        path = write_geojson(
            tmp_path / "nuclei.geojson", outlined_objects(table, crop(labels), block_px=256), slide=SLIDE
        )
        assert len(check_for_qupath(path.read_text(encoding="utf-8"))) == n
        outlines = ((int(item.metadata["id"]), item.outline) for item in read_geojson(path))
        np.testing.assert_array_equal(fill_outlines(outlines, Rect(0, 0, *labels.shape)), labels)
