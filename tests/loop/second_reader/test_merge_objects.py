"""Merging what a colleague did to objects: taken where only they did something, kept where I did."""

import numpy as np
import pytest
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

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.correct import accept_region, add_regions, set_objects, undo
from pathloop.loop.second_reader import merge_copy
from pathloop.store import Project, Region

pytestmark = pytest.mark.slow

# the objects: 1 at (40, 40), 2 at (40, 240), 3 at (40, 440), ...; 60 px wide, 7 in a row


def merged(copies, **options):
    """Merge, checked: tables fit pixels, undo brings back what was, redo and merging again change nothing."""
    with Project.open(copies.mine, write=True) as project:
        before = everything(project)
        report = merge_copy(project, copies.theirs, **options)
        assert_consistent(project)
        after = everything(project)
        [slide] = report.slides
        if slide.entry is not None:
            undo(project, "s")
            assert everything(project) == before
            project.redo("s")
            assert everything(project) == after
        else:
            assert after == before
        [again] = merge_copy(project, copies.theirs, **options).slides
        assert again.entry is None
        assert everything(project) == after
    return report


def opened(path):
    return Project.open(path, write=False)


def test_what_only_they_did_comes_in(copies, monkeypatch):
    monkeypatch.setenv("PATHLOOP_USER", "Bo")
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)  # 1 is larger now
        delete(project, 2)
        new = draw_new(project, (150, 150, 30, 30), code=2)
        accept(project, 3, 4)
        set_objects(project, "s", "gland", [5], class_code=2)
        set_objects(project, "s", "gland", [6], locked=True)
        theirs = state(project)
    report = merged(copies)
    with opened(copies.mine) as project:
        assert state(project) == theirs  # ids too: the copies had not diverged
        entry = list(project.journal("s"))[-1]
        row = project.object_row("s", "gland", 3)
        assert row.run is not None
    assert new in theirs
    assert not report.conflicts
    assert report.slides[0].taken == {"added gland": 1, "changed gland": 5, "deleted gland": 1}
    assert entry.summary.startswith("merged theirs.pathloop (by Bo): 1 gland added, 5 glands changed, 1 gland deleted")


def test_it_is_one_entry_of_kind_merge(copies):
    with Project.open(copies.theirs, write=True) as project:
        for number in (1, 2, 3):
            accept(project, number)
        delete(project, 4)
    with Project.open(copies.mine, write=True) as project:
        merge_copy(project, copies.theirs, who="Ada")
        entries = [one for one in project.journal("s") if one.kind != "run"]
    assert [(one.kind, one.tool, one.who) for one in entries] == [("merge", "merge", "Ada")]
    assert entries[0].models == ("drawn-a",)


def test_new_objects_of_both_readers_keep_apart_though_their_ids_clash(copies):
    with Project.open(copies.mine, write=True) as project:
        mine = draw_new(project, (150, 150, 30, 30))
    with Project.open(copies.theirs, write=True) as project:
        theirs = draw_new(project, (350, 150, 40, 30), code=2)
    assert mine == theirs
    merged(copies)
    with opened(copies.mine) as project:
        labels = labels_of(project)
        assert labels[160, 160] == mine
        assert labels[360, 160] not in (mine, 0)
        assert (labels == labels[360, 160]).sum() == 40 * 30


