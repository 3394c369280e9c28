"""Maps on disk and back: where they lie on the slide, and that blocks make a whole."""

import dataclasses

import numpy as np
import pytest
from drawn_slides import TYPED, DrawnEngine, drawn_model
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import DataError, Rect, Scale, UnknownScaleError, UsageError
from pathloop.loop import join_maps, plan_maps, read_maps_block, write_maps_block
from pathloop.networks import read_card
from pathloop.predict import EngineChoice, region_blocks, region_maps
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide

SHAPE = (500, 640)
CHOICE = EngineChoice("drawn", "cpu", "fp32", "asked for")
SCALES = [Scale(0.5, 0.5), Scale(0.25, 0.25), Scale(0.4, 0.7), Scale(0.9, 0.9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


@pytest.fixture(scope="module")
def card(folder):
    # blocks of at most 256 px
    return read_card(drawn_model(folder / "model", TYPED, margin_px=384))


@pytest.fixture(scope="module")
def slides(folder):
    """Red grows with y and green with x, by one in `STEEP` level-0 pixels."""
    y, x = np.indices(SHAPE)
    ramps = np.stack([128 + y / STEEP, 128 + x / STEEP, np.full(SHAPE, 77)], axis=-1)
    opened = []
    for index, scale in enumerate(SCALES):
        path = folder / f"{index}.tif"
        write_tiff_pyramid(path, np.rint(ramps).astype(np.uint8), shape=SHAPE, um_per_px=scale, compression="deflate")
        opened.append(open_slide(path))
    yield opened
    for slide in opened:
        slide.close()


STEEP = 6


def blocks_of(folder, slide, card, rect, tasks=None, first=None):
    job = plan_maps(slide, card, rect, tasks, CHOICE)
    blocks = region_blocks(job, first)
    for number, block in enumerate(region_maps(job, DrawnEngine(None, job.tasks, CHOICE), blocks)):
        path = folder / f"maps_{number}.npz"
        written = write_maps_block(path, job, block)
        found = read_maps_block(path)
        assert found.rect == written
        yield found


RECTS = st.builds(Rect, st.integers(-50, 490), st.integers(-50, 630), st.integers(60, 600), st.integers(60, 600))


@given(st.sampled_from(range(len(SCALES))), RECTS, st.none() | RECTS)
def test_every_pixel_of_the_region_finds_its_place_in_one_block(folder, slides, card, number, rect, first):
    slide = slides[number]
    blocks = list(blocks_of(folder, slide, card, rect, ("nuclei", "gland"), first))
    region = rect.intersect(Rect(0, 0, *SHAPE))
    times = np.zeros(SHAPE, int)
    steps = 0.5 / slide.scale.y, 0.5 / slide.scale.x
    for block in blocks:
        times[block.rect.slices] += 1
        assert block.rect.intersect(region) == block.rect
        assert block.step == pytest.approx(steps)
        for axis in (0, 1):
            ends = np.array([(block.rect.y, block.rect.bottom - 1), (block.rect.x, block.rect.right - 1)][axis])
            nearest = np.rint((ends - block.origin[axis]) / block.step[axis])
            # the slide's last pixels may lie beyond the last centre
            assert (nearest >= -1).all()
            assert (nearest <= block.area.shape[axis]).all()
        assert list(block.tasks) == ["nuclei", "gland"]
        # the maps say themselves where they are
        for axis, task in enumerate(("nuclei", "gland")):
            interior, boundary = block.tasks[task]
            assert interior.shape == boundary.shape == block.area.shape
            at = block.origin[axis] + block.step[axis] * np.arange(block.area.shape[axis])
            expected = 2 * np.clip(at, 0, SHAPE[axis] - 1) / STEEP
            profile = interior.mean(axis=1 - axis)
            assert np.abs(profile - expected).max() <= 2
    assert (times[region.slices] == 1).all()
    assert times.sum() == region.area


@pytest.mark.parametrize("number", range(3))
def test_blocks_joined_are_the_maps_made_at_once(tmp_path, slides, card, number):
    rect, first = Rect(31, 17, 420, 500), Rect(200, 200, 150, 90)
    large = card.model_copy(update={"margin_px": 32})
    blocks = list(blocks_of(tmp_path, slides[number], card, rect, None, first))
    (whole,) = blocks_of(tmp_path, slides[number], large, rect)
    assert len(blocks) > 1
    joined = join_maps(blocks)
    for name in ("model", "checksum", "rect", "area", "origin", "step", "first_cell", "cell_px"):
        assert getattr(joined, name) == getattr(whole, name), name
    assert joined.rect == rect
    assert set(joined.tasks) == {"nuclei", "gland", "lumen"}
    for task in joined.tasks:
        for found, expected in zip(joined.tasks[task], whole.tasks[task], strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == np.uint8
    np.testing.assert_array_equal(joined.types["nuclei_type"], whole.types["nuclei_type"])
    np.testing.assert_allclose(joined.patches["tissue"], whole.patches["tissue"], atol=1e-6)
    assert joined.first_cell == (joined.area.y // 64, joined.area.x // 64)
    some = join_maps(blocks[1:])
    (y, x), missing = blocks[0].area.relative_to(some.area).slices, blocks[0].tasks["gland"][0]
    assert missing.any()
    assert not some.tasks["gland"][0][y, x].any()


def test_what_does_not_belong_together_is_not_joined(tmp_path, slides, card):
    rect = Rect(0, 0, 90, 90)
    one, *_ = blocks_of(tmp_path, slides[0], card, rect)
    other, *_ = blocks_of(tmp_path, slides[0], card, rect, ("gland",))
    finer, *_ = blocks_of(tmp_path, slides[1], card, rect)
    for wrong in ([one, other], [one, finer], [one, dataclasses.replace(one, checksum="other")]):
        with pytest.raises(UsageError, match="cannot be joined"):
            join_maps(wrong)
    with pytest.raises(UsageError, match="no maps"):
        join_maps([])


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        (None, ("nuclei", "gland", "lumen", "tissue", "nuclei_type")),
        (("nuclei",), ("nuclei", "nuclei_type")),
        (("lumen",), ("lumen",)),
        (("tissue", "gland"), ("gland", "tissue")),
        (("nuclei_type",), ("nuclei_type",)),
    ],
)
def test_only_what_is_asked_for_and_its_types_are_run(slides, card, asked, run):
    assert plan_maps(slides[0], card, Rect(0, 0, 9, 9), asked, CHOICE).tasks == run


def test_what_cannot_be_planned_is_refused(slides, card, folder):
    for tasks, message in ((("dance",), "has no task dance"), ((), "no task named")):
        with pytest.raises(UsageError, match=message):
            plan_maps(slides[0], card, Rect(0, 0, 9, 9), tasks, CHOICE)
    with pytest.raises(UsageError, match="outside the slide"):
        plan_maps(slides[0], card, Rect(500, 0, 9, 9), None, CHOICE)
    write_tiff_pyramid(folder / "none.tif", np.zeros((90, 90, 3), np.uint8), shape=(90, 90), um_per_px=None)
    with open_slide(folder / "none.tif") as slide, pytest.raises(UnknownScaleError):
        plan_maps(slide, card, Rect(0, 0, 9, 9), None, CHOICE)


@pytest.mark.parametrize("harm", ["missing", "cut", "no archive", "newer"])
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path, slides, card, harm):
    next(blocks_of(tmp_path, slides[0], card, Rect(0, 0, 90, 90)))
    path = tmp_path / "maps_0.npz"
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif harm == "no archive":
        path.write_bytes(b"maps")
    else:
        with np.load(path) as arrays:
            newer = {**arrays, "version": np.array(2)}
        np.savez(path, **newer)
    with pytest.raises(DataError, match=r"maps_0.npz: the maps .* cannot be read; open the region again"):
        read_maps_block(path)
