"""Label images of other tools as predictions."""

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from drawn_projects import brought, entries, everything, make_project, measured, rows, whole_labels

from pathloop.core import DataError, Rect, UsageError
from pathloop.loop import ExportRequest, export, unfinished_runs
from pathloop.loop.correct import set_objects
from pathloop.store import Project

pytestmark = pytest.mark.slow

SHAPE = (300, 260)


def squares(*corners, side=20):
    labels = np.zeros(SHAPE, np.int64)
    for number, (y, x) in enumerate(corners, 1):
        labels[y : y + side, x : x + side] = number
    return labels


OLD = squares((10, 10), (100, 100), (200, 200)).astype(np.int32)
NEW = squares((10, 15), (50, 50), (105, 105), (250, 30))
NEW[NEW > 0] = np.array([0, 7, 3_000_000_000, 12, 900])[NEW[NEW > 0]]
"""Ids with gaps, in no order of place, larger than those of projects."""


@pytest.fixture
def path(folder):
    return make_project(folder, nuclei=OLD)


def as_tiff(path, labels, **options):
    file = path.parent / "stardist.tif"
    tifffile.imwrite(file, labels, **options)
    return file


def ngff(folder, labels, name):
    """A label group of OME-Zarr 0.4 (zarr 2) inside an image."""
    image = zarr.open_group(folder, mode="w", zarr_format=2)
    group = image.require_group("labels").create_group(name)
    image["labels"].attrs["labels"] = [name]
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}, {"path": "1"}]}]
    for level, data in enumerate((labels[None], labels[None, ::2, ::2])):
        array = group.create_array(str(level), shape=data.shape, dtype=data.dtype, chunks=(1, 64, 64))
        array[:] = data


@pytest.mark.parametrize("kind", ["tiff", "tiled", "png", "ome-zarr", "zarr"])
def test_every_kind_of_file_brings_the_same(path, kind):
    labels = NEW.astype(np.uint32)
    if kind == "tiff":
        file = as_tiff(path, labels)
    elif kind == "tiled":
        file = as_tiff(path, labels[None, :, :, None], tile=(64, 64), compression="zlib")
    elif kind == "png":
        labels = np.where(labels == 3_000_000_000, 40_000, labels).astype(np.uint16)
        file = path.parent / "cells.png"
        assert cv2.imwrite(str(file), labels)
    elif kind == "ome-zarr":
        file = path.parent / "stardist.ome.zarr"
        ngff(file, labels, "cells")
    else:
        file = path.parent / "stardist.zarr"
        zarr.save_array(file, labels)
    summary, messages = brought(path, file, task="nuclei")
    assert (summary["objects"], summary["words"], messages) == (4, f"4 nuclei of {file.name}", [])
    found = whole_labels(path)
    # ids follow on those of the project, by ascending id of the file
    _, rank = np.unique(labels, return_inverse=True)
    np.testing.assert_array_equal(found, np.where(labels > 0, rank.reshape(SHAPE) + 3, 0))
    truth = measured(found)
    for row, number in enumerate(truth.ids.tolist()):
        own = rows(path)[number]
        assert own.box == tuple(truth.boxes[row])
        assert (own.area_px, own.class_code, own.state, own.confidence) == (400, 1, "predicted", 1.0)
    with Project.open(path, write=False) as project:
        run = project.runs("s")[-1]
        assert (run.parameters["model"], run.state, run.areas) == (
            file.name,
            "finished",
            {"nuclei": Rect(0, 0, *SHAPE)},
        )
        assert unfinished_runs(project, "s") == []


def test_the_same_file_twice_and_undo(path):
    before = everything(path)
    file = as_tiff(path, NEW.astype(np.uint32))
    brought(path, file, task="nuclei")
    after = everything(path)
    assert brought(path, file, task="nuclei")[0]["words"] == ""
    assert everything(path) == after
    with Project.open(path, write=True) as project:
        project.undo("s")
    assert everything(path) == before
    assert brought(path, file, task="nuclei")[0]["objects"] == 4
    np.testing.assert_array_equal(whole_labels(path) > 0, NEW > 0)


