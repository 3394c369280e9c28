"""Joined tiles equal the whole-image decoding, bit for bit."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pathloop.core import DataError, PostProcessing, Rect, TileGrid, UsageError
from pathloop.objects import TilePart, _join, join, tile_part
from pathloop.objects._windows import PackedWindows
from pathloop.targets import clip_labels, decode_instances


def maps(seed, shape, smooth):
    """Random interior and boundary maps that sum to at most 1; smooth = scale of their structures, pixels."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, smooth, smooth), mode="wrap")
    noise /= noise.std() + 1e-12
    grown = np.exp(2.5 * noise)
    return tuple((grown / grown.sum(axis=0))[:2])


def cut(grid, interior, boundary, post, *, missing=(), type_map=None, n_classes=0):
    """Parts of a grid over maps whose first pixel is the area's."""
    parts = {}
    for tile in grid:
        if (tile.row, tile.col) in missing:
            continue
        there = tile.core.relative_to(grid.area).slices
        types = None if type_map is None else type_map[there]
        part = tile_part(tile.core, interior[there], boundary[there], post, type_map=types, n_classes=n_classes)
        parts[tile.row, tile.col] = part
    return parts


def valid_pixels(grid, parts):
    valid = np.zeros(grid.area.shape, bool)
    for part in parts.values():
        valid[part.core.relative_to(grid.area).slices] = True
    return valid


@contextmanager
def room_for_windows(n_bytes):
    """Tiles that do not fit in are worked out again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_join, "PackedWindows", partial(PackedWindows, n_bytes))
        yield


rooms = st.sampled_from([0, 500, 1 << 28])


def assert_tables_fit(joined, labels, area):
    ids = np.arange(1, labels.max(initial=0) + 1)
    assert joined.n == len(ids)
    np.testing.assert_array_equal(joined.areas, ndimage.sum_labels(np.ones(labels.shape), labels, ids))
    for id_, place in zip(ids, joined.first_pixels, strict=True):
        y, x = np.argwhere(labels == id_)[0]
        assert tuple(place) == (y + area.y, x + area.x)
    assert ((joined.confidences > 0) & (joined.confidences <= 1)).all()


constants = st.builds(
    PostProcessing,
    interior_threshold=st.sampled_from([0.3, 0.5, 0.55]),
    boundary_threshold=st.sampled_from([0.5, 0.3]),
    mask_threshold=st.sampled_from([0.4, 0.5, 0.8]),
    grow_px=st.integers(0, 6),
    closing_px=st.integers(0, 3),
    min_interior_px=st.sampled_from([1, 4, 12]),
    min_confidence=st.sampled_from([0.0, 0.0, 0.5, 0.6, 0.7]),
    min_size_px=st.sampled_from([1, 20, 60]),
    fill_holes=st.booleans(),
)


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    origin=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    core=st.sampled_from([5, 7, 16, 33, 100]),
    smooth=st.sampled_from([0.4, 1.0, 2.0, 5.0, 9.0]),
    post=constants,
    gone=st.sampled_from([0, 0, 0.1, 0.4]),
    cache=st.sampled_from([1, 4, 16]),
    room=rooms,
)
@settings(max_examples=150)
@pytest.mark.slow
def test_tiles_give_the_objects_of_the_whole(seed, shape, origin, core, smooth, post, gone, cache, room):
    rng = np.random.default_rng(seed)
    interior, boundary = maps(seed, shape, smooth)
    grid = TileGrid(Rect(*origin, *shape), core)
    missing = {(tile.row, tile.col) for tile in grid if rng.random() < gone}
    parts = cut(grid, interior, boundary, post, missing=missing)
    whole = decode_instances(interior, boundary, post, valid=valid_pixels(grid, parts))
    tiles = list(grid)
    rng.shuffle(tiles)
    with room_for_windows(room):
        joined = join(tiles, lambda *place: parts.get(place), post, area=grid.area, cache_parts=cache)
    np.testing.assert_array_equal(joined.labels(grid.area), whole)
    assert_tables_fit(joined, whole, grid.area)


@given(
    seed=st.integers(0, 10**6),
    core=st.sampled_from([6, 17, 64]),
    smooth=st.sampled_from([1.0, 3.0]),
    post=constants,
    solid=st.booleans(),
    room=rooms,
)
@settings(max_examples=50)
@pytest.mark.slow
def test_clipping_comes_last(seed, core, smooth, post, solid, room):
    area = Rect(3, 9, 50, 44)
    interior, boundary = maps(seed, area.shape, smooth)
    if solid:
        interior, boundary = np.ones(area.shape), np.zeros(area.shape)
    keep = np.random.default_rng(seed).random((60, 60)) < 0.4
    grid = TileGrid(area, core)
    parts = cut(grid, interior, boundary, post)
    with room_for_windows(room):
        joined = join(grid, lambda *place: parts[place], post, area=area, clip=lambda rect: keep[rect.slices])
    whole = clip_labels(decode_instances(interior, boundary, post), keep[area.slices])
    np.testing.assert_array_equal(joined.labels(area), whole)
    assert_tables_fit(joined, whole, area)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_any_rectangle_is_a_crop_of_the_whole(seed, data):
    post = PostProcessing(grow_px=3, closing_px=1)
    area = Rect(10, 20, 40, 50)
    interior, boundary = maps(seed, area.shape, 3.0)
    grid = TileGrid(area, 16)
    parts = cut(grid, interior, boundary, post)
    joined = join(grid, lambda *place: parts[place], post, area=area)
    canvas = np.zeros((90, 90), np.int32)
    canvas[area.slices] = decode_instances(interior, boundary, post)
    top, left = data.draw(st.integers(0, 80)), data.draw(st.integers(0, 80))
    rect = Rect(top, left, data.draw(st.integers(0, 90 - top)), data.draw(st.integers(0, 90 - left)))
    np.testing.assert_array_equal(joined.labels(rect), canvas[rect.slices])


def drawn(text):
    """Maps from a picture: # interior, o boundary, anything else background."""
    grid = np.array([list(row) for row in text.split()])
    return (grid == "#").astype(float), (grid == "o").astype(float)


