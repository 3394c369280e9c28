"""Frames as lines: inside the slide, of the region's colour, dashed where it is random, with a sign of its state."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect
from pathloop.gui.queueing._lines import CURRENT_LINES, DASHES, STATE_COLORS, frame_lines
from pathloop.store import Region

SHAPE = (5000, 7000)
WHOLE = Rect(0, 0, *SHAPE)


def region(number=1, rect=None, state="todo", **more):
    return Region(number, "a", rect or Rect(1000, 2000, 500, 400), states={"nuclei": state}, **more)


@st.composite
def regions(draw):
    found = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        y, x = draw(st.integers(0, 4990)), draw(st.integers(0, 6990))
        rect = Rect(y, x, draw(st.integers(1, 1500)), draw(st.integers(1, 1500))).intersect(WHOLE)
        state, origin = draw(st.sampled_from(["todo", "doing", "done"])), draw(st.sampled_from(["ranked", "random"]))
        found.append(region(number, rect, state, origin=origin, holdout=origin == "random"))
    return found


@given(found=regions(), current=st.integers(0, 7), screen_px=st.floats(0.05, 300))
def test_no_line_leaves_the_slide(found, current, screen_px):
    lines, colors, width = frame_lines(found, current, screen_px, SHAPE)
    ends = np.concatenate([lines[:, 0], lines.sum(axis=1)])
    assert ends.min() >= -0.5
    assert (ends.max(axis=0) <= np.array(SHAPE) - 0.5 + 1e-3).all()
    assert len(lines) == len(colors)
    assert np.isfinite(lines).all()
    assert width > 0
    wanted = {STATE_COLORS[one.state] for one in found}
    assert {tuple(round(255 * value) for value in color[:3]) for color in colors.tolist()} == wanted


def test_a_frame_lies_just_inside_its_region():
    lines, _, width = frame_lines([region()], None, 1.0, SHAPE)
    assert len(lines) == 4
    ends = np.concatenate([lines[:, 0], lines.sum(axis=1)])
    # the middle of the line is half its width inside, so that neighbours lie side by side; corners are square
    assert np.allclose([ends[:, 0].min(), ends[:, 1].min()], [999.5, 1999.5])
    assert np.allclose([ends[:, 0].max(), ends[:, 1].max()], [1499.5, 2399.5])
    vertical = lines[np.abs(lines[:, 1, 1]) < 1e-6]
    assert np.allclose(sorted(vertical[:, 0, 1]), [1999.5 + width / 2, 2399.5 - width / 2])


def test_random_ones_are_dashed_and_so_are_no_others():
    one, _, _ = frame_lines([region()], None, 1.0, SHAPE)
    dashed, _, _ = frame_lines([region(origin="random")], None, 1.0, SHAPE)
    held, _, _ = frame_lines([region(holdout=True)], None, 1.0, SHAPE)
    assert (len(one), len(dashed), len(held)) == (4, 4 * DASHES, 4 * DASHES)
    share = np.linalg.norm(dashed[:, 1], axis=1).sum() / np.linalg.norm(one[:, 1], axis=1).sum()
    assert 0.5 < share < 0.75


def test_states_are_told_without_colour():
    n = {state: len(frame_lines([region(state=state)], None, 1.0, SHAPE)[0]) for state in ("todo", "doing", "done")}
    assert len(set(n.values())) == 3


def test_the_current_one_is_thick_and_on_top():
    found = [region(1), region(2, Rect(0, 0, 300, 300), "done")]
    lines, colors, _ = frame_lines(found, 1, 1.0, SHAPE)
    plain, _, _ = frame_lines(found, None, 1.0, SHAPE)
    assert len(lines) == len(plain) + 4 * CURRENT_LINES
    assert tuple(np.round(255 * colors[-1, :3]).astype(int)) == STATE_COLORS["todo"]


def test_widths_are_of_the_screen():
    assert frame_lines([region()], None, 8.0, SHAPE)[2] == 8 * frame_lines([region()], None, 1.0, SHAPE)[2]


def test_what_is_a_speck_on_screen_has_neither_dashes_nor_signs():
    lines, _, _ = frame_lines([region(origin="random", state="done")], None, 50.0, SHAPE)
    assert len(lines) == 4


def test_nothing_is_nothing():
    lines, colors, _ = frame_lines([], None, 1.0, SHAPE)
    assert lines.shape == (0, 2, 2)
    assert colors.shape == (0, 4)
