"""Maps of a region: the blocks cover it, the wanted ones come first, and each shows what a run would see there."""

import collections

import numpy as np
import pytest
from drawn_slides import TYPED, DrawnEngine, drawn_model, maps_of, write_blobs
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect, Scale
from pathloop.networks import find_model, read_card
from pathloop.predict import (
    EngineChoice,
    TileFolder,
    TileJob,
    choose_engine,
    load_engine,
    region_blocks,
    region_maps,
    segment_tiles,
    tile_grid,
)
from pathloop.slides import open_slide
from pathloop.synth import sample_slide_path

SHAPE = (700, 900)
CELL, STRIDE, MARGIN = 64, 32, 32
CHOICE = EngineChoice("drawn", "cpu", "fp32", "asked for")
OBJECTS = ("nuclei", "gland", "nuclei_type")
RECTS = st.builds(Rect, st.integers(0, 690), st.integers(0, 890), st.integers(1, 900), st.integers(1, 900))
SCALES = [Scale(0.5, 0.5), Scale(0.31, 0.31), Scale(0.4, 0.6), Scale(0.9, 0.9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="module")
def card(folder):
    return read_card(drawn_model(folder / "model", TYPED))


@pytest.fixture(scope="module")
def slides(folder):
    opened = [
        open_slide(write_blobs(folder / f"{index}.tif", SHAPE, seed=index, um_per_px=scale))
        for index, scale in enumerate(SCALES)
    ]
    yield opened
    for slide in opened:
        slide.close()


class Watched(DrawnEngine):
    """Remembers the size of what it is given."""

    def __init__(self, tasks):
        super().__init__(None, tasks, CHOICE)
        self.shapes = []

    def run(self, pixels):
        self.shapes.append(pixels.shape[:2])
        return super().run(pixels)


def job_of(slide, card, rect, tasks):
    region = rect.intersect(Rect(0, 0, *slide.shape))
    return TileJob(slide, card, tasks, region, None, CHOICE, 128)


def seen(job, tasks):
    """The job's maps of its area, worked out at once."""
    area = job.area
    return maps_of(job.slide.read(area, job.card.um_per_px), tasks)


@given(st.sampled_from(range(len(SCALES))), RECTS, st.none() | RECTS, st.booleans(), st.sampled_from([32, 352]))
def test_blocks_cover_the_region_once_and_show_what_is_there(slides, card, number, rect, first, has_patches, margin):
    tasks = (*OBJECTS, "tissue") if has_patches else OBJECTS
    job = job_of(slides[number], card.model_copy(update={"margin_px": margin}), rect, tasks)
    area, engine = job.area, Watched(TYPED.names)
    times, found = np.zeros(area.shape, int), {}
    for block, expected in zip(
        region_maps(job, engine, region_blocks(job, first)), region_blocks(job, first), strict=True
    ):
        assert block.area == expected
        assert tuple(block.maps) == tasks
        place = block.area.relative_to(area).slices
        times[place] += 1
        for task in OBJECTS:
            channels = 1 if task == "nuclei_type" else 2
            target = found.setdefault(task, np.zeros((channels, *area.shape), np.uint8))
            target[(slice(None), *place)] = block.maps[task]
    assert (times == 1).all()
    for task, values in seen(job, OBJECTS).items():
        np.testing.assert_array_equal(found[task], values)
    for height, width in engine.shapes:
        assert max(height, width) <= 1024
        assert height % STRIDE == width % STRIDE == 0
        assert min(height, width) >= 2 * margin + STRIDE


@given(RECTS)
def test_patches_are_whole_cells_of_the_slides_grid(slides, card, rect):
    slide = slides[0]
    job = job_of(slide, card.model_copy(update={"margin_px": 320}), rect, ("tissue",))
    whole = maps_of(slide.read(Rect(0, 0, *SHAPE), 0.5), ("tissue",))["tissue"]
    for block in region_maps(job, Watched(("tissue",)), region_blocks(job)):
        top, left = block.area.y // CELL, block.area.x // CELL
        bottom, right = -(-block.area.bottom // CELL), -(-block.area.right // CELL)
        assert block.maps["tissue"].shape == (4, bottom - top, right - left)
        # those that the slide's edge cuts are completed by its mirror image
        rows, cols = min(bottom, SHAPE[0] // CELL) - top, min(right, SHAPE[1] // CELL) - left
        np.testing.assert_allclose(
            block.maps["tissue"][:, :rows, :cols], whole[:, top : top + rows, left : left + cols], atol=1e-6
        )


@given(RECTS, RECTS)
def test_what_is_wanted_first_comes_first(slides, card, rect, first):
    job = job_of(slides[0], card.model_copy(update={"margin_px": 448}), rect, OBJECTS)
    wanted = first.intersect(job.area)
    blocks = region_blocks(job, first)
    if wanted.area == 0:
        assert blocks == region_blocks(job)
        return
    assert blocks[0].intersect(wanted).area
    last = max(index for index, block in enumerate(blocks) if block.intersect(wanted).area)
    reach = wanted.expand(448 + STRIDE)
    assert all(block.intersect(reach) == block for block in blocks[: last + 1])
    y, x = wanted.y + wanted.height / 2, wanted.x + wanted.width / 2
    others = [block for block in blocks if not block.intersect(reach).area]
    away = [(block.y + block.height / 2 - y) ** 2 + (block.x + block.width / 2 - x) ** 2 for block in others]
    assert away == sorted(away)


@pytest.mark.parametrize(("um_per_px", "shapes"), [(0.5, {(434, 558): 1}), (0.1, {(736, 704): 6, (736, 678): 2})])
def test_blocks_are_large_and_alike(slides, card, um_per_px, shapes):
    finer = card.model_copy(update={"margin_px": 128, "um_per_px": um_per_px})
    blocks = region_blocks(job_of(slides[1], finer, Rect(0, 0, *SHAPE), OBJECTS))
    # 768 px is what a margin leaves of an input
    assert max(max(block.shape) for block in blocks) <= 768
    found = collections.Counter(block.shape for block in blocks)
    assert found | shapes == found


def test_closing_ends_after_the_block_in_work(slides, card):
    job = job_of(slides[0], card.model_copy(update={"margin_px": 448}), Rect(0, 0, 300, 300), OBJECTS)
    engine = Watched(OBJECTS)
    blocks = region_blocks(job)
    maps = region_maps(job, engine, blocks)
    next(maps)
    maps.close()
    assert len(engine.shapes) == 1 < len(blocks)
    assert list(region_maps(job, engine, [])) == []


@pytest.fixture(scope="module")
def real():
    """The bundled model on the bundled slide: its job for a rectangle, and its engine."""
    model, choice = find_model("fast"), choose_engine("cpu", engine="openvino", precision="fp32")
    card = read_card(model)
    with open_slide(sample_slide_path()) as slide:
        yield (
            lambda rect: TileJob(slide, card, card.labels.names, rect, None, choice, 256),
            load_engine(model, card.labels.names, choice),
        )


class Listening:
    """Remembers the maps of the tiles that it runs."""

    def __init__(self, engine):
        self._engine, self.maps = engine, []

    def run(self, pixels):
        self.maps.append(self._engine.run(pixels))
        return self.maps[-1]


def tiles_of(job, engine, folder):
    """The maps that a run sees in its area: instance tasks (2, h, w), side by side."""
    listening, area = Listening(engine), job.area
    for _ in segment_tiles(job, listening, TileFolder(folder)):
        pass
    out = {task: np.zeros((2, *area.shape), np.uint8) for task in job.instance_tasks}
    for tile, maps in zip(tile_grid(job), listening.maps, strict=True):
        origin = Rect(tile.row * job.core_px - job.margin_px, tile.col * job.core_px - job.margin_px, 0, 0)
        for task, values in out.items():
            own = maps[task][(slice(None), *tile.core.relative_to(origin).slices)]
            values[(slice(None), *tile.core.relative_to(area).slices)] = own
    return out


@pytest.mark.slow
def test_a_block_that_is_a_tile_has_the_tiles_maps(real, tmp_path):
    job_at, engine = real
    job = job_at(Rect(256, 512, 256, 256))
    (block,) = region_maps(job, engine, region_blocks(job))
    for task, values in tiles_of(job, engine, tmp_path).items():
        assert values.max() > 100
        np.testing.assert_array_equal(block.maps[task], values)


@pytest.mark.slow
def test_other_blocks_differ_by_what_a_tiles_edge_does(real, tmp_path):
    job_at, engine = real
    job = job_at(Rect(301, 417, 330, 333))
    (block,) = region_maps(job, engine, region_blocks(job))
    assert block.area == job.area
    for task, values in tiles_of(job, engine, tmp_path).items():
        away = np.abs(block.maps[task].astype(int) - values)
        # a map that is one pixel off is 12 to 1000 times farther away
        moved = np.abs(block.maps[task][:, :, 1:].astype(int) - values[:, :, :-1])
        assert away.mean() < min(0.5, moved.mean() / 10)
        assert away.max() < 26
