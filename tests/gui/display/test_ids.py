"""Ids as layers see them: landed labels with finished tiles of previews in their place, at every level."""

import threading

import numpy as np
import pytest
from drawn_ids import composed, random_ids, write
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Rect, UsageError
from pathloop.gui.display import IdPyramid
from pathloop.gui.display._chunk_cache import ChunkCache, ChunkKey
from pathloop.loop import FIRST_PREVIEW_ID

SHAPE = (1300, 900)
TILE = 250


def tiles(rng, n):
    """Some tiles of a grid, cut to the image."""
    places = rng.integers(0, (SHAPE[0] // TILE + 1, SHAPE[1] // TILE + 1), (n, 2))
    return [Rect(int(y) * TILE, int(x) * TILE, TILE, TILE).intersect(Rect(0, 0, *SHAPE)) for y, x in places]


@pytest.mark.slow
@given(seed=st.integers(0, 2**16), has_landed=st.booleans(), n_previews=st.integers(0, 2), n_tiles=st.integers(0, 9))
def test_levels_equal_composition_of_level_0(tmp_path_factory, seed, has_landed, n_previews, n_tiles):
    folder, rng = tmp_path_factory.mktemp("ids"), np.random.default_rng(seed)
    landed = random_ids(rng, SHAPE) if has_landed else None
    drawn = []
    for slot in range(n_previews):
        ids = random_ids(rng, SHAPE, first=FIRST_PREVIEW_ID + slot * 2**26)
        drawn.append((ids, tiles(rng, n_tiles)))
    pyramid = IdPyramid(SHAPE, None if landed is None else write(folder / "landed", landed))
    pyramid.set_previews((write(folder / str(slot), ids), rects) for slot, (ids, rects) in enumerate(drawn))

    expected = composed(landed, drawn, SHAPE)
    for level, factor in zip(pyramid.levels, pyramid.factors, strict=True):
        np.testing.assert_array_equal(np.asarray(level), expected[::factor, ::factor])
        assert level.shape == level[:].shape
        assert level.size == level[:].size


@given(
    rect=st.builds(Rect, st.integers(-99, 1400), st.integers(-99, 1000), st.integers(0, 700), st.integers(0, 700)),
    level=st.integers(0, 2),
)
def test_rectangles_are_zero_beyond_the_image(shared_pyramid, rect, level):
    pyramid, ids = shared_pyramid
    big = np.zeros((3000, 3000), np.int32)
    small = ids[:: pyramid.factors[level], :: pyramid.factors[level]]
    big[200 : 200 + small.shape[0], 200 : 200 + small.shape[1]] = small
    np.testing.assert_array_equal(pyramid.read(rect, level), big[rect.shift(200, 200).slices])


@pytest.fixture(scope="module")
def shared_pyramid(tmp_path_factory):
    ids = random_ids(np.random.default_rng(5), SHAPE)
    return IdPyramid(SHAPE, write(tmp_path_factory.mktemp("one") / "labels", ids)), ids


KEYS = [
    (slice(3, 700, 2), slice(None)),
    (slice(None, None, 7), slice(-100, None, 3)),
    (5, slice(10, 20)),
    (slice(600, 640), -1),
    (7, 9),
    (-1, -1),
    ...,
    (..., 4),
    (slice(10, 12), ...),
    slice(100, 90),
    np.int64(8),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_mean_what_they_mean_for_arrays(shared_pyramid, key):
    pyramid, ids = shared_pyramid
    found = pyramid.levels[0][key]
    np.testing.assert_array_equal(found, ids[key])
    assert found.shape == ids[key].shape
    assert found.dtype == np.int32


@pytest.mark.parametrize("key", [(0, 0, 0), slice(None, None, -1), (1300, 0), (0, -901)], ids=str)
def test_other_keys_are_refused(shared_pyramid, key):
    with pytest.raises(IndexError):
        shared_pyramid[0].levels[0][key]


def count_reads(pyramid):
    """How often a label pyramid is read, level by level."""
    reads, read = [], pyramid.read

    def counting(rect, *, level=0):
        reads.append((level, rect.y // 512, rect.x // 512))
        return read(rect, level=level)

    pyramid.read = counting
    return reads


def test_after_a_tile_only_its_chunks_are_read_again(tmp_path, rng):
    landed = write(tmp_path / "landed", random_ids(rng, SHAPE))
    preview_ids = random_ids(rng, SHAPE, first=FIRST_PREVIEW_ID)
    preview = write(tmp_path / "preview", preview_ids)
    reads = count_reads(landed)
    pyramid = IdPyramid(SHAPE, landed)
    np.asarray(pyramid.levels[0])
    np.asarray(pyramid.levels[0])
    assert sorted(reads) == [(0, row, col) for row in range(3) for col in range(2)]
    reads.clear()
    changed = []
    pyramid.changed.connect(lambda rects: changed.append(rects))

    tile = Rect(0, 500, 250, 250)
    pyramid.set_previews([(preview, [tile])])
    after = np.asarray(pyramid.levels[0])
    np.testing.assert_array_equal(after[tile.slices], preview_ids[tile.slices])
    assert sorted(reads) == [(0, 0, 0), (0, 0, 1)]
    assert changed == [(tile,)]

    pyramid.set_previews([(preview, [tile])])
    assert changed == [(tile,)]
    pyramid.set_previews([])
    np.testing.assert_array_equal(np.asarray(pyramid.levels[0]), landed.levels[0][:])
    assert changed[1:] == [(tile,)]


def test_order_of_previews_counts(tmp_path):
    one, two = (np.full(SHAPE, FIRST_PREVIEW_ID + n, np.int32) for n in (1, 2))
    first, second = write(tmp_path / "1", one), write(tmp_path / "2", two)
    tile = Rect(0, 0, 10, 10)
    pyramid = IdPyramid(SHAPE)
    pyramid.set_previews([(first, [tile]), (second, [tile])])
    assert pyramid.at(3, 3) == FIRST_PREVIEW_ID + 2
    pyramid.set_previews([(second, [tile]), (first, [tile])])
    assert pyramid.at(3, 3) == FIRST_PREVIEW_ID + 1


def test_written_labels_show_once_invalidated(tmp_path, rng):
    landed = write(tmp_path / "landed", random_ids(rng, SHAPE))
    pyramid = IdPyramid(SHAPE, landed)
    np.asarray(pyramid.levels[0])
    rect = Rect(10, 10, 20, 20)
    landed.write(rect, np.full((20, 20), 77, np.int32))
    pyramid.invalidate((rect,))
    assert pyramid.at(15, 15) == 77
    pyramid.set_landed(None)
    assert pyramid.at(15, 15) == 0


def test_positions(shared_pyramid):
    pyramid, ids = shared_pyramid
    assert pyramid.at(-0.6, 5) == 0
    assert pyramid.at(5, 899.6) == 0
    y, x = (int(value) for value in np.argwhere(ids)[1000])
    assert pyramid.at(y + 0.4, x - 0.4) == ids[y, x]


def test_position_in_an_overview_reads_what_is_shown(tmp_path, rng):
    ids = random_ids(rng, SHAPE)
    landed = write(tmp_path / "landed", ids)
    pyramid = IdPyramid(SHAPE, landed)
    np.asarray(pyramid.levels[1])
    reads = count_reads(landed)
    assert pyramid.at(101, 103, shown_level=1) == ids[100, 102]
    assert reads == []


def test_labels_of_another_slide_are_refused(tmp_path):
    other = write(tmp_path / "other", np.ones((100, 100), np.int32))
    with pytest.raises(UsageError, match="do not fit"):
        IdPyramid(SHAPE, other)


def test_cache_keeps_to_its_size_and_forgets_the_oldest():
    cache = ChunkCache(3 * 1100)
    loads = []

    def load(key):
        loads.append(key.row)
        return np.zeros(1000, np.uint8)

    for row in (0, 1, 2, 0, 3):
        cache.get(ChunkKey("a", 0, row, 0), load)
    assert cache.n_bytes <= 3 * 1100
    assert loads == [0, 1, 2, 3]
    assert ChunkKey("a", 0, 0, 0) in cache
    assert ChunkKey("a", 0, 1, 0) not in cache


def test_what_is_read_while_it_changes_is_not_kept():
    cache = ChunkCache(10_000)
    key = ChunkKey("a", 0, 0, 0)

    def load(_):
        cache.drop(lambda _: True)
        return np.zeros(10, np.uint8)

    cache.get(key, load)
    assert key not in cache


def test_threads_read_whole_states(tmp_path):
    """While tiles come and go, each read shows each tile as one of its two states, and the last read the last one."""
    shape = (600, 600)
    landed = write(tmp_path / "landed", np.full(shape, 1, np.int32))
    preview = write(tmp_path / "preview", np.full(shape, 2, np.int32))
    pyramid = IdPyramid(shape, landed)
    wrong, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            part = pyramid.read(Rect(0, 0, 100, 100))
            if len(np.unique(part)) != 1:
                wrong.append(np.unique(part))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        pyramid.set_previews([(preview, [Rect(0, 0, 100, 100)])] if number % 2 else [])
        assert pyramid.at(50, 50) == 1 + number % 2
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pyramid.at(50, 50) == 2
