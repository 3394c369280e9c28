"""Ids to colour codes: lookup tables, fills, edges, hatches, selected objects."""

import numpy as np
import pytest
from drawn_ids import edges, frame_of, random_ids, write
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pathloop.core import Rect
from pathloop.gui.display import CodePyramid, FrameIndex, IdPyramid, Look, Lookup, pattern_tile
from pathloop.gui.display._codes import RIM, SELECTED, SELECTED_RIM, rims
from pathloop.gui.display._patterns import N_PATTERNS, pattern_bit
from pathloop.loop import FIRST_PREVIEW_ID
from pathloop.rasters import pyramid_factors

SHAPE = (1100, 700)
SLOT = 2**26

some_ids = st.one_of(
    st.integers(1, 300),
    st.integers(2**24, 2**24 + 50),
    st.integers(FIRST_PREVIEW_ID, FIRST_PREVIEW_ID + 100),
    st.integers(FIRST_PREVIEW_ID + 3 * SLOT, FIRST_PREVIEW_ID + 3 * SLOT + 100),
    st.just(2**31 - 1),
)


@given(
    known=st.dictionaries(some_ids, st.integers(0, 255), max_size=40),
    asked=st_numpy.arrays(np.int32, (4, 5), elements=st.one_of(st.just(0), some_ids)),
)
def test_lookup_is_a_dictionary(known, asked):
    ids = np.array(sorted(known), np.int64)
    index = FrameIndex(ids)
    lookup = index.lookup(np.array([known[int(one)] for one in ids], np.uint8))
    np.testing.assert_array_equal(lookup.codes(asked), np.vectorize(lambda one: known.get(int(one), 0))(asked))
    for one in asked.reshape(-1).tolist():
        row = index.row(one)
        assert (row >= 0 and ids[row] == one) if one in known else row == -1


def test_parts_have_the_code_and_row_of_their_object():
    root, part, other = FIRST_PREVIEW_ID + 3, FIRST_PREVIEW_ID + 8, FIRST_PREVIEW_ID + 9
    index = FrameIndex(np.array([5, root], np.int64), np.array([part], np.int64), np.array([root], np.int64))
    lookup = index.lookup(np.array([1, 2], np.uint8))
    ids = np.array([[0, 5, root, part, other]], np.int32)
    rooted = lookup.rooted(ids)
    np.testing.assert_array_equal(rooted, [[0, 5, root, root, other]])
    np.testing.assert_array_equal(lookup.codes(rooted), [[0, 1, 2, 2, 0]])
    assert index.row(part) == index.row(root) == 1
    assert lookup.rooted(ids[:, :2]).base is ids


def test_no_objects_no_codes():
    assert not Lookup().codes(np.array([[1, 2**31 - 1]], np.int32)).any()


@given(seed=st.integers(0, 2**16), width=st.integers(1, 3))
def test_edges_equal_brute_force(seed, width):
    ids = random_ids(np.random.default_rng(seed), (150, 140), n=60)
    np.testing.assert_array_equal(rims(np.pad(ids, width), width), edges(ids, width))


def drawn(tmp_path, rng):
    ids = random_ids(rng, SHAPE, n=120)
    pyramid = CodePyramid(IdPyramid(SHAPE, write(tmp_path / "labels", ids)))
    frame = frame_of(ids)
    codes = (frame.instances.ids % 100 + 1).astype(np.uint8)
    index = FrameIndex(frame.instances.ids)
    return ids, pyramid, codes, index


def test_outline_is_exact_at_every_level(tmp_path, rng):
    ids, pyramid, codes, index = drawn(tmp_path, rng)
    pyramid.set_look(Look(index.lookup(codes), "outline", None, (2, 1, 1, 1)))
    for number, (level, factor) in enumerate(zip(pyramid.levels, pyramid_factors(SHAPE), strict=True)):
        small = ids[::factor, ::factor]
        expected = np.where(edges(small, 2 if number == 0 else 1) & (small > 0), small % 100 + 1 + RIM, 0)
        np.testing.assert_array_equal(level[:], expected)
        assert level.dtype == level[:].dtype == np.uint8


