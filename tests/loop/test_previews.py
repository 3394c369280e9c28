"""Previews: each tile decoded by itself, seams that are mended, and going on after a kill."""

import json
import shutil

import numpy as np
import pytest
from drawn_slides import DrawnEngine, maps_of, write_blobs
from hypothesis import given, settings
from hypothesis import strategies as st
from project_views import OBJECT_TASKS, assert_table
from recorded_runs import planned, recorded

from pathloop.core import DataError, Rect, Scale
from pathloop.loop import FIRST_PREVIEW_ID, PREVIEW_SLOTS, SLOT_IDS, Preview, PreviewPart, PreviewWriter, merged
from pathloop.loop._level0 import level0_labels, level0_rect
from pathloop.networks import read_card
from pathloop.predict import TileJob, choose_engine, segment_tiles, tile_grid
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import Slide, open_slide
from pathloop.targets import clip_labels, decode_instances

pytestmark = pytest.mark.slow

SCALES = st.sampled_from([0.2277, 0.25, 0.263, 0.31, 0.5, 0.55, 0.7, 1.9, 6.3])


def whole_image(preview, task):
    return preview.pyramid(task).read(preview.pyramid(task).bounds)


class ShapeOnly(Slide):
    """A slide that is never read."""

    read_associated = _decode_tile = _close_file = None

    def __init__(self, shape, scale):
        self.shape, self.scale = shape, scale


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    scale=st.builds(Scale, SCALES, SCALES),
    place=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_tiles_share_the_level_0_pixels_among_them(model, shape, scale, place):
    slide = ShapeOnly(shape, scale)
    top, left = int(place[0] * shape[0]), int(place[1] * shape[1])
    size = int(place[2] * (shape[0] - top)), int(place[3] * (shape[1] - left))
    region = Rect(min(top, shape[0] - 1), min(left, shape[1] - 1), max(size[0], 1), max(size[1], 1))
    job = TileJob(slide, read_card(model), ("nuclei",), region, None, choose_engine(engine="drawn"), 128)
    owner, count = np.zeros(shape, np.int32), np.zeros(shape, int)
    numbers = np.zeros(job.area.shape, np.int32)
    for number, tile in enumerate(tile_grid(job), start=1):
        rect = level0_rect(job, tile.core)
        owner[rect.slices] = number
        count[rect.slices] += 1
        numbers[tile.core.relative_to(job.area).slices] = number
    inside = np.zeros(shape, int)
    inside[region.slices] = 1
    np.testing.assert_array_equal(count, inside)
    # and each pixel is of the tile whose model pixel its label comes from
    found = level0_labels(job, lambda rect: numbers[rect.relative_to(job.area).slices], region)
    np.testing.assert_array_equal(found, owner[region.slices])


@pytest.mark.parametrize(
    ("shape", "scale", "roi"),
    [
        ((330, 410), Scale(0.5, 0.5), None),
        ((640, 700), Scale(0.263, 0.263), None),
        ((410, 301), Scale(0.31, 0.55), Rect(33, 50, 311, 222)),
        ((70, 60), Scale(1.9, 1.9), None),
    ],
    ids=str,
)
def test_each_tile_is_decoded_by_itself(tmp_path, model, shape, scale, roi):
    slide = write_blobs(tmp_path / "blobs.tif", shape, um_per_px=scale, seed=4)
    with recorded(slide, model, tmp_path, roi=roi, force=True) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        assert preview.done() == tiles.done() == {(tile.row, tile.col) for tile in tile_grid(job)}
        assert (preview.tasks, preview.region, preview.run_key) == (OBJECT_TASKS, job.region, job.run_key)
        assert [one.name for one in preview.classes["gland"]] == ["gland"]
        whole = {task: whole_image(preview, task) for task in preview.tasks}
        pixels = job.slide.read(Rect(0, 0, *job.slide.shape_at(0.5)), 0.5)
        used = dict.fromkeys(preview.tasks, FIRST_PREVIEW_ID - 1)
        for tile in tile_grid(job):
            parts, expected = preview.load(tile.row, tile.col), decoded(job, pixels, tile)
            for task in preview.tasks:
                rect, instances = parts[task].rect, parts[task].instances
                ids = whole[task][rect.slices]
                np.testing.assert_array_equal(ids, np.where(expected[task] > 0, expected[task] + used[task], 0))
                assert_own_table(instances, ids, rect)
                used[task] = max(used[task], ids.max(initial=0))
        assert used["nuclei"] > FIRST_PREVIEW_ID
        outside = np.ones(shape, bool)
        outside[job.region.slices] = False
        assert not whole["nuclei"][outside].any()


