"""Reading at a scale: the place, the level, the edges."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from slide_files import halves, picture, write_ome, write_pyramid, write_tiff

from pathloop.core import Rect
from pathloop.slides import Slide, open_slide


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory):
    path = write_ome(tmp_path_factory.mktemp("read") / "a.ome.tif", picture(), um=(0.25, 0.25))
    with open_slide(path) as slide:
        yield slide


def test_same_scale_gives_the_stored_pixels(slide: Slide) -> None:
    rect = Rect(-5, 20, 90, 80)
    np.testing.assert_array_equal(slide.read(rect, 0.25), slide.read(rect))


def test_scales_of_levels_give_their_pixels(slide: Slide) -> None:
    for index, um_per_px in ((1, 0.5), (2, 1.0)):
        expected = halves(picture(), 2)[index]
        assert slide.shape_at(um_per_px) == expected.shape[:2]
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *expected.shape[:2]), um_per_px), expected)


@pytest.mark.parametrize(
    ("um_per_px", "level"), [(0.2, 0), (0.3, 0), (0.49, 0), (0.51, 1), (0.99, 1), (1.2, 2), (8.0, 2)]
)
def test_the_nearest_finer_level_is_read(tmp_path: Path, um_per_px: float, level: int) -> None:
    """Each level is painted in its own grey."""
    path = tmp_path / "a.ome.tif"
    write_ome(path, np.zeros((320, 320, 3), np.uint8), um=(0.25, 0.25))
    painted = [np.full((320 >> index, 320 >> index, 3), 50 * (index + 1), np.uint8) for index in range(3)]
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (64, 64), "photometric": "rgb"}
        metadata = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
        writer.write(painted[0], subifds=2, metadata=metadata, **options)
        for each in painted[1:]:
            writer.write(each, subfiletype=1, **options)
    with open_slide(path) as slide:
        pixels = slide.read(Rect(0, 0, *slide.shape_at(um_per_px)), um_per_px)
    assert (pixels == 50 * (level + 1)).all()


@given(um_per_px=st.floats(0.2, 6.0))
def test_outside_is_white_and_inside_is_not(slide: Slide, um_per_px: float) -> None:
    height, width = slide.shape_at(um_per_px)
    assert height == max(1, int(np.floor(300 * 0.25 / um_per_px + 0.5 + 1e-9)))
    pixels = slide.read(Rect(-3, -2, height + 6, width + 4), um_per_px)
    inside = np.zeros(pixels.shape[:2], bool)
    inside[3:-3, 2:-2] = True
    assert (pixels[~inside] == 255).all()
    np.testing.assert_array_equal(pixels[inside], slide.read(Rect(0, 0, height, width), um_per_px).reshape(-1, 3))


def test_empty_and_distant_rectangles(slide: Slide) -> None:
    assert slide.read(Rect(5, 5, 0, 7), 0.7).shape == (0, 7, 3)
    assert (slide.read(Rect(10_000, -9_000, 5, 6), 0.7) == 255).all()
    assert (slide.read(Rect(10_000, -9_000, 5, 6)) == 255).all()


@pytest.mark.parametrize("um_per_px", [0.263, 0.2277])
def test_marks_stay_in_place_over_a_wide_slide(tmp_path: Path, um_per_px: float) -> None:
    """Marks every 5,000 px of a strip 60,000 px long are found where the scale says, at 0.5 um per px."""
    strip = np.full((16, 60_000, 3), 255, np.uint8)
    marks = np.arange(2_500, 60_000, 5_000)
    for mark in marks:
        strip[:, mark - 10 : mark + 11] = 0
    path = write_pyramid(tmp_path / "a.tif", strip, levels=0, um_per_px=um_per_px)
    with open_slide(path) as slide:
        row = 255.0 - slide.read(Rect(0, 0, *slide.shape_at(0.5)), 0.5)[2, :, 0]
    for mark in marks:
        near = int((mark + 0.5) * um_per_px / 0.5) + np.arange(-20, 21)
        centre = (row[near] * (near + 0.5)).sum() / row[near].sum()
        assert centre == pytest.approx((mark + 0.5) * um_per_px / 0.5, abs=0.02)


def test_large_reductions_need_no_slide_in_memory(tmp_path: Path) -> None:
    """One level, reduced far: read piece by piece, equal to the mean."""
    image = np.tile(picture(500, 450), (10, 10, 1))
    path = write_tiff(tmp_path / "a.tif", image, tile=(256, 256), photometric="rgb")
    with open_slide(path) as slide:
        pixels = slide.read_downsampled(Rect(0, 0, 50, 45), 100)
    expected = np.tile(image[:500, :450].reshape(5, 100, 9, 50, 3).mean(axis=(1, 3)).astype(float), (10, 10, 1))
    expected = expected.reshape(50, 45, 2, 3).mean(axis=2)
    assert np.abs(pixels - expected).max() <= 1


def test_each_tile_is_decoded_once(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_slide(slide.path) as fresh:
        decoded = []
        decode = fresh._decode_tile
        monkeypatch.setattr(fresh, "_decode_tile", lambda *key: decoded.append(key) or decode(*key))
        fresh.read(Rect(30, 30, 200, 200), 0.31)
        fresh.read(Rect(31, 33, 100, 150), 0.31)
    assert len(decoded) == len(set(decoded)) > 4
