"""AP from counts by score against AP of the sorted elements."""

import math

import numpy as np
import pytest

from pathloop.metrics import ScoreCounts, class_average_precision, count_scores


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_counted_is_sorted(rng, monkeypatch, dtype):
    monkeypatch.setattr("pathloop.metrics._score_counts._BLOCK_PX", 50)
    images = []
    for _ in range(3):
        truth, seen = rng.integers(0, 4, (19, 11)), rng.random((19, 11)) < 0.8
        levels = rng.integers(0, 40, (3, 19, 11))
        scores = (levels / 64).astype(dtype) if dtype == np.float32 else levels.astype(dtype)
        images.append((scores, truth, seen))
    found = ScoreCounts.pooled([count_scores(scores, truth, seen=seen) for scores, truth, seen in images])
    flat = [(scores[:, seen].T.astype(float), truth[seen]) for scores, truth, seen in images]
    expected = class_average_precision(np.concatenate([s for s, _ in flat]), np.concatenate([t for _, t in flat]))
    assert found.average_precision == pytest.approx(expected)
    assert found.mean_average_precision == pytest.approx(np.mean(expected))


def test_classes_that_the_truth_lacks_have_no_ap():
    found = count_scores(np.ones((2, 1, 3), np.uint8), np.array([[1, 0, 1]]))
    assert found.average_precision[0] == 1
    assert math.isnan(found.average_precision[1])
    assert math.isnan(count_scores(np.ones((2, 1, 1)), np.zeros((1, 1), int)).mean_average_precision)


def test_what_is_refused():
    truth = np.array([[1, 3]])
    with pytest.raises(ValueError, match="one channel a class"):
        count_scores(np.ones((2, 1, 3)), truth)
    with pytest.raises(ValueError, match="class code 3"):
        count_scores(np.ones((2, 1, 2)), truth)
    with pytest.raises(ValueError, match=r"0 \.\. 1"):
        count_scores(np.full((3, 1, 2), 1.5), truth)
    with pytest.raises(ValueError, match="same classes"):
        ScoreCounts.pooled([])
