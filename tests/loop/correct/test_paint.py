"""Painting: what it makes of objects."""

from collections.abc import Callable

import numpy as np
import pytest
from corrected_project import GLANDS, NUCLEI, assert_rows_fit, filled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathloop.core import ClassSpec, ProjectError, Rect
from pathloop.loop.correct import accept_region, add_regions, paint, set_flag, set_objects, undo
from pathloop.store import ObjectRow, PixelChange, Project, Region

NEW = Rect(600, 100, 20, 30)


def test_a_new_object_is_measured_and_gets_the_class_it_is_given(project: Project) -> None:
    done = paint(project, "s", [filled(project, NEW, 9)], tool="lasso", class_codes={("nuclei", 9): 2}, who="me")
    assert done is not None
    assert (done.entry.tool, done.entry.summary, done.entry.who) == ("lasso", "nucleus 9 drawn", "me")
    wanted = ObjectRow((600, 100, 620, 130), (609.5, 114.5), 600, class_code=2, state="edited")
    assert project.object_row("s", "nuclei", 9) == wanted
    assert [(one.id, one.before, one.after) for one in done.change.objects] == [(9, None, wanted)]
    assert project.next_free_id("s", "nuclei") == 10
    assert_rows_fit(project)


def test_without_a_class_it_gets_the_first_or_none(project: Project) -> None:
    paint(project, "s", [filled(project, NEW, 9), filled(project, NEW, 9, "lumen")], tool="lasso")
    assert project.object_row("s", "nuclei", 9).class_code == 1  # type: ignore[union-attr]
    assert project.object_row("s", "lumen", 9).class_code == 0  # type: ignore[union-attr]
    project.register_classes("lumen", [ClassSpec(name="lumen", color=(1, 2, 3))])
    paint(project, "s", [filled(project, NEW.shift(50, 0), 10, "lumen")], tool="lasso")
    assert project.object_row("s", "lumen", 10).class_code == 1  # type: ignore[union-attr]


def test_what_is_changed_is_edited_and_keeps_what_the_model_said(project: Project) -> None:
    set_objects(project, "s", "nuclei", [2], state="accepted")
    before = project.object_row("s", "nuclei", 2)
    done = paint(project, "s", [filled(project, Rect(525, 525, 20, 20), 2)], tool="brush")
    after = project.object_row("s", "nuclei", 2)
    assert before is not None
    assert after is not None
    assert done is not None
    assert (done.entry.summary, done.entry.models) == ("nucleus 2 changed", ("drawn",))
    assert (after.state, after.area_px, after.box) == ("edited", 900 + 400 - 25, (500, 500, 545, 545))
    assert (after.class_code, after.class_probability, after.confidence, after.run) == (1, 0.5, 0.75, before.run)


def test_an_object_that_loses_its_last_pixel_goes_with_its_question(project: Project) -> None:
    set_flag(project, "s", "nuclei", 3, "mitosis?")
    done = paint(project, "s", [filled(project, NUCLEI[2].expand(5), 0)], tool="eraser")
    assert done is not None
    assert done.entry.summary == "nucleus 3 deleted"
    assert project.object_row("s", "nuclei", 3) is None
    assert project.flags("s") == []
    undo(project, "s")
    assert [flag.comment for flag in project.flags("s")] == ["mitosis?"]
    assert_rows_fit(project)


@pytest.mark.parametrize(
    ("rect", "box"),
    [
        (Rect(300, 300, 10, 700), (310, 300, 900, 1000)),  # its whole upper edge
        (Rect(300, 300, 10, 10), (300, 300, 900, 1000)),  # a corner: nothing shrinks
        (Rect(500, 500, 50, 50), (300, 300, 900, 1000)),  # a hole
        (Rect(300, 350, 600, 650), (300, 300, 900, 350)),  # all but a strip
        (Rect(250, 250, 300, 800), (550, 300, 900, 1000)),
    ],
)
def test_erasing_from_a_large_object_measures_it_on_its_whole_extent(
    project: Project, rect: Rect, box: tuple[int, ...]
) -> None:
    paint(project, "s", [filled(project, rect, 0, "gland")], tool="eraser")
    assert project.object_row("s", "gland", 1).box == box  # type: ignore[union-attr]
    assert_rows_fit(project)
    undo(project, "s")
    assert_rows_fit(project)


