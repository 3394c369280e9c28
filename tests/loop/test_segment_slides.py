"""Segmenting slides into a project: the project equals what the whole slide's maps give in one piece."""

import contextlib
import dataclasses
import shutil

import numpy as np
import pytest
from drawn_slides import (
    PLAIN,
    TISSUES,
    TYPED,
    DrawnEngine,
    drawn_model,
    drawn_request,
    expected_objects,
    maps_of,
    run,
    write_blobs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pathloop.core import DataError, JobFinished, Message, Rect, RunStarted, Scale, StageProgress, TileDone
from pathloop.loop import segment
from pathloop.networks import read_card
from pathloop.predict import TileJob, choose_engine, tile_grid
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.store import Project

OBJECT_TASKS = ("nuclei", "gland", "lumen")
SHAPE = (330, 410)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return drawn_model(tmp_path_factory.mktemp("model") / "drawn")


@pytest.fixture(scope="module")
def typed_model(tmp_path_factory):
    return drawn_model(tmp_path_factory.mktemp("model") / "typed", TYPED)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("slide") / "blobs.tif", SHAPE)


@pytest.fixture(scope="module")
def segmented(slide, model, tmp_path_factory):
    """A finished project, only read, and the events that made it."""
    project = tmp_path_factory.mktemp("project") / "blobs.pathloop"
    return project, run(drawn_request(slide, project, model))


@contextlib.contextmanager
def opened(path, write=False):
    with Project.open(path, write=write) as project:
        yield project


def pyramid(project, slide_id, task):
    labels = project.labels(slide_id, task)
    return labels.read(Rect(0, 0, *project.slide(slide_id).shape))


def all_labels(path, slide_id="blobs"):
    with opened(path) as project:
        return {task: pyramid(project, slide_id, task) for task in project.tasks(slide_id)}


def snapshot(path):
    """Everything that a user can see of a project."""
    with opened(path) as project:
        found = {}
        for record in project.slides():
            name = record.slide_id
            found[name, "slide"] = record
            for task in project.tasks(name):
                found[name, task] = pyramid(project, name, task)
                found[name, task, "objects"] = project.objects(name, task)
            found[name, "runs"] = [dataclasses.replace(one, started="", finished="") for one in project.runs(name)]
            found[name, "tissue"], found[name, "unsure"] = project.tissue(name), project.uncertainty(name)
        return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_equal(_plain(one[key]), _plain(other[key]), err_msg=str(key))


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def assert_equals_whole(path, slide, *, labels=PLAIN, slide_id="blobs", um_per_px=None):
    """Pyramids hold the objects of the whole slide's maps, ids by first pixel; tables say the same."""
    expected = expected_objects(slide, labels, um_per_px)
    with opened(path) as project:
        for task in OBJECT_TASKS:
            ids = pyramid(project, slide_id, task)
            assert ids.max() > 1
            np.testing.assert_array_equal(ids, expected.labels[task])
            assert_table(project.objects(slide_id, task), ids)


def assert_table(objects, ids):
    """Areas, boxes and centroids are those of the pixels."""
    there = np.unique(ids[ids > 0])
    np.testing.assert_array_equal(objects.ids, there)
    np.testing.assert_array_equal(objects.areas_px, np.bincount(ids.ravel())[there])
    boxes = [ndimage.find_objects(ids)[one - 1] for one in there]
    found = [[box[0].start, box[1].start, box[0].stop, box[1].stop] for box in boxes]
    np.testing.assert_array_equal(objects.boxes, np.reshape(found, (-1, 4)))
    centres = ndimage.center_of_mass(ids > 0, ids, there)
    np.testing.assert_allclose(objects.centroids, np.reshape(centres, (-1, 2)), atol=1e-9)
    assert ((objects.confidences > 0.5) & (objects.confidences <= 1)).all()