def test_fill_with_and_without_edges(tmp_path, rng):
    ids, pyramid, codes, index = drawn(tmp_path, rng)
    pyramid.set_look(Look(index.lookup(codes), "fill", None, (1, 0, 0, 0)))
    plain = np.where(ids > 0, ids % 100 + 1, 0)
    np.testing.assert_array_equal(pyramid.levels[0][:], np.where(edges(ids, 1) & (ids > 0), plain + RIM, plain))
    np.testing.assert_array_equal(pyramid.levels[1][:], plain[::2, ::2])


@pytest.mark.parametrize("style", ["fill", "outline"])
def test_selected_objects_are_always_filled(tmp_path, rng, style):
    ids, pyramid, codes, index = drawn(tmp_path, rng)
    codes[7] = SELECTED
    mine = ids == index._ids[7]
    pyramid.set_look(Look(index.lookup(codes), style, None, (2, 1, 1, 1)))
    shown = pyramid.levels[0][:]
    np.testing.assert_array_equal(shown == SELECTED, mine & ~edges(ids, 1))
    np.testing.assert_array_equal(shown == SELECTED_RIM, mine & edges(ids, 1))


def test_hatches_thin_the_inside_alike_over_chunks(tmp_path, rng):
    _, pyramid, codes, index = drawn(tmp_path, rng)
    codes[:] = 1 + np.arange(len(codes)) % N_PATTERNS
    patterns = np.full(256, pattern_bit(0), np.uint8)
    patterns[1 : N_PATTERNS + 1] = [pattern_bit(number) for number in range(N_PATTERNS)]
    plain = Look(index.lookup(codes), "fill", None, (0,) * 9)
    pyramid.set_look(plain)
    filled = pyramid.levels[0][:]
    pyramid.set_look(Look(plain.lookup, "fill", patterns, (0,) * 9))
    y, x = np.indices(SHAPE) % 8
    kept = np.zeros(SHAPE, bool)
    for number in range(N_PATTERNS):
        kept |= (filled == number + 1) & pattern_tile(number)[y, x]
    np.testing.assert_array_equal(pyramid.levels[0][:], np.where(kept, filled, 0))


def test_patterns_differ_and_leave_room():
    tiles = [pattern_tile(number) for number in range(N_PATTERNS)]
    assert tiles[0].all()
    for number, tile in enumerate(tiles[1:], 1):
        assert 0.25 <= tile.mean() <= 0.75
        for other in tiles[number + 1 :]:
            assert (tile != other).sum() >= 8


def test_codes_follow_ids_across_chunk_edges(tmp_path):
    """A tile that ends at a chunk's edge changes outlines on the other side of it."""
    shape = (1024, 1024)
    landed = write(tmp_path / "landed", np.full(shape, 4, np.int32))
    preview = write(tmp_path / "preview", np.full(shape, FIRST_PREVIEW_ID, np.int32))
    ids = IdPyramid(shape, landed)
    codes = CodePyramid(ids)
    index = FrameIndex(np.array([4, FIRST_PREVIEW_ID], np.int64))
    codes.set_look(Look(index.lookup(np.array([1, 2], np.uint8)), "outline", None, (1,) * 9))
    np.asarray(codes.levels[0])
    assert codes.levels[0][100, 512] == 0
    ids.set_previews([(preview, [Rect(0, 0, 1024, 512)])])
    assert codes.levels[0][100, 512] == 1 + RIM
    assert codes.levels[0][100, 511] == 2 + RIM


def test_coarsest_level_is_one_array_kept_up_to_date(tmp_path, rng):
    """napari keeps the array that it once got from the coarsest level: its thumbnail must not show old data."""
    _, pyramid, codes, index = drawn(tmp_path, rng)
    kept = np.asarray(pyramid.levels[-1])
    assert not kept.any()
    pyramid.set_look(Look(index.lookup(codes), "fill", None, (0,) * 9))
    pyramid.update_tiny()
    assert kept.any()
    np.testing.assert_array_equal(kept, pyramid.levels[-1][:])
    assert np.asarray(pyramid.levels[-1]) is kept


def test_other_ids_take_the_place_of_the_first(tmp_path, rng):
    _, pyramid, codes, index = drawn(tmp_path, rng)
    pyramid.set_look(Look(index.lookup(codes), "fill", None, (0,) * 9))
    before = pyramid.levels[0][:]
    assert before.any()
    pyramid.set_ids(IdPyramid(SHAPE))
    assert not pyramid.levels[0][:].any()
