"""Reliability against a worked case and against the definition, bin by bin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.metrics import reliability


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
