"""Merging whatever two readers may have done: invariants that hold always."""

import os
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_copies import (
    accept,
    assert_consistent,
    delete,
    draw,
    draw_new,
    everything,
    labels_of,
    make_copies,
    shapes,
    state,
)

from pathloop.core import Rect
from pathloop.loop.correct import set_objects, undo
from pathloop.loop.second_reader import compare_readers, merge_copy
from pathloop.store import Project

pytestmark = pytest.mark.slow

# a few objects near each other, so that edits meet: 1 at (40, 40), 2 at (40, 240), 8 at (240, 40), 9 at (240, 240)
places = st.tuples(st.integers(30, 300), st.integers(30, 300), st.integers(4, 150), st.integers(4, 150))
ids = st.sampled_from([1, 2, 8, 9])
edits = st.one_of(
    st.tuples(st.just("draw"), places, st.one_of(st.just(0), ids)),
    st.tuples(st.just("new"), places, st.just(0)),
    st.tuples(st.sampled_from(["delete", "accept", "class", "undo"]), st.just(None), ids),
)


def work(path, wanted):
    """Do these edits, those that make sense; each reader by a name of their own."""
    # an equal entry of the same second and name would count as made before the copies parted
    with patch.dict(os.environ, {"PATHLOOP_USER": f"reader of {path.stem}"}), Project.open(path, write=True) as project:
        for kind, place, number in wanted:
            row = project.object_row("s", "gland", number) if number else None
            if kind == "draw" and (number == 0 or row is not None):
                draw(project, place, number)
            elif kind == "new":
                before = project.read_labels("s", "gland", Rect(*place))
                if (before == 0).any():
                    draw_new(project, place)
            elif kind == "undo":
                if project.undoable("s") is not None and project.undoable("s").kind != "run":
                    undo(project, "s")
            elif kind == "class" and row is not None:
                set_objects(project, "s", "gland", [number], class_code=3 - row.class_code)
            elif row is not None:
                {"delete": delete, "accept": accept}[kind](project, number)


def differs(before, after):
    """Objects of a copy that its reader changed."""
    return {number for number in before.keys() | after.keys() if before.get(number) != after.get(number)}


@settings(max_examples=30)
@given(mine=st.lists(edits, max_size=4), theirs=st.lists(edits, max_size=4))
def test_mine_stays_tables_fit_and_merging_again_changes_nothing(folder, mine, theirs):
    copies = make_copies(folder)
    with Project.open(copies.mine, write=False) as project:
        start = state(project)
    work(copies.mine, mine)
    work(copies.theirs, theirs)
    with Project.open(copies.mine, write=True) as project:
        before = everything(project)
        [slide] = merge_copy(project, copies.theirs).slides
        assert_consistent(project)
        after = everything(project)
        for number in differs(start, before[0]):
            old, new = before[0].get(number), after[0].get(number)
            assert (old and old[:2]) == (new and new[:2])  # pixels and class; what both accept is raised
        with Project.open(copies.theirs, write=False) as other:
            theirs_now, mine_now = shapes(other), shapes(project)
        if not slide.conflicts and not differs(start, before[0]):
            assert mine_now == theirs_now
        [again] = merge_copy(project, copies.theirs).slides
        assert again.entry is None
        assert everything(project) == after
        if slide.entry is not None:
            undo(project, "s")
            assert everything(project) == before


@settings(max_examples=20)
@given(mine=st.lists(edits, max_size=4), theirs=st.lists(edits, max_size=4))
def test_with_theirs_preferred_every_object_of_theirs_is_there(folder, mine, theirs):
    copies = make_copies(folder)
    with Project.open(copies.theirs, write=False) as project:
        start = state(project)
    work(copies.mine, mine)
    work(copies.theirs, theirs)
    with Project.open(copies.mine, write=True) as project:
        kept = labels_of(project)
        merge_copy(project, copies.theirs, prefer="theirs")
        assert_consistent(project)
        with Project.open(copies.theirs, write=False) as other:
            now = state(other)
            found = {(pixels.places, name) for pixels, name in shapes(project)}
            labels = labels_of(project)
            for number in differs(start, now):
                if number not in now:
                    continue
                pixels = np.frombuffer(now[number][0].places, np.int64)
                if (pixels.tobytes(), now[number][1]) in found:
                    continue
                # else it keeps clear of what I changed elsewhere, and loses no more than half of itself by that
                there, counts = np.unique(labels.ravel()[pixels], return_counts=True)
                assert counts.max() >= len(pixels) / 2
                lost = there[counts < counts.max()]
                assert all((kept == one).any() for one in lost.tolist())


@settings(max_examples=15)
@given(theirs=st.lists(edits, min_size=1, max_size=5))
def test_after_merging_into_an_untouched_copy_the_readers_agree(folder, theirs):
    copies = make_copies(folder)
    work(copies.theirs, theirs)
    with Project.open(copies.mine, write=True) as project:
        merge_copy(project, copies.theirs)
        with Project.open(copies.theirs, write=False) as other:
            report = compare_readers(project, other)
        assert not report.disagreements
        agreement = report.pooled("gland")
        assert agreement.n_first == agreement.n_second == agreement.objects.detection.tp