def decoded(job, pixels, tile):
    """The objects of a tile's own pixels, at level 0."""
    found = {}
    for task, pair in maps_of(pixels[tile.core.slices], OBJECT_TASKS).items():
        found[task] = decode_instances(*pair, job.labels[task].post)
    found["lumen"] = clip_labels(found["lumen"], found["gland"])
    rect = level0_rect(job, tile.core)
    return {
        task: level0_labels(job, lambda part, ids=ids: ids[part.relative_to(tile.core).slices], rect)
        for task, ids in found.items()
    }


def assert_own_table(instances, ids, rect):
    small = np.where(ids > 0, ids.astype(np.int64) - FIRST_PREVIEW_ID + 1, 0)
    moved = instances.boxes - [rect.y, rect.x, rect.y, rect.x], instances.centroids - [rect.y, rect.x]
    own = type(instances)(
        instances.ids - FIRST_PREVIEW_ID + 1,
        moved[0],
        moved[1],
        instances.areas_px,
        instances.confidences,
        instances.class_codes,
        instances.class_probabilities,
    )
    assert_table(own, small)
    assert (instances.class_codes == 1).all()


def test_coarser_levels_are_samples_of_the_finest(tmp_path, model):
    slide = write_blobs(tmp_path / "blobs.tif", (1500, 1300), um_per_px=0.263)
    with recorded(slide, model, tmp_path) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        pyramid = preview.pyramid("nuclei")
        assert pyramid.shape == (1500, 1300)
        whole = whole_image(preview, "nuclei")
        for level, factor in enumerate(pyramid.factors):
            np.testing.assert_array_equal(pyramid.levels[level][:], whole[::factor, ::factor])


def test_a_typed_model_gives_its_class_codes(tmp_path, slide, typed_model):
    with recorded(slide, typed_model, tmp_path) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        assert [one.name for one in preview.classes["nuclei"]] == ["epithelial", "other"]
        parts = [preview.load(*place)["nuclei"] for place in preview.done()]
        found = merged(parts)[0]
        assert {1, 2} <= set(found.class_codes)
        assert (found.class_probabilities[found.class_codes > 0] > 0).all()


def write_one_blob(path):
    """A nucleus-coloured bar over several tiles, one that a seam touches, and one alone."""
    image = np.zeros((400, 400, 3), np.uint8)
    for rows, cols in (
        (slice(100, 290), slice(60, 340)),
        (slice(20, 60), slice(90, 128)),
        (slice(20, 50), slice(300, 330)),
    ):
        image[rows, cols, 0] = 255
    image[55:60, 128:140, 0] = 255
    write_tiff_pyramid(path, image, shape=image.shape[:2], um_per_px=0.5, compression="deflate")
    return path


def test_an_object_over_seams_is_one_row(tmp_path, model):
    slide = write_one_blob(tmp_path / "blobs.tif")
    with recorded(slide, model, tmp_path, tasks=("nuclei",)) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        parts = [preview.load(*place)["nuclei"] for place in sorted(preview.done())]
        ids = whole_image(preview, "nuclei")
        found, roots = merged(parts)
        # a bar over 3 x 3 tiles, a square with a foot over the seam, a square alone
        pieces = np.unique(ids[ids > 0])
        assert (len(pieces), len(found), len(roots)) == (12, 3, 9)
        table = np.arange(ids.max() + 1 - FIRST_PREVIEW_ID)
        table[roots[:, 0] - FIRST_PREVIEW_ID] = roots[:, 1] - FIRST_PREVIEW_ID
        joined = np.where(ids > 0, table[np.maximum(ids, FIRST_PREVIEW_ID) - FIRST_PREVIEW_ID] + 1, 0)
        assert_table(shifted_ids(found), joined)
        assert (np.diff(found.ids) > 0).all()
        # parts may come in any order, and fewer of them than there are links
        again, same_roots = merged(parts[::-1])
        np.testing.assert_array_equal(again.ids, found.ids)
        np.testing.assert_array_equal(same_roots, roots)
        some, _ = merged(parts[4:])
        assert some.areas_px.sum() == sum(part.instances.areas_px.sum() for part in parts[4:])


