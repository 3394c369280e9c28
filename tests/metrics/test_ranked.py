"""FROC and average precision of detections against every threshold taken by itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.metrics import FROC_RATES, RankedDetections, match_points, rank_objects, rank_points

SCORES = st.sampled_from([0.1, 0.2, 0.5, 0.5, 0.9])
SCORED = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), SCORES), max_size=8)
PLAIN = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=8)


def as_points(rows):
    table = np.array(rows, float).reshape(-1, 3)
    return table[:, :2], table[:, 2]


@given(SCORED, PLAIN, st.sampled_from([1.0, 2.0, 3.5]))
def test_hits_are_at_every_threshold_what_matching_finds(rows, truth, radius):
    pred, scores = as_points(rows)
    truth = np.array(truth, float).reshape(-1, 2)
    ranked = rank_points(pred, truth, scores, radius_px=radius)
    assert ranked.n_truth == len(truth)
    for threshold in set(scores.tolist()):
        kept = scores >= threshold
        assert ranked.hits[kept].sum() == match_points(pred[kept], truth, radius_px=radius).counts.tp


def test_a_crowd_is_matched_as_well_as_can_be(rng):
    pred, truth, scores = rng.uniform(0, 100, (400, 2)), rng.uniform(0, 100, (300, 2)), rng.uniform(0, 1, 400)
    for radius in (3.0, 15.0):
        ranked = rank_points(pred, truth, scores, radius_px=radius)
        for threshold in (0.0, 0.3, 0.6, 0.9):
            kept = scores >= threshold
            assert ranked.hits[kept].sum() == match_points(pred[kept], truth, radius_px=radius).counts.tp


def froc_by_hand(images, rate):
    """Sensitivity at the lowest threshold with at most ``rate`` false positives an image, threshold by threshold."""
    detections = [row for scores, found, _ in images for row in zip(scores, found, strict=True)]
    n_truth = sum(n for _, _, n in images)
    best = 0.0
    for threshold in {score for score, _ in detections}:
        kept = [hit for score, hit in detections if score >= threshold]
        if kept.count(False) / len(images) <= rate:
            best = max(best, kept.count(True) / n_truth)
    return best


DETECTIONS = st.lists(st.tuples(SCORES, st.booleans()), max_size=6)


@given(st.lists(st.tuples(DETECTIONS, st.integers(0, 3)), min_size=1, max_size=4), st.sampled_from([0, 0.3, 1, 2.5]))
def test_froc_is_what_every_threshold_gives(drawn, rate):
    images = [([s for s, _ in rows], [h for _, h in rows], sum(h for _, h in rows) + extra) for rows, extra in drawn]
    parts = [rank_objects(np.flatnonzero(found), np.array(scores), n) for scores, found, n in images]
    froc = RankedDetections.pooled(parts).froc
    if sum(n for _, _, n in images) == 0:
        assert math.isnan(froc.at([rate])[0])
    else:
        assert froc.at([rate])[0] == pytest.approx(froc_by_hand(images, rate))


def worked():
    """Two images with three true objects: hits at 0.9 and 0.6, false ones at 0.8 (twice) and 0.3."""
    first = rank_objects([0], np.array([0.9, 0.8]), 2)
    second = rank_objects([1], np.array([0.8, 0.6, 0.3]), 1)
    return RankedDetections.pooled([first, second])


def test_froc_by_hand():
    froc = worked().froc
    assert froc.thresholds.tolist() == [0.9, 0.8, 0.6, 0.3]
    assert froc.false_positives.tolist() == [0, 1, 1, 1.5]
    assert froc.sensitivity.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert froc.at((0, 0.5, 1, 4)) == pytest.approx((1 / 3, 1 / 3, 2 / 3, 2 / 3))
    assert froc.score((0, 1)) == pytest.approx(0.5)
    assert FROC_RATES == (0.25, 0.5, 1, 2, 4, 8)


def test_average_precision_counts_what_was_never_found():
    # precision 1 at the first third of recall, 2 of 4 at the second; the last third is never reached
    assert worked().average_precision == pytest.approx(1 / 3 + 1 / 3 * 2 / 4)
    assert rank_objects([0, 1], np.array([0.2, 0.1]), 2).average_precision == 1


def test_nothing_there():
    nothing = np.zeros((0, 2))
    empty = rank_points(nothing, nothing, np.zeros(0), radius_px=1)
    assert math.isnan(empty.average_precision)
    assert math.isnan(empty.froc.at([1])[0])
    missed = rank_points(nothing, np.ones((2, 2)), np.zeros(0), radius_px=1)
    assert missed.average_precision == 0
    assert missed.froc.at([0, 8]) == (0, 0)
    invented = rank_points(np.ones((2, 2)), nothing, np.ones(2), radius_px=1)
    assert math.isnan(invented.average_precision)
    assert RankedDetections.pooled([empty, missed, invented]).n_images == 3


def test_a_ranking_needs_every_image():
    part = worked()
    pooled = RankedDetections.pooled_if_all([part, part])
    assert pooled is not None
    assert pooled.n_images == 4
    assert RankedDetections.pooled_if_all([part, None]) is None
    nothing = rank_objects([], np.zeros(0), 3)
    assert RankedDetections.pooled_if_all([nothing]) is None


def test_what_is_refused():
    one = np.ones((1, 2))
    with pytest.raises(ValueError, match="finite"):
        rank_points(one, one, np.array([math.nan]), radius_px=1)
    with pytest.raises(ValueError, match="one score a point"):
        rank_points(one, one, np.ones(2), radius_px=1)
    with pytest.raises(ValueError, match="positive number"):
        rank_points(one, one, np.ones(1), radius_px=0)
