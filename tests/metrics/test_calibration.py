"""Reliability against a worked case and against the definition, bin by bin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.metrics import Reliability, pixel_reliability, reliability


def test_worked_case() -> None:
    """Two bins: three elements of mean 0.3 with one right, two of mean 0.8 with both right."""
    found = reliability(np.array([0.2, 0.3, 0.4, 0.7, 0.9]), np.array([0, 1, 0, 1, 1], bool), n_bins=2)
    assert found.counts.tolist() == [3, 2]
    np.testing.assert_allclose(found.confidence, [0.3, 0.8])
    np.testing.assert_allclose(found.accuracy, [1 / 3, 1.0])
    assert found.ece == pytest.approx((3 * (1 / 3 - 0.3) + 2 * 0.2) / 5)
    assert found.mce == pytest.approx(0.2)
    assert found.brier == pytest.approx((0.04 + 0.49 + 0.16 + 0.09 + 0.01) / 5)


elements = st.lists(st.tuples(st.floats(0, 1), st.booleans() | st.floats(0, 1)), min_size=1, max_size=40)


@given(elements=elements, n_bins=st.integers(1, 12))
def test_is_the_definition(elements: list[tuple[float, float]], n_bins: int) -> None:
    found = reliability(np.array([c for c, _ in elements]), np.array([r for _, r in elements]), n_bins=n_bins)
    gaps = []
    for index, (low, high) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
        inside = [(c, r) for c, r in elements if (low < c <= high) or (index == 0 and c == 0)]
        assert found.counts[index] == len(inside)
        if inside:
            mean = math.fsum(c for c, _ in inside) / len(inside)
            share = sum(r for _, r in inside) / len(inside)
            gaps.append((len(inside), abs(mean - share)))
    assert found.n == len(elements) == sum(n for n, _ in gaps)
    assert found.ece == pytest.approx(sum(n * gap for n, gap in gaps) / len(elements), abs=1e-12)
    assert found.mce == pytest.approx(max(gap for _, gap in gaps), abs=1e-12)
    assert found.ece <= found.mce + 1e-12


def test_a_calibrated_source_has_a_small_error_and_an_overconfident_one_a_large_one(rng: np.random.Generator) -> None:
    chances = rng.uniform(0, 1, 20_000)
    right = rng.uniform(0, 1, 20_000) < chances
    assert reliability(chances, right).ece < 0.02
    assert reliability(np.where(chances > 0.5, 0.99, 0.01), right).ece > 0.2


def test_nothing_to_compare() -> None:
    found = reliability(np.zeros(0), np.zeros(0, bool))
    assert found.n == 0
    assert math.isnan(found.ece)
    assert math.isnan(found.mce)
    assert math.isnan(found.brier)


@pytest.mark.parametrize(
    ("confidence", "right", "bins", "clue"),
    [
        ([0.5], [True, False], 3, "one confidence an element"),
        ([1.5], [True], 3, "0 .. 1"),
        ([math.nan], [True], 3, "0 .. 1"),
        ([0.5], [1.5], 3, "0 .. 1"),
        ([0.5], [True], 0, "at least one bin"),
    ],
)
def test_what_is_refused(confidence: list[float], right: list[float], bins: int, clue: str) -> None:
    with pytest.raises(ValueError, match=clue):
        reliability(np.array(confidence), np.array(right), n_bins=bins)


@given(elements=elements, cuts=st.lists(st.integers(0, 40), max_size=3))
def test_pooled_parts_are_the_whole(elements: list[tuple[float, float]], cuts: list[int]) -> None:
    values, hits = np.array([c for c, _ in elements]), np.array([r for _, r in elements])
    places = sorted(cuts)
    parts = zip(np.split(values, places), np.split(hits, places), strict=True)
    found = Reliability.pooled([reliability(*part, n_bins=5) for part in parts])
    whole = reliability(values, hits, n_bins=5)
    np.testing.assert_array_equal(found.counts, whole.counts)
    np.testing.assert_allclose(found.confidence, whole.confidence)
    np.testing.assert_allclose(found.accuracy, whole.accuracy)
    assert found.brier == pytest.approx(whole.brier)
    assert found.ece == pytest.approx(whole.ece, abs=1e-12)


def test_nothing_to_pool() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Reliability.pooled([])
    empty = reliability(np.zeros(0), np.zeros(0))
    assert math.isnan(Reliability.pooled([empty, empty]).ece)
    with pytest.raises(ValueError, match="same bins"):
        Reliability.pooled([empty, reliability(np.zeros(0), np.zeros(0), n_bins=3)])


def test_pixels_that_count_have_both_codes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathloop.metrics._calibration._BLOCK_PX", 40)
    pred, truth = rng.integers(0, 4, (2, 17, 13))
    confidence = rng.uniform(0, 1, (17, 13))
    confidence[pred == 0] = math.nan
    seen = (pred > 0) & (truth > 0)
    found = pixel_reliability(pred, truth, confidence)
    whole = reliability(confidence[seen], (pred == truth)[seen])
    assert found.n == seen.sum()
    assert found.ece == pytest.approx(whole.ece)
    assert found.brier == pytest.approx(whole.brier)
    with pytest.raises(ValueError, match="shapes differ"):
        pixel_reliability(pred, truth, confidence[:3])
