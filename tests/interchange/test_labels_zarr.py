"""Label images of a slide as OME-Zarr: what is read back, the rules of NGFF 0.5, whole or not at all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from drawn_features import TUMOR, crop, instances_of, table_of
from drawn_regions import discs

from pathloop.core import Rect, Scale, UsageError
from pathloop.interchange import ObjectTable, write_labels_zarr
from pathloop.interchange import _labels_zarr as module
from pathloop.rasters import open_label_pyramid

SCALE = Scale(0.25, 0.5)
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def labels(shape: tuple[int, int] = (700, 1300)) -> np.ndarray:
    return discs(shape, 60, np.random.default_rng(3), (5, 60))


def picture(shape: tuple[int, int]) -> np.ndarray:
    return np.full((shape[0] // 10, shape[1] // 10, 3), (230, 180, 220), np.uint8)


def attributes(path: Path) -> dict[str, Any]:
    text = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    assert text["zarr_format"] == 3
    assert text["node_type"] == "group"
    return text["attributes"]["ome"]


def check_transforms(level: dict[str, Any], n_axes: int) -> list[float]:
    """A scale, then at most a translation, one value an axis. Returns the scale."""
    transforms = level["coordinateTransformations"]
    assert [one["type"] for one in transforms] in (["scale"], ["scale", "translation"])
    for one in transforms:
        assert len(one[one["type"]]) == n_axes
    assert all(value > 0 for value in transforms[0]["scale"])
    return transforms[0]["scale"]


def check_multiscales(path: Path) -> list[zarr.Array]:
    """The rules of NGFF 0.5 for an image, whatever it is an image of. Returns its levels."""
    ome = attributes(path)
    assert ome["version"] == "0.5"
    (image,) = ome["multiscales"]
    names, kinds = zip(*((axis["name"], axis["type"]) for axis in image["axes"]), strict=True)
    assert len(set(names)) == len(names)
    assert kinds in (("space", "space"), ("channel", "space", "space"))
    assert all(axis.get("unit", "micrometer") == "micrometer" for axis in image["axes"])
    scales = [check_transforms(level, len(names)) for level in image["datasets"]]
    assert scales == sorted(scales), "levels go from fine to coarse"
    arrays = [zarr.open_array(path / level["path"], mode="r") for level in image["datasets"]]
    assert all(array.ndim == len(names) and array.metadata.dimension_names == names for array in arrays)
    assert len({array.dtype for array in arrays}) == 1
    return arrays


def check_labels(path: Path) -> dict[str, list[zarr.Array]]:
    """The rules for a group of labels. Returns the levels of each."""
    ome = attributes(path / "labels")
    assert "multiscales" not in ome
    assert sorted(ome["labels"]) == sorted(p.name for p in (path / "labels").iterdir() if p.is_dir())
    found = {}
    for name in ome["labels"]:
        found[name] = check_multiscales(path / "labels" / name)
        assert str(found[name][0].dtype) in INTEGERS
        label = attributes(path / "labels" / name)["image-label"]
        values = {key: [one["label-value"] for one in label[key]] for key in ("colors", "properties") if key in label}
        for numbers in values.values():
            assert numbers
            assert len(set(numbers)) == len(numbers)
            assert all(type(number) is int for number in numbers)
            assert numbers == values["properties"]
        for one in label.get("colors", ()):
            assert len(one["rgba"]) == 4
            assert all(type(value) is int and 0 <= value <= 255 for value in one["rgba"])
        if "source" in label:
            assert (path / "labels" / name / label["source"]["image"] / "zarr.json").is_file()
    return found


def test_ids_come_back_and_every_level_samples_them(tmp_path: Path) -> None:
    nuclei, gland = labels(), np.where(labels() % 2 == 1, labels(), 0)
    path = tmp_path / "slide.ome.zarr"
    layers = {"nuclei": crop(nuclei), "gland": crop(gland)}
    written = write_labels_zarr(path, layers, shape=nuclei.shape, um_per_px=SCALE, picture=picture(nuclei.shape))
    assert written == path
    found = check_labels(path)
    for name, truth in (("nuclei", nuclei), ("gland", gland)):
        assert np.array_equal(found[name][0][:], truth)
        pyramid = open_label_pyramid(path / "labels" / name)
        for array, factor in zip(found[name], pyramid.factors, strict=True):
            assert np.array_equal(array[:], truth[::factor, ::factor])
    assert len(check_multiscales(path)) == len(found["nuclei"]), "NGFF: an image has as many levels as its labels"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["slide.ome.zarr"]


def test_blocks_are_small_and_empty_ones_take_no_space(tmp_path: Path) -> None:
    seen: list[Rect] = []
    nuclei = np.zeros((600, 2000), np.int32)
    nuclei[:10, :10] = 5
    path = tmp_path / "slide.ome.zarr"
    write_labels_zarr(path, {"nuclei": crop(nuclei, seen)}, shape=nuclei.shape, um_per_px=SCALE)
    assert max(rect.area for rect in seen) <= 512 * 512
    assert sum(rect.area for rect in seen) == nuclei.size
    assert [p.relative_to(path / "labels/nuclei/0").as_posix() for p in (path / "labels/nuclei/0/c").rglob("*/*")] == [
        "c/0/0"
    ]


def test_objects_are_described_where_they_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nuclei = np.searchsorted(np.unique(labels()), labels()).astype(np.int32)
    table = table_of(nuclei)
    for limit, described in ((len(table.instances), True), (len(table.instances) - 1, False)):
        monkeypatch.setattr(module, "DESCRIBED_OBJECTS", limit)
        path = tmp_path / f"{limit}.ome.zarr"
        write_labels_zarr(
            path, {"nuclei": crop(nuclei)}, shape=nuclei.shape, um_per_px=SCALE, objects={"nuclei": table}
        )
        check_labels(path)
        label = attributes(path / "labels/nuclei")["image-label"]
        assert ("colors" in label, "properties" in label) == (described, described)
        if described:
            place = int(np.flatnonzero(table.instances.class_codes == 1)[0])
            object_id = int(table.instances.ids[place])
            assert label["colors"][place] == {"label-value": object_id, "rgba": [*TUMOR.color, 255]}
            assert label["properties"][place] == {
                "label-value": object_id,
                "class": "Tumor",
                "state": "predicted",
                "confidence": 0.9,
            }
    # napari refuses colours of larger numbers
    large = np.where(nuclei, nuclei + 2**16, 0).astype(np.int32)
    monkeypatch.setattr(module, "DESCRIBED_OBJECTS", len(table.instances))
    path = tmp_path / "large.ome.zarr"
    write_labels_zarr(
        path, {"nuclei": crop(large)}, shape=large.shape, um_per_px=SCALE, objects={"nuclei": table_of(large)}
    )
    check_labels(path)
    label = attributes(path / "labels/nuclei")["image-label"]
    assert ("colors" in label, "properties" in label) == (False, True)


def test_numbers_that_json_does_not_know_are_null(tmp_path: Path) -> None:
    nuclei = np.ones((8, 8), np.int32)
    instances = instances_of(nuclei)
    instances.confidences[:] = np.nan
    path = tmp_path / "a.zarr"
    objects = {"nuclei": ObjectTable("nuclei", instances, (TUMOR,))}
    write_labels_zarr(path, {"nuclei": crop(nuclei)}, shape=(8, 8), um_per_px=SCALE, objects=objects)
    assert "NaN" not in (path / "labels/nuclei/zarr.json").read_text(encoding="utf-8")
    assert attributes(path / "labels/nuclei")["image-label"]["properties"][0]["confidence"] is None


def test_a_cut_says_where_it_lies_and_unknown_sizes_stay_unknown(tmp_path: Path) -> None:
    nuclei = labels((300, 500))
    path = tmp_path / "cut.ome.zarr"
    options = {"shape": nuclei.shape, "origin": (1000, 30), "picture": picture(nuclei.shape), "about": {"slide": "s"}}
    write_labels_zarr(path, {"nuclei": crop(nuclei)}, um_per_px=SCALE, **options)
    check_labels(path)
    for level in attributes(path / "labels/nuclei")["multiscales"][0]["datasets"]:
        assert level["coordinateTransformations"][1]["translation"] == [250.0, 15.0]
    # the first pixel of the picture stands for 10 x 10: its centre lies at 4.5
    first = attributes(path)["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert first[0]["scale"] == [1.0, 2.5, 5.0]
    assert first[1]["translation"] == [0.0, 1004.5 * 0.25, 34.5 * 0.5]
    assert zarr.open_group(path, mode="r").attrs["pathloop"]["slide"] == "s"
    write_labels_zarr(path, {"nuclei": crop(nuclei)}, um_per_px=None, **options)
    axes = attributes(path / "labels/nuclei")["multiscales"][0]["axes"]
    assert axes == [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    assert attributes(path / "labels/nuclei")["multiscales"][0]["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0]},
        {"type": "translation", "translation": [1000.0, 30.0]},
    ]


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    nuclei = labels((600, 600))
    path = tmp_path / "slide.ome.zarr"
    calls = []

    def fails(rect: Rect) -> np.ndarray:
        calls.append(rect)
        if len(calls) > 2:
            raise RuntimeError("the drive is gone")
        return nuclei[rect.slices]

    with pytest.raises(RuntimeError, match="gone"):
        write_labels_zarr(path, {"nuclei": fails}, shape=nuclei.shape, um_per_px=SCALE)
    assert list(tmp_path.iterdir()) == []
    write_labels_zarr(path, {"nuclei": crop(nuclei)}, shape=nuclei.shape, um_per_px=SCALE)
    calls.clear()
    with pytest.raises(RuntimeError, match="gone"):
        write_labels_zarr(path, {"gland": fails}, shape=nuclei.shape, um_per_px=SCALE)
    assert list(check_labels(path)) == ["nuclei"], "the old one stays"
    write_labels_zarr(path, {"gland": crop(nuclei)}, shape=nuclei.shape, um_per_px=SCALE)
    assert list(check_labels(path)) == ["gland"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["slide.ome.zarr"]


def test_nothing_of_others_is_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine.zarr"
    mine.mkdir()
    (mine / "work.txt").write_text("weeks of it", encoding="utf-8")
    image = tmp_path / "image.zarr"
    zarr.create_group(image, zarr_format=3)
    for path in (mine, image):
        with pytest.raises(UsageError, match="give another name"):
            write_labels_zarr(path, {"nuclei": crop(np.zeros((4, 4), int))}, shape=(4, 4), um_per_px=SCALE)
    assert (mine / "work.txt").read_text(encoding="utf-8") == "weeks of it"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": {}}, "no label image"),
        ({"layers": {"../x": crop(np.zeros((4, 4), int))}}, "no task"),
        ({"objects": {"gland": ObjectTable("gland", instances_of(np.zeros((4, 4), int)))}}, "no task of its layers"),
        ({"path": "a.tif"}, r"must end in \.zarr"),
        ({"picture": np.zeros((4, 4), np.uint8)}, "the picture is uint8"),
        ({"layers": {"nuclei": lambda _: np.full((4, 4), 2**31)}}, "ids must lie in"),
        ({"layers": {"nuclei": lambda _: np.zeros((3, 4), int)}}, "do not fit"),
        ({"shape": (0, 4)}, "at least one pixel"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"layers": {"nuclei": crop(np.zeros((4, 4), int))}, "shape": (4, 4), "um_per_px": SCALE}
    arguments |= changes
    path = tmp_path / arguments.pop("path", "a.ome.zarr")
    with pytest.raises(UsageError, match=words) as caught:
        write_labels_zarr(path, **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
