"""`export --format labels-zarr`: the file opens as a whole, in other programs too."""

from dataclasses import replace

import numpy as np
import pytest
import zarr
from drawn_slides import SHAPE
from project_views import OBJECT_TASKS, all_labels, opened

from pathloop.core import Rect
from pathloop.loop import ExportRequest, export
from pathloop.loop._overview import overview
from pathloop.slides import open_slide

ROI = Rect(51, 83, 140, 200)


def exported(project, output, roi=None):
    for _ in export(ExportRequest(project, "labels-zarr", output, roi=roi)):
        pass
    return output / "blobs.ome.zarr"


@pytest.mark.parametrize("roi", [None, ROI])
def test_the_slide_lies_beside_its_labels(segmented, tmp_path, roi):
    path = exported(segmented[0], tmp_path, roi)
    found = zarr.open_group(path, mode="r")
    window = roi or Rect(0, 0, *SHAPE)
    with opened(segmented[0]) as project, open_slide(project.slide("blobs").path) as slide:
        np.testing.assert_array_equal(np.moveaxis(found["0"][:], 0, 2), slide.read(window))
    (image,) = found.attrs["ome"]["multiscales"]
    assert len(image["datasets"]) == len(found["labels/gland"].attrs["ome"]["multiscales"][0]["datasets"])


def test_classes_and_states_come_along(segmented, tmp_path):
    found = zarr.open_group(exported(segmented[0], tmp_path), mode="r")
    for task, ids in all_labels(segmented[0]).items():
        properties = found[f"labels/{task}"].attrs["ome"]["image-label"]["properties"]
        assert [one["label-value"] for one in properties] == np.unique(ids[ids > 0]).tolist()
        assert {one["state"] for one in properties} == {"predicted"}


def test_a_slide_that_is_gone_leaves_labels_alone(segmented, tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.loop._overview.open_slide", lambda *_, **__: open_slide(tmp_path / "gone.tif"))
    found = zarr.open_group(exported(segmented[0], tmp_path), mode="r")
    assert "ome" not in found.attrs
    assert np.array_equal(found["labels/gland/0"][:], all_labels(segmented[0])["gland"])


def test_another_slide_in_its_place_is_not_shown(segmented, tmp_path):
    with opened(segmented[0]) as project:
        record = project.slide("blobs")
    assert overview(record, ROI) is not None
    assert overview(replace(record, fingerprint="0" * 64), ROI) is None


@pytest.mark.parametrize("window", [Rect(0, 0, *SHAPE), ROI, Rect(7, 11, 33, 150)])
def test_a_reduced_picture_lies_where_its_window_does(segmented, monkeypatch, window):
    """Centres of mass of darkness agree to a tenth of a level-0 pixel per reduction, whatever the window's corner."""
    monkeypatch.setattr("pathloop.loop._overview.OVERVIEW_PX", 64)
    with opened(segmented[0]) as project:
        record = project.slide("blobs")
    small = overview(record, window)
    assert max(small.shape[:2]) == 64
    with open_slide(record.path) as slide:
        full = slide.read(window)
    factor = window.height / small.shape[0], window.width / small.shape[1]
    centres = []
    for pixels, (fy, fx) in ((full, (1.0, 1.0)), (small, factor)):
        dark = 255.0 - pixels.mean(axis=2)
        y, x = np.indices(dark.shape)
        centres.append(((dark * (y + 0.5) * fy).sum() / dark.sum(), (dark * (x + 0.5) * fx).sum() / dark.sum()))
    assert np.abs(np.subtract(*centres)).max() < 0.25 * max(factor)


def test_napari_ome_zarr_opens_it(segmented, tmp_path):
    """The reader that most people have for OME-Zarr shows the slide and every task's labels over it."""
    reader = pytest.importorskip("napari_ome_zarr", reason="needs napari-ome-zarr")
    path = exported(segmented[0], tmp_path, ROI)
    layers = reader.napari_get_reader(str(path))(str(path))
    kinds = [layer[2] for layer in layers]
    assert kinds == ["image"] + ["labels"] * len(OBJECT_TASKS)
    truth = all_labels(segmented[0])
    for data, options, kind in layers:
        # it leaves translations out (0.10), those of image and labels alike
        assert np.allclose(options["scale"], 0.5)
        if kind == "labels":
            task = options["name"].rpartition("/")[2]
            assert np.array_equal(np.asarray(data[0]), truth[task][ROI.slices])
