"""The aggregated Jaccard index against Kumar et al.'s algorithm written plainly, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.metrics import AggregatedJaccard, aggregated_jaccard
from pathloop.rasters import overlap_table


def by_the_book(pred, truth):
    """Algorithm 1 of the paper with sets of pixels: C / U."""
    common, union, used = 0, 0, set()
    segments = {j: pred == j for j in np.unique(pred[pred > 0])}
    for i in np.unique(truth[truth > 0]):
        nucleus = truth == i
        best, best_iou = None, 0.0
        for j, segment in segments.items():
            iou = (nucleus & segment).sum() / (nucleus | segment).sum()
            if iou > best_iou:
                best, best_iou = j, iou
        if best is None:
            union += nucleus.sum()
            continue
        common += (nucleus & segments[best]).sum()
        union += (nucleus | segments[best]).sum()
        used.add(best)
    union += sum(segment.sum() for j, segment in segments.items() if j not in used)
    return common, union


@given(st.data())
def test_is_the_algorithm_of_the_paper(data):
    shape = data.draw(st.tuples(st.integers(1, 10), st.integers(1, 10)))
    image = hnp.arrays(np.int64, shape, elements=st.sampled_from([0, 0, 1, 2, 5, 9]))
    pred, truth = data.draw(image), data.draw(image)
    found = aggregated_jaccard(overlap_table(pred, truth))
    assert (found.intersection_px, found.union_px) == by_the_book(pred, truth)


def test_by_hand():
    """One segment over two nuclei is taken by both, so its false pixels count twice; a false segment counts once."""
    truth = np.array([[1, 1, 1, 2, 2, 0, 0, 0, 3]])
    pred = np.array([[7, 7, 7, 7, 7, 0, 8, 8, 0]])
    found = aggregated_jaccard(overlap_table(pred, truth))
    assert found == AggregatedJaccard(3 + 2, (5 + 5) + 2 + 1)
    assert found.value == pytest.approx(5 / 13)


def test_empty_images():
    nothing, some = np.zeros((3, 3), int), np.eye(3, dtype=int)
    assert math.isnan(aggregated_jaccard(overlap_table(nothing, nothing)).value)
    assert aggregated_jaccard(overlap_table(some, nothing)).value == 0
    assert aggregated_jaccard(overlap_table(nothing, some)).value == 0
    assert aggregated_jaccard(overlap_table(some, some)).value == 1


def test_parts_pool():
    assert (AggregatedJaccard(1, 2) + AggregatedJaccard(2, 6)).value == 3 / 8
