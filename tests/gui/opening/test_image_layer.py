"""Pixels of the layer are the slide's, whatever the file; levels that a file lacks are made."""

import copy

import numpy as np
import pytest
from napari.components import ViewerModel
from slide_files import picture, write_image, write_ome, write_pyramid, write_scn, write_svs, write_tiff

from pathloop.core import Rect, SlideError
from pathloop.gui.opening import COARSEST_PX, slide_layer_data
from pathloop.gui.reader import get_project_reader, get_slide_reader
from pathloop.slides import open_slide

KINDS = {
    "svs": lambda folder: write_svs(folder / "a.svs", picture()),
    "ome": lambda folder: write_ome(folder / "a.ome.tif", picture()),
    "pyramid": lambda folder: write_pyramid(folder / "a.tif", picture()),
    "strips": lambda folder: write_tiff(folder / "a.tiff", picture(), photometric="rgb", rowsperstrip=16),
    "grey": lambda folder: write_tiff(folder / "g.tif", picture()[..., 0]),
    "sixteen": lambda folder: write_tiff(folder / "d.tif", picture().astype(np.uint16) * 16, photometric="rgb"),
    "png": lambda folder: write_image(folder / "a.png", picture()),
    "scn": lambda folder: write_scn(folder / "a.scn", picture(), corners=[(64, 64)], collection=(600, 700)),
}


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_level_shows_the_slide(kind, direct, tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.gui.opening._image_layer.COARSEST_PX", 128)
    with open_slide(KINDS[kind](tmp_path)) as slide:
        levels, options = slide_layer_data(slide, direct_zarr=direct)
        assert options["multiscale"]
        for number, (level, array) in enumerate(zip(slide.levels, levels, strict=False)):
            expected = slide.read_level(number, Rect(0, 0, *level.shape))
            np.testing.assert_array_equal(np.asarray(array), expected)
        assert max(levels[-1].shape[:2]) <= 128


def test_missing_levels_are_means_of_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.gui.opening._image_layer.COARSEST_PX", 64)
    monkeypatch.setattr("pathloop.gui.opening._image_layer.CHUNK_PX", 32)
    with open_slide(write_tiff(tmp_path / "a.tif", picture(), photometric="rgb", tile=(64, 64))) as slide:
        levels, _ = slide_layer_data(slide)
        assert [level.shape for level in levels] == [(300, 420, 3), (75, 105, 3), (38, 53, 3)]
        for level, step in zip(levels[1:], (4, 8), strict=True):
            whole = slide.read_downsampled(Rect(0, 0, *level.shape[:2]), step)
            np.testing.assert_array_equal(np.asarray(level), whole)
            np.testing.assert_array_equal(np.asarray(level[3:40:2, 5:41]), whole[3:40:2, 5:41])


def test_small_ones_are_one_array_and_scales_are_in_um(tmp_path):
    with open_slide(write_svs(tmp_path / "a.svs", picture())) as slide:
        data, options = slide_layer_data(slide)
        layer = ViewerModel().add_image(data, **options)
        assert not layer.multiscale
        assert max(slide.shape) <= COARSEST_PX
        np.testing.assert_allclose(layer.scale, 0.499)
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
        assert layer.name == "a"
        assert layer.rgb
        assert layer.metadata["pathloop"]["slide"] is slide


def test_unknown_scale_stays_in_pixels(tmp_path):
    with open_slide(write_svs(tmp_path / "a.svs", picture(), mpp=False)) as slide:
        data, options = slide_layer_data(slide)
        layer = ViewerModel().add_image(data, **options)
        assert [str(unit) for unit in layer.units] == ["pixel"] * 2


def test_a_layer_can_be_duplicated(tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.gui.opening._image_layer.COARSEST_PX", 128)
    with open_slide(write_svs(tmp_path / "a.svs", picture())) as slide:
        data, options = slide_layer_data(slide)
        layer = ViewerModel().add_image(data, **options)
        twin = copy.deepcopy(layer.data)
        np.testing.assert_array_equal(np.asarray(twin[0]), slide.read(Rect(0, 0, *slide.shape)))


def test_the_graph_of_a_huge_slide_stays_small(tmp_path):
    with open_slide(write_svs(tmp_path / "a.svs", picture())) as slide:
        pixels = slide.levels[0].dask
        assert len(pixels[:64, :64].__dask_graph__()) <= 3


def test_readers(tmp_path):
    path = write_svs(tmp_path / "a.svs", picture())
    ((_, options, kind),) = get_slide_reader(str(path))(str(path))
    assert kind == "image"
    options["metadata"]["pathloop"]["slide"].close()
    assert get_slide_reader([str(path), str(path)]) is None
    assert get_project_reader(str(path)) is None


def test_a_file_that_cannot_be_read_says_so_in_one_line(tmp_path):
    path = tmp_path / "a.svs"
    path.write_bytes(b"no slide at all")
    with pytest.raises(SlideError, match=r"not a slide.*\.svs") as caught:
        get_slide_reader(str(path))(str(path))
    assert "\n" not in str(caught.value)
