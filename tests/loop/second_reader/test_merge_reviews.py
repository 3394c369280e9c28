"""Merging regions, questions and tissue cells; and projects that are no copies of each other."""

from dataclasses import replace

import numpy as np
import pytest
from reading_copies import (
    SQUARES,
    accept,
    assert_consistent,
    corner_labels,
    delete,
    draw,
    draw_new,
    everything,
    labels_of,
    make_copies,
    make_project,
    run_again,
    state,
)

from pathloop.core import Rect
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    change_region,
    delete_objects,
    remove_region,
    set_cells,
    set_flag,
    set_objects,
    undo,
)
from pathloop.loop.queue import store_queue
from pathloop.loop.second_reader import merge_copy
from pathloop.store import Project, Region

pytestmark = pytest.mark.slow

RECT = Rect(0, 0, 400, 400)


def merged(mine, theirs, **options):
    """Merge; undo brings everything back; merging again changes nothing."""
    with Project.open(mine, write=True) as project:
        before = everything(project)
        report = merge_copy(project, theirs, **options)
        assert_consistent(project)
        after = everything(project)
        if report.slides[0].entry is not None:
            undo(project, "s")
            assert everything(project) == before
            project.redo("s")
        assert merge_copy(project, theirs, **options).slides[0].entry is None
        assert everything(project) == after
    return report


def add(project, rect=RECT, **values):
    _, [region] = add_regions(project, "s", [Region(0, "s", rect, **{"states": {"gland": "todo"}} | values)])
    return region


def only_region(path):
    with Project.open(path, write=False) as project:
        [region] = project.regions("s")
    return region


# regions


def test_a_region_that_they_finished_is_done_here_and_its_objects_accepted(tmp_path, copies):
    with Project.open(copies.theirs, write=True) as project:
        number = add(project).id
        draw(project, (100, 40, 20, 60), 1)
        accept_region(project, number)
        theirs = state(project)
    report = merged(*copies)
    assert only_region(copies.mine).states == {"gland": "done"}
    with Project.open(copies.mine, write=False) as project:
        assert state(project) == theirs
    assert report.slides[0].taken["regions"] == 1