def shifted_ids(instances):
    fields = {name: getattr(instances, name) for name in instances.__dataclass_fields__}
    return type(instances)(**fields | {"ids": instances.ids - FIRST_PREVIEW_ID + 1})


def test_no_parts_are_no_objects():
    found, roots = merged([])
    assert (len(found), roots.shape) == (0, (0, 2))


def test_touching_along_less_than_half_is_no_link(tmp_path, model):
    image = np.zeros((128, 256, 3), np.uint8)
    image[10:50, 90:128, 0] = 255
    image[35:75, 128:170, 0] = 255  # 15 of 40 pixels face each other
    image[90:120, 90:128, 0] = 255
    image[105:127, 128:170, 0] = 255  # 15 of 22
    slide = tmp_path / "blobs.tif"
    write_tiff_pyramid(slide, image, shape=image.shape[:2], um_per_px=0.5, compression="deflate")
    with recorded(slide, model, tmp_path, tasks=("nuclei",)) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        parts = [preview.load(0, col)["nuclei"] for col in (0, 1)]
        assert [len(part.links) for part in parts] == [0, 1]
        assert len(merged(parts)[0]) == 3
        linked = np.concatenate([part.instances.boxes for part in parts])
        ids = np.concatenate([part.instances.ids for part in parts])
        assert (linked[np.isin(ids, parts[1].links), 0] >= 85).all()


def test_previews_come_while_the_run_goes_on(tmp_path, slide, model):
    with planned(slide, model, tmp_path) as (job, tiles, engine):
        assert Preview.open(tiles.folder) is None
        writer = PreviewWriter(tiles.folder, job, tiles)
        preview = Preview.open(tiles.folder)
        assert preview.done() == set()
        n_seen = []
        after = lambda tile: writer.add(tile.row, tile.col)  # noqa: E731
        for event in segment_tiles(job, engine, tiles, after=after):
            if hasattr(event, "row"):
                assert (event.row, event.col) in preview.done()
                n_seen.append(len(preview.done()))
        assert n_seen[-1] == len(list(tile_grid(job)))
        assert_whole(preview)


def assert_whole(preview):
    """Pyramids and tables hold the same ids, each in its own tile."""
    for task in preview.tasks:
        ids = whole_image(preview, task)
        parts = [preview.load(*place)[task] for place in sorted(preview.done())]
        rows = np.concatenate([part.instances.ids for part in parts])
        assert len(np.unique(rows)) == len(rows)
        np.testing.assert_array_equal(np.unique(ids[ids > 0]), np.sort(rows))
        for part in parts:
            own = ids[part.rect.slices]
            np.testing.assert_array_equal(np.unique(own[own > 0]), part.instances.ids)
            assert np.isin(part.links, rows).all()


@pytest.mark.parametrize("step", range(5))
def test_a_kill_anywhere_in_a_tile_is_made_good(tmp_path, slide, model, monkeypatch, step):
    from pathloop.loop import _preview_writer

    with recorded(slide, model, tmp_path) as (job, tiles):
        writer = PreviewWriter(tiles.folder, job, tiles, catch_up=False)
        caught = writer.catch_up()
        first = [next(caught) for _ in range(3)]
        before = {place: writer.preview.load(*place)["nuclei"].instances.ids for place in first}

        class Killed(Exception):
            pass

        calls = []

        def dies(*arguments, **options):
            calls.append(arguments)
            if len(calls) > step:
                raise Killed
            return show(*arguments, **options)

        show = _preview_writer._show
        with monkeypatch.context() as patch:
            patch.setattr(_preview_writer, "_show", dies)
            if step == 3:
                patch.setattr(_preview_writer, "write_arrays", dies)
            with pytest.raises(Killed):
                list(caught)
        again = PreviewWriter(tiles.folder, job, tiles).preview
        for place in first:
            np.testing.assert_array_equal(again.load(*place)["nuclei"].instances.ids, before[place])
        assert again.done() == tiles.done()
        assert_whole(again)