PICTURES = {
    "hole over four tiles": ("########\n#......#\n#......#\n#......#\n#......#\n########", 1),
    "object in a hole": ("#########\n#.......#\n#..###..#\n#..###..#\n#.......#\n#########", 2),
    "hole open at the edge": ("##..####\n#......#\n#......#\n########", 1),
    "diagonal contact is none": ("###.....\n###.....\n###.....\n...#####\n...#####", 2),
    "leak through a falling diagonal": ("......\n..####\n.#...#\n.#...#\n.#####", 1),
    "leak through a rising diagonal": ("......\n####..\n#...#.\n#...#.\n#####.", 1),
    "leak through a corner below": (".#####\n.#...#\n.#...#\n..####\n......", 1),
    "closed ring": ("......\n.#####\n.#...#\n.#...#\n.#####", 1),
    "touches in four tiles": ("........\n..####..\n..####..\n..####..\n..####..\n........", 1),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("core", [1, 2, 3, 4, 8])
def test_pictures(name, core):
    picture, n = PICTURES[name]
    post = PostProcessing(grow_px=0)
    for shift in ((0, 0), (0, 1), (1, 0)):  # so that the seams cut every picture in several places
        interior, boundary = (np.pad(drawing, [(by, 0) for by in shift]) for drawing in drawn(picture))
        grid = TileGrid(Rect(0, 0, *interior.shape), core)
        parts = cut(grid, interior, boundary, post)
        joined = join(grid, lambda *place, parts=parts: parts[place], post, area=grid.area)
        assert joined.n == n
        np.testing.assert_array_equal(joined.labels(grid.area), decode_instances(interior, boundary, post))


def test_a_tile_that_was_not_run_leaves_the_hole_beside_it_open():
    ring = np.ones((12, 12))
    ring[3:9, 3:9] = 0
    post = PostProcessing(grow_px=0)
    grid = TileGrid(Rect(0, 0, 12, 12), 4)
    parts = cut(grid, ring, np.zeros_like(ring), post)
    whole = join(grid, lambda *place: parts.get(place), post, area=grid.area)
    assert whole.areas.tolist() == [144]
    del parts[1, 1]  # the middle of the hole
    open_ = join(grid, lambda *place: parts.get(place), post, area=grid.area)
    assert open_.areas.tolist() == [144 - 36]
    assert not open_.labels(Rect(4, 4, 4, 4)).any()


def test_votes_and_confidence_are_those_of_the_whole_object():
    rng = np.random.default_rng(4)
    interior = np.full((20, 30), 0.8)
    interior[:, 15:] = 0.6
    interior[:, 14] = 0
    types = rng.integers(0, 4, interior.shape)
    types[:, 15:] = 0
    post = PostProcessing(grow_px=0)
    grid = TileGrid(Rect(0, 0, 20, 30), 7)
    parts = cut(grid, interior, np.zeros_like(interior), post, type_map=types, n_classes=3)
    joined = join(grid, lambda *place: parts[place], post, area=grid.area)
    votes = np.bincount(types[:, :14].ravel(), minlength=4)[1:]
    np.testing.assert_allclose(joined.confidences, [0.8, 0.6], atol=1e-6)
    assert joined.class_codes.tolist() == [votes.argmax() + 1, 0]
    np.testing.assert_allclose(joined.class_probabilities, [votes.max() / 280, 0], rtol=1e-6)
    untyped = join(grid, lambda *p: cut(grid, interior, interior * 0, post)[p], post, area=grid.area)
    assert untyped.class_codes.tolist() == [0, 0]
    assert np.isnan(untyped.class_probabilities).all()


def test_parts_survive_storage(tmp_path):
    interior, boundary = maps(5, (33, 47), 2.0)
    types = np.random.default_rng(5).integers(0, 3, interior.shape)
    part = tile_part(Rect(66, 94, 33, 47), interior, boundary, PostProcessing(), type_map=types, n_classes=2)
    np.savez(tmp_path / "tile.npz", **part.to_arrays())
    with np.load(tmp_path / "tile.npz") as stored:
        again = TilePart.from_arrays(stored)
    assert again.core == part.core
    for name in ("interior", "mask", "score_sums", "sizes", "class_counts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(part, name))
        assert getattr(again, name).dtype == getattr(part, name).dtype
    damaged = part.to_arrays() | {"score_sums": np.zeros(1, np.int64)}
    with pytest.raises(DataError, match="segment it again"):
        TilePart.from_arrays(damaged)
    with pytest.raises(DataError, match="damaged"):
        TilePart.from_arrays({})


def test_few_tiles_are_held_and_each_is_loaded_few_times():
    interior, boundary = maps(6, (160, 160), 2.0)
    post = PostProcessing(grow_px=2)
    grid = TileGrid(Rect(0, 0, 160, 160), 10)
    parts = cut(grid, interior, boundary, post)
    loads = []

    def load(row, col):
        loads.append((row, col))
        return parts[row, col]

    joined = join(grid, load, post, area=grid.area, cache_parts=16)
    assert len(loads) <= 3 * len(grid)
    assert joined.n > 20


def test_nothing_gives_nothing():
    post = PostProcessing()
    grid = TileGrid(Rect(0, 0, 20, 20), 8)
    for load in (lambda *_: None, lambda *p: cut(grid, np.zeros((20, 20)), np.zeros((20, 20)), post)[p]):
        joined = join(grid, load, post, area=grid.area, clip=lambda rect: np.ones(rect.shape, bool))
        assert joined.n == 0
        assert joined.first_pixels.shape == (0, 2)
        assert not joined.labels(grid.area).any()
    assert join([], lambda *_: None, post, area=Rect(0, 0, 0, 0)).n == 0


def test_what_does_not_fit_is_refused():
    post = PostProcessing()
    zeros = np.zeros((8, 8))
    with pytest.raises(DataError, match="core"):
        tile_part(Rect(0, 0, 8, 9), zeros, zeros, post)
    with pytest.raises(DataError, match="codes"):
        tile_part(Rect(0, 0, 8, 8), zeros + 1, zeros, post, type_map=np.full((8, 8), 3), n_classes=2)
    with pytest.raises(DataError, match="floats"):
        tile_part(Rect(0, 0, 8, 8), zeros.astype(np.int64), zeros, post)
    grid = TileGrid(Rect(0, 0, 16, 16), 8)
    with pytest.raises(UsageError, match="outside the area"):
        join(grid, lambda *_: None, post, area=Rect(0, 0, 8, 16))
    wrong = tile_part(Rect(0, 0, 8, 8), zeros, zeros, post)
    with pytest.raises(DataError, match="segment it again"):
        join(grid, lambda *_: wrong, post, area=grid.area)
    mixed = cut(grid, np.ones((16, 16)), np.zeros((16, 16)), post)
    types = np.ones((8, 8), int)
    mixed[0, 0] = tile_part(Rect(0, 0, 8, 8), zeros, zeros, post, type_map=types, n_classes=2)
    with pytest.raises(DataError, match="one model"):
        join(grid, lambda *place: mixed[place], post, area=grid.area)


def nested_cups(lift):
    """A small cup in a big one; the closing of each fills the small one's slot. ``lift``: rows of the small wall."""
    labels = np.zeros((24, 24), np.int32)
    labels[5:22, 4:19] = 1
    labels[5:18, 7:16] = 0
    labels[lift:17, 8:15] = 2
    labels[lift:15, 11] = 0
    return labels


@pytest.mark.parametrize("lift", [2, 8])
@pytest.mark.parametrize("core", [4, 7, 24])
def test_a_pixel_that_two_closings_claim_goes_to_the_object_that_begins_first(lift, core):
    labels = nested_cups(lift)
    post = PostProcessing(grow_px=0, closing_px=5, fill_holes=False)
    steps = np.arange(-5, 6)
    kernel = steps[:, None] ** 2 + steps**2 <= 25
    claims = [ndimage.binary_closing(np.pad(labels == id_, 12), kernel)[12:-12, 12:-12] for id_ in (1, 2)]
    both = claims[0] & claims[1] & (labels == 0)
    assert both.any()
    interior = (labels > 0).astype(float)
    decoded = decode_instances(interior, interior * 0, post)
    small, big = decoded[10, 9], decoded[10, 5]
    assert (small, big) == ((1, 2) if lift == 2 else (2, 1))
    assert (decoded[both] == 1).all()
    grid = TileGrid(Rect(0, 0, *labels.shape), core)
    parts = cut(grid, interior, interior * 0, post)
    joined = join(grid, lambda *place: parts[place], post, area=grid.area)
    np.testing.assert_array_equal(joined.labels(grid.area), decoded)
