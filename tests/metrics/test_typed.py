"""Objects and points with classes: every class as if it were alone, and worked cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.metrics import (
    average_precision,
    class_average_precision,
    match_points,
    panoptic_counts,
    score_typed_objects,
    score_typed_points,
    summarise_types,
)
from pathloop.rasters import overlap_table

NAMES = ["", "a", "b", "c"]


def squares(*rows):
    """A label image of 2 x 2 squares side by side; a number an object, 0 = none."""
    return np.repeat(np.repeat(np.array(rows), 2, 0), 2, 1)


def kept(labels, names, wanted):
    """Only the objects with the class ``wanted``."""
    return np.where(np.isin(labels, [k for k, name in enumerate(names, start=1) if name == wanted]), labels, 0)


def test_each_class_is_scored_as_if_it_were_alone(rng):
    for _ in range(20):
        truth = squares(*rng.integers(0, 7, (4, 4)).tolist())
        pred = np.where(rng.random(truth.shape) < 0.2, 0, truth)
        names = rng.choice(NAMES[1:], 6), rng.choice(NAMES[1:], 6)
        table = overlap_table(pred, truth)
        found = score_typed_objects(table, names[0][table.first_ids - 1], names[1][table.second_ids - 1])
        for name in NAMES[1:]:
            alone = panoptic_counts(overlap_table(kept(pred, names[0], name), kept(truth, names[1], name)))
            if name in found.panoptic:
                assert found.panoptic[name].detection == found.detection[name] == alone.detection
                assert found.panoptic[name].iou_sum == pytest.approx(alone.iou_sum)
            else:
                assert alone.detection.tp + alone.detection.fp + alone.detection.fn == 0


def test_what_matches_an_unknown_one_has_no_verdict():
    labels = squares([1, 2, 0, 3])
    found = score_typed_objects(overlap_table(labels, labels), ["a", "a", ""], ["", "b", "b"])
    assert found.n_unknown == 1
    assert {name: (n.tp, n.fp, n.fn) for name, n in found.detection.items()} == {"a": (0, 1, 0), "b": (0, 0, 2)}
    assert found.pairs == {("b", "a"): 1}


def worked():
    """Image 1: a found, b taken for a, b found; image 2: a missed, c invented."""
    one = squares([1, 2, 0, 3])
    two = squares([1, 0]), squares([0, 1])
    scores = np.array([0.9, 0.8, 0.7]), np.array([0.95])
    first = score_typed_objects(overlap_table(one, one), ["a", "a", "b"], ["a", "b", "b"], scores=scores[0])
    second = score_typed_objects(overlap_table(*two), ["c"], ["a"], scores=scores[1])
    return first, second


def test_summary_by_hand():
    summary = summarise_types(worked(), order=["b", "unused"])
    assert summary.classes == ("b", "a", "c")
    assert [(n.tp, n.fp, n.fn) for n in summary.detection] == [(1, 0, 1), (1, 1, 1), (0, 1, 0)]
    assert summary.mean_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert summary.panoptic is not None
    # b: image 1 alone holds it; a: 1 / 1.5 and 0; c is in no truth
    assert summary.panoptic.mpq == pytest.approx((2 / 3 + (2 / 3 + 0) / 2) / 2)
    assert summary.panoptic.mpq_plus == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    # matched: a as a, b as a, b as b
    assert summary.confusion.matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert summary.confusion.accuracy == pytest.approx(2 / 3)
    assert summary.matched_f1[:2] == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert math.isnan(summary.matched_f1[2])
    # b: one of two found, at precision 1; a: hit at 0.9, miss at 0.8, one of two found; c: no truth
    assert summary.average_precision[:2] == (pytest.approx(1 / 2), pytest.approx(1 / 2))
    assert math.isnan(summary.average_precision[2])
    assert summary.mean_average_precision == pytest.approx(1 / 2)


def test_no_images_and_no_objects():
    nothing = squares([0])
    summary = summarise_types([score_typed_objects(overlap_table(nothing, nothing), [], [])])
    assert summary.classes == ()
    assert all(math.isnan(v) for v in (summary.mean_f1, summary.mean_matched_f1, summary.mean_average_precision))


def test_an_image_without_objects_counts_with_others():
    empty = squares([0])
    summary = summarise_types([*worked(), score_typed_objects(overlap_table(empty, empty), [], [])])
    assert summary.panoptic is not None
    assert summary.panoptic.mpq == pytest.approx((2 / 3 + 1 / 3) / 2)


POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(NAMES[1:])), max_size=6)


@given(POINTS, POINTS)
def test_points_of_a_class_are_matched_alone(pred, truth):
    places = [np.array([row[:2] for row in rows], float).reshape(-1, 2) for rows in (pred, truth)]
    names = [[row[2] for row in rows] for rows in (pred, truth)]
    found = score_typed_points(*places, *names, radius_px=2, scores=np.ones(len(pred)))
    for name in NAMES[1:]:
        own, true = (place[np.array(one, object) == name] for place, one in zip(places, names, strict=True))
        counts = match_points(own, true, radius_px=2).counts
        assert found.detection.get(name, match_points(own[:0], true[:0], radius_px=2).counts) == counts
        assert name not in found.ranked or found.ranked[name].hits.sum() == counts.tp
    assert sum(found.pairs.values()) == match_points(*places, radius_px=2).counts.tp
    assert summarise_types([found]).panoptic is None


def test_average_precision_of_classes():
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.9, 0.1]])
    found = class_average_precision(probabilities, [1, 2, 2, 0])
    assert found == (
        average_precision([0.7, 0.6, 0.2], [True, False, False]),
        pytest.approx(average_precision([0.3, 0.4, 0.8], [False, True, True])),
    )
    assert math.isnan(class_average_precision(probabilities, [1, 1, 1, 1])[1])
    with pytest.raises(ValueError, match="one row of scores"):
        class_average_precision(probabilities, [1])


def test_classes_must_fit():
    labels = squares([1, 2])
    with pytest.raises(ValueError, match="one class an object"):
        score_typed_objects(overlap_table(labels, labels), ["a"], ["a", "b"])
