"""Runs whose tiles are recorded outside any project."""

import contextlib

from project_views import opened

from pathloop.loop import plan_job, run_parameters
from pathloop.networks import read_card
from pathloop.predict import TileFolder, choose_engine, load_engine, segment_tiles
from pathloop.slides import open_slide


@contextlib.contextmanager
def planned(slide, model, folder, *, run_name="blobs-0123456789ab", um_per_px=None, **options):
    """A job, the folder of its tiles and an engine; small tiles, glass and all."""
    with open_slide(slide, um_per_px=um_per_px) as opened:
        settings = {"use_tissue_mask": False, "tile_px": 256, "choice": choose_engine(engine="drawn")} | options
        job, _ = plan_job(opened, read_card(model), **settings)
        yield job, TileFolder(folder / "runs" / run_name), load_engine(model, job.tasks, job.choice)


@contextlib.contextmanager
def recorded(slide, model, folder, **options):
    """A job and its tiles, all of them run."""
    with planned(slide, model, folder, **options) as (job, tiles, engine):
        for _ in segment_tiles(job, engine, tiles):
            pass
        yield job, tiles


@contextlib.contextmanager
def begun(path, slide, model, **options):
    """A run whose tiles are recorded in its folder and that the project knows of."""
    with planned(slide, model, path.parent, **options) as (job, _, engine):
        with opened(path, write=True) as project:
            slide_id = add_slide(project, job.slide)
            record = project.begin_run(slide_id, job.run_key, run_parameters(job), tasks=job.instance_tasks)
        tiles = TileFolder(record.folder)
        for _ in segment_tiles(job, engine, tiles):
            pass
        yield job, tiles


def add_slide(project, slide):
    return project.add_slide(
        slide.path.resolve(),
        fingerprint=slide.fingerprint,
        shape=slide.shape,
        um_per_px_y=slide.scale.y,
        um_per_px_x=slide.scale.x,
        reader=slide.format,
    ).slide_id
