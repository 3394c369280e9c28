"""Edit windows as arrays: where they lie, what counts as changed, what is spared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Labels

from pathloop.core import ClassSpec, Rect
from pathloop.gui.correcting import TaskWindow, window_rect
from pathloop.gui.correcting._layers import class_colormap
from pathloop.loop import FIRST_PREVIEW_ID
from pathloop.store import ObjectRow

SIDES = st.integers(1, 9000)


@given(height=SIDES, width=SIDES, y=st.integers(-50, 8000), x=st.integers(-50, 8000), side=st.integers(1, 6000))
def test_windows_fit_the_slide_and_the_limit(height, width, y, x, side):
    shape = (height, width)
    region = Rect(y, x, side, side).intersect(Rect(0, 0, *shape))
    found = window_rect(region, shape)
    assert max(found.shape) <= 4096
    assert found.intersect(Rect(0, 0, *shape)) == found
    if region.area and max(region.shape) <= 4096 - 512:
        assert found.intersect(region) == region


def row(top, left, bottom, right, *, locked=False):
    return ObjectRow((top, left, bottom, right), (0.0, 0.0), 1, 1, locked=locked)


def window(labels, rows, truth=None):
    return TaskWindow("nuclei", Rect(100, 200, *labels.shape), labels, rows, (), 50, truth)


@given(seed=st.integers(0, 2**31))
def test_strokes_cover_exactly_what_differs(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (300, 280)).astype(np.int32)
    before = labels.copy()
    own = window(labels, {})
    assert own.take_stroke() is None
    y, x = rng.integers(0, 250, 2)
    labels[y : y + 20, x : x + 15] = rng.integers(0, 60, (20, 15))
    stroke = own.take_stroke()
    rebuilt = before.copy()
    for patch in stroke.patches if stroke else ():
        inside = patch.rect.relative_to(own.rect)
        assert np.array_equal(patch.before, before[inside.slices])
        rebuilt[inside.slices] = patch.after
    assert np.array_equal(rebuilt, labels)
    assert own.take_stroke() is None
    assert own.new_id() > max(49, int(labels.max())) or labels.max() < 50


def test_objects_of_a_running_run_get_ids_for_good_once_they_are_changed():
    labels = np.zeros((50, 50), np.int32)
    labels[10:20, 10:20] = FIRST_PREVIEW_ID + 3
    labels[30:40, 30:40] = FIRST_PREVIEW_ID + 4
    truth = np.zeros_like(labels)
    own = window(labels, {}, truth)
    labels[10:12, 10:20] = 0
    stroke = own.take_stroke()
    assert own.at(15, 15) == 50
    assert own.at(35, 35) == FIRST_PREVIEW_ID + 4
    after = np.zeros_like(labels)
    for patch in stroke.patches:
        assert not patch.before.any()
        after[patch.rect.relative_to(own.rect).slices] = patch.after
    assert np.array_equal(after == 50, labels == 50)
    assert int((after == 50).sum()) == 80
    assert set(np.unique(after)) == {0, 50}


def test_locked_and_cut_objects_get_their_pixels_back():
    labels = np.zeros((60, 60), np.int32)
    labels[0:10, 0:10], labels[20:30, 20:30], labels[40:50, 40:50] = 1, 2, 3
    rows = {1: row(95, 200, 110, 210), 2: row(120, 220, 130, 230, locked=True), 3: row(140, 240, 150, 250)}
    own = window(labels, rows)
    labels[:] = 9
    stroke = own.take_stroke()
    assert stroke.refused.cut == (1,)
    assert stroke.refused.locked == (2,)
    assert (labels[0:10, 0:10] == 1).all()
    assert (labels[20:30, 20:30] == 2).all()
    assert (labels[40:50, 40:50] == 9).all()


@pytest.mark.parametrize("high", [70_000, 3_000_000, 2**30 + 5])
def test_objects_with_large_ids_have_the_colours_of_their_classes(high):
    box, classes = (0, 0, 4, 4), (ClassSpec(name="a", color=(255, 0, 0)), ClassSpec(name="b", color=(0, 0, 255)))
    rows = {number: ObjectRow(box, (1.0, 1.0), 4, code) for number, code in ((1, 1), (high, 2), (high - 6, 1))}
    labels = np.array([[0, 1], [high, high - 6]], np.int32)
    colormap = class_colormap(rows, classes, current=2)
    shown = Labels(labels, colormap=colormap)
    texture = colormap._data_to_texture(labels)
    red, blue = shown.get_color(1)[[0, 2]]
    assert red > blue
    mapped = colormap.map(labels)
    assert mapped[0, 0, 3] == 0
    assert mapped[0, 1, 0] > mapped[0, 1, 2]
    assert mapped[1, 0, 2] > mapped[1, 0, 0]
    if high < 2**26:
        assert mapped[1, 1, 0] > mapped[1, 1, 2]
        assert len(np.unique(texture)) == 4
