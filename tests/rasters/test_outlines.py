import tracemalloc

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from pathloop.core import Rect, UsageError
from pathloop.rasters import Outline, fill_outlines, trace_outlines

small_labels = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14), elements=st.integers(0, 3)
)


def to_shapely(outline: Outline) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([(part[0][:, ::-1], [hole[:, ::-1] for hole in part[1:]]) for part in outline])


def nested_rings() -> np.ndarray:
    labels = np.zeros((21, 21), np.int32)
    for step in range(5):
        labels[2 * step : 21 - 2 * step, 2 * step : 21 - 2 * step] = 7 if step % 2 == 0 else 0
    labels[10, 10] = 9
    return labels


def diagonal_hole() -> np.ndarray:
    labels = np.ones((6, 6), np.int32)
    labels[2, 2] = labels[3, 3] = labels[4, 2] = 0
    return labels


def notch_that_touches() -> np.ndarray:
    labels = np.ones((4, 4), np.int32)
    labels[2, 2] = labels[3, 3] = 0
    return labels


def checkerboard() -> np.ndarray:
    return (np.indices((9, 8)).sum(axis=0) % 2).astype(np.int32) * 4


def cut_by_diagonal() -> np.ndarray:
    return np.where(np.eye(7, dtype=bool), 0, 5).astype(np.int32)


SPECIAL = [nested_rings, diagonal_hole, notch_that_touches, checkerboard, cut_by_diagonal]


def check(labels: np.ndarray) -> None:
    outlines = trace_outlines(labels)
    assert outlines.ids.tolist() == np.unique(labels[labels != 0]).tolist()
    for object_id, outline in outlines:
        polygon = to_shapely(outline)
        mask = labels == object_id
        assert polygon.is_valid, shapely.is_valid_reason(polygon)
        assert polygon.area == mask.sum()
        assert len(outline) == ndimage.label(mask)[1]
        for part in outline:
            for place, ring in enumerate(part):
                step = np.diff(np.vstack([ring, ring[:1]]), axis=0)
                assert ((step == 0).sum(axis=1) == 1).all()  # along the axes
                assert (np.diff((step[:, 0] == 0).astype(int)) != 0).all()  # every corner turns
                assert len({tuple(corner) for corner in ring.tolist()}) == len(ring)  # no ring touches itself
                assert shapely.LinearRing(ring[:, ::-1]).is_ccw == (place == 0)
    np.testing.assert_array_equal(fill_outlines(outlines, Rect(0, 0, *labels.shape)), labels)


@given(small_labels)
def test_random_images_give_valid_polygons_and_come_back_exactly(labels: np.ndarray) -> None:
    check(labels)


@pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__)
def test_special_shapes_give_valid_polygons_and_come_back_exactly(make) -> None:
    check(make())


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.95))
def test_blobs_with_holes_come_back_exactly(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    coarse = (rng.random((12, 15)) < density) * rng.integers(1, 4, (12, 15))
    check(np.kron(coarse, np.ones((2, 3), int)).astype(np.int32))


def test_every_mask_of_three_by_four_pixels() -> None:
    # All of them in one image, each an object of its own.
    codes = np.arange(1 << 12)
    masks = np.pad(codes[:, None, None] >> np.arange(12).reshape(3, 4) & 1, ((0, 0), (0, 1), (0, 1)))
    labels = (masks * codes[:, None, None]).reshape(64, 64, 4, 5).transpose(0, 2, 1, 3).reshape(256, 320)
    outlines = trace_outlines(labels)
    polygons = [to_shapely(outline) for _, outline in outlines]
    assert shapely.is_valid(polygons).all()
    np.testing.assert_array_equal(outlines.ids, codes[1:])
    np.testing.assert_array_equal(shapely.area(polygons), np.bitwise_count(codes[1:]))
    np.testing.assert_array_equal(fill_outlines(outlines, Rect(0, 0, 256, 320)), labels)


def test_one_pixel_is_a_unit_square_at_its_outer_corner() -> None:
    labels = np.zeros((4, 5), np.int32)
    labels[2, 3] = 8
    ((object_id, outline),) = trace_outlines(labels, origin=(100, 200))
    assert object_id == 8
    ((ring,),) = outline
    assert ring.tolist() == [[102, 203], [102, 204], [103, 204], [103, 203]]
    assert ring.dtype == np.int32


def test_rectangle_touching_the_border_keeps_only_its_four_corners() -> None:
    ((_, ((ring,),)),) = trace_outlines(np.full((30, 40), 3, np.int32))
    assert ring.tolist() == [[0, 0], [0, 40], [30, 40], [30, 0]]


def test_hole_belongs_to_the_part_that_encloses_it() -> None:
    ((_, seven), (_, nine)) = trace_outlines(nested_rings())
    assert [int(part[0][0, 0]) for part in seven] == [0, 4, 8]
    assert [[int(hole[:, 0].min()) for hole in part[1:]] for part in seven] == [[2], [6], [10]]
    assert [len(part) for part in nine] == [1]


def test_diagonal_pixels_are_two_parts_and_a_diagonal_hole_is_two_touching_rings() -> None:
    ((_, outline),) = trace_outlines(np.eye(2, dtype=np.int32))
    assert len(outline) == 2
    ((_, outline),) = trace_outlines(diagonal_hole())
    assert [len(part) for part in outline] == [4]


@given(small_labels, st.integers(-50, 50), st.integers(-50, 50))
def test_origin_moves_the_corners(labels: np.ndarray, y: int, x: int) -> None:
    here, there = trace_outlines(labels), trace_outlines(labels, origin=(y, x))
    np.testing.assert_array_equal(here.corners + np.array([y, x]), there.corners)
    np.testing.assert_array_equal(fill_outlines(there, Rect(y, x, *labels.shape)), labels)


@given(small_labels, st.integers(-5, 12), st.integers(-5, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_window_of_the_filled_image(labels: np.ndarray, y: int, x: int, height: int, width: int) -> None:
    wide = np.pad(labels, 40)
    window = Rect(y, x, height, width)
    expected = wide[window.shift(40, 40).slices]
    np.testing.assert_array_equal(fill_outlines(trace_outlines(labels), window), expected)


@given(st.integers(0, 2**32 - 1))
def test_fractional_polygons_fill_like_shapely_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.uniform(2, 11, 9)
    ring = np.stack([12.3 + radius * np.sin(angle), 11.7 + radius * np.cos(angle)], axis=1)
    polygon = shapely.Polygon(ring[:, ::-1])
    filled = fill_outlines([(1, ((ring,),))], Rect(0, 0, 25, 25))
    row, col = np.indices((25, 25)) + 0.5
    assume(polygon.is_valid)
    np.testing.assert_array_equal(filled.astype(bool), shapely.contains_xy(polygon, col, row))


def test_later_objects_win_where_outlines_overlap() -> None:
    square = np.array([[0, 0], [0, 4], [4, 4], [4, 0]])
    filled = fill_outlines([(5, ((square,),)), (2, ((square + 2,),)), (9, ((square - 2,),))], Rect(0, 0, 6, 6))
    assert filled.tolist() == [
        [9, 9, 5, 5, 0, 0],
        [9, 9, 5, 5, 0, 0],
        [5, 5, 2, 2, 2, 2],
        [5, 5, 2, 2, 2, 2],
        [0, 0, 2, 2, 2, 2],
        [0, 0, 2, 2, 2, 2],
    ]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint32, np.int64])
def test_all_integer_dtypes_give_the_same_outlines(dtype: type) -> None:
    labels = diagonal_hole()
    expected, found = trace_outlines(labels), trace_outlines(labels.astype(dtype))
    np.testing.assert_array_equal(expected.corners, found.corners)
    np.testing.assert_array_equal(expected.ring_starts, found.ring_starts)


def test_empty_images_have_no_outlines() -> None:
    for shape in [(0, 0), (0, 7), (5, 5)]:
        outlines = trace_outlines(np.zeros(shape, np.int32))
        assert list(outlines) == []
        assert outlines.corners.shape == (0, 2)
    assert fill_outlines([], Rect(3, 4, 2, 2)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("labels", [np.zeros((2, 2, 2), np.int32), np.zeros((3, 3), np.float32)])
def test_anything_but_a_label_image_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(UsageError, match="label image"):
        trace_outlines(labels)


def test_memory_stays_within_a_few_times_the_image() -> None:
    labels = np.zeros((2000, 2000), np.int32)
    labels[10:1900, 20:1800] = 4
    tracemalloc.start()
    trace_outlines(labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * labels.nbytes
