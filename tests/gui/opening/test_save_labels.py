"""Label layers on disk: ids and outlines come back as they were."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from napari.layers import Labels

from pathloop.core import ClassSpec, Instances, Rect, Scale, UsageError
from pathloop.gui.opening._labels_to_save import found_objects
from pathloop.gui.writer import write_ome_zarr, write_outlines
from pathloop.interchange import read_geojson
from pathloop.loop import ObjectFrame
from pathloop.rasters import fill_outlines, open_label_pyramid


@pytest.fixture
def ids(rng):
    made = np.zeros((900, 700), np.int32)
    for number in range(1, 60):
        y, x = rng.integers(0, 860), rng.integers(0, 660)
        made[y : y + rng.integers(3, 40), x : x + rng.integers(3, 40)] = number
    return made


def written(writer, path, layer):
    data, meta, _ = layer.as_layer_data_tuple()
    return writer(str(path), data, meta)


def test_ome_zarr_holds_the_ids(ids, tmp_path):
    path = tmp_path / "out.ome.zarr"
    layer = Labels(ids, scale=(0.5, 0.25), units=("um", "um"), translate=(50, 10), name="mine")
    assert written(write_ome_zarr, path, layer) == [str(path)]
    pyramid = open_label_pyramid(path)
    np.testing.assert_array_equal(pyramid.read(pyramid.bounds), ids)
    np.testing.assert_array_equal(pyramid.levels[1][:], ids[::2, ::2])
    (image,) = zarr.open_group(path, mode="r").attrs["ome"]["multiscales"]
    assert [axis["unit"] for axis in image["axes"]] == ["micrometer"] * 2
    scale, move = image["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == [1.0, 0.5]
    assert move["translation"] == [50, 10]
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(UsageError, match="exists already"):
        written(write_ome_zarr, path, layer)


def test_unknown_sizes_get_no_unit(ids, tmp_path):
    written(write_ome_zarr, tmp_path / "out.zarr", Labels(ids))
    (image,) = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs["ome"]["multiscales"]
    assert image["axes"] == [{"name": name, "type": "space"} for name in "yx"]
    assert not (tmp_path / "zarr.json").exists()


def test_geojson_outlines_fill_to_the_same_ids(ids, tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.gui.opening._labels_to_save.BLOCK_PX", 128)
    written(write_outlines, tmp_path / "out.geojson", Labels([ids, ids[::2, ::2]], multiscale=True, name="mine"))
    back = np.zeros_like(ids)
    for item in read_geojson(tmp_path / "out.geojson"):
        number = int(item.metadata["id"])
        filled = fill_outlines([(number, item.outline)], Rect(0, 0, *ids.shape))
        back[filled > 0] = number
    np.testing.assert_array_equal(back, ids)


def test_a_window_s_outlines_lie_where_it_lies_on_the_slide(tmp_path):
    window = np.zeros((20, 20), np.int32)
    window[3:6, 4:9] = 7
    layer = Labels(window, scale=(0.5, 0.5), units=("um", "um"), translate=(100, 50))
    written(write_outlines, tmp_path / "w.geojson", layer)
    (feature,) = json.loads((tmp_path / "w.geojson").read_text())["features"]
    xs, ys = np.array(feature["geometry"]["coordinates"][0]).T
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (104, 109, 203, 206)


def test_stacks_are_refused(tmp_path):
    with pytest.raises(UsageError, match="flat"):
        written(write_outlines, tmp_path / "w.geojson", Labels(np.zeros((3, 9, 9), int)))


def test_objects_are_found_over_blocks(ids, monkeypatch):
    monkeypatch.setattr("pathloop.gui.opening._labels_to_save.BLOCK_PX", 100)
    found = found_objects(lambda rect: ids[rect.slices], Rect(0, 0, *ids.shape))
    for row, number in enumerate(found.ids):
        ys, xs = np.nonzero(ids == number)
        assert found.areas_px[row] == len(ys)
        assert found.boxes[row].tolist() == [ys.min(), xs.min(), ys.max() + 1, xs.max() + 1]
        np.testing.assert_allclose(found.centroids[row], (ys.mean(), xs.mean()))
    assert set(found.ids) == set(np.unique(ids)) - {0}


@pytest.fixture
def own_layer(ids, monkeypatch):
    """A layer of ours, that shows codes and not ids, on a slide that is open."""
    instances = found_objects(lambda rect: ids[rect.slices], Rect(0, 0, *ids.shape))
    n = len(instances)
    fields = {name: getattr(instances, name) for name in Instances.__dataclass_fields__}
    instances = Instances(**fields | {"class_codes": np.ones(n, np.int16), "confidences": np.full(n, 0.5, np.float32)})
    states = (np.arange(n) % 3).astype(np.uint8)
    classes = (ClassSpec(name="tumor", color=(200, 0, 0)),)
    frame = ObjectFrame("nuclei", instances, states, np.arange(n) == 1, classes, Scale(0.5, 0.5))
    layers = SimpleNamespace(read_ids=lambda task, rect: ids[rect.slices])
    desk = SimpleNamespace(tasks=("nuclei",), frame=lambda task: frame, layers=layers)
    slide = SimpleNamespace(shape=ids.shape)
    opened = SimpleNamespace(
        name="s", desk=desk, slide=slide, scale=Scale(0.5, 0.5), slide_id="s", project_path=None, layer=None
    )
    monkeypatch.setattr("napari.current_viewer", lambda: "viewer")
    monkeypatch.setattr("pathloop.gui._current.session_for", lambda viewer: SimpleNamespace(opened=[opened]))
    return lambda task, slide="s": Labels(
        (ids > 0).astype(np.uint8), name="x", metadata={"pathloop": {"slide": slide, "task": task}}
    )


def test_our_own_layers_give_objects_and_not_colour_codes(own_layer, ids, tmp_path):
    written(write_ome_zarr, tmp_path / "own.zarr", own_layer("nuclei"))
    pyramid = open_label_pyramid(tmp_path / "own.zarr")
    np.testing.assert_array_equal(pyramid.read(pyramid.bounds), ids)
    written(write_outlines, tmp_path / "own.geojson", own_layer("nuclei"))
    found = {int(item.metadata["id"]): item for item in read_geojson(tmp_path / "own.geojson")}
    assert set(found) == set(np.unique(ids)) - {0}
    assert {item.class_name for item in found.values()} == {"tumor"}
    assert {item.metadata["state"] for item in found.values()} == {"predicted", "edited", "accepted"}
    assert sum(item.is_locked for item in found.values()) == 1


def test_maps_are_saved_as_they_are_and_closed_slides_say_so(own_layer, tmp_path):
    written(write_ome_zarr, tmp_path / "map.zarr", own_layer("tissue"))
    assert open_label_pyramid(tmp_path / "map.zarr").levels[0][:].max() == 1
    with pytest.raises(UsageError, match="not open any more"):
        written(write_outlines, tmp_path / "own.geojson", own_layer("nuclei", "other"))
