"""Ways to colour objects, colour tables and legends."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_ids import CLASSES, frame_of, random_ids

from pathloop.core import ClassSpec
from pathloop.gui.display import COLOUR_BY, colour
from pathloop.gui.display._codes import RIM, SELECTED
from pathloop.gui.display._palettes import CLASS_FIRST, class_code, color_table, letters
from pathloop.loop import FIRST_PREVIEW_ID, ObjectFrame


@pytest.fixture
def frame(rng):
    return frame_of(random_ids(rng, (900, 900), n=150), random_ids(rng, (300, 300), n=20, first=FIRST_PREVIEW_ID))


@pytest.mark.parametrize("by", COLOUR_BY)
def test_legend_says_what_the_colours_are(frame, by):
    made = colour(frame, by)
    table = color_table(frame.classes)
    if by == "instance":
        assert made.legend == ()
        return
    assert sum(entry.count for entry in made.legend) == len(frame)
    assert len({entry.badge for entry in made.legend}) == len(made.legend)
    for entry in made.legend:
        mine = made.bins == entry.code
        assert mine.sum() == entry.count
        for code in np.unique(made.codes[mine]):
            np.testing.assert_allclose(table[code, :3] * 255, entry.color, atol=0.5)


def test_ways_of_colouring_share_no_code(frame):
    used = [set(np.unique(colour(frame, by).codes).tolist()) for by in COLOUR_BY]
    assert len(set.union(*used)) == sum(len(codes) for codes in used)
    assert all(0 < code <= RIM for codes in used for code in codes)


def test_classes_have_their_own_colours(frame):
    made = colour(frame, "class")
    assert [(entry.label, entry.color) for entry in made.legend[1:]] == [(one.name, one.color) for one in CLASSES]
    assert made.legend[0].label == "no class"
    np.testing.assert_array_equal(made.codes - CLASS_FIRST, frame.instances.class_codes)
    with_class = frame.take(frame.instances.class_codes > 0)
    assert [entry.code for entry in colour(with_class, "class").legend] == [1, 2, 3]


@pytest.mark.parametrize("by", COLOUR_BY)
def test_hidden_classes_have_code_0_in_every_way(frame, by):
    made, all_shown = colour(frame, by, frozenset({2})), colour(frame, by)
    hidden = frame.instances.class_codes == 2
    assert hidden.any()
    assert not made.codes[hidden].any()
    np.testing.assert_array_equal(made.codes[~hidden], all_shown.codes[~hidden])
    if by == "class":
        assert [entry.hidden for entry in made.legend] == [False, False, True, False]


def test_confidence_bins(frame):
    made = colour(frame, "confidence")
    for entry in made.legend:
        low, high = (float(part) for part in entry.label.split(" to "))
        mine = frame.instances.confidences[made.bins == entry.code]
        assert np.all((mine >= low - 1e-6) & (mine <= high + 1e-6))


def test_area_bins_are_even_and_their_labels_true(frame):
    made = colour(frame, "area")
    assert len(made.legend) >= 6
    assert max(entry.count for entry in made.legend) < len(frame) / 2
    areas = frame.areas_um2
    for entry in made.legend:
        mine = areas[made.bins == entry.code]
        assert entry.label.endswith("um2") or "um2 and more" in entry.label
        if " to " in entry.label:
            low, high = (float(part) for part in entry.label.removesuffix(" um2").split(" to "))
            assert np.all((mine >= low - 1e-9) & (mine < high))
    assert colour(replace(frame, scale=None), "area").legend[0].label.endswith("px")


def test_equal_areas_are_no_problem(frame):
    same = replace(frame, instances=replace(frame.instances, areas_px=np.full(len(frame), 9)))
    made = colour(same, "area")
    assert len(np.unique(made.codes)) == 1
    assert sum(entry.count for entry in made.legend) == len(frame)


def test_review_says_what_matters_most(frame):
    made = colour(frame, "review")
    names = np.array([entry.label for entry in made.legend])[made.bins]
    assert set(names[frame.is_provisional]) == {"still running"}
    landed = ~frame.is_provisional
    assert set(names[landed & frame.locked]) == {"locked"}
    for code, name in enumerate(("predicted", "edited", "accepted")):
        assert set(names[landed & ~frame.locked & (frame.states == code)]) == {name}


@pytest.mark.parametrize("by", COLOUR_BY)
def test_no_objects(by):
    made = colour(ObjectFrame.empty("nuclei"), by)
    assert len(made.codes) == 0
    assert sum(entry.count for entry in made.legend) == 0


def test_many_classes_repeat_colours_and_never_leave_their_codes():
    classes = [ClassSpec(name=f"class {n}", color=(n, 0, 0)) for n in range(60)]
    codes = class_code(np.arange(61, dtype=np.int16))
    table = color_table(classes)
    assert codes.max() == 48
    assert codes[48] == codes[1]
    np.testing.assert_allclose(table[codes[40], 0] * 255, 39)


def test_only_classes_are_hatched(frame):
    bits = colour(frame, "class").pattern_bits()
    assert len(np.unique(bits[CLASS_FIRST + 1 : CLASS_FIRST + 4])) == 3
    assert len(np.unique(colour(frame, "area").pattern_bits())) == 1


def test_edges_are_opaque_in_the_colour_of_the_inside():
    table = color_table(CLASSES, fill_alpha=0.3)
    used = np.flatnonzero(table[:RIM, 3])
    np.testing.assert_allclose(table[used, 3], 0.3)
    np.testing.assert_array_equal(table[used + RIM, :3], table[used, :3])
    np.testing.assert_array_equal(table[used + RIM, 3], 1)
    assert table[0, 3] == 0
    assert table[SELECTED, 3] > 0.5


def test_letters():
    assert letters(["tumour", "tissue", "t", "", "stroma"]) == ["T", "I", "A", "B", "S"]
    assert len(set(letters(["x"] * 36))) == 36
