"""Measurements gathered over blocks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pathloop.core import DataError
from pathloop.objects import Measurer


def blocks_of(labels, rng, y, x):
    """Random uneven blocks in random order."""
    rows = np.unique(np.concatenate([[0, labels.shape[0]], rng.integers(0, labels.shape[0] + 1, 3)]))
    cols = np.unique(np.concatenate([[0, labels.shape[1]], rng.integers(0, labels.shape[1] + 1, 3)]))
    cut = [(labels[a:b, c:d], y + a, x + c) for a, b in pairwise(rows) for c, d in pairwise(cols)]
    rng.shuffle(cut)
    return cut


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    origin=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    factor=st.sampled_from([1, 1000, 2**40]),
)
def test_blocks_in_any_order_measure_what_scipy_measures(seed, shape, origin, factor):
    rng = np.random.default_rng(seed)
    rough = ndimage.zoom(rng.integers(0, 9, (shape[0] // 3 + 1, shape[1] // 3 + 1)), 3, order=0)
    labels = rough[: shape[0], : shape[1]].astype(np.int64)
    measurer = Measurer()
    cut = []
    for block, y, x in blocks_of(labels * factor, rng, *origin):
        cut.append(block)
        measurer.add(block, y=int(y), x=int(x))
    found = measurer.instances()
    ids = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(found.ids, ids * factor)
    np.testing.assert_array_equal(found.areas_px, ndimage.sum_labels(np.ones(shape), labels, ids))
    for row, id_ in enumerate(ids):
        places = np.argwhere(labels == id_) + origin
        assert tuple(measurer.first_pixels[row]) == tuple(places[0])
        np.testing.assert_array_equal(found.boxes[row], [*places.min(axis=0), *(places.max(axis=0) + 1)])
        np.testing.assert_array_equal(found.centroids[row], places.sum(axis=0) / len(places))
    assert np.isnan(found.confidences).all()
    assert np.isnan(found.class_probabilities).all()


def test_known_columns_are_taken_over():
    measurer = Measurer()
    measurer.add(np.array([[4, 0, 2]], np.int32), y=0, x=0)
    assert measurer.ids.tolist() == [2, 4]
    found = measurer.instances(
        confidences=np.array([0.25, 0.5]), class_codes=np.array([1, 3]), class_probabilities=np.array([1, 0.5])
    )
    assert found.confidences.tolist() == [0.25, 0.5]
    assert found.class_codes.tolist() == [1, 3]
    assert found.class_probabilities.tolist() == [1, 0.5]


def test_many_blocks_settle_in_between():
    measurer = Measurer()
    labels = np.arange(1, 40_001).reshape(200, 200)
    for step in range(6):
        measurer.add(labels, y=200 * step, x=0)
    assert (measurer.instances().areas_px == 6).all()


def test_nothing_measures_nothing_and_nonsense_is_refused():
    measurer = Measurer()
    measurer.add(np.zeros((5, 5), np.int32), y=0, x=0)
    measurer.add(np.zeros((0, 5), np.int32), y=0, x=0)
    assert len(measurer.instances()) == 0
    assert measurer.first_pixels.shape == (0, 2)
    with pytest.raises(DataError, match="integer"):
        measurer.add(np.zeros((5, 5)), y=0, x=0)
    with pytest.raises(DataError, match="negative id"):
        measurer.add(np.full((5, 5), -1), y=0, x=0)
    with pytest.raises(DataError, match="inside the image"):
        measurer.add(np.ones((5, 5), int), y=-1, x=0)