def test_what_i_did_stays(copies):
    with Project.open(copies.mine, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
        delete(project, 2)
        accept(project, 3)
        draw_new(project, (150, 150, 30, 30))
        mine = state(project)
    with Project.open(copies.theirs, write=True) as project:
        accept(project, 10)
    merged(copies)
    with opened(copies.mine) as project:
        found = state(project)
    assert found.pop(10)[2] == "accepted"
    mine.pop(10)
    assert found == mine


@pytest.mark.parametrize(
    ("mine", "theirs", "difference"),
    [
        (lambda p: draw(p, (100, 40, 20, 60), 1), lambda p: draw(p, (100, 40, 30, 60), 1), "outline"),
        (lambda p: accept(p, 1), lambda p: draw(p, (100, 40, 20, 60), 1), "outline"),
        (lambda p: draw(p, (100, 40, 20, 60), 1), lambda p: accept(p, 1), "outline"),
        (lambda p: accept(p, 1), lambda p: delete(p, 1), "first only"),
        (lambda p: delete(p, 1), lambda p: accept(p, 1), "second only"),
        (lambda p: accept(p, 1), lambda p: set_objects(p, "s", "gland", [1], class_code=2), "class"),
        (lambda p: set_objects(p, "s", "gland", [1], locked=True), lambda p: delete(p, 1), "first only"),
        # split and merged differently
        (lambda p: draw(p, (40, 40, 60, 30), 900, only=1), lambda p: draw(p, (40, 40, 30, 60), 900, only=1), "outline"),
        (lambda p: draw(p, (40, 100, 60, 200), 1), lambda p: accept(p, 2), "outline"),
    ],
    ids=["outlines", "accepted", "accepted by them", "deleted", "deleted by me", "class", "locked", "split", "joined"],
)
def test_what_both_did_differently_stays_mine_and_joins_the_queue(copies, mine, theirs, difference):
    for path, edit in ((copies.mine, mine), (copies.theirs, theirs)):
        with Project.open(path, write=True) as project:
            assert edit(project) is not None
    with opened(copies.mine) as project:
        before = state(project)
    report = merged(copies)
    [conflict] = report.conflicts
    assert (conflict.task, conflict.difference) == ("gland", difference)
    with opened(copies.mine) as project:
        assert state(project) == before
        [region] = project.regions("s")
    assert region.origin == "disagreement"
    assert region.rect.intersect(conflict.rect) == conflict.rect
    assert region.states == {"gland": "todo"}
    assert region.reasons[0].words
    assert report.slides[0].regions == (region,)


def test_theirs_can_be_preferred_and_mine_without_a_queue(tmp_path):
    for prefer in ("theirs", "mine"):
        copies = make_copies(tmp_path)
        with Project.open(copies.mine, write=True) as project:
            draw(project, (100, 40, 20, 60), 1)
            draw(project, (40, 300, 60, 140), 2)  # 2 and 3 are one
            draw(project, (40, 440, 60, 60), 2)
            delete(project, 8)
            mine = shapes(project)
        with Project.open(copies.theirs, write=True) as project:
            draw(project, (100, 40, 30, 60), 1)
            draw(project, (100, 240, 30, 60), 2)
            accept(project, 8)
            theirs = shapes(project)
        report = merged(copies, prefer=prefer)
        with opened(copies.mine) as project:
            assert shapes(project) == (theirs if prefer == "theirs" else mine)
            assert project.regions() == []
        assert len(report.conflicts) == (0 if prefer == "theirs" else 3)
        assert len(report.slides[0].overruled) == (3 if prefer == "theirs" else 0)


def test_what_is_locked_stays_though_theirs_is_preferred(copies):
    with Project.open(copies.mine, write=True) as project:
        set_objects(project, "s", "gland", [1], locked=True)
        before = state(project)
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
        accept(project, 2)
    report = merged(copies, prefer="theirs")
    with opened(copies.mine) as project:
        assert state(project)[1] == before[1]
        assert state(project)[2][2] == "accepted"
    assert len(report.conflicts) == 1


def test_the_same_done_twice_is_no_conflict(copies):
    for path in copies:
        with Project.open(path, write=True) as project:
            draw(project, (100, 40, 20, 60), 1)
            delete(project, 2)
            draw_new(project, (150, 150, 30, 30))
    with Project.open(copies.theirs, write=True) as project:
        accept(project, 1)
        set_objects(project, "s", "gland", [1], locked=True)
    report = merged(copies)
    assert not report.conflicts
    with opened(copies.mine) as project:
        assert state(project)[1][2:] == ("accepted", True)
        assert len(state(project)) == len(state(project).keys() - {2})


def test_what_was_undone_counts_for_nothing(copies):
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
        undo(project, "s")
    with Project.open(copies.mine, write=True) as project:
        draw(project, (100, 40, 30, 60), 1)
        before = everything(project)
    report = merged(copies)
    assert report.slides[0].entry is None
    assert not report.conflicts
    with opened(copies.mine) as project:
        assert everything(project) == before


def test_what_was_done_before_copying_is_nobodys(tmp_path):
    copies = make_copies(tmp_path, prepare=lambda project: (accept(project, 1), draw(project, (100, 240, 20, 60), 2)))
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
        theirs = state(project)
    report = merged(copies)
    assert not report.conflicts
    with opened(copies.mine) as project:
        assert state(project) == theirs


def test_what_comes_in_keeps_clear_of_what_i_drew(copies):
    with Project.open(copies.mine, write=True) as project:
        draw(project, (40, 100, 60, 30), 1)  # 1 grows to the right
        mine = state(project)
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (40, 120, 60, 120), 2)  # 2 grows to the left, 10 px into that
        accept(project, 2)
    report = merged(copies)
    assert not report.conflicts
    with opened(copies.mine) as project:
        found = state(project)
        assert found[1] == mine[1]
        assert found[2][0].n == 60 * (60 + 110)
        assert found[2][2] == "edited"  # nobody has accepted that outline


def test_what_would_lose_more_than_half_is_a_conflict(copies):
    with Project.open(copies.mine, write=True) as project:
        draw_new(project, (150, 150, 40, 40))
        before = state(project)
    with Project.open(copies.theirs, write=True) as project:
        draw_new(project, (150, 165, 40, 26))  # IoU 0.39, and 25 of its 26 columns lie on mine
    report = merged(copies)
    assert [one.difference for one in report.conflicts] == ["outline"]
    with opened(copies.mine) as project:
        assert state(project) == before


