"""Overlaps, pixel and object metrics against brute force, by hand, and by their properties."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.core import UsageError
from pathloop.metrics import (
    DetectionCounts,
    PanopticCounts,
    PixelCounts,
    glas_f1,
    glas_object_dice,
    match_objects,
    object_dice,
    panoptic_counts,
    pixel_counts,
)
from pathloop.rasters import overlap_table

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def label_pairs(draw, ids=(0, 1, 2, 3, 4)):
    """Two small label images of one shape: touching, 1-pixel, disconnected and absent objects all occur."""
    shape = draw(SHAPES)
    image = hnp.arrays(np.int32, shape, elements=st.sampled_from(ids))
    return draw(image), draw(image)


def relabelled(labels, seed, dtype=np.uint32):
    """The same objects under other ids, with large gaps and ids above 2 ** 31."""
    ids = np.unique(labels[labels > 0])
    names = np.random.default_rng(seed).choice(2**32 - 2, len(ids), replace=False).astype(np.int64) + 1
    out = np.zeros(labels.shape, dtype)
    for old, new in zip(ids, names, strict=True):
        out[labels == old] = new
    return out


def brute_areas(first, second):
    areas = {}
    for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
        areas[a, b] = areas.get((a, b), 0) + 1
    return areas


def brute_panoptic(pred, truth):
    pred_ids, truth_ids = [i for i in set(pred.ravel()) if i], [i for i in set(truth.ravel()) if i]
    ious = []
    for p in pred_ids:
        for t in truth_ids:
            iou = ((pred == p) & (truth == t)).sum() / ((pred == p) | (truth == t)).sum()
            if iou > 0.5:
                ious.append(iou)
    return len(ious), len(pred_ids) - len(ious), len(truth_ids) - len(ious), sum(ious)


def brute_object_dice(pred, truth):
    def one_way(a, b):
        total = 0.0
        for i in [i for i in np.unique(a) if i]:
            own = a == i
            met = b[own][b[own] > 0]
            if len(met):
                partner = b == np.bincount(met).argmax()
                total += own.sum() / (a > 0).sum() * 2 * (own & partner).sum() / (own.sum() + partner.sum())
        return total

    if not (pred > 0).any() and not (truth > 0).any():
        return math.nan
    return 0.5 * (one_way(pred, truth) + one_way(truth, pred))


def brute_glas_counts(pred, truth):
    found = set()
    for i in [i for i in np.unique(pred) if i]:
        met = truth[pred == i]
        met = met[met > 0]
        if len(met):
            partner = np.bincount(met).argmax()
            if ((pred == i) & (truth == partner)).sum() >= 0.5 * (truth == partner).sum():
                found.add(partner)
    n_pred, n_truth = (len(np.unique(image[image > 0])) for image in (pred, truth))
    return len(found), n_pred - len(found), n_truth - len(found)


@given(label_pairs())
def test_table_counts_every_pixel_pair(pair):
    first, second = pair
    table = overlap_table(first, second)
    areas = brute_areas(first, second)
    expected = {key: n for key, n in areas.items() if key[0] and key[1]}
    found = zip(table.first_ids[table.first_index], table.second_ids[table.second_index], strict=True)
    assert dict(zip(found, table.overlaps_px, strict=True)) == expected
    assert table.first_ids.tolist() == sorted({a for a, _ in areas} - {0})
    assert table.first_areas_px.tolist() == [(first == i).sum() for i in table.first_ids]
    assert table.second_areas_px.tolist() == [(second == i).sum() for i in table.second_ids]
    order = np.lexsort((table.second_index, table.first_index))
    np.testing.assert_array_equal(order, np.arange(len(order)))


@given(label_pairs())
def test_transposed_table_is_the_table_of_the_other_order(pair):
    turned, direct = overlap_table(*pair).transposed(), overlap_table(*pair[::-1])
    for name in ("first_ids", "second_ids", "first_areas_px", "first_index", "second_index", "overlaps_px"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(direct, name))


def test_table_over_several_blocks_equals_one_block(rng, monkeypatch):
    first, second = rng.integers(0, 6, (2, 50, 37))
    whole = overlap_table(first, second)
    monkeypatch.setattr("pathloop.rasters._overlap._BLOCK_PX", 100)
    blocks = overlap_table(first, second)
    np.testing.assert_array_equal(whole.overlaps_px, blocks.overlaps_px)
    np.testing.assert_array_equal(whole.first_areas_px, blocks.first_areas_px)


@given(label_pairs())
def test_object_metrics_agree_with_brute_force(pair):
    table = overlap_table(*pair)
    counts = panoptic_counts(table)
    tp, fp, fn, iou_sum = brute_panoptic(*pair)
    assert counts.detection == DetectionCounts(tp, fp, fn)
    assert counts.iou_sum == pytest.approx(iou_sum)
    assert object_dice(table).value == pytest.approx(brute_object_dice(*pair), nan_ok=True)
    assert glas_f1(table) == DetectionCounts(*brute_glas_counts(*pair))


@given(label_pairs())
def test_pixel_metrics_agree_with_brute_force(pair):
    pred, truth = (image > 0 for image in pair)
    counts = pixel_counts(*pair)
    assert counts == PixelCounts(
        int((pred & truth).sum()), int((pred & ~truth).sum()), int((~pred & truth).sum()), int((~pred & ~truth).sum())
    )
    assert counts == PixelCounts.of_table(overlap_table(*pair))
    if not counts.is_empty:
        dice = counts.dice
        assert counts.jaccard == pytest.approx(dice / (2 - dice))
        assert counts.is_failure == math.isnan(counts.conformity)
        if not counts.is_failure:
            assert counts.conformity == pytest.approx((3 * dice - 2) / dice)


@given(label_pairs(), st.integers(0, 5))
def test_ids_do_not_matter(pair, seed):
    plain = overlap_table(*pair)
    renamed = overlap_table(relabelled(pair[0], seed), relabelled(pair[1], seed + 1))
    assert panoptic_counts(plain).detection == panoptic_counts(renamed).detection
    assert panoptic_counts(plain).iou_sum == pytest.approx(panoptic_counts(renamed).iou_sum)
    assert pixel_counts(*pair) == PixelCounts.of_table(renamed)


@given(label_pairs())
def test_bounded_and_symmetric(pair):
    there, back = overlap_table(*pair), overlap_table(*pair[::-1])
    values = [panoptic_counts(there).pq, object_dice(there).value, glas_f1(there).f1, pixel_counts(*pair).dice]
    assert all(math.isnan(value) or 0 <= value <= 1 for value in values)
    assert panoptic_counts(there).pq == pytest.approx(panoptic_counts(back).pq, nan_ok=True)
    assert object_dice(there).value == pytest.approx(object_dice(back).value, nan_ok=True)
    assert panoptic_counts(there).detection.precision == pytest.approx(
        panoptic_counts(back).detection.recall, nan_ok=True
    )


@given(hnp.arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 1, 2, 60000])))
def test_perfect_prediction_scores_one_or_nothing(labels):
    table = overlap_table(labels, labels)
    values = [
        panoptic_counts(table).pq,
        panoptic_counts(table).sq,
        object_dice(table).value,
        glas_f1(table).f1,
        pixel_counts(labels, labels).dice,
        pixel_counts(labels, labels).conformity,
    ]
    if labels.any():
        assert values == pytest.approx([1.0] * len(values))
    else:
        assert all(math.isnan(value) for value in values)


def test_every_prediction_matches_at_most_one_truth(rng):
    for _ in range(20):
        matches = match_objects(overlap_table(*rng.integers(0, 4, (2, 3, 3))))
        assert len(set(matches.pred_index)) == len(set(matches.truth_index)) == len(matches.ious)
        assert (matches.ious > 0.5).all()


def test_worked_by_hand():
    """A: 6 of 8 px found; B: found exactly by half its union; C: missed; one invented pixel touching A."""
    truth = np.array([[1, 1, 1, 1, 0, 3], [1, 1, 1, 1, 0, 3], [0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 0, 0]])
    pred = np.array([[7, 7, 7, 9, 0, 0], [7, 7, 7, 0, 0, 0], [0, 0, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0]])
    table = overlap_table(pred, truth)
    counts = panoptic_counts(table)
    # IoU of 1 and 7 is 6/8; of 2 and 5 it is 2/4 = 0.5, which is no match
    assert counts == PanopticCounts(DetectionCounts(1, 2, 2), 0.75)
    assert counts.pq == pytest.approx(0.75 / (1 + 1 + 1))
    assert (counts.dq, counts.sq) == (pytest.approx(1 / 3), 0.75)
    assert counts.detection.precision == counts.detection.recall == pytest.approx(1 / 3)
    # the GlaS rule takes 5 for 2 (exactly half) and 7 for 1; 9 covers 1/8 of 1
    assert glas_f1(table) == DetectionCounts(2, 1, 1)
    seen_from_pred = (6 * 12 / 14 + 1 * 2 / 9 + 2 * 4 / 6) / 9
    seen_from_truth = (8 * 12 / 14 + 4 * 4 / 6 + 2 * 0) / 14
    assert glas_object_dice(table).value == pytest.approx((seen_from_pred + seen_from_truth) / 2)
    pixels = pixel_counts(pred, truth)
    assert pixels == PixelCounts(9, 0, 5, 10)
    assert (pixels.precision, pixels.recall) == (1.0, 9 / 14)
    assert pixels.conformity == pytest.approx(1 - 5 / 9)
    assert pixels.accuracy == pytest.approx(19 / 24)


def test_two_exact_halves_find_a_truth_once():
    truth = np.array([[4, 4, 4, 4]])
    pred = np.array([[1, 1, 2, 2]])
    assert glas_f1(overlap_table(pred, truth)) == DetectionCounts(1, 1, 0)


def test_empty_in_one_scores_zero_and_in_both_is_undefined():
    nothing, something = np.zeros((3, 3), np.uint8), np.eye(3, dtype=np.uint8)
    missed, invented = pixel_counts(nothing, something), pixel_counts(something, nothing)
    assert missed.dice == missed.jaccard == missed.recall == invented.precision == 0
    assert math.isnan(missed.precision)
    assert math.isnan(invented.recall)
    assert missed.is_failure
    assert invented.is_failure
    assert math.isnan(missed.conformity)
    for pair in ((nothing, something), (something, nothing)):
        table = overlap_table(*pair)
        assert panoptic_counts(table).pq == object_dice(table).value == glas_f1(table).f1 == 0
        assert math.isnan(panoptic_counts(table).sq)
    both = overlap_table(nothing, nothing)
    assert pixel_counts(nothing, nothing).is_empty
    assert not pixel_counts(nothing, nothing).is_failure
    assert math.isnan(panoptic_counts(both).pq)
    assert math.isnan(object_dice(both).value)


def test_images_without_pixels_are_empty():
    table = overlap_table(np.zeros((0, 5), np.int32), np.zeros((0, 5), np.int32))
    assert (len(table.first_ids), len(table.overlaps_px), table.n_pixels) == (0, 0, 0)


def test_huge_ids_cost_no_memory():
    pred, truth = np.zeros((64, 64), np.uint32), np.zeros((64, 64), np.uint32)
    pred[:10, :10], truth[:10, :9] = 2**32 - 1, 2**31 + 5
    pred[20, 20], truth[20, 20] = 1, 4_000_000_000
    tracemalloc.start()
    try:
        counts = panoptic_counts(overlap_table(pred, truth))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.detection == DetectionCounts(2, 0, 0)
    assert counts.iou_sum == pytest.approx(1.9)
    assert peak < 2_000_000


def test_objects_of_one_pixel_that_touch():
    labels = np.arange(1, 26, dtype=np.int64).reshape(5, 5)
    counts = panoptic_counts(overlap_table(labels, labels.T))
    assert counts.detection == DetectionCounts(25, 0, 0)
    assert counts.pq == 1


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "differ in shape"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "whole numbers"),
        (np.zeros((2, 2, 3), int), np.zeros((2, 2, 3), int), "two dimensions"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "negative"),
    ],
)
def test_what_is_no_pair_of_label_images_is_refused(first, second, words):
    with pytest.raises(UsageError, match=words):
        overlap_table(first, second)


def test_counts_pool_by_addition():
    a = PanopticCounts(DetectionCounts(2, 1, 0), 1.5)
    b = PanopticCounts(DetectionCounts(1, 0, 3), 0.9)
    assert (a + b).pq == pytest.approx(2.4 / (3 + 0.5 + 1.5))
    assert (PixelCounts(1, 2, 3, 4) + PixelCounts(4, 3, 2, 1)).dice == pytest.approx(10 / 20)
