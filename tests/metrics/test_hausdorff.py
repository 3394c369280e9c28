"""The object Hausdorff distance of the GlaS challenge against brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from skimage.metrics import hausdorff_distance

from pathloop.metrics import glas_object_hausdorff


def brute_distance(a, b):
    distances = cdist(np.argwhere(a), np.argwhere(b))
    return max(distances.min(axis=0).max(), distances.min(axis=1).max())


def brute_object_hausdorff(pred, truth):
    def one_way(own, other):
        total = 0.0
        for i in np.unique(own[own > 0]):
            mask = own == i
            met = other[mask][other[mask] > 0]
            if len(met):
                distance = brute_distance(mask, other == np.bincount(met).argmax())
            else:
                distance = min(brute_distance(mask, other == j) for j in np.unique(other[other > 0]))
            total += mask.sum() / (own > 0).sum() * distance
        return total

    return 0.5 * (one_way(pred, truth) + one_way(truth, pred))


@given(st.data())
def test_agrees_with_brute_force(data):
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    image = hnp.arrays(np.int64, shape, elements=st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5]))
    pred, truth = data.draw(image), data.draw(image)
    found = glas_object_hausdorff(pred, truth)
    if pred.any() and truth.any():
        assert found.value_px == pytest.approx(brute_object_hausdorff(pred, truth))
        assert found.without_partner == 0
    else:
        assert math.isnan(found.value_px)
        assert found.without_partner == len(set(pred[pred > 0])) + len(set(truth[truth > 0]))


def test_agrees_with_brute_force_on_discs_some_without_overlap(rng):
    y, x = np.mgrid[:80, :80]
    for _ in range(4):
        images = []
        for _ in range(2):
            labels = np.zeros((80, 80), np.uint32)
            for number in range(1, 9):
                cy, cx, radius = rng.integers(0, 80), rng.integers(0, 80), rng.integers(1, 12)
                labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
            images.append(labels)
        small = [image.astype(np.int64) for image in images]
        images = [np.where(image > 0, image + np.uint32(3_000_000_000), image) for image in images]
        assert glas_object_hausdorff(*images).value_px == pytest.approx(brute_object_hausdorff(*small))


def test_by_hand():
    """An object that lies in the hole of a ring is as far away as its middle is; the far one takes the nearest."""
    truth, pred = np.zeros((5, 12), int), np.zeros((5, 12), int)
    truth[:, :5] = 1
    pred[:, :5] = 1
    pred[1:4, 1:4] = 0
    pred[0, 11] = 2
    found = glas_object_hausdorff(pred, truth)
    # ring 16 px at distance 2 (from the middle of the square); pixel 1 px at sqrt(11^2 + 4^2) from (4, 0)
    assert found.pred_sum == pytest.approx(16 * 2 + math.hypot(11, 4))
    assert found.truth_sum == pytest.approx(25 * 2)
    assert found.value_px == pytest.approx(0.5 * ((32 + math.hypot(11, 4)) / 17 + 2))


def test_pools_by_area_and_counts_objects_without_partner():
    a = np.zeros((1, 10), int)
    b = a.copy()
    a[0, 0], b[0, 3] = 1, 1
    both = glas_object_hausdorff(a, b) + glas_object_hausdorff(a, np.zeros_like(a))
    assert both.value_px == 3
    assert both.without_partner == 1


def test_agrees_with_scikit_image(rng):
    """One object a side: the directed distances of both are those of scikit-image."""
    y, x = np.mgrid[:60, :60]
    for _ in range(6):
        masks = []
        for _ in range(2):
            cy, cx, a, b = rng.integers(15, 45), rng.integers(15, 45), rng.integers(3, 14), rng.integers(3, 14)
            masks.append(((y - cy) / a) ** 2 + ((x - cx) / b) ** 2 <= 1)
        found = glas_object_hausdorff(masks[0].astype(int), masks[1].astype(int))
        assert found.value_px == pytest.approx(hausdorff_distance(*masks))