def test_merging_again_brings_what_is_new_there(copies):
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
        new = draw_new(project, (150, 150, 30, 30))
        draw(project, (40, 240, 60, 60), 0)
    merged(copies)
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 40, 60), 1)
        draw(project, (150, 180, 30, 70), new)
        undoable = draw_new(project, (50, 250, 30, 30))
        theirs = shapes(project)
    report = merged(copies)
    assert undoable != new
    assert not report.conflicts
    with opened(copies.mine) as project:
        assert shapes(project) == theirs


def test_what_i_accepted_after_merging_is_mine(copies):
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
        draw(project, (100, 240, 20, 60), 2)
    merged(copies)
    with Project.open(copies.mine, write=True) as project:
        accept(project, 1)
        before = state(project)
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 40, 60), 1)
        draw(project, (100, 240, 40, 60), 2)
    report = merged(copies)
    assert len(report.conflicts) == 1
    with opened(copies.mine) as project:
        assert state(project)[1] == before[1]
        assert state(project)[2][0].n == 60 * 100


def test_a_region_that_i_finished_is_not_drawn_into(copies):
    with Project.open(copies.mine, write=True) as project:
        _, [region] = add_regions(project, "s", [Region(0, "s", Rect(0, 0, 400, 400), states={"gland": "todo"})])
        accept_region(project, region.id)
        before = state(project)
    with Project.open(copies.theirs, write=True) as project:
        draw_new(project, (150, 150, 30, 30))
        draw_new(project, (150, 550, 30, 30))
    report = merged(copies)
    assert [one.difference for one in report.conflicts] == ["second only"]
    with opened(copies.mine) as project:
        after = state(project)
    assert {number: after[number] for number in before} == before
    assert len(after) == len(before) + 1


def test_nothing_is_written_on_trial(copies):
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
        set_objects(project, "s", "gland", [2], class_code=project.class_code("gland", "third"))
    with opened(copies.mine) as project:  # not even open for writing
        before = everything(project)
        report = merge_copy(project, copies.theirs, dry_run=True)
        assert everything(project) == before
        assert [spec.name for spec in project.classes("gland")] == ["tumour", "other"]
        assert all(one.kind == "run" for one in project.journal())
    assert report.slides[0].taken == {"changed gland": 1, "deleted gland": 1}
    assert not report.is_written
    merged(copies)
    with opened(copies.mine) as project:
        assert state(project)[2][1] == "third"


def test_the_copy_is_only_read(copies):
    with Project.open(copies.theirs, write=True) as project:
        delete(project, 1)
    before = {path: path.read_bytes() for path in copies.theirs.rglob("*") if path.is_file()}
    with Project.open(copies.mine, write=True) as project:
        merge_copy(project, copies.theirs)
    assert {path: path.read_bytes() for path in copies.theirs.rglob("*") if path.is_file()} == before


def test_what_makes_no_sense_is_refused(copies, tmp_path):
    with Project.open(copies.mine, write=True) as project:
        with pytest.raises(UsageError, match="not twice the same"):
            merge_copy(project, copies.mine)
        with pytest.raises(UsageError, match="prefer one of"):
            merge_copy(project, copies.theirs, prefer="yours")
        with pytest.raises(ProjectError, match="no such project"):
            merge_copy(project, tmp_path / "none.pathloop")
        Project.create(tmp_path / "empty.pathloop").close()
        with pytest.raises(UsageError, match="holds none of these slides"):
            merge_copy(project, tmp_path / "empty.pathloop")
        with pytest.raises(ProjectError, match="no slide 'x'"):
            merge_copy(project, copies.theirs, slide_ids=["x"])
        assert all(one.kind == "run" for one in project.journal())
    with opened(copies.mine) as project, pytest.raises(ProjectError, match="reading only"):
        merge_copy(project, copies.theirs)


def test_pixels_far_from_any_edit_are_not_even_read(copies, monkeypatch):
    with Project.open(copies.theirs, write=True) as project:
        draw(project, (100, 40, 20, 60), 1)
    seen = []
    read = Project.read_labels

    def watched(self, slide_id, task, rect):
        seen.append(rect)
        return read(self, slide_id, task, rect)

    with Project.open(copies.mine, write=True) as project:
        monkeypatch.setattr(Project, "read_labels", watched)
        merge_copy(project, copies.theirs)
    assert seen
    assert max(max(rect.shape) for rect in seen) <= 1024
    assert all(rect.bottom <= 1024 and rect.right <= 1024 for rect in seen)
    assert np.sum([rect.area for rect in seen]) < 8 * 1024**2
