"""Segmenting a slide: the project holds what the whole slide's maps give in one piece."""

import numpy as np
import pytest
from drawn_slides import (
    SHAPE,
    TISSUES,
    TYPED,
    drawn_request,
    expected_objects,
    maps_of,
    run,
    write_blobs,
)
from project_views import OBJECT_TASKS, all_labels, assert_equals_whole, assert_table, opened, pyramid
from scipy import ndimage

from pathloop.core import JobFinished, Message, Rect, RunStarted, Scale, StageProgress, TileDone
from pathloop.networks import read_card
from pathloop.predict import TileJob, choose_engine, tile_grid
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide

pytestmark = pytest.mark.slow


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
    assert (end.path, end.summary) == (project, {"slides": 1, "objects": counts, "quality": []})


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
    monkeypatch.setattr("pathloop.loop._level0.SOURCE_PX", 200**2)
    run(drawn_request(slide, pieces, model, force=True))
    for task, ids in all_labels(whole).items():
        np.testing.assert_array_equal(all_labels(pieces)[task], ids)
    assert all_labels(whole)["nuclei"].any()


@pytest.mark.parametrize("tile_px", [192, 512])
def test_tile_size_does_not_matter(segmented, slide, model, tmp_path, tile_px):
    project = tmp_path / "p"
    run(drawn_request(slide, project, model, tile_px=tile_px, tasks=("nuclei",)))
    np.testing.assert_array_equal(all_labels(project)["nuclei"], all_labels(segmented[0])["nuclei"])


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


def test_the_tissue_mask_leaves_glass_out(tmp_path, model):
    image = np.full((640, 640, 3), 243, np.uint8)
    image[290:480, 290:600] = (200, 120, 170)
    slide = tmp_path / "blobs.tif"
    write_tiff_pyramid(slide, image, shape=(640, 640), um_per_px=0.5, compression="deflate")
    events = run(drawn_request(slide, tmp_path / "p", model, use_tissue_mask=True))
    start = events[0]
    done = {(event.row, event.col) for event in events if isinstance(event, TileDone)}
    assert done == {(row, col) for row in (2, 3) for col in (2, 3, 4)}
    assert start.n_tiles == 6
    with opened(tmp_path / "p") as project:
        codes = project.tissue("blobs").codes
    assert (codes[5:7, 5:9] > 0).all()
    assert not codes[:3].any()
    assert not codes[:, :3].any()


def test_a_region_without_tissue_says_so(tmp_path, model):
    image = np.full((640, 640, 3), 243, np.uint8)
    image[290:480, 290:600] = (200, 120, 170)
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
