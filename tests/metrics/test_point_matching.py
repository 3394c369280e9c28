"""Matching of points against an exhaustive search, and centroids against scipy."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pathloop.metrics import DetectionCounts, label_centroids, match_points, score_points

POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=5).map(
    lambda points: np.array(points, float).reshape(-1, 2)
)


def best_by_trying_all(pred, truth, radius):
    """(most pairs, least distance) over all one-to-one choices."""
    best = (0, 0.0)
    for size in range(1, min(len(pred), len(truth)) + 1):
        for rows in itertools.combinations(range(len(pred)), size):
            for columns in itertools.permutations(range(len(truth)), size):
                distances = np.linalg.norm(pred[list(rows)] - truth[list(columns)], axis=1)
                if (distances <= radius).all() and (-size, distances.sum()) < (-best[0], best[1]):
                    best = (size, distances.sum())
    return best


@given(POINTS, POINTS, st.sampled_from([1.0, 2.0, 3.5]))
def test_agrees_with_exhaustive_search(pred, truth, radius):
    matches = match_points(pred, truth, radius_px=radius)
    size, distance = best_by_trying_all(pred, truth, radius)
    assert matches.counts == DetectionCounts(size, len(pred) - size, len(truth) - size)
    assert matches.distances_px.sum() == pytest.approx(distance)
    assert len(set(matches.pred_index)) == len(set(matches.truth_index)) == size
    np.testing.assert_allclose(
        np.linalg.norm(pred[matches.pred_index] - truth[matches.truth_index], axis=1), matches.distances_px
    )


def test_agrees_with_dense_assignment_on_a_crowd(rng):
    pred, truth = rng.uniform(0, 100, (300, 2)), rng.uniform(0, 100, (280, 2))
    radius = 6.0
    distances = cdist(pred, truth)
    rows, columns = linear_sum_assignment(np.where(distances <= radius, distances, 1e6))
    kept = distances[rows, columns] <= radius
    matches = match_points(pred, truth, radius_px=radius)
    assert matches.counts.tp == kept.sum()
    assert matches.distances_px.sum() == pytest.approx(distances[rows, columns][kept].sum())


def test_more_pairs_beat_a_shorter_distance():
    # the nearest pair (1 with 0) would leave the other two alone
    matches = match_points([[0, 1], [0, 6]], [[0, 0], [0, 2]], radius_px=4)
    assert matches.counts.tp == 2
    assert matches.truth_index.tolist() == [0, 1]


def test_radius_is_inclusive():
    assert match_points([[0, 0]], [[3, 4]], radius_px=5).counts.tp == 1
    assert match_points([[0, 0]], [[3, 4]], radius_px=4.999).counts.tp == 0


def test_equal_places_pair_up():
    matches = match_points(np.zeros((3, 2)), np.zeros((2, 2)), radius_px=1)
    assert matches.counts == DetectionCounts(2, 1, 0)
    assert matches.distances_px.tolist() == [0, 0]


def test_empty_sides():
    nothing, one = np.zeros((0, 2)), np.ones((1, 2))
    assert math.isnan(match_points(nothing, nothing, radius_px=1).counts.f1)
    assert match_points(one, nothing, radius_px=1).counts == DetectionCounts(0, 1, 0)
    assert match_points(nothing, one, radius_px=1).counts == DetectionCounts(0, 0, 1)
    assert score_points(nothing, one, radius_px=1).detection.f1 == 0


@given(POINTS, POINTS)
def test_symmetric_and_perfect(pred, truth):
    there, back = match_points(pred, truth, radius_px=2), match_points(truth, pred, radius_px=2)
    assert there.counts.tp == back.counts.tp
    assert there.distances_px.sum() == pytest.approx(back.distances_px.sum())
    assert match_points(pred, pred, radius_px=2).counts.tp == len(pred)


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf])
def test_a_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match="positive"):
        match_points([[0, 0]], [[0, 0]], radius_px=radius)


def test_points_must_be_pairs():
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        match_points(np.zeros((4, 3)), np.zeros((0, 2)), radius_px=1)


def test_centroids_agree_with_scipy(rng, monkeypatch):
    labels = rng.integers(0, 7, (40, 30)).astype(np.uint32)
    labels[labels == 5] = 4_000_000_000
    ids = np.unique(labels)[1:]
    expected = ndimage.center_of_mass(labels > 0, labels, ids)
    np.testing.assert_allclose(label_centroids(labels), expected)
    monkeypatch.setattr("pathloop.metrics._points._BLOCK_PX", 90)
    np.testing.assert_allclose(label_centroids(labels), expected)
    assert label_centroids(np.zeros((3, 3), int)).shape == (0, 2)
    assert label_centroids(np.zeros((0, 3), int)).shape == (0, 2)


@pytest.mark.slow
def test_a_slide_of_points_is_no_dense_problem(rng):
    """200,000 points on each side: a matrix of all distances would take 320 GB."""
    truth = rng.uniform(0, 20_000, (200_000, 2))
    counts = match_points(truth + rng.normal(0, 3, truth.shape), truth, radius_px=6).counts
    # the share of a two-dimensional normal distribution within two standard deviations
    assert counts.recall > 1 - math.exp(-2)
