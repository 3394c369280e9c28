"""Bootstrap intervals against closed forms, brute force and coverage by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pathloop.metrics import bootstrap_gain, bootstrap_score


def mean(sums):
    """Mean over images from rows of (value, 1)."""
    with np.errstate(invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def pooled_pq(sums):
    """From rows of (tp, fp, fn, sum of IoU)."""
    tp, fp, fn, iou = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore"):
        return iou / (tp + fp / 2 + fn / 2)


def rows_of(values):
    return np.column_stack([values, np.ones(len(values))])


def test_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(0.6, 0.1, 400)
    found = bootstrap_score(rows_of(values), mean)
    error = values.std() / math.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error * 1.96)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error * 1.96)
    assert found.n == 400


def test_interval_is_that_of_all_possible_draws():
    """Three images have 27 equally likely draws, whose quantiles can be counted."""
    counts = np.array([[3, 1, 0, 2.4], [5, 0, 4, 3.5], [1, 2, 2, 0.6]])
    draws = sorted(float(pooled_pq(counts[list(draw)].sum(axis=0))) for draw in itertools.product(range(3), repeat=3))
    found = bootstrap_score(counts, pooled_pq, confidence=0.5)
    # the quarter and three quarter points fall well inside a step of the true distribution
    assert draws[5] - 1e-9 <= found.low <= draws[8] + 1e-9
    assert draws[18] - 1e-9 <= found.high <= draws[21] + 1e-9
    assert found.value == pytest.approx(6.5 / (9 + 3 / 2 + 6 / 2))


def test_about_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        found = bootstrap_score(rows_of(rng.beta(4, 2, 60)), mean)
        hits += found.low <= 4 / 6 <= found.high
    assert 86 <= hits <= 100


def test_pairs_see_a_gain_that_is_smaller_than_the_spread_of_the_images():
    rng = np.random.default_rng(4)
    hardness = rng.uniform(0.2, 0.9, 40)
    old, new = rows_of(hardness), rows_of(hardness + 0.02 + rng.normal(0, 0.01, 40))
    gain = bootstrap_gain(old, new, mean)
    assert gain.value == pytest.approx(0.02, abs=0.005)
    assert not gain.includes_zero
    alone = bootstrap_score(new, mean)
    assert alone.high - alone.low > 5 * (gain.high - gain.low)


def test_no_gain_includes_zero():
    rows = rows_of(np.random.default_rng(5).uniform(0, 1, 30))
    gain = bootstrap_gain(rows, rows, mean)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)
    assert gain.includes_zero


def test_patients_are_drawn_whole():
    """Ten equal images of each of five patients are worth five images, not fifty."""
    values = np.array([0.2, 0.5, 0.6, 0.7, 0.9])
    few = bootstrap_score(rows_of(values), mean)
    many = np.repeat(values, 10)
    patients = np.repeat([*"abcde"], 10).tolist()
    grouped = bootstrap_score(rows_of(many), mean, groups=patients)
    assert (grouped.low, grouped.high) == pytest.approx((few.low, few.high))
    assert grouped.n == 5
    ungrouped = bootstrap_score(rows_of(many), mean)
    assert ungrouped.high - ungrouped.low < (few.high - few.low) / 2


def test_too_few_images_give_no_interval():
    for rows in (np.zeros((0, 2)), rows_of([0.5])):
        found = bootstrap_score(rows, mean)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert found.includes_zero
    assert found.value == 0.5
    one_patient = bootstrap_score(rows_of([0.5, 0.7]), mean, groups=["a", "a"])
    assert (one_patient.value, one_patient.n) == (pytest.approx(0.6), 1)
    assert math.isnan(one_patient.low)


def test_draws_without_a_score_do_not_count():
    """Most images hold no object: a draw of only those has no quality."""
    rows = np.array([[1, 0, 0, 0.8], [1, 0, 0, 0.6], *[[0, 0, 0, 0]] * 4], float)
    found = bootstrap_score(rows, pooled_pq)
    assert found.value == pytest.approx(0.7)
    assert 0.6 - 1e-9 <= found.low <= found.high <= 0.8 + 1e-9


@given(arrays(np.float64, st.tuples(st.integers(2, 8), st.just(2)), elements=st.floats(0, 1)), st.floats(0.5, 0.99))
def test_interval_lies_within_the_values_and_exchange_turns_it_round(values, confidence):
    old, new = rows_of(values[:, 0]), rows_of(values[:, 1])
    score = bootstrap_score(old, mean, confidence=confidence)
    assert values[:, 0].min() - 1e-9 <= score.low <= score.high <= values[:, 0].max() + 1e-9
    there = bootstrap_gain(old, new, mean, confidence=confidence)
    back = bootstrap_gain(new, old, mean, confidence=confidence)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-9)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        bootstrap_gain(np.zeros((3, 2)), np.zeros((4, 2)), mean)
    with pytest.raises(ValueError, match="2 groups for 3 images"):
        bootstrap_score(np.ones((3, 2)), mean, groups=["a", "b"])
    with pytest.raises(ValueError, match="shape"):
        bootstrap_score(np.ones(3), mean)
