"""Regions, tasks, models and slides that come one after the other into one project."""

import shutil

import numpy as np
import pytest
from drawn_slides import (
    PLAIN,
    SHAPE,
    DrawnEngine,
    drawn_model,
    drawn_request,
    expected_objects,
    run,
    write_blobs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from project_views import OBJECT_TASKS, all_labels, assert_same, assert_table, opened, pyramid, snapshot
from scipy import ndimage

from pathloop.core import JobFinished, Message, Rect, RunStarted, TileDone

pytestmark = pytest.mark.slow


@settings(max_examples=6)
@given(
    bounds=st.tuples(st.integers(-50, 300), st.integers(-50, 380), st.integers(60, 250), st.integers(60, 300)),
)
def test_a_region_holds_its_own_objects_only(slide, model, tmp_path_factory, bounds):
    roi = Rect(*bounds)
    inside = roi.intersect(Rect(0, 0, *SHAPE))
    project_path = tmp_path_factory.mktemp("roi") / "p"
    run(drawn_request(slide, project_path, model, roi=roi))
    whole = expected_objects(slide)
    with opened(project_path) as project:
        ids = pyramid(project, "blobs", "nuclei")
        outside = np.ones(SHAPE, bool)
        outside[inside.slices] = False
        assert not ids[outside].any()
        assert_table(project.objects("blobs", "nuclei"), ids)
        # the cells of the tissue map do not depend on where the region begins
        codes = project.tissue("blobs").codes
        first, last = (inside.y // 64, inside.x // 64), (-(-inside.bottom // 64), -(-inside.right // 64))
        touched = np.zeros(codes.shape, bool)
        touched[first[0] : last[0], first[1] : last[1]] = True
        np.testing.assert_array_equal(codes, np.where(touched, whole.tissue, 0))
        assert (project.uncertainty("blobs").values > 0).sum() > 0
    # far from the region's edge the objects are those of the whole slide
    safe = inside.expand(-24)
    expected = whole.labels["nuclei"]
    sizes = np.bincount(ids.ravel())
    for number, (rows, cols) in enumerate(ndimage.find_objects(expected), start=1):
        if safe.y <= rows.start and rows.stop <= safe.bottom and safe.x <= cols.start and cols.stop <= safe.right:
            (one,) = np.unique(ids[rows, cols][expected[rows, cols] == number])
            assert one > 0
            assert sizes[one] == np.count_nonzero(expected[rows, cols] == number)


def test_a_second_region_adds_to_the_first(slide, model, tmp_path):
    left, right = Rect(0, 0, 330, 192), Rect(0, 200, 330, 210)
    path = tmp_path / "p"
    run(drawn_request(slide, path, model, roi=left))
    first = all_labels(path)["nuclei"]
    run(drawn_request(slide, path, model, roi=right))
    both = all_labels(path)["nuclei"]
    np.testing.assert_array_equal(both[:, :192], first[:, :192])
    assert not both[:, 192:200].any()
    assert both[:, 200:].any()
    with opened(path) as project:
        assert_table(project.objects("blobs", "nuclei"), both)
        assert project.areas("blobs", "nuclei") == [left, right]
        assert [one.state for one in project.runs("blobs")] == ["finished", "finished"]
        assert (project.tissue("blobs").codes > 0).all()


def test_the_whole_slide_replaces_a_region(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    run(drawn_request(slide, path, model, roi=Rect(10, 20, 200, 150)))
    with opened(path) as project:
        first_ids = {task: project.next_free_id("blobs", task) for task in OBJECT_TASKS}
    run(drawn_request(slide, path, model))
    whole = all_labels(segmented[0])
    for task, ids in all_labels(path).items():
        np.testing.assert_array_equal(ids, np.where(whole[task] > 0, whole[task] + first_ids[task] - 1, 0))
    with opened(path) as project:
        assert [one.state for one in project.runs("blobs")] == ["replaced", "finished"]


def test_regions_that_differ_by_less_than_a_model_pixel_are_two_runs(model, tmp_path):
    slide = write_blobs(tmp_path / "blobs.tif", (400, 400), um_per_px=0.25)
    path = tmp_path / "p"
    run(drawn_request(slide, path, model, roi=Rect(0, 0, 301, 301), tasks=("nuclei",)))
    run(drawn_request(slide, path, model, roi=Rect(0, 0, 302, 302), tasks=("nuclei",)))
    with opened(path) as project:
        assert project.areas("blobs", "nuclei")[-1] == Rect(0, 0, 302, 302)


def test_tasks_one_after_the_other(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    run(drawn_request(slide, path, model, tasks=("nuclei",)))
    assert set(all_labels(path)) == {"nuclei"}
    with opened(path) as project:
        assert project.tissue("blobs") is None
    run(drawn_request(slide, path, model, tasks=("gland", "lumen")))
    whole = all_labels(segmented[0])
    found = all_labels(path)
    assert set(found) == set(OBJECT_TASKS)
    for task in OBJECT_TASKS:
        np.testing.assert_array_equal(found[task], whole[task])


def test_lumen_brings_gland(segmented, slide, model, tmp_path):
    events = run(drawn_request(slide, tmp_path / "p", model, tasks=("lumen",)))
    assert set(events[-1].summary["objects"]) == {"gland", "lumen"}
    np.testing.assert_array_equal(all_labels(tmp_path / "p")["lumen"], all_labels(segmented[0])["lumen"])


def test_the_same_command_again_changes_nothing(segmented, slide, model, tmp_path):
    path = shutil.copytree(segmented[0], tmp_path / "p")
    before, n = snapshot(path), DrawnEngine.tiles_run
    events = run(drawn_request(slide, path, model))
    assert [type(event) for event in events] == [Message, JobFinished]
    assert "already segmented" in events[0].text
    assert events[-1].summary == segmented[1][-1].summary
    assert n == DrawnEngine.tiles_run
    assert_same(snapshot(path), before)
    assert not list((path / "runs").iterdir())


@pytest.mark.parametrize("change", ["model", "mask", "tile", "tasks"])
def test_other_settings_replace(segmented, slide, model, tmp_path, change):
    path = shutil.copytree(segmented[0], tmp_path / "p")
    other = drawn_model(tmp_path / "other", um_per_px=0.7)
    changes = {
        "model": {"model": other},
        "mask": {"use_tissue_mask": True},
        "tile": {"tile_px": 320},
        "tasks": {"tasks": ("gland",)},
    }[change]
    run(drawn_request(slide, path, changes.pop("model", model), **changes))
    before, after = all_labels(segmented[0]), all_labels(path)
    replaced = {"gland"} if change == "tasks" else set(OBJECT_TASKS)
    for task in OBJECT_TASKS:
        if task in replaced:
            assert after[task][after[task] > 0].min() > before[task].max()
        else:
            np.testing.assert_array_equal(after[task], before[task])
    with opened(path) as project:
        assert [one.state for one in project.runs("blobs")] == ["replaced", "finished"]
    # and back again
    events = run(drawn_request(slide, path, model))
    assert any(isinstance(event, TileDone) for event in events)
    for task, ids in all_labels(path).items():
        assert ((ids > 0) == (before[task] > 0)).all()
    with opened(path) as project:
        assert project.runs("blobs")[0].state == "finished"


def test_a_replaced_tissue_map_is_made_again(slide, model, tmp_path):
    path, other = tmp_path / "p", drawn_model(tmp_path / "other", um_per_px=0.7)
    run(drawn_request(slide, path, model, tasks=("tissue",)))
    with opened(path) as project:
        first = project.tissue("blobs")
        assert project.tasks("blobs") == []
    run(drawn_request(slide, path, other, tasks=("tissue",)))
    with opened(path) as project:
        assert project.tissue("blobs").cell_px != first.cell_px
    run(drawn_request(slide, path, model, tasks=("tissue",)))
    with opened(path) as project:
        np.testing.assert_array_equal(project.tissue("blobs").codes, first.codes)
        assert project.tissue("blobs").cell_px == first.cell_px
    assert isinstance(run(drawn_request(slide, path, model, tasks=("tissue",)))[0], Message)


def test_a_region_of_another_model_keeps_the_rest_of_the_tissue_map(slide, model, tmp_path):
    names = tuple(one.model_copy(update={"name": f"new {one.name}"}) for one in PLAIN["tissue"].classes)
    labels = PLAIN.model_copy(
        update={"tasks": (*PLAIN.tasks[:3], PLAIN["tissue"].model_copy(update={"classes": names}))}
    )
    other = drawn_model(tmp_path / "other", labels)
    path = tmp_path / "p"
    run(drawn_request(slide, path, model, tasks=("tissue",)))
    with opened(path) as project:
        first = project.tissue("blobs")
    run(drawn_request(slide, path, other, tasks=("tissue",), roi=Rect(0, 0, 128, 128)))
    with opened(path) as project:
        second = project.tissue("blobs")
    before = np.array(["none", *first.class_names])[first.codes]
    after = np.array(["none", *second.class_names])[second.codes]
    expected = before.astype("U20")
    expected[:2, :2] = np.char.add("new ", before[:2, :2])
    np.testing.assert_array_equal(after, expected)


def test_several_slides_are_one_project(tmp_path, model):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    slides = [
        write_blobs(tmp_path / "one" / "blobs.tif", (200, 180), seed=1),
        write_blobs(tmp_path / "two" / "blobs.tif", (180, 200), seed=2),
        write_blobs(tmp_path / "third.ome.tif", (150, 150), seed=3),
    ]
    path = tmp_path / "cohort.pathloop"
    events = run(drawn_request(slides[0], path, model, slides=tuple(slides)))
    with opened(path) as project:
        assert [record.slide_id for record in project.slides()] == ["blobs", "blobs-2", "third"]
        assert [record.path for record in project.slides()] == slides
    for slide, slide_id in zip(slides, ("blobs", "blobs-2", "third"), strict=True):
        expected = expected_objects(slide)
        for task, ids in all_labels(path, slide_id).items():
            np.testing.assert_array_equal(ids, expected.labels[task])
    starts = [event for event in events if isinstance(event, RunStarted)]
    assert [start.slide for start in starts] == ["blobs.tif", "blobs.tif", "third.ome.tif"]
    assert events[-1].summary["slides"] == 3


def test_a_copy_of_a_slide_counts_once(slide, model, segmented, tmp_path):
    copy = shutil.copy(slide, tmp_path / "copy.tif")
    events = run(drawn_request(slide, tmp_path / "p", model, slides=(slide, copy)))
    assert events[-1].summary == segmented[1][-1].summary


def test_a_moved_slide_is_found_again(segmented, slide, model, tmp_path):
    path = shutil.copytree(segmented[0], tmp_path / "p")
    moved = shutil.copy(slide, tmp_path / "moved.tif")
    events = run(drawn_request(moved, path, model))
    assert "already segmented" in events[0].text
    with opened(path) as project:
        assert [(record.slide_id, record.path) for record in project.slides()] == [("blobs", moved)]
