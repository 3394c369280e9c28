"""Predicting again leaves alone what a person said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_objects import WHOLE, add_slide, assert_consistent, fill, measure, run_key, squares

from pathloop.core import Rect
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    change_region,
    delete_objects,
    paint,
    set_flag,
    set_objects,
    undo,
)
from pathloop.store import Overtaken, PixelChange, Project, Region


def ids(project: Project) -> list[int]:
    found: list[int] = project.objects("s", "nuclei").ids.tolist()
    return found


def pixels(project: Project, number: int) -> set[tuple[int, int]]:
    found = np.argwhere(project.read_labels("s", "nuclei", WHOLE) == number)
    return {(y, x) for y, x in found.tolist()}


def done(project: Project, rect: Rect, task: str = "nuclei") -> int:
    _, (region,) = add_regions(project, "s", [Region(0, "s", rect, states={task: "done"})])
    return region.id


@pytest.mark.parametrize(
    "say",
    [
        lambda project: set_objects(project, "s", "nuclei", [2], state="accepted"),
        lambda project: set_objects(project, "s", "nuclei", [2], state="edited"),
        lambda project: set_objects(project, "s", "nuclei", [2], locked=True),
        lambda project: set_flag(project, "s", "nuclei", 2, "mitosis?"),
    ],
    ids=["accepted", "edited", "locked", "asked"],
)
def test_what_a_person_spoke_of_stays_with_all_its_pixels(project: Project, say: Callable[[Project], object]) -> None:
    fill(project, [(10, 10), (700, 700)])
    say(project)
    row, before = project.object_row("s", "nuclei", 2), pixels(project, 2)
    # one lies mostly on it, one a little, one elsewhere
    stored = fill(project, [(705, 705), (715, 715), (300, 300)], key="b")
    assert stored.ids.tolist() == [4, 5]
    assert stored.areas_px.tolist() == [400 - 25, 400]
    assert ids(project) == [2, 4, 5]
    assert project.object_row("s", "nuclei", 2) == row
    assert pixels(project, 2) == before
    assert_consistent(project)


def test_a_clipped_object_keeps_all_its_pieces(project: Project) -> None:
    fill(project, [(300, 300)])
    paint_square(project, Rect(108, 90, 4, 40), 7)
    stored = fill(project, [(100, 100)], key="b")
    assert ids(project) == [7, 8]
    assert stored.areas_px.tolist() == [400 - 4 * 20]
    assert_consistent(project)


def paint_square(project: Project, rect: Rect, number: int) -> None:
    before = project.read_labels("s", "nuclei", rect)
    paint(project, "s", [PixelChange("nuclei", rect, before, np.full_like(before, number))], tool="brush")


def test_nothing_comes_into_a_done_region_and_nothing_that_touches_it_goes(project: Project) -> None:
    fill(project, [(110, 110), (190, 190), (400, 400), (150, 150)])
    delete_objects(project, "s", "nuclei", [4])
    done(project, Rect(100, 100, 100, 100))
    # onto 1; where 4 was deleted; across the edge, a quarter and three quarters inside; elsewhere
    stored = fill(project, [(112, 112), (151, 150), (100, 195), (130, 185), (500, 500)], key="b")
    assert ids(project) == [1, 2, *stored.ids.tolist()]
    assert stored.boxes.tolist() == [[100, 200, 120, 215], [500, 500, 520, 520]]
    assert_consistent(project)


def test_a_region_that_is_done_for_another_task_blocks_nothing(project: Project) -> None:
    fill(project, [(110, 110)])
    done(project, Rect(100, 100, 100, 100), task="gland")
    assert fill(project, [(130, 130)], key="b").ids.tolist() == ids(project) == [2]


def test_a_region_whose_box_only_is_met_does_not_keep(project: Project) -> None:
    """An L around the region has no pixel in it."""
    project.begin_run("s", run_key("a"), {}, tasks=["nuclei"])
    labels = np.zeros(WHOLE.shape, np.int32)
    labels[100:200, 100:110] = labels[190:200, 100:200] = 1
    with project.replace_predicted("s", "nuclei", run_key=run_key("a"), area=WHOLE) as replacement:
        replacement.write(WHOLE, labels)
        replacement.commit(measure(labels))
    done(project, Rect(100, 120, 60, 60))
    fill(project, [], key="b")
    assert ids(project) == []


def test_deleted_predictions_do_not_come_back(project: Project) -> None:
    fill(project, [(110, 110), (300, 300)])
    paint_square(project, Rect(600, 600, 20, 20), 3)
    delete_objects(project, "s", "nuclei", [1, 3])
    # 11 of 20 rows on the deleted one; elsewhere
    assert fill(project, [(119, 110), (300, 320)], key="b").boxes[:, :2].tolist() == [[300, 320]]
    # at its old place; where a person had drawn and deleted; over one that was not deleted
    fill(project, [(110, 110), (600, 600), (300, 300)], key="c")
    assert project.objects("s", "nuclei").boxes[:, :2].tolist() == [[600, 600], [300, 300]]
    # not clipped: 9 of 20 rows on it
    assert fill(project, [(121, 110)], key="d").areas_px.tolist() == [400]
    # taken back, it may come again
    while undo(project, "s"):
        if project.counts("s", "nuclei").total == 3:
            break
    assert ids(project) == [1, 2, 3]
    assert fill(project, [(110, 110)], key="e").areas_px.tolist() == [400]
    assert_consistent(project)


def test_corrections_come_first_while_predictions_come_in(project: Project) -> None:
    fill(project, [(10, 10), (700, 700)])
    project.begin_run("s", run_key("b"), {}, tasks=["nuclei"])
    with project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=WHOLE) as replacement:
        replacement.write(WHOLE, squares([(15, 15), (705, 705)], first_id=replacement.first_id))
        assert project.pending("s") == ["nuclei"]
        set_objects(project, "s", "nuclei", [2], state="accepted")
        assert project.pending("s") == []
        with pytest.raises(Overtaken, match="nuclei of slide 's' were corrected while predictions came in"):
            replacement.write(WHOLE, squares([(15, 15)], first_id=replacement.first_id))
    assert ids(project) == [1, 2]
    assert_consistent(project)
    assert [one.kind for one in project.journal("s")] == ["run", "edit"]
    fill(project, [(15, 15), (705, 705)], key="b")
    assert ids(project) == [2, 3]
    assert_consistent(project)


def test_other_slides_are_corrected_beside_them(project: Project) -> None:
    other = add_slide(project, Path("t.tif"), fingerprint="g")
    fill(project, [(10, 10)], task="gland")
    project.begin_run("s", run_key("b"), {}, tasks=["gland"])
    with project.replace_predicted("s", "gland", run_key=run_key("b"), area=WHOLE) as replacement:
        add_regions(project, other, [Region(0, other, Rect(0, 0, 50, 50), states={"gland": "done"})])
        replacement.write(WHOLE, squares([(15, 15)], first_id=replacement.first_id))
    assert project.objects("s", "gland").ids.tolist() == [1]


def test_other_tasks_are_corrected_beside_them(project: Project) -> None:
    fill(project, [(10, 10)])
    fill(project, [(10, 10)], task="gland")
    project.begin_run("s", run_key("b"), {}, tasks=["nuclei"])
    with project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=WHOLE) as replacement:
        set_objects(project, "s", "gland", [1], state="accepted")
        labels = squares([(15, 15)], first_id=replacement.first_id)
        replacement.write(WHOLE, labels)
        replacement.commit(measure(labels))
    assert ids(project) == [2]
    assert_consistent(project)
    assert_consistent(project, "gland")


def test_accepting_and_editing_in_a_done_region(project: Project) -> None:
    fill(project, [(110, 110), (150, 150), (195, 195)])
    _, (region,) = add_regions(project, "s", [Region(0, "s", Rect(100, 100, 100, 100), states={"nuclei": "todo"})])
    accept_region(project, region.id)
    assert [project.object_states("s", "nuclei").states.tolist()] == [[2, 2, 0]]
    paint_square(project, Rect(112, 112, 3, 3), 0)
    assert project.object_states("s", "nuclei").states.tolist() == [1, 2, 0]
    assert project.region(region.id).state == "done"
    fill(project, [], key="b")
    assert ids(project) == [1, 2, 3]
    reopened = project.region(region.id)
    change_region(project, type(reopened)(**{**plain(reopened), "states": {"nuclei": "todo"}}))
    fill(project, [], key="c")
    assert ids(project) == [1, 2]


def plain(region: Region) -> dict[str, object]:
    return {name: getattr(region, name) for name in Region.__dataclass_fields__}