def test_events_tell_tiles_then_stages_then_the_end(segmented):
    project, events = segmented
    kinds = [type(event) for event in events]
    n_tiles = kinds.count(TileDone)
    assert kinds == [RunStarted] + [TileDone] * n_tiles + [StageProgress] * kinds.count(StageProgress) + [JobFinished]
    start, tiles, end = events[0], events[1 : 1 + n_tiles], events[-1]
    assert (start.slide, start.n_tiles, start.n_done) == ("blobs.tif", n_tiles, 0)
    area_mm2 = SHAPE[0] * SHAPE[1] * 0.25e-6
    assert start.area_mm2 == pytest.approx(area_mm2)
    assert "drawn" in start.engine
    assert [tile.n_done for tile in tiles] == list(range(1, n_tiles + 1))
    assert [(tile.row, tile.col) for tile in tiles] == sorted((tile.row, tile.col) for tile in tiles)
    assert all(tile.n_tiles == n_tiles and tile.s_per_mm2 > 0 for tile in tiles)
    assert np.all(np.diff([tile.done_mm2 for tile in tiles]) > 0)
    assert tiles[0].done_mm2 == pytest.approx(128 * 128 * 0.25e-6)
    assert tiles[-1].done_mm2 == pytest.approx(area_mm2)
    assert tiles[0].eta_s > 0
    assert tiles[-1].eta_s == 0
    for tile in tiles:
        assert tile.eta_s == pytest.approx(tile.s_per_mm2 * (area_mm2 - tile.done_mm2), abs=1e-9)
    stages = [event.stage for event in events if isinstance(event, StageProgress)]
    assert stages == [f"{verb} {task}" for task in OBJECT_TASKS for verb in ("joining", "writing")]
    with opened(project) as held:
        counts = {task: held.counts("blobs", task).total for task in OBJECT_TASKS}
    assert (end.path, end.summary) == (project, {"slides": 1, "objects": counts})


def test_objects_are_those_of_the_whole_slide(segmented, slide):
    assert_equals_whole(segmented[0], slide)


def test_lumina_lie_in_glands(segmented):
    labels = all_labels(segmented[0])
    assert (labels["gland"][labels["lumen"] > 0] > 0).all()
    assert labels["lumen"].any()


