"""Resampling against the definition, computed another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect
from pathloop.rasters import resample, source_rect


def read(image: np.ndarray, rect: Rect, step: tuple[float, float]) -> np.ndarray:
    size = image.shape[:2]
    return resample(image[source_rect(rect, step=step, size=size).slices], rect, step=step, size=size)


def area_means(image: np.ndarray, shape: tuple[int, int], step: tuple[float, float]) -> np.ndarray:
    """Means over exact intervals, from integral images interpolated at the interval's ends."""
    values = image.astype(float)
    for axis in (0, 1):
        edge = np.take(values, [-1], axis=axis)
        more = np.concatenate([values] + [edge] * (int(step[axis]) + 2), axis=axis)
        total = np.concatenate([np.zeros_like(edge), np.cumsum(more, axis=axis)], axis=axis)
        ends = np.arange(shape[axis] + 1) * step[axis]
        whole = np.floor(ends).astype(int)
        part = (ends - whole).reshape([-1 if each == axis else 1 for each in range(3)])
        low = np.take(total, whole, axis=axis)
        high = np.take(total, np.minimum(whole + 1, total.shape[axis] - 1), axis=axis)
        values = np.diff(low + part * (high - low), axis=axis) / step[axis]
    return values


@given(
    step=st.tuples(*[st.one_of(st.floats(1.0, 9.0), st.sampled_from([1.0, 2.0, 3.0, 0.5 / 0.2277, 0.5 / 0.263]))] * 2),
    seed=st.integers(0, 5),
)
def test_coarser_is_the_mean_over_the_pixels_area(step: tuple[float, float], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (61, 83, 3)).astype(np.uint8)
    shape = max(1, int(61 / step[0] + 0.5)), max(1, int(83 / step[1] + 0.5))
    pixels = read(image, Rect(0, 0, *shape), step)
    expected = area_means(image, shape, step)
    # Steps of 4 and more average whole boxes first, which moves the interval's ends by at most half a box.
    exact = all(each < 4 or each == int(each) for each in step)
    inner = np.abs(pixels - expected)
    assert inner.max() <= 1.6 if exact else inner.mean() < 12


@given(step=st.floats(0.1, 0.99), rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_finer_is_linear_interpolation(step: float, rows: int, columns: int) -> None:
    y, x = np.mgrid[:60, :60]
    image = np.stack([y * 4, x * 4, 2 * y + 2 * x], axis=-1).astype(np.uint8)
    pixels = read(image, Rect(5, 7, rows, columns), (step, step)).astype(float)
    at_y = np.clip((np.arange(5, 5 + rows) + 0.5) * step - 0.5, 0, 59)[:, None]
    at_x = np.clip((np.arange(7, 7 + columns) + 0.5) * step - 0.5, 0, 59)[None]
    expected = np.stack(np.broadcast_arrays(at_y * 4, at_x * 4, 2 * at_y + 2 * at_x), axis=-1)
    assert np.abs(pixels - expected).max() <= 0.7


@given(
    step=st.tuples(st.floats(0.2, 40.0), st.floats(0.2, 40.0)),
    cut_y=st.integers(1, 11),
    cut_x=st.integers(1, 11),
    seed=st.integers(0, 3),
)
def test_pieces_equal_the_whole(step: tuple[float, float], cut_y: int, cut_x: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (480, 520, 3)).astype(np.uint8)
    whole = read(image, Rect(0, 0, 12, 12), step)
    top = np.hstack([read(image, Rect(0, 0, cut_y, cut_x), step), read(image, Rect(0, cut_x, cut_y, 12 - cut_x), step)])
    below = read(image, Rect(cut_y, 0, 12 - cut_y, 12), step)
    np.testing.assert_array_equal(np.vstack([top, below]), whole)


@pytest.mark.parametrize("step", [0.5 / 0.263, 0.5 / 0.2277, 0.5 / 0.2527, 8 / 0.2277, 0.25 / 0.263])
def test_no_drift_far_from_the_origin(step: float) -> None:
    """A bright source pixel a million pixels down the slide keeps its place to a hundredth of a pixel."""
    size = (2_000_000, 40)
    row = 1_000_003
    first = int((row + 0.5) / step) - 20
    rect = Rect(first, 0, 40, 3)
    needed = source_rect(rect, step=(step, 1.0), size=size)
    source = np.zeros((*needed.shape, 3), np.uint8)
    width = max(1, int(step))
    source[row - needed.y - 3 * width : row - needed.y + 3 * width + 1] = 200
    column = resample(source, rect, step=(step, 1.0), size=size)[:, 0, 0].astype(float)
    centre = (column * (np.arange(first, first + 40) + 0.5)).sum() / column.sum() * step
    assert centre == pytest.approx(row + 0.5, abs=0.05 * step)  # a partly covered pixel counts at its centre


def test_fine_patterns_do_not_alias() -> None:
    """Stripes one pixel wide become grey, not moire."""
    image = np.zeros((400, 400, 3), np.uint8)
    image[::2] = 254
    pixels = read(image, Rect(0, 0, 180, 180), (2.1977, 2.1977))[5:-5]
    assert np.ptp(pixels) < 64
    assert pixels.mean() == pytest.approx(127, abs=1)


def test_constant_stays_constant() -> None:
    for value in (0, 1, 77, 254, 255):
        image = np.full((50, 60, 3), value, np.uint8)
        for step in (0.3, 0.9, 1.1, 2.7, 5.3, 13.0):
            assert (read(image, Rect(0, 0, 3, 3), (step, step)) == value).all()


def test_a_level_whose_size_was_rounded_down_goes_on_at_its_edge() -> None:
    """3567 px at 1 : 2 are 1784 px, of which a level that was cut to 1783 px lacks the last."""
    image = np.random.default_rng(2).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    for rect in (Rect(0, 0, 8, 10), Rect(6, 8, 2, 2), Rect(7, 9, 1, 1), Rect(7, 0, 1, 9)):
        padded = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge")
        np.testing.assert_array_equal(read(image, rect, (1.0, 1.0)), padded[rect.slices])
