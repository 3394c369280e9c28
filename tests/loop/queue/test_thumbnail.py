"""Thumbnails of regions."""

import cv2
import drawn_slides
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathloop.core import Rect, Scale, UsageError
from pathloop.loop.queue import THUMBNAIL_PX, region_thumbnail
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "s.tif"
    return drawn_slides.write_blobs(path, (1400, 2100), um_per_px=0.5)


def test_it_is_the_region_reduced(pyramid):
    rect = Rect(200, 600, 1000, 800)
    with open_slide(pyramid) as slide:
        found = region_thumbnail(slide, rect)
        whole = slide.read(rect)
    assert (found.shape, found.dtype) == ((160, 128, 3), np.uint8)
    expected = cv2.resize(whole, (128, 160), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(found - expected).mean() < 4


def test_it_reads_a_level_that_fits(pyramid, monkeypatch):
    levels = []
    with open_slide(pyramid) as slide:
        assert len(slide.levels) > 1
        read = slide.read_level
        monkeypatch.setattr(slide, "read_level", lambda level, rect: levels.append(level) or read(level, rect))
        region_thumbnail(slide, Rect(0, 0, 1400, 1400))
    assert set(levels) == {max(n for n, level in enumerate(slide.levels) if level.downsample[0] <= 1400 / 160)}
    assert 0 not in levels


@settings(max_examples=20)
@given(
    y=st.integers(-50, 300), x=st.integers(-50, 300), height=st.integers(1, 900), width=st.integers(1, 900),
    side=st.integers(1, 200),
)  # fmt: skip
def test_sizes(pyramid, y, x, height, width, side):
    with open_slide(pyramid) as slide:
        found = region_thumbnail(slide, Rect(y, x, height, width), side_px=side)
    longer = max(found.shape[:2])
    assert longer == min(side, max(height, width))
    assert found.shape[0] / found.shape[1] == pytest.approx(height / width, rel=1.1 / min(found.shape[:2]))


def test_pixels_that_are_not_square_become_square(tmp_path):
    path = tmp_path / "s.tif"
    image = drawn_slides.draw_blobs((600, 300), um_per_px=Scale(0.25, 0.5))
    write_tiff_pyramid(path, image, shape=(600, 300), um_per_px=Scale(0.25, 0.5), compression="deflate")
    with open_slide(path) as slide:
        assert region_thumbnail(slide, Rect(0, 0, 600, 300)).shape == (160, 160, 3)


def test_slides_without_a_scale_have_thumbnails_too(tmp_path):
    path = drawn_slides.write_blobs(tmp_path / "s.tif", (400, 320), um_per_px=None)
    with open_slide(path) as slide:
        assert slide.scale is None
        assert region_thumbnail(slide, Rect(0, 0, 400, 320)).shape == (THUMBNAIL_PX, 128, 3)
        for rect, side in ((Rect(0, 0, 0, 9), 160), (Rect(0, 0, 9, 9), 0)):
            with pytest.raises(UsageError, match="no picture"):
                region_thumbnail(slide, rect, side_px=side)
