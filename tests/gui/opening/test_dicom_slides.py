"""DICOM slides in the window: a file and a folder, by napari's reader and as a slide of the session."""

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest

pytest.importorskip("pydicom", reason="pydicom (extra dicom) is not installed")

from dicom_files import write_dicom
from slide_files import picture

import pathloop
from pathloop.core import Rect
from pathloop.gui.reader import get_project_reader, get_slide_reader


@pytest.fixture
def folder(tmp_path):
    return write_dicom(tmp_path / "series", picture()).parent


def test_napari_opens_the_folder_and_a_file(folder, npe2pm):
    npe2pm.register(PluginManifest.from_file(Path(pathloop.__file__).parent / "napari.yaml"))
    assert get_project_reader(str(folder)) is None
    for path in (folder, folder / "1-0.dcm"):
        assert get_slide_reader(str(path)) is not None
        viewer = ViewerModel()
        (layer,) = viewer.open(path, plugin="pathloop")
        assert (layer.name, layer.rgb) == (path.stem, True)
        np.testing.assert_allclose(layer.scale, (0.5, 0.5))
        np.testing.assert_array_equal(np.asarray(layer.data), picture())
        layer.metadata["pathloop"]["slide"].close()


def test_it_is_a_slide_like_any_other(session, folder):
    session.open_slide(folder)
    session.background.flush()
    np.testing.assert_array_equal(session.current.slide.read(Rect(0, 0, 300, 420)), picture())