def test_several_tasks_are_one_entry(project: Project) -> None:
    done = paint(project, "s", [filled(project, NEW, 9), filled(project, GLANDS[1], 0, "gland")], tool="fill")
    assert done is not None
    assert done.entry.summary == "nucleus 9 drawn, gland 2 deleted"
    assert len(list(project.journal())) == 2
    undo(project, "s")
    assert project.objects("s", "gland").ids.tolist() == [1, 2]
    assert project.objects("s", "nuclei").ids.tolist() == [1, 2, 3, 4]
    assert_rows_fit(project)


def test_nothing_changed_is_no_entry(project: Project) -> None:
    assert paint(project, "s", [filled(project, NUCLEI[0], 1)], tool="brush") is None
    assert paint(project, "s", [], tool="brush") is None
    assert len(list(project.journal())) == 1


def test_locked_objects_are_refused_whole(project: Project) -> None:
    set_objects(project, "s", "nuclei", [1], locked=True)
    with pytest.raises(ProjectError, match="nucleus 1 is locked; unlock it first"):
        paint(project, "s", [filled(project, Rect(0, 0, 40, 40), 9), filled(project, NEW, 10)], tool="brush")
    assert project.objects("s", "nuclei").ids.tolist() == [1, 2, 3, 4]
    assert_rows_fit(project)


def test_the_region_is_in_work_from_the_first_stroke_and_stays_done_once_it_is(project: Project) -> None:
    whole = Rect(0, 0, *project.slide("s").shape)
    _, (region,) = add_regions(project, "s", [Region(0, "s", whole, states={"nuclei": "todo", "gland": "todo"})])

    def states() -> dict[str, str]:
        return dict(project.region(region.id).states)

    done = paint(project, "s", [filled(project, NEW, 9)], tool="lasso", region_id=region.id)
    assert done is not None
    assert states() == {"nuclei": "doing", "gland": "todo"}
    again = paint(project, "s", [filled(project, NEW, 0)], tool="eraser", region_id=region.id)
    assert again is not None
    assert again.change.regions == ()
    undo(project, "s")
    undo(project, "s")
    assert states() == {"nuclei": "todo", "gland": "todo"}
    accept_region(project, region.id)
    paint(project, "s", [filled(project, NEW, 9)], tool="lasso", region_id=region.id)
    assert set(states().values()) == {"done"}


def test_only_what_differs_is_kept_of_a_large_patch(project: Project) -> None:
    window = Rect(0, 0, 1000, 1000)
    before = project.read_labels("s", "nuclei", window)
    after = before.copy()
    after[NEW.slices] = 9
    done = paint(project, "s", [PixelChange("nuclei", window, before, after)], tool="brush")
    assert done is not None
    assert [one.rect for one in done.change.pixels] == [NEW]


def test_ids_that_come_back_are_the_same_object_again(project: Project) -> None:
    paint(project, "s", [filled(project, NUCLEI[0], 0)], tool="eraser")
    paint(project, "s", [filled(project, NUCLEI[0], 1)], tool="shadow")
    assert project.object_row("s", "nuclei", 1).state == "edited"  # type: ignore[union-attr]
    assert project.next_free_id("s", "nuclei") == 5


rects = st.builds(Rect, st.integers(250, 950), st.integers(250, 1050), st.integers(1, 150), st.integers(1, 150))


@pytest.mark.slow
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strokes=st.lists(st.tuples(rects, st.integers(0, 5)), min_size=1, max_size=8))
def test_any_painting_leaves_rows_as_their_pixels_measure(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[tuple[Rect, int]]
) -> None:
    from corrected_project import make

    with make(tmp_path_factory.mktemp("p") / "p.pathloop") as project:
        for rect, number in strokes:
            paint(project, "s", [filled(project, rect, number, "gland")], tool="brush")
        assert_rows_fit(project)
        while undo(project, "s"):
            assert_rows_fit(project)
        assert project.tasks("s") == []


def test_late_windows_are_refused(project: Project) -> None:
    patch = filled(project, NEW, 9)
    paint(project, "s", [filled(project, NEW.shift(5, 5), 10)], tool="brush")
    make: Callable[[], object] = lambda: paint(project, "s", [patch], tool="brush")  # noqa: E731
    with pytest.raises(ProjectError, match="changed by something else meanwhile; open the region again"):
        make()
    assert np.count_nonzero(project.read_labels("s", "nuclei", NEW) == 9) == 0
