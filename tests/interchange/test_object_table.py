import numpy as np
import pytest
from drawn_features import STROMA, TUMOR, crop, instances_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.core import DataError, Rect, UsageError
from pathloop.interchange import (
    ObjectTable,
    iter_outlines,
    outlined_objects,
)
from pathloop.rasters import trace_outlines

label_images = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16), elements=st.sampled_from([0, 0, 3, 8])
)


@given(label_images, st.integers(1, 20))
def test_outlines_by_window_equal_those_of_the_whole(labels: np.ndarray, block_px: int) -> None:
    expected = dict(trace_outlines(labels))
    found = list(iter_outlines(instances_of(labels), crop(labels), block_px=block_px))
    assert sorted(object_id for object_id, _ in found) == sorted(expected)
    for object_id, outline in found:
        for part, expected_part in zip(outline, expected[object_id], strict=True):
            for ring, expected_ring in zip(part, expected_part, strict=True):
                np.testing.assert_array_equal(ring, expected_ring)


def scattered(rng: np.random.Generator) -> np.ndarray:
    labels = np.zeros((300, 400), np.int32)
    for object_id, (y, x) in enumerate(rng.integers(0, (290, 390), (60, 2)).tolist(), start=1):
        labels[y : y + 8, x : x + 6] = object_id
    labels[50:250, 180:185] = 99
    return labels


def test_order_is_by_block_then_id_whatever_the_rows(rng: np.random.Generator) -> None:
    labels = scattered(rng)
    instances = instances_of(labels)
    found = [object_id for object_id, _ in iter_outlines(instances, crop(labels), block_px=64)]
    place = {i: (top // 64, left // 64, i) for i, (top, left, *_) in zip(instances.ids, instances.boxes, strict=True)}
    assert found == sorted(instances.ids.tolist(), key=lambda object_id: place[object_id])
    shuffled = instances.take(rng.permutation(len(instances)))
    assert [object_id for object_id, _ in iter_outlines(shuffled, crop(labels), block_px=64)] == found


def test_windows_are_small_and_large_objects_are_read_once_by_themselves(rng: np.random.Generator) -> None:
    labels, seen = scattered(rng), []
    instances = instances_of(labels)
    list(iter_outlines(instances, crop(labels, seen), block_px=64))
    large = [rect for rect in seen if rect.height > 80 or rect.width > 80]
    assert large == [Rect(50, 180, 200, 5)]
    assert len(seen) - 1 <= 5 * 7


def test_table_that_does_not_fit_the_labels(rng: np.random.Generator) -> None:
    labels = scattered(rng)
    instances = instances_of(labels)
    for object_id in (7, 99):
        gone = np.where(labels == object_id, 0, labels)
        with pytest.raises(DataError, match=f"object {object_id} has no pixel in its box"):
            list(iter_outlines(instances, crop(gone), block_px=64))


def test_classes_states_and_locks_come_from_the_table() -> None:
    labels = np.array([[1, 0, 2, 0, 5]], np.int32)
    table = ObjectTable(
        "gland",
        instances_of(labels),
        (TUMOR, STROMA),
        states=np.array(["predicted", "edited", "accepted"]),
        locked=np.array([False, True, False]),
    )
    first, second, third = outlined_objects(table, crop(labels))
    assert [item.class_spec for item in (first, second, third)] == [None, TUMOR, STROMA]
    assert [item.state for item in (first, second, third)] == ["predicted", "edited", "accepted"]
    assert [item.is_locked for item in (first, second, third)] == [False, True, False]
    assert first.confidence == 0.9
    assert np.isnan(first.class_probability)
    assert second.class_probability == 0.7


def test_tables_that_contradict_themselves_are_refused() -> None:
    instances = instances_of(np.array([[1, 0, 2, 0, 5]], np.int32))
    with pytest.raises(UsageError, match=r"class codes must lie in 0 \.\. 1"):
        ObjectTable("gland", instances, (TUMOR,))
    with pytest.raises(UsageError, match="states has shape"):
        ObjectTable("gland", instances, (TUMOR, STROMA), states=np.array(["edited"]))