def test_reviewed_objects_stay(path):
    with Project.open(path, write=True) as project:
        set_objects(project, "s", "nuclei", [2], state="accepted")
        set_objects(project, "s", "nuclei", [3], locked=True)
    summary, _ = brought(path, as_tiff(path, NEW.astype(np.uint32)), task="nuclei")
    found = whole_labels(path)
    np.testing.assert_array_equal(np.where(np.isin(found, [2, 3]), found, 0), np.where(OLD > 1, OLD, 0))
    # the one that lies on object 2 with more than half of itself is dropped
    assert summary["objects"] == 3
    assert len(rows(path)) == 5


def test_a_part_of_the_slide(path):
    part = NEW[:120, :90].astype(np.uint32)
    summary, _ = brought(path, as_tiff(path, part), task="nuclei", roi=Rect(100, 150, 120, 90))
    found = whole_labels(path)
    assert summary["objects"] == 2
    np.testing.assert_array_equal(found[100:220, 150:240] >= 4, part > 0)
    np.testing.assert_array_equal(found[:100], OLD[:100])


def test_a_new_task_gets_a_class_of_its_name(path):
    brought(path, as_tiff(path, NEW.astype(np.uint32)), task="vessel")
    with Project.open(path, write=False) as project:
        assert [spec.name for spec in project.classes("vessel")] == ["vessel"]
        assert project.tasks("s") == ["nuclei", "vessel"]


def test_what_an_export_wrote_comes_back(path):
    out = path.parent / "out"
    list(export(ExportRequest(path, "labels-tiff", out)))
    brought(path, out / "s_nuclei.tif", task="nuclei")
    np.testing.assert_array_equal(whole_labels(path) > 0, OLD > 0)
    assert len(rows(path)) == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (NEW[:-1].astype(np.uint32), r"stardist\.tif: is 299 x 260 px, slide 's' is 300 x 260 px here"),
        (np.zeros(SHAPE, np.uint8), "holds no object, every pixel is 0"),
        (np.where(NEW, 255, 0).astype(np.uint8), r"is a mask \(0 and 255\)"),
        (NEW > 0, "a mask, not one number an object"),
        (NEW.astype(np.float32), "not whole numbers"),
        (np.where(NEW, -1, 0).astype(np.int32), "holds negative values"),
        (np.zeros((*SHAPE, 3), np.uint8), "has shape 300 x 260 x 3, not one channel"),
    ],
    ids=["size", "empty", "mask", "bool", "float", "negative", "colour"],
)
def test_wrong_images_change_nothing(path, labels, message):
    before = everything(path)
    options = {"photometric": "rgb"} if labels.ndim == 3 else {}
    with pytest.raises(DataError, match=message):
        brought(path, as_tiff(path, labels, **options), task="nuclei")
    assert everything(path) == before
    assert entries(path) == []
    with Project.open(path, write=False) as project:
        assert len(project.runs("s")) == 1


def test_wrong_files_and_options(path):
    text = path.parent / "a.tif"
    text.write_text("not a TIFF")
    with pytest.raises(DataError, match="not readable as TIFF"):
        brought(path, text, task="nuclei")
    file = as_tiff(path, NEW.astype(np.uint32))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match=r"not readable|damaged"):
        brought(path, file, task="nuclei")
    empty = path.parent / "folder"
    empty.mkdir()
    with pytest.raises(DataError, match="not readable as a zarr label image"):
        brought(path, empty, task="nuclei")
    with pytest.raises(DataError, match="no such file"):
        brought(path, path.parent / "nowhere.tif", task="nuclei")
    with pytest.raises(UsageError, match="--task nuclei"):
        brought(path, as_tiff(path, NEW.astype(np.uint32)))
    with pytest.raises(UsageError, match="does not lie inside slide"):
        brought(path, as_tiff(path, NEW.astype(np.uint32)), task="nuclei", roi=Rect(200, 0, 300, 20))
    with pytest.raises(UsageError, match="--delete-missing is for outlines"):
        brought(path, as_tiff(path, NEW.astype(np.uint32)), task="nuclei", delete_missing=True)
