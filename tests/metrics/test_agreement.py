"""Kappa and agreement of detections against worked examples and independent ways of computing them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from pathloop.metrics import DetectionCounts, class_confusion, cohen_kappa, detection_agreement

matrices = st.integers(2, 5).flatmap(lambda n: arrays(np.int64, (n, n), elements=st.integers(0, 40)))


def used_classes(matrix):
    return np.count_nonzero(matrix.sum(axis=0) + matrix.sum(axis=1))


def kappa_of(p):
    p = p / p.sum()
    expected = p.sum(axis=0) @ p.sum(axis=1)
    return (np.trace(p) - expected) / (1 - expected)


# table, kappa, standard error, interval
WORKED = [
    # SAS 9 PROC FREQ's output for this table, as the tests of statsmodels (inter_rater) quote it
    ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.4842, 0.1380, (0.2137, 0.7547)),
    # Stata 13 manual, kap, example 1: two radiologists, 85 xeromammograms (Boyd et al. 1982); 63.53 % against 30.82 %
    ([[21, 12, 0, 0], [4, 17, 1, 0], [3, 9, 15, 2], [0, 0, 0, 1]], 0.4728, None, None),
    # Wikipedia, "Cohen's kappa", simple example: 50 grant proposals
    ([[20, 5], [10, 15]], 0.4, None, None),
]


@pytest.mark.parametrize(("table", "value", "error", "interval"), WORKED)
def test_kappa_is_that_of_worked_examples(table, value, error, interval):
    found = cohen_kappa(np.array(table))
    assert found.n == np.sum(table)
    assert found.value == pytest.approx(value, abs=5e-5)
    if error is not None:
        assert found.standard_error == pytest.approx(error, abs=5e-5)
        assert (found.low, found.high) == pytest.approx(interval, abs=5e-5)


def test_the_shares_are_those_of_the_stata_example():
    found = cohen_kappa(np.array(WORKED[1][0]))
    assert (found.observed, found.expected) == pytest.approx((0.6353, 0.3082), abs=5e-5)


@given(matrices)
def test_standard_error_is_that_of_the_delta_method(matrix):
    """Another way to the same variance: the gradient of kappa by the cells, taken numerically."""
    counts = matrix + 1.0  # away from the border, where the gradient is steep
    found = cohen_kappa(counts)
    p, step = counts / counts.sum(), 1e-6
    gradient = np.zeros_like(p)
    for place in np.ndindex(p.shape):
        change = np.zeros_like(p)
        change[place] = step
        # unnormalised derivatives differ by a constant at most, which the variance does not see
        gradient[place] = (kappa_of(p + change) - kappa_of(p - change)) / (2 * step)
    variance = (p * gradient**2).sum() - (p * gradient).sum() ** 2
    assert found.standard_error == pytest.approx(math.sqrt(variance / counts.sum()), rel=1e-4, abs=1e-7)


def test_the_interval_is_that_of_the_bootstrap(rng):
    matrix = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    found = cohen_kappa(matrix)
    draws = rng.multinomial(matrix.sum(), matrix.ravel() / matrix.sum(), size=4000).reshape(-1, 3, 3)
    values = [kappa_of(one) for one in draws]
    assert found.standard_error == pytest.approx(np.std(values), rel=0.05)
    assert (found.low, found.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.01)


@given(matrices, st.data())
def test_kappa_does_not_depend_on_who_is_first_nor_on_the_order_of_classes(matrix, data):
    assume(used_classes(matrix) > 1)
    order = data.draw(st.permutations(range(len(matrix))))
    found = cohen_kappa(matrix)
    for other in (cohen_kappa(matrix.T), cohen_kappa(matrix[np.ix_(order, order)])):
        assert other.value == pytest.approx(found.value, abs=1e-12)
        assert other.standard_error == pytest.approx(found.standard_error, abs=1e-9)
    assert -1 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@given(matrices)
def test_two_classes_are_full_agreement_or_less(matrix):
    diagonal = np.diag(np.diag(matrix))
    assume(used_classes(diagonal) > 1)
    assert cohen_kappa(diagonal).value == pytest.approx(1)
    assert cohen_kappa(diagonal).standard_error == pytest.approx(0, abs=1e-6)


def test_independent_readers_have_kappa_zero():
    assert cohen_kappa(np.outer([30, 50, 20], [10, 60, 30])).value == pytest.approx(0, abs=1e-12)


def test_kappa_without_a_value_is_nan():
    for matrix, n in (([[0, 0], [0, 0]], 0), ([[7, 0], [0, 0]], 7), (np.zeros((0, 0)), 0)):
        found = cohen_kappa(np.array(matrix))
        assert found.n == n
        assert math.isnan(found.value)
        assert math.isnan(found.low)


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.zeros(3), np.array([[1, -1], [0, 2]])])
def test_what_is_no_table_is_refused(matrix):
    with pytest.raises(ValueError, match="square matrix"):
        cohen_kappa(matrix)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_kappa_of_objects_is_that_of_counting_pairs(pairs):
    """Straight from the definition, element by element; code 0 is "no class" and left out."""
    codes = np.array(pairs)
    both = [(a, b) for a, b in pairs if a and b]
    found = cohen_kappa(class_confusion(codes[None, :, 1], codes[None, :, 0]).matrix)
    assert found.n == len(both)
    chance = sum(a == b for a, _ in both for _, b in both) / max(len(both), 1) ** 2
    if both and chance < 1:
        agree = sum(a == b for a, b in both) / len(both)
        assert found.value == pytest.approx((agree - chance) / (1 - chance), abs=1e-12)


counts = st.builds(DetectionCounts, st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))


@given(counts)
def test_detection_agreement_is_f1_with_an_interval_around_it(one):
    found = detection_agreement(one)
    assert found.n == one.tp + one.fp + one.fn
    if found.n:
        assert found.value == one.f1
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1
        more = detection_agreement(DetectionCounts(4 * one.tp, 4 * one.fp, 4 * one.fn))
        assert more.high - more.low < found.high - found.low
    else:
        assert math.isnan(found.value)


def test_detection_interval_is_wilsons():
    # 81 of 263: Newcombe 1998, Statistics in Medicine 17, table I: 0.2553 to 0.3662
    found = detection_agreement(DetectionCounts(81, 100, 82))
    assert found.low / (2 - found.low) == pytest.approx(0.2553, abs=5e-5)
    assert found.high / (2 - found.high) == pytest.approx(0.3662, abs=5e-5)


def test_detection_interval_covers_what_it_should():
    n = 60
    found = [detection_agreement(DetectionCounts(tp, n - tp, 0)) for tp in range(n + 1)]
    low, high = np.array([(one.low, one.high) for one in found]).T
    shares = np.linspace(0.05, 0.95, 181)
    f1 = 2 * shares / (1 + shares)
    weights = binom.pmf(np.arange(n + 1)[:, None], n, shares)
    coverage = (weights * ((low[:, None] <= f1) & (f1 <= high[:, None]))).sum(axis=0)
    assert 0.945 < coverage.mean() < 0.96
    assert coverage.min() > 0.9


def test_kappa_tends_to_the_agreement_of_detections():
    """With ever more that neither found, kappa of found / not found becomes F1."""
    one = DetectionCounts(70, 20, 10)
    table = np.array([[one.tp, one.fp], [one.fn, 10**9]])
    assert cohen_kappa(table).value == pytest.approx(detection_agreement(one).value, abs=1e-6)