def test_each_preview_of_a_slide_has_ids_of_its_own(tmp_path, slide, model):
    for number in range(PREVIEW_SLOTS):
        with planned(slide, model, tmp_path, run_name=f"blobs-{number:012}", tile_px=192 + 64 * number) as (
            job,
            tiles,
            _,
        ):
            assert PreviewWriter(tiles.folder, job, tiles).preview.slot == number
    with planned(slide, model, tmp_path, run_name="blobs-2-000000000001") as (job, tiles, _):
        assert PreviewWriter(tiles.folder, job, tiles).preview.slot == 0
    shutil.rmtree(tmp_path / "runs" / f"blobs-{6:012}")
    with recorded(slide, model, tmp_path, run_name="blobs-0000000000aa") as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        assert preview.slot == 6
        ids = whole_image(preview, "nuclei")
        assert ids[ids > 0].min() == FIRST_PREVIEW_ID + 6 * SLOT_IDS
        # going on keeps it
        assert PreviewWriter(tiles.folder, job, tiles).preview.slot == 6
    # all are taken: the one that rested longest gives way
    with planned(slide, model, tmp_path, run_name="blobs-0000000000bb") as (job, tiles, _):
        assert PreviewWriter(tiles.folder, job, tiles).preview.slot == 0
        assert Preview.open(tmp_path / "runs" / f"blobs-{0:012}") is None
        assert Preview.open(tmp_path / "runs" / f"blobs-{1:012}").slot == 1
    assert FIRST_PREVIEW_ID + PREVIEW_SLOTS * SLOT_IDS < 2**31


def test_a_tissue_run_has_an_empty_preview(tmp_path, slide, model):
    with recorded(slide, model, tmp_path, tasks=("tissue",)) as (job, tiles):
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        assert preview.tasks == ()
        assert preview.load(0, 0) == {}


def test_what_is_damaged_names_itself(tmp_path, slide, model):
    n = DrawnEngine.tiles_run
    with recorded(slide, model, tmp_path) as (job, tiles):
        ran = DrawnEngine.tiles_run - n
        preview = PreviewWriter(tiles.folder, job, tiles).preview
        with pytest.raises(DataError, match=r"tile_9_9\.npz"):
            preview.load(9, 9)
        (preview.folder / "tile_0_0.npz").write_bytes(b"PK")
        with pytest.raises(DataError, match=r"tile_0_0\.npz: damaged"):
            preview.load(0, 0)
        header = preview.folder / "preview.json"
        newer = json.loads(header.read_text()) | {"version": 99}
        for text, message in (("{}", "damaged preview"), ("x", "not readable"), (json.dumps(newer), "newer pathloop")):
            header.write_text(text)
            with pytest.raises(DataError, match=message):
                Preview.open(tiles.folder)
        # it is scratch: a writer makes it again
        assert_whole(PreviewWriter(tiles.folder, job, tiles).preview)
        assert ran == len(tiles.done())


def test_a_part_is_plain_columns(tmp_path, slide, model):
    with recorded(slide, model, tmp_path) as (job, tiles):
        part = PreviewWriter(tiles.folder, job, tiles).preview.load(1, 1)["gland"]
    assert isinstance(part, PreviewPart)
    assert part.links.dtype == np.int64
    types = {name: getattr(part.instances, name).dtype for name in part.instances.__dataclass_fields__}
    assert types == {
        "ids": np.int64,
        "boxes": np.int64,
        "centroids": np.float64,
        "areas_px": np.int64,
        "confidences": np.float32,
        "class_codes": np.int16,
        "class_probabilities": np.float32,
    }
    with open_slide(slide) as opened:
        assert part.rect.intersect(Rect(0, 0, *opened.shape)) == part.rect
