"""OME-Zarr folders in the window: napari's reader, the panel, and a slide that was moved."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest
from slide_files import picture, write_ome_zarr

import pathloop
from pathloop.core import Rect, SlideError
from pathloop.gui.opening._slide_status import project_slides
from pathloop.gui.reader import get_project_reader, get_slide_reader
from pathloop.store import Project


@pytest.fixture
def folder(tmp_path):
    return write_ome_zarr(tmp_path / "a.ome.zarr", picture(), axes="cyx", um=(0.5, 0.5))


def test_napari_is_given_the_picture_and_left_other_folders(folder, tmp_path):
    ((data, options, kind),) = get_slide_reader(str(folder))(str(folder))
    assert (kind, options["name"], options["scale"]) == ("image", "a", (0.5, 0.5))
    np.testing.assert_array_equal(np.asarray(data), picture())
    options["metadata"]["pathloop"]["slide"].close()
    assert get_project_reader(str(folder)) is None
    (tmp_path / "other").mkdir()
    assert get_slide_reader(str(tmp_path / "other")) is None
    assert get_project_reader(str(tmp_path / "other")) is not None
    labels = write_ome_zarr(tmp_path / "l.zarr", picture()[..., 0], axes="yx", **{"image-label": {}})
    assert get_slide_reader(str(labels)) is None


def test_napari_opens_the_folder(folder, npe2pm):
    npe2pm.register(PluginManifest.from_file(Path(pathloop.__file__).parent / "napari.yaml"))
    viewer = ViewerModel()
    (layer,) = viewer.open(folder, plugin="pathloop")
    assert (layer.name, layer.rgb) == ("a", True)
    np.testing.assert_array_equal(np.asarray(layer.data), picture())
    layer.metadata["pathloop"]["slide"].close()


def test_what_is_no_rgb_says_so(tmp_path):
    path = write_ome_zarr(tmp_path / "five.zarr", np.zeros((80, 90, 5), np.uint8), axes="cyx", levels=0)
    with pytest.raises(SlideError, match="stack of 5 channels"):
        get_slide_reader(str(path))(str(path))


def test_it_is_a_slide_like_any_other(session, folder, tmp_path):
    session.open_slide(folder)
    session.background.flush()
    opened = session.current
    assert opened.name == "a"
    np.testing.assert_array_equal(opened.slide.read(Rect(0, 0, 300, 420)), picture())
    with Project.open_or_create(tmp_path / "a.pathloop") as project:
        facts = {"shape": (300, 420), "um_per_px_y": 0.5, "um_per_px_x": 0.5, "reader": "ome-zarr"}
        project.add_slide(folder, fingerprint=opened.slide.fingerprint, **facts)
        assert [status.is_missing for status in project_slides(project)] == [False]
        shutil.move(folder, tmp_path / "b.zarr")
        assert [status.is_missing for status in project_slides(project)] == [True]
