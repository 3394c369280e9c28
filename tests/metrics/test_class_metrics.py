"""Metrics over classes: tissue codes, mPQ and mPQ+, average precision, F1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.metrics import (
    ClassConfusion,
    ClassEvaluation,
    PanopticCounts,
    PixelCounts,
    average_precision,
    class_confusion,
    class_f1,
    class_panoptic,
    multi_class_panoptic,
    panoptic_counts,
    score_classes,
)
from pathloop.rasters import overlap_table


@given(st.data())
def test_confusion_agrees_with_masks(data):
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    image = hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 7]))
    pred, truth = data.draw(image), data.draw(image)
    confusion = class_confusion(pred, truth)
    seen = (pred > 0) & (truth > 0)
    assert confusion.n_compared == seen.sum()
    assert confusion.n_annotated == (truth > 0).sum()
    for code in (1, 2, 7, 9):
        p, t = (pred == code) & seen, (truth == code) & seen
        expected = PixelCounts((p & t).sum(), (p & ~t).sum(), (~p & t).sum(), (seen & ~p & ~t).sum())
        assert confusion.of_class(code) == expected
    if seen.any():
        assert confusion.accuracy == pytest.approx((pred == truth)[seen].mean())


def test_pooling_unites_codes():
    a, b = np.array([[1, 1, 3, 0]], np.uint8), np.array([[1, 3, 3, 3]], np.uint8)
    c, d = np.array([[2, 3]], np.uint8), np.array([[2, 2]], np.uint8)
    pooled = ClassConfusion.pooled([class_confusion(a, b), class_confusion(c, d)])
    joined = class_confusion(np.hstack([a, c]), np.hstack([b, d]))
    assert pooled.codes == joined.codes == (1, 2, 3)
    np.testing.assert_array_equal(pooled.matrix, joined.matrix)
    assert pooled.coverage == 5 / 6
    evaluation = ClassEvaluation((score_classes(a, b), score_classes(c, d)))
    # truth 1 3 3 2 2, prediction 1 1 3 2 3
    assert evaluation.mean_dice == pytest.approx((2 / 3 + 2 / 3 + 2 / 4) / 3)
    assert evaluation.mean_jaccard == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_nothing_to_compare_is_undefined():
    confusion = class_confusion(np.zeros((2, 2), int), np.ones((2, 2), int))
    assert math.isnan(confusion.accuracy)
    assert confusion.coverage == 0


def by_class(labels, classes, code):
    keep = np.array([0, *classes]) == code
    return np.where(keep[labels], labels, 0)


def test_class_panoptic_is_panoptic_of_each_class_alone(rng):
    for _ in range(20):
        truth = np.repeat(np.repeat(rng.integers(0, 6, (4, 4)), 3, 0), 3, 1)
        pred = np.where(rng.random(truth.shape) < 0.2, 0, truth)
        pred_classes, truth_classes = rng.integers(0, 4, (2, 5))
        table = overlap_table(pred, truth)
        counts = class_panoptic(
            table, pred_classes[table.first_ids - 1], truth_classes[table.second_ids - 1], n_classes=3
        )
        for code in (1, 2, 3):
            alone = overlap_table(by_class(pred, pred_classes, code), by_class(truth, truth_classes, code))
            assert counts[code - 1].detection == panoptic_counts(alone).detection
            assert counts[code - 1].iou_sum == pytest.approx(panoptic_counts(alone).iou_sum)


def test_mpq_skips_images_without_the_class_and_mpq_plus_pools():
    one, two = np.array([[1, 1, 0, 2]]), np.array([[1, 1, 0, 0]])
    table = overlap_table(one, one)
    first = class_panoptic(table, np.array([1, 2]), np.array([1, 1]), n_classes=3)
    second = class_panoptic(overlap_table(one, two), np.array([1, 2]), np.array([1]), n_classes=3)
    scores = multi_class_panoptic([first, second])
    # class 1: image 1 finds one of two, image 2 finds its one; class 2 is in no truth, but invented twice
    assert scores.per_class[:1] == (pytest.approx((1 / 1.5 + 1) / 2),)
    assert [math.isnan(value) for value in scores.per_class] == [False, True, True]
    assert scores.per_class_plus[:2] == (pytest.approx(2 / 2.5), 0)
    assert math.isnan(scores.per_class_plus[2])
    assert scores.mpq == pytest.approx((1 / 1.5 + 1) / 2)
    assert scores.mpq_plus == pytest.approx(0.4)


def test_classes_must_fit_the_objects():
    table = overlap_table(np.eye(2, dtype=int), np.eye(2, dtype=int))
    with pytest.raises(ValueError, match="one class an object"):
        class_panoptic(table, np.array([1, 1]), np.array([1]), n_classes=2)
    with pytest.raises(ValueError, match=r"0 \.\. 2"):
        class_panoptic(table, np.array([3]), np.array([1]), n_classes=2)
    with pytest.raises(ValueError, match="at least one image"):
        multi_class_panoptic([])
    with pytest.raises(ValueError, match="same classes"):
        multi_class_panoptic([(), (PanopticCounts,)])


def brute_ap(scores, positive):
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [p for s, p in zip(scores, positive, strict=True) if s >= threshold]
        recall = sum(chosen) / sum(positive)
        total += (recall - recall_before) * sum(chosen) / len(chosen)
        recall_before = recall
    return total


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=12))
def test_average_precision_agrees_with_every_threshold(elements):
    scores, positive = zip(*elements, strict=True)
    found = average_precision(scores, positive)
    if any(positive):
        assert found == pytest.approx(brute_ap(scores, positive))
        assert 0 < found <= 1
    else:
        assert math.isnan(found)


def test_average_precision_by_hand():
    assert average_precision([0.9, 0.8, 0.7, 0.6], [True, False, True, False]) == pytest.approx(0.5 + 0.5 * 2 / 3)
    with pytest.raises(ValueError, match="one finite score"):
        average_precision([0.5, math.nan], [True, False])


def test_f1_of_classes():
    found = class_f1([1, 1, 2, 2, 2], [1, 2, 2, 2, 1], n_classes=3)
    assert found[:2] == (pytest.approx(0.5), pytest.approx(2 / 3))
    assert math.isnan(found[2])
