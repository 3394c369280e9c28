"""What newer results leave of an unfinished run."""

import os

import numpy as np
import pytest
from recorded_runs import begun

from pathloop.core import Rect
from pathloop.loop import PreviewWriter, assemble, inside, land, read_preview, unfinished_runs
from pathloop.loop._preview import tile_table
from pathloop.store import Project

pytestmark = pytest.mark.slow

LEFT = Rect(0, 0, 400, 130)
SECONDS = 100


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "p"
    Project.create(path).close()
    return path


def preview_of(place, slide, model, *, age_s, **options):
    """An unfinished run with previews, as old as wanted."""
    with begun(place, slide, model, **options) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        for path in tiles.folder.rglob("tile_*.npz"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age_s))
        return job, preview


def take_over(place, slide, model, **options):
    """A finished run."""
    with begun(place, slide, model, **options) as (job, tiles), Project.open(place, write=True) as project:
        for _ in assemble(job, tiles, tiles.folder):
            pass
        for _ in land(project, "blobs", job.run_key, tiles.folder / "result"):
            pass
        return job


@pytest.mark.parametrize("age_s", [SECONDS, -SECONDS])
def test_a_result_hides_older_tiles_where_it_lies(place, slide, model, age_s):
    _, preview = preview_of(place, slide, model, age_s=age_s)
    take_over(place, slide, model, roi=LEFT)
    with Project.open(place, write=False) as project:
        shown = read_preview(project, "blobs", preview)
        assert [run.run_key for run in unfinished_runs(project, "blobs")] == [preview.run_key]
    assert shown.keys() == preview.done()
    left = 0
    for spot, tasks in shown.items():
        for task, part in tasks.items():
            whole = preview.load(*spot)[task]
            if age_s < 0:
                assert part.shown == whole.shown
                np.testing.assert_array_equal(part.instances.ids, whole.instances.ids)
                continue
            hidden = whole.rect.intersect(LEFT).area
            assert sum(rect.area for rect in part.shown) == whole.rect.area - hidden
            assert not any(rect.intersect(LEFT).area for rect in part.shown)
            covered = inside(whole.instances.centroids, [LEFT])
            np.testing.assert_array_equal(part.instances.ids, whole.instances.ids[~covered])
            left += int(covered.sum())
    assert (left > 0) == (age_s > 0)


def test_a_run_that_newer_results_cover_is_not_offered(place, slide, model):
    old = preview_of(place, slide, model, age_s=SECONDS, roi=LEFT)[1].run_key
    young = preview_of(place, slide, model, age_s=-SECONDS, tile_px=224)[1].run_key
    take_over(place, slide, model)
    with Project.open(place, write=False) as project:
        assert {run.run_key for run in project.runs("blobs") if run.state == "running"} == {old, young}
        assert [run.run_key for run in unfinished_runs(project, "blobs")] == [young]


def test_the_latest_to_work_comes_last(place, slide, model):
    first = preview_of(place, slide, model, age_s=-SECONDS)[1].run_key
    second = preview_of(place, slide, model, age_s=0, tile_px=224)[1].run_key
    with Project.open(place, write=False) as project:
        assert [run.run_key for run in project.runs("blobs")] == [first, second]
        assert [run.run_key for run in unfinished_runs(project, "blobs")] == [second, first]
        assert all(run.parameters["n_tiles"] for run in unfinished_runs(project, "blobs"))


def test_a_damaged_tile_is_left_out_and_made_anew(place, slide, model):
    _, preview = preview_of(place, slide, model, age_s=0)
    lost = sorted(preview.done())[1]
    tile_table(preview.folder, *lost).write_bytes(b"rubbish")
    with Project.open(place, write=False) as project:
        assert read_preview(project, "blobs", preview).keys() == preview.done() - {lost}
    before = {spot: preview.load(*spot) for spot in preview.done() - {lost}}
    with begun(place, slide, model) as (job, tiles):
        again = PreviewWriter(tiles.folder, job, tiles).preview
    assert again.done() == before.keys() | {lost}
    for spot, tasks in before.items():
        for task, part in tasks.items():
            np.testing.assert_array_equal(again.load(*spot)[task].instances.ids, part.instances.ids)
