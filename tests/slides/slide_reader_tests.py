"""The conformance class that every slide reader passes."""

import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathloop.core import Rect, SlideError, UsageError
from pathloop.slides import Slide, open_slide

RECTS = st.builds(Rect, st.integers(-70, 400), st.integers(-70, 500), st.integers(0, 200), st.integers(0, 200))
DOWNSAMPLES = st.sampled_from([0.5, 0.83, 1.0, 1.1, 1.9, 2.0, 2.1977, 3.7, 4.0, 7.3, 16.0])


class SlideReaderTests:
    """Subclass it as ``Test...`` and give the fixture ``slide_path``: a slide of at least 64 x 64 px."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        raise NotImplementedError

    def renamed(self, slide_path: Path, folder: Path) -> Path:
        """A copy of the slide under another name."""
        copy = folder / f"renamed{slide_path.suffix}"
        if slide_path.is_dir():
            shutil.copytree(slide_path, copy)
        else:
            copy.write_bytes(slide_path.read_bytes())
        return copy

    @pytest.fixture(scope="class")
    @classmethod
    def slide(cls, slide_path: Path):
        with open_slide(slide_path) as slide:
            yield slide

    def test_levels_shrink_and_start_at_the_slide(self, slide: Slide) -> None:
        assert slide.levels[0].shape == slide.shape
        assert slide.levels[0].downsample == (1.0, 1.0)
        areas = [level.shape[0] * level.shape[1] for level in slide.levels]
        assert areas == sorted(set(areas), reverse=True)
        for level in slide.levels:
            for full, part, factor in zip(slide.shape, level.shape, level.downsample, strict=True):
                assert abs(full / factor - part) <= 1

    def test_dask_and_zarr_hold_the_same_pixels(self, slide: Slide) -> None:
        for index, level in enumerate(slide.levels):
            whole = slide.read_level(index, Rect(0, 0, *level.shape))
            assert level.dask.shape == whole.shape
            assert level.dask.dtype == np.uint8
            np.testing.assert_array_equal(level.dask.compute(scheduler="threads"), whole)
            if level.zarr is not None:
                np.testing.assert_array_equal(level.zarr[:], whole)

    def test_levels_show_the_same_picture(self, slide: Slide) -> None:
        for index, level in enumerate(slide.levels[1:], start=1):
            reduced = slide.read_level(index, Rect(0, 0, *level.shape)).astype(float)
            factor = level.downsample[0]
            top = slide.levels[0].dask.compute(scheduler="sync").astype(float)
            rows = np.minimum((np.arange(level.shape[0]) * factor + factor / 2).astype(int), slide.shape[0] - 1)
            columns = np.minimum((np.arange(level.shape[1]) * factor + factor / 2).astype(int), slide.shape[1] - 1)
            assert np.abs(top[rows][:, columns].mean() - reduced.mean()) < 4
            assert np.corrcoef(top[rows][:, columns].ravel(), reduced.ravel())[0, 1] > 0.8

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(rect=RECTS)
    def test_level_0_reads_are_crops_on_white(self, slide: Slide, rect: Rect) -> None:
        whole = slide.read(Rect(0, 0, *slide.shape))
        padded = np.pad(whole, ((100, 700), (100, 800), (0, 0)), constant_values=255)
        pixels = slide.read(rect)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, padded[rect.shift(100, 100).slices])

    @settings(suppress_health_check=[HealthCheck.differing_executors])
    @given(rect=RECTS, downsample=DOWNSAMPLES, cut_y=st.integers(0, 200), cut_x=st.integers(0, 200))
    def test_pieces_equal_the_whole(self, slide: Slide, rect: Rect, downsample: float, cut_y: int, cut_x: int) -> None:
        whole = slide.read_downsampled(rect, downsample)
        assert whole.shape == (*rect.shape, 3)
        cut_y, cut_x = min(cut_y, rect.height), min(cut_x, rect.width)
        rows = [(rect.y, rect.y + cut_y), (rect.y + cut_y, rect.bottom)]
        columns = [(rect.x, rect.x + cut_x), (rect.x + cut_x, rect.right)]
        pieces = [
            [slide.read_downsampled(Rect.from_bounds(top, left, bottom, right), downsample) for left, right in columns]
            for top, bottom in rows
        ]
        np.testing.assert_array_equal(np.vstack([np.hstack(row) for row in pieces]), whole)

    def test_threads_read_what_one_reads(self, slide_path: Path, slide: Slide) -> None:
        rects = [Rect(y, x, 90, 70) for y in range(0, slide.shape[0], 80) for x in range(0, slide.shape[1], 60)]
        rects = rects[:40]
        expected = [slide.read_downsampled(rect, 1.3) for rect in rects]
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)  # races show
        try:
            for _ in range(3):
                with open_slide(slide_path) as fresh, ThreadPoolExecutor(8) as pool:
                    read = pool.map(partial(fresh.read_downsampled, downsample=1.3), rects)
                    for pixels, wanted in zip(read, expected, strict=True):
                        np.testing.assert_array_equal(pixels, wanted)
        finally:
            sys.setswitchinterval(usual)

    def test_pickling_reopens(self, slide: Slide) -> None:
        with pickle.loads(pickle.dumps(slide)) as again:
            rect = Rect(3, 5, 40, 50)
            np.testing.assert_array_equal(again.read(rect), slide.read(rect))
            assert again.scale == slide.scale

    def test_fingerprint_is_of_the_content(self, slide_path: Path, slide: Slide, tmp_path: Path) -> None:
        with open_slide(self.renamed(slide_path, tmp_path)) as again:
            assert again.fingerprint == slide.fingerprint
        assert len(slide.fingerprint) == 64

    def test_given_scale_beats_the_file(self, slide_path: Path) -> None:
        with open_slide(slide_path, um_per_px=0.3) as slide:
            assert slide.scale is not None
            assert slide.scale.um_per_px == pytest.approx(0.3)
            assert slide.shape_at(0.6) == tuple(int(np.floor(size / 2 + 0.5)) for size in slide.shape)

    def test_associated_images_are_rgb(self, slide: Slide) -> None:
        for name in slide.associated:
            image = slide.read_associated(name)
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert image.dtype == np.uint8
        with pytest.raises(UsageError, match="nonsense"):
            slide.read_associated("nonsense")

    def test_closed_slides_say_so(self, slide_path: Path) -> None:
        slide = open_slide(slide_path)
        slide.close()
        slide.close()
        with pytest.raises(SlideError, match="closed"):
            slide.read(Rect(0, 0, 8, 8))