def test_a_region_with_a_conflict_in_it_is_not_done(copies):
    for path in copies:
        with Project.open(path, write=True) as project:
            number = add(project).id
    with Project.open(copies.mine, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
    with Project.open(copies.theirs, write=True) as project:
        accept_region(project, number)
    merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        states = {one.origin: one.states["gland"] for one in project.regions("s")}
        assert states == {"manual": "doing", "disagreement": "todo"}
        assert state(project)[2][2] == "accepted"  # the rest of the region came in


@pytest.mark.parametrize("prefer", ["ask", "theirs"])
def test_what_i_drew_in_a_region_that_they_finished_without_it_is_a_conflict(copies, prefer):
    with Project.open(copies.mine, write=True) as project:
        drawn = draw_new(project, (150, 150, 30, 30))
        outside = draw_new(project, (150, 550, 30, 30))
    with Project.open(copies.theirs, write=True) as project:
        accept_region(project, add(project).id)
    report = merged(*copies, prefer=prefer)
    [found] = report.conflicts if prefer == "ask" else report.slides[0].overruled
    assert (found.difference, found.rect) == ("first only", Rect(150, 150, 30, 30))
    with Project.open(copies.mine, write=False) as project:
        assert (drawn in state(project)) == (prefer == "ask")
        assert outside in state(project)


def test_regions_are_merged_by_what_each_changed(tmp_path):
    copies = make_copies(tmp_path, prepare=lambda project: [add(project, Rect(0, x, 100, 100)) for x in (0, 200, 400)])
    with Project.open(copies.mine, write=True) as project:
        first, second, third = project.regions("s")
        change_region(project, replace(first, states={"gland": "doing"}, flag="mine?"))
        change_region(project, replace(third, assigned="Ada"))
    with Project.open(copies.theirs, write=True) as project:
        change_region(project, replace(first, assigned="Bo", flag="theirs?"))
        remove_region(project, second.id)
        change_region(project, replace(third, states={"gland": "done"}, assigned="Bo"))
        add(project, Rect(0, 600, 100, 100), states={"nuclei": "doing"})
    merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        found = {one.rect.x: one for one in project.regions("s")}
    assert sorted(found) == [0, 400, 600]
    assert (found[0].states, found[0].assigned, found[0].flag) == ({"gland": "doing"}, "Bo", "mine? | theirs?")
    assert (found[400].states, found[400].assigned) == ({"gland": "done"}, "Ada")
    assert found[600].states == {"nuclei": "doing"}
    assert len({one.id for one in found.values()}) == 3


def test_a_region_that_i_changed_is_not_removed_by_them(tmp_path):
    copies = make_copies(tmp_path, prepare=add)
    with Project.open(copies.mine, write=True) as project:
        change_region(project, replace(only_region(copies.mine), flag="why?"))
    with Project.open(copies.theirs, write=True) as project:
        remove_region(project, only_region(copies.theirs).id)
    merged(*copies)
    assert only_region(copies.mine).flag == "why?"


def test_what_their_ranking_offered_stays_there_unless_somebody_took_it_up(copies):
    with Project.open(copies.theirs, write=True) as project:
        queue = [Region(0, "s", Rect(0, x, 100, 100), "ranked", states={"gland": "todo"}) for x in (0, 200)]
        store_queue(project, queue, slide_ids=["s"], strategy="entropy")
        change_region(project, replace(project.regions("s")[1], states={"gland": "doing"}))
    merged(*copies)
    assert only_region(copies.mine).rect.x == 200


def test_whether_a_region_is_held_out_never_changes(tmp_path):
    copies = make_copies(tmp_path)
    for path, holdout in ((copies.mine, False), (copies.theirs, True)):
        with Project.open(path, write=True) as project:
            add(project, holdout=holdout, states={"gland": "doing"})
    with Project.open(copies.theirs, write=True) as project:
        add(project, Rect(0, 600, 100, 100), holdout=True, states={"gland": "done"})
    merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        assert {one.rect.x: one.holdout for one in project.regions("s")} == {0: False, 600: True}


# questions


def test_questions_come_in_with_their_asker_and_go_with_their_object(copies):
    with Project.open(copies.mine, write=True) as project:
        set_flag(project, "s", "gland", 1, "is it?", who="Ada")
        set_flag(project, "s", "gland", 2, "adenoma?", who="Ada")
        other = draw_new(project, (150, 150, 30, 30))  # takes the id that their new object has
    with Project.open(copies.theirs, write=True) as project:
        set_flag(project, "s", "gland", 2, "or cancer?", who="Bo")
        new = draw_new(project, (350, 350, 30, 30))
        set_flag(project, "s", "gland", new, "a gland?", who="Bo")
        set_flag(project, "s", "gland", 3, "untouched but odd", who="Bo")
        delete(project, 1)
    assert other == new
    merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        comments = {one.id: (one.comment, one.who) for one in project.flags("s")}
        number = int(labels_of(project)[360, 360])
    assert number not in (new, 0)
    assert comments == {
        2: ("adenoma? | or cancer?", "Ada"),
        3: ("untouched but odd", "Bo"),
        number: ("a gland?", "Bo"),
    }


def test_an_answered_question_goes(tmp_path):
    copies = make_copies(tmp_path, prepare=lambda project: set_flag(project, "s", "gland", 5, "what?"))
    with Project.open(copies.theirs, write=True) as project:
        set_flag(project, "s", "gland", 5, None)
    report = merged(*copies)
    assert report.slides[0].taken == {"flags": 1}
    with Project.open(copies.mine, write=False) as project:
        assert project.flags("s") == []


# tissue


def test_cells_are_merged_and_what_both_said_differently_joins_the_queue(copies):
    with Project.open(copies.mine, write=True) as project:
        set_cells(project, "s", {(0, 0): "muscle", (0, 1): "muscle", (0, 2): "tumour"})
    with Project.open(copies.theirs, write=True) as project:
        set_cells(project, "s", {(0, 0): "muscle"}, state="accepted")
        set_cells(project, "s", {(0, 1): "mucosa", (3, 3): "mucosa"})
    report = merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        cells = {place: (cell.class_name, cell.state) for place, cell in project.tissue_cells("s").items()}
        [region] = project.regions("s")
        assert "mucosa" in [spec.name for spec in project.classes("tissue")]
    assert cells == {
        (0, 0): ("muscle", "accepted"),
        (0, 1): ("muscle", "edited"),
        (0, 2): ("tumour", "edited"),
        (3, 3): ("mucosa", "edited"),
    }
    assert [(one.difference, one.rect) for one in report.conflicts] == [("cell", Rect(0, 256, 256, 256))]
    assert region.states == {"tissue": "todo"}
    assert region.reasons[0].words == "the readers give 1 tissue cell different classes"


def test_cells_can_be_settled_for_theirs_and_follow_later(copies):
    with Project.open(copies.mine, write=True) as project:
        set_cells(project, "s", {(0, 1): "muscle"})
    for name in ("mucosa", "tumour"):
        with Project.open(copies.theirs, write=True) as project:
            set_cells(project, "s", {(0, 1): name, (2, 2): name})
        merged(*copies, prefer="theirs")
    with Project.open(copies.mine, write=False) as project:
        assert {cell.class_name for cell in project.tissue_cells("s").values()} == {"tumour"}


# runs


def test_predictions_are_not_merged_but_what_was_made_of_them_is(copies):
    moved = np.roll(corner_labels(SQUARES), 5, axis=0)
    with Project.open(copies.theirs, write=True) as project:
        run_again(project, moved, "b")
        number = int(labels_of(project)[60, 60])
        accept(project, number)
    with Project.open(copies.mine, write=False) as project:
        before = state(project)
    report = merged(*copies)
    assert report.slides[0].taken == {"changed gland": 1}
    with Project.open(copies.mine, write=False) as project:
        after = state(project)
        np.testing.assert_array_equal(np.flatnonzero(labels_of(project) == 1), np.flatnonzero(moved == 1))
    assert after.pop(1)[2] == "accepted"
    assert after == {key: value for key, value in before.items() if key != 1}


def test_what_they_did_comes_to_predictions_of_a_run_of_mine(copies):
    with Project.open(copies.theirs, write=True) as project:
        accept(project, 1)
        delete(project, 2)
    with Project.open(copies.mine, write=True) as project:
        run_again(project, np.roll(corner_labels(SQUARES), 5, axis=0), "b")
        first, second = (int(labels_of(project)[60, x]) for x in (60, 260))
    merged(*copies)
    with Project.open(copies.mine, write=False) as project:
        after = state(project)
        assert after[first][2] == "accepted"
        assert (labels_of(project)[40:100, 40:100] == first).all()  # their outline
        assert second not in after  # what they deleted, this run has predicted again


# projects that are no copies of each other


@pytest.fixture
def strangers(tmp_path):
    """The same slide in two projects: theirs was segmented by another model, a few pixels off, with other ids."""
    mine = make_project(tmp_path / "mine.pathloop", corner_labels(SQUARES))
    labels = np.roll(corner_labels(SQUARES), (3, 4), axis=(0, 1))
    ids = np.arange(len(SQUARES) + 1)
    ids[1:] = ids[:0:-1]
    theirs = make_project(tmp_path / "theirs.pathloop", ids[labels].astype(np.int32), name="copied/slide_7.tif")
    return mine, theirs


def their_id(number):
    return len(SQUARES) + 1 - number


def test_strangers_are_merged_by_where_objects_lie(strangers):
    mine, theirs = strangers
    with Project.open(theirs, write=True) as project:
        delete_id, accept_id = their_id(1), their_id(2)
        delete_objects(project, "slide_7", "gland", [delete_id])
        set_objects(project, "slide_7", "gland", [accept_id], state="accepted")
    with Project.open(mine, write=True) as project:
        accept(project, 10)
        before = state(project)
    report = merged(mine, theirs)
    assert "no copy" in report.notes[0]
    assert not report.conflicts
    with Project.open(mine, write=False) as project:
        after = state(project)
        labels = labels_of(project)
    assert 1 not in after
    assert after[2][2] == "accepted"
    np.testing.assert_array_equal(np.unique(labels[43:103, 244:304]), [2])  # their outline, my id
    assert (labels == 2).sum() == 60 * 60
    assert {number: after[number] for number in before if number > 2} == {n: before[n] for n in before if n > 2}


def test_between_strangers_everything_reviewed_counts(strangers):
    mine, theirs = strangers
    with Project.open(mine, write=True) as project:
        accept(project, 5)
        before = state(project)
    with Project.open(theirs, write=True) as project:
        set_objects(project, "slide_7", "gland", [their_id(5)], state="accepted")
    report = merged(mine, theirs)
    assert [one.difference for one in report.conflicts] == ["outline"]
    with Project.open(mine, write=False) as project:
        assert state(project) == before


def test_a_region_that_a_stranger_finished_replaces_my_predictions_in_it(strangers):
    mine, theirs = strangers
    with Project.open(mine, write=True) as project:
        draw_new(project, (600, 600, 20, 20))
    with Project.open(theirs, write=True) as project:
        # only three of the four objects of the region were ever there
        delete_objects(project, "slide_7", "gland", [their_id(9)])
        _, [region] = add_regions(project, "slide_7", [Region(0, "slide_7", RECT, states={"gland": "todo"})])
        change_region(project, replace(region, states={"gland": "done"}))
        expected = {int(n) for n in np.unique(project.read_labels("slide_7", "gland", RECT)[:320, :320])} - {0}
    merged(mine, theirs)
    with Project.open(mine, write=False) as project:
        found = state(project)
        [region] = project.regions("s")
        labels = project.read_labels("s", "gland", RECT)
        assert region.states == {"gland": "done"}
        assert 9 not in found
        assert {found[n][2] for n in (1, 2, 8)} == {"accepted"}
        assert len(expected) == 3
        assert labels[43, 44] == 1
        assert labels[42, 44] == 0
