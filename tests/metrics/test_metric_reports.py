"""Rows and summaries: what is averaged, what is pooled, what is left out."""

import math

import numpy as np
import pytest

from pathloop.core import UsageError
from pathloop.metrics import ObjectEvaluation, PointEvaluation, score_objects, score_points, summarise_objects


def square(*boxes):
    labels = np.zeros((10, 10), np.uint16)
    for number, (top, left, bottom, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


NOTHING = square()
ONE = square((0, 0, 4, 4))
SHORT = square((0, 0, 4, 3))
TWO = square((0, 0, 4, 4), (6, 6, 8, 8))
AWAY = square((6, 0, 10, 4))


def test_summary_by_hand():
    """Perfect, 3/4 found with one missed, empty in both, no pixel in common."""
    rows = [
        score_objects(ONE, ONE, name="perfect", hausdorff=True),
        score_objects(SHORT, TWO, name="part", hausdorff=True),
        score_objects(NOTHING, NOTHING, name="empty", hausdorff=True),
        score_objects(ONE, AWAY, name="apart", hausdorff=True),
    ]
    summary = ObjectEvaluation(tuple(rows)).summary
    assert (summary.n_images, summary.n_empty, summary.conformity_failures) == (4, 1, 1)
    assert summary.dice == pytest.approx((1 + 24 / 32 + 0) / 3)
    assert summary.jaccard == pytest.approx((1 + 12 / 20 + 0) / 3)
    assert summary.conformity == pytest.approx((1 + (1 - 8 / 12)) / 2)
    assert summary.aji == pytest.approx((1 + 12 / 20 + 0) / 3)
    assert summary.aji_pooled.value == pytest.approx((16 + 12) / (16 + 20 + 32))
    # the empty one, right in all of its pixels, is in the pooled share only
    assert summary.pixel_accuracy == pytest.approx((1 + 0.92 + 0.68) / 3)
    assert summary.pixels_pooled.accuracy == pytest.approx((1 + 0.92 + 1 + 0.68) / 4)
    assert summary.pixel_recall == pytest.approx((1 + 12 / 20 + 0) / 3)
    assert summary.pq == pytest.approx((1 + 0.75 / 1.5 + 0) / 3)
    assert summary.detection.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert summary.panoptic_pooled.pq == pytest.approx(1.75 / (2 + 0.5 + 1))
    dice = 24 / 28
    assert summary.object_dice == pytest.approx((1 + 0.5 * (dice + 16 * dice / 20) + 0) / 3)
    assert summary.glas_object_dice.value == pytest.approx(0.5 * ((16 + 12 * dice) / 44 + (16 + 16 * dice) / 52))
    assert summary.glas_detection.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    # apart: 6 px; part: 1 px for the large one, and the small one is sqrt(6^2 + 6^2) from the far corner (0, 0)
    from_truth = (16 * 0 + 16 * 1 + 4 * math.hypot(6, 6) + 16 * 6) / 52
    assert summary.glas_hausdorff is not None
    assert summary.glas_hausdorff.value_px == pytest.approx(0.5 * ((12 * 1 + 16 * 6) / 44 + from_truth))
    assert [row.name for row in rows] == ["perfect", "part", "empty", "apart"]
    assert [(row.n_pred, row.n_truth) for row in rows] == [(1, 1), (1, 2), (0, 0), (1, 1)]


def test_only_empty_images_have_no_numbers():
    summary = summarise_objects([score_objects(NOTHING, NOTHING)])
    assert summary.n_empty == 1
    assert all(math.isnan(value) for value in (summary.dice, summary.object_dice, summary.pq, summary.detection.f1))
    assert summary.glas_hausdorff is None


def test_rows_may_be_drawn_again_and_again():
    rows = [score_objects(ONE, ONE), score_objects(ONE, AWAY)]
    assert summarise_objects([rows[0], rows[0], rows[1]]).dice == pytest.approx(2 / 3)


def test_no_size_filter():
    dots = np.zeros((10, 10), np.uint8)
    dots[5, 5] = 1
    assert score_objects(NOTHING, dots).objects.detection.fn == 1


def test_shapes_must_agree():
    with pytest.raises(UsageError, match="differ in shape"):
        score_objects(ONE, ONE[:5])


def test_points_are_pooled():
    rows = (
        score_points([[0, 0], [50, 50]], [[0, 3]], radius_px=6, name="a"),
        score_points(np.zeros((0, 2)), np.zeros((0, 2)), radius_px=6, name="empty"),
        score_points([[9, 9]], [[9, 9]], radius_px=6, name="c"),
    )
    evaluation = PointEvaluation(rows, radius_px=6)
    assert evaluation.detection.f1 == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert evaluation.mean_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert [row.distance_px_sum for row in rows] == [3, 0, 0]


def test_real_glands_against_themselves_and_moved(data_dir):
    cv2 = pytest.importorskip("cv2")
    path = data_dir / "restricted" / "glas" / "labels" / "train_1.png"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    same = score_objects(labels, labels, hausdorff=True)
    assert same.objects.pq == same.object_dice.value == same.pixels.dice == 1
    assert same.hausdorff is not None
    assert same.hausdorff.value_px == 0
    moved = score_objects(np.roll(labels, 3, axis=1), labels)
    assert 0.8 < moved.pixels.dice < 1