def test_maps_cover_the_slide(segmented, slide):
    with opened(segmented[0]) as project:
        tissue, unsure = project.tissue("blobs"), project.uncertainty("blobs")
    np.testing.assert_array_equal(tissue.codes, expected_objects(slide).tissue)
    assert tissue.class_names == TISSUES
    assert (tissue.cell_px, tissue.origin_px) == ((64.0, 64.0), (0.0, 0.0))
    assert unsure.values.shape == (-(-SHAPE[0] // 16), -(-SHAPE[1] // 16))
    assert unsure.cell_px == (16.0, 16.0)
    np.testing.assert_array_equal(unsure.values, entropy_map(slide))


def entropy_map(slide):
    """Largest entropy of the three classes over the tasks, mean over 16 px, in floating point throughout."""
    with open_slide(slide) as opened_slide:
        pixels = opened_slide.read(Rect(0, 0, *opened_slide.shape))
    worst = np.zeros(pixels.shape[:2])
    for pair in maps_of(pixels, OBJECT_TASKS).values():
        interior, boundary = pair / 255.0
        shares = np.stack([interior, boundary, 1 - interior - boundary])
        logs = np.log(shares, where=shares > 1e-9, out=np.zeros_like(shares))
        worst = np.maximum(worst, -(shares * logs).sum(axis=0) / np.log(3))
    rows, cols = (np.arange(size) // 16 for size in worst.shape)
    cells = rows[:, None] * (cols[-1] + 1) + cols
    means = np.bincount(cells.ravel(), worst.ravel()) / np.bincount(cells.ravel())
    return np.rint(255 * means).astype(np.uint8).reshape(rows[-1] + 1, -1)


@pytest.mark.parametrize(
    ("shape", "scale"),
    [
        ((460, 500), Scale(0.25, 0.25)),
        ((230, 301), Scale(0.62, 0.62)),
        ((410, 301), Scale(0.31, 0.55)),
        ((123, 90), Scale(1.9, 1.9)),
        ((40, 50), Scale(0.5, 0.5)),
    ],
    ids=str,
)
def test_any_scale_gives_labels_at_level_0(tmp_path, model, shape, scale):
    slide = write_blobs(tmp_path / "blobs.tif", shape, um_per_px=scale, seed=4)
    run(drawn_request(slide, tmp_path / "p", model))
    expected = expected_objects(slide)
    with opened(tmp_path / "p") as project:
        for task in OBJECT_TASKS:
            ids = pyramid(project, "blobs", task)
            # objects too thin for a coarse slide's pixels leave no pixel; the others are numbered as they were
            np.testing.assert_array_equal(ids, expected.labels[task])
            assert_table(project.objects("blobs", task), ids)
        tissue = project.tissue("blobs")
        np.testing.assert_array_equal(tissue.codes, expected.tissue)
        assert tissue.cell_px == pytest.approx((32 / scale.y, 32 / scale.x))
        assert project.slide("blobs").shape == shape


def test_a_far_too_coarse_slide_is_written_piece_by_piece(tmp_path, model, monkeypatch):
    slide = write_blobs(tmp_path / "blobs.tif", (40, 31), um_per_px=6.0)
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    run(drawn_request(slide, whole, model, force=True))
    monkeypatch.setattr("pathloop.loop._finish.SOURCE_PX", 200**2)
    run(drawn_request(slide, pieces, model, force=True))
    for task, ids in all_labels(whole).items():
        np.testing.assert_array_equal(all_labels(pieces)[task], ids)
    assert all_labels(whole)["nuclei"].any()


@pytest.mark.parametrize("tile_px", [192, 512])
def test_tile_size_does_not_matter(segmented, slide, model, tmp_path, tile_px):
    project = tmp_path / "p"
    run(drawn_request(slide, project, model, tile_px=tile_px, tasks=("nuclei",)))
    np.testing.assert_array_equal(all_labels(project)["nuclei"], all_labels(segmented[0])["nuclei"])


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


def test_type_head_votes_over_the_interior(slide, typed_model, tmp_path):
    path = tmp_path / "p"
    run(drawn_request(slide, path, typed_model, tasks=("nuclei_type",)))
    expected = expected_objects(slide, TYPED)
    with open_slide(slide) as opened_slide:
        interior, boundary = maps_of(opened_slide.read(Rect(0, 0, *SHAPE)), ("nuclei",))["nuclei"]
    parts, n = ndimage.label((interior > 127) & (boundary <= 127))
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    inside = (parts > 0) & (sizes[parts] >= TYPED["nuclei"].post.min_interior_px)
    with opened(path) as project:
        assert [one.name for one in project.classes("nuclei")] == ["epithelial", "other"]
        objects = project.objects("blobs", "nuclei")
        ids = pyramid(project, "blobs", "nuclei")
    np.testing.assert_array_equal(ids, expected.labels["nuclei"])
    for index, one in enumerate(objects.ids):
        votes = np.bincount(expected.nuclei_types[inside & (ids == one)], minlength=3)
        best = votes[1:].argmax() + 1 if votes[1:].any() else 0
        assert objects.class_codes[index] == best
        assert objects.class_probabilities[index] == pytest.approx(votes[best] / votes.sum() if best else 0)
    assert set(objects.class_codes) >= {1, 2}


def test_without_a_type_head_there_is_one_class(segmented):
    with opened(segmented[0]) as project:
        objects = project.objects("blobs", "nuclei")
        assert [one.name for one in project.classes("nuclei")] == ["nuclei"]
    assert (objects.class_codes == 1).all()
    assert np.isnan(objects.class_probabilities).all()


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
        "model": {"model": str(other)},
        "mask": {"use_tissue_mask": True},
        "tile": {"tile_px": 320},
        "tasks": {"tasks": ("gland",)},
    }[change]
    run(drawn_request(slide, path, model, **changes))
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


def test_the_tissue_mask_leaves_glass_out(tmp_path, model):
    image = np.full((640, 640, 3), 243, np.uint8)
    image[256:500, 256:600] = (200, 120, 170)
    slide = tmp_path / "blobs.tif"
    write_tiff_pyramid(slide, image, shape=(640, 640), um_per_px=0.5, compression="deflate")
    events = run(drawn_request(slide, tmp_path / "p", model, use_tissue_mask=True))
    start = events[0]
    done = {(event.row, event.col) for event in events if isinstance(event, TileDone)}
    assert done == {(row, col) for row in (2, 3) for col in (2, 3, 4)}
    assert start.n_tiles == 6
    with opened(tmp_path / "p") as project:
        codes = project.tissue("blobs").codes
    assert (codes[4:7, 4:9] > 0).all()
    assert not codes[:3].any()
    assert not codes[:, :3].any()


def test_a_region_without_tissue_says_so(tmp_path, model):
    image = np.full((640, 640, 3), 243, np.uint8)
    image[256:500, 256:600] = (200, 120, 170)
    slide = tmp_path / "blobs.tif"
    write_tiff_pyramid(slide, image, shape=(640, 640), um_per_px=0.5, compression="deflate")
    events = run(drawn_request(slide, tmp_path / "p", model, use_tissue_mask=True, roi=Rect(0, 0, 128, 128)))
    assert isinstance(events[0], Message)
    assert "no tissue in this region" in events[0].text
    assert events[-1].summary["objects"] == {"nuclei": 0, "gland": 0, "lumen": 0}


def test_a_slide_without_tissue_runs_whole(tmp_path, model):
    slide = tmp_path / "glass.tif"
    write_tiff_pyramid(slide, np.full((200, 200, 3), 243, np.uint8), shape=(200, 200), um_per_px=0.5)
    events = run(drawn_request(slide, tmp_path / "p", model, use_tissue_mask=True))
    assert "no tissue found" in events[0].text
    assert events[1].n_tiles == 4


def test_closing_stops_and_the_next_call_goes_on(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    DrawnEngine.tiles_run = 0
    events = segment(drawn_request(slide, path, model))
    seen = [next(events) for _ in range(4)]
    assert isinstance(seen[-1], TileDone)
    events.close()
    ran = DrawnEngine.tiles_run
    resumed = run(drawn_request(slide, path, model))
    assert resumed[0].n_done == ran
    assert ran >= 3
    assert resumed[0].n_tiles == DrawnEngine.tiles_run
    assert_same_objects(path, segmented[0])


def assert_same_objects(path, other):
    one, two = snapshot(path), snapshot(other)
    for key in one:
        if key[-1] not in ("runs", "slide"):
            np.testing.assert_equal(_plain(one[key]), _plain(two[key]), err_msg=str(key))


def test_stopping_at_any_event_changes_nothing_in_the_end(segmented, slide, model, tmp_path):
    path = tmp_path / "p"
    total = len(segmented[1])
    # each call comes a little further: also between the commits of two tasks and while one is written
    for stop in range(1, total):
        events = segment(drawn_request(slide, path, model))
        last = None
        for _ in range(stop):
            last = next(events, None)
        events.close()
        if isinstance(last, JobFinished):
            break
    run(drawn_request(slide, path, model))
    assert_same_objects(path, segmented[0])
    assert not list((path / "runs").iterdir())


def test_a_damaged_tile_names_itself(slide, model, tmp_path):
    path = tmp_path / "p"
    events = segment(drawn_request(slide, path, model))
    for _ in range(4):
        next(events)
    events.close()
    tile = next((path / "runs").rglob("tile_0_0.npz"))
    whole = tile.read_bytes()
    for bad in (b"", whole[: len(whole) // 2], whole[:-200] + bytes(200), whole.replace(b"PK", b"XX")):
        tile.write_bytes(bad)
        with pytest.raises(DataError, match=r"tile_0_0\.npz: damaged tile .* delete it"):
            run(drawn_request(slide, path, model))
    tile.unlink()
    run(drawn_request(slide, path, model))
    assert_equals_whole(path, slide)


def test_grid_of_a_run_is_anchored_at_the_slide(slide, model):
    with open_slide(slide) as opened_slide:
        job = TileJob(
            opened_slide,
            read_card(model),
            ("nuclei",),
            Rect(100, 150, 100, 200),
            None,
            choose_engine(engine="drawn"),
            128,
        )
        cores = [tile.core for tile in tile_grid(job)]
    assert cores[0] == Rect(100, 150, 28, 106)
    assert sum(core.area for core in cores) == 100 * 200
