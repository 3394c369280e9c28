"""Regions of the queue: added, changed, removed, accepted."""

from dataclasses import replace

import pytest
from corrected_project import NUCLEI, assert_rows_fit

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    change_region,
    redo,
    remove_region,
    set_cells,
    set_objects,
    undo,
)
from pathloop.store import Project, Reason, Region, RegionState

RECT = Rect(0, 0, 100, 100)


def add(project: Project, rect: Rect = RECT, *tasks: str, holdout: bool = False) -> Region:
    states: dict[str, RegionState] = dict.fromkeys(tasks, "todo")
    _, (region,) = add_regions(project, "s", [Region(0, "s", rect, states=states, holdout=holdout)])
    return region


def test_regions_get_numbers_once_and_are_cut_to_the_slide(project: Project) -> None:
    reason = Reason("entropy", 0.7, "the model is unsure")
    wanted = [
        Region(0, "s", Rect(1000, 1100, 500, 500), origin="ranked", rank=2, score=0.7, reasons=(reason,)),
        Region(0, "s", RECT, origin="ranked", rank=1, states={"nuclei": "todo"}, assigned="me"),
    ]
    committed, stored = add_regions(project, "s", wanted, tool="rank", who="me")
    assert (committed.entry.tool, committed.entry.summary) == ("rank", "2 regions added")
    assert [region.id for region in stored] == [1, 2]
    assert stored[0].rect == Rect(1000, 1100, 100, 100)
    assert project.regions("s") == [stored[1], stored[0]]
    undo(project, "s")
    assert project.regions() == []
    assert add(project).id == 3
    with pytest.raises(UsageError, match="lies outside slide 's'"):
        add(project, Rect(5000, 0, 10, 10))
    with pytest.raises(UsageError, match="nothing to write down"):
        add_regions(project, "s", [])


def test_regions_are_changed_in_words(project: Project) -> None:
    region = add(project, RECT, "nuclei", "gland")
    changes = [
        (replace(region, states={"nuclei": "doing", "gland": "todo"}), "nuclei doing, gland todo"),
        (replace(region, assigned="Dr. A"), "for Dr. A"),
        (replace(region, flag="is this tumour?"), "ask a pathologist: is this tumour?"),
        (replace(region, rect=Rect(5, 5, 50, 50), assigned=""), "moved"),
    ]
    for changed, words in changes:
        done = change_region(project, changed)
        assert done is not None
        assert done.entry.summary == f"region 1: {words}"
        assert project.region(1) == changed
        assert change_region(project, changed) is None
        undo(project, "s")
    assert project.region(1) == region


def test_what_must_not_change_is_refused(project: Project) -> None:
    region = add(project, holdout=True)
    with pytest.raises(UsageError, match="whether a region is held out never changes"):
        change_region(project, replace(region, holdout=False))
    with pytest.raises(UsageError, match="region 1 lies on slide 's'"):
        change_region(project, replace(region, slide_id="t"))
    with pytest.raises(ProjectError, match="has no region 7"):
        change_region(project, replace(region, id=7))


def test_a_region_is_removed_and_what_was_corrected_stays(project: Project) -> None:
    region = add(project, RECT, "nuclei")
    accept_region(project, region.id)
    assert remove_region(project, region.id).entry.summary == "region 1 removed"
    assert project.regions() == []
    assert project.counts("s", "nuclei").accepted == 1
    undo(project, "s")
    assert [one.state for one in project.regions()] == ["done"]


def test_accepting_is_one_entry_over_objects_cells_and_region(project: Project) -> None:
    set_objects(project, "s", "gland", [2], locked=True)
    set_cells(project, "s", {(0, 0): "tumour", (0, 1): "tumour", (5, 5): "tumour"})
    region = add(project, Rect(0, 0, 150, 700), "nuclei", "gland", "tissue")
    done = accept_region(project, region.id, who="me")
    assert done is not None
    assert done.entry.tool == "accept region"
    assert done.entry.summary == "region 1 done for nuclei, gland, tissue: 2 nuclei, 2 cells"
    # the one at 95 has its centre inside; the locked gland stays as it is
    assert project.object_states("s", "nuclei").states.tolist() == [2, 0, 2, 0]
    assert project.object_states("s", "gland").states.tolist() == [0, 0]
    cells = {place: cell.state for place, cell in project.tissue_cells("s").items()}
    assert cells == {(0, 0): "accepted", (0, 1): "accepted", (5, 5): "edited"}
    assert project.region(region.id).state == "done"
    assert accept_region(project, region.id) is None
    undo(project, "s")
    assert project.counts("s", "nuclei").accepted == 0
    assert {cell.state for cell in project.tissue_cells("s").values()} == {"edited"}
    assert project.region(region.id) == region
    redo(project, "s")
    assert project.region(region.id).state == "done"
    assert_rows_fit(project)


@pytest.mark.parametrize(("right", "is_inside"), [(100, True), (99, False)])
def test_an_object_counts_where_its_centre_lies(project: Project, right: int, is_inside: bool) -> None:
    assert NUCLEI[2] == Rect(95, 95, 10, 10)  # its centre is the corner at 100
    region = add(project, Rect.from_bounds(0, 0, 200, right + 1), "nuclei")
    accept_region(project, region.id)
    assert (project.object_row("s", "nuclei", 3).state == "accepted") == is_inside  # type: ignore[union-attr]


def test_some_tasks_may_be_accepted_alone(project: Project) -> None:
    region = add(project, RECT, "nuclei", "gland")
    accept_region(project, region.id, ["nuclei"])
    assert project.region(region.id).states == {"nuclei": "done", "gland": "todo"}
    assert project.region(region.id).state == "doing"
    done = accept_region(project, region.id, ["gland"])
    assert done is not None
    assert done.entry.summary == "region 1 done for gland: nothing left to accept"
