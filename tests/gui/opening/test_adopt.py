"""Layers of other readers become slides without losing a pixel."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image
from slide_files import picture, write_svs

from pathloop.core import Rect, Scale, UsageError
from pathloop.gui.opening import adopt, can_adopt
from pathloop.slides import open_slide


def pixels(path):
    with open_slide(path) as slide:
        return slide.read(Rect(0, 0, *slide.shape)), slide.scale


def test_rgb_is_copied_losslessly_with_its_scale(tmp_path):
    image = picture(700, 600)
    path = adopt(Image(da.from_array(image, chunks=(256, 256, 3)), rgb=True, name="mine"), tmp_path, Scale(0.5, 0.25))
    found, scale = pixels(path)
    np.testing.assert_array_equal(found, image)
    assert path == tmp_path / "mine.tif"
    np.testing.assert_allclose((scale.y, scale.x), (0.5, 0.25), rtol=1e-6)
    assert adopt(Image(image, rgb=True, name="mine"), tmp_path, None) == tmp_path / "mine-2.tif"


def test_multiscale_takes_the_finest_level(tmp_path):
    image = picture(700, 600)
    found, scale = pixels(adopt(Image([image, image[::2, ::2]], rgb=True, name="m"), tmp_path, None))
    np.testing.assert_array_equal(found, image)
    assert scale is None


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (lambda rgb: rgb / np.float32(255), lambda rgb: rgb),
        (lambda rgb: rgb.astype(np.uint16) * 257, lambda rgb: rgb),
        (lambda rgb: np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]), lambda rgb: rgb),
        (lambda rgb: np.dstack([rgb, np.zeros(rgb.shape[:2], np.uint8)]), lambda rgb: np.full_like(rgb, 255)),
    ],
    ids=["float", "uint16", "opaque", "transparent"],
)
def test_other_kinds_of_pixels(stored, wanted, tmp_path):
    image = picture(80, 90)
    image[0, 0] = 255  # full brightness is used, so that 16 bits are told from 12
    layer = Image(stored(image), rgb=True, name="m")
    np.testing.assert_array_equal(pixels(adopt(layer, tmp_path, None))[0], wanted(image))


def test_grey_becomes_what_the_contrast_limits_show(tmp_path):
    grey = np.linspace(0, 1000, 64 * 64).reshape(64, 64).astype(np.uint16)
    found, _ = pixels(adopt(Image(grey, contrast_limits=(0, 500), name="g"), tmp_path, None))
    expected = np.clip(np.rint(grey * (255 / 500)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("layer", [Image(np.zeros((5, 30, 30))), Image(np.zeros((4, 30, 30, 3), np.uint8), rgb=True)])
def test_stacks_and_channels_are_refused(layer, tmp_path):
    assert can_adopt(layer)
    with pytest.raises(UsageError, match="plane"):
        adopt(layer, tmp_path, None)


def test_the_layer_s_own_file_is_used_where_it_fits(tmp_path):
    from napari.components import ViewerModel
    from napari.layers._source import layer_source  # what napari's own readers do

    path = write_svs(tmp_path / "a.svs", picture())
    viewer = ViewerModel()
    with layer_source(path=str(path)):
        whole, part = viewer.add_image(picture(), rgb=True), viewer.add_image(picture()[:50], rgb=True, name="part")
    assert adopt(whole, tmp_path, None) == path
    assert adopt(part, tmp_path, None) == tmp_path / "part.tif"
