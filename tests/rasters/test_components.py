"""Components, ranks, unions, growth: against scipy and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from pathloop.core import DataError, PostProcessing
from pathloop.rasters import (
    cut_maps,
    disc,
    drop_small,
    first_pixels,
    grow,
    label_components,
    label_parts,
    link,
    quantise,
    rank_by_first_pixel,
)

small = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=14)
labels_ = hnp.arrays(np.int32, small, elements=st.integers(0, 4))


def in_first_order(labels):
    ids = [id_ for id_ in np.unique(labels) if id_]
    ids.sort(key=lambda id_: np.flatnonzero(labels.ravel() == id_)[0])
    return ids


@given(mask=hnp.arrays(bool, small), connectivity=st.sampled_from([4, 8]))
def test_components_are_scipys_in_raster_order(mask, connectivity):
    labels, n = label_components(mask, connectivity=connectivity)
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    theirs, count = ndimage.label(mask, structure)
    assert n == count
    assert in_first_order(labels) == list(range(1, n + 1))
    for id_ in range(1, n + 1):
        np.testing.assert_array_equal(labels == id_, theirs == theirs[labels == id_][0])


@given(labels=labels_)
def test_parts_are_components_of_each_id(labels):
    parts, n = label_parts(labels)
    assert n == sum(ndimage.label(labels == id_)[1] for id_ in np.unique(labels) if id_)
    assert in_first_order(parts) == list(range(1, n + 1))
    np.testing.assert_array_equal(parts > 0, labels > 0)
    for id_ in range(1, n + 1):
        assert len(np.unique(labels[parts == id_])) == 1
        assert ndimage.label(parts == id_)[1] == 1


@given(labels=labels_)
def test_first_pixels_and_ranks(labels):
    found = [np.flatnonzero(labels.ravel() == id_) for id_ in range(1, 5)]
    assert first_pixels(labels, 4).tolist() == [int(at[0]) if len(at) else labels.size for at in found]
    ranked, m = rank_by_first_pixel(labels, 4)
    assert in_first_order(ranked) == list(range(1, m + 1))
    assert {(int(a), int(b)) for a, b in zip(labels.flat, ranked.flat, strict=True)} == {
        (id_, rank) for rank, id_ in enumerate(in_first_order(labels), 1)
    } | ({(0, 0)} if (labels == 0).any() else set())


@given(labels=labels_, min_px=st.integers(0, 9))
def test_small_objects_are_dropped(labels, min_px):
    kept = drop_small(labels, 4, min_px)
    for id_ in range(1, 5):
        own = labels == id_
        np.testing.assert_array_equal(kept[own], id_ if own.sum() >= min_px else 0)
    assert not kept[labels == 0].any()


@given(n=st.integers(0, 12), data=st.data())
def test_link_is_the_union_over_pairs(n, data):
    index = st.integers(0, max(n - 1, 0))
    pairs = data.draw(st.lists(st.tuples(index, index), max_size=12 if n else 0))
    groups, count = link(n, np.array(pairs, np.int64).reshape(-1, 2))
    sets = [{i} for i in range(n)]
    for a, b in pairs:
        one, other = (next(s for s in sets if i in s) for i in (a, b))
        if one is not other:
            sets = [s for s in sets if s is not one and s is not other] + [one | other]
    assert count == len(sets)
    sets.sort(key=min)
    assert groups.tolist() == [next(g for g, s in enumerate(sets) if i in s) for i in range(n)]


@given(seed=st.integers(0, 10**6), radius=st.integers(0, 9), density=st.sampled_from([0.01, 0.1, 0.5]))
def test_growth_takes_the_nearest_seed_first_of_equals(seed, radius, density):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 25, 2))
    seeds = np.where(rng.random(shape) < density, rng.integers(1, 100, shape), 0).astype(np.int32)
    mask = rng.random(shape) < 0.8
    grown = grow(seeds, mask, radius)
    places = np.argwhere(seeds)
    for (y, x), id_ in np.ndenumerate(seeds):
        expected = id_
        if not id_ and mask[y, x] and len(places):
            squared = ((places - (y, x)) ** 2).sum(axis=1)
            if squared.min() <= radius**2:
                expected = seeds[tuple(places[squared.argmin()])]
        assert grown[y, x] == expected


def test_growth_is_the_same_over_its_inner_blocks(rng):
    """An image wider than one block equals its crops, far from their edges."""
    seeds = np.where(rng.random((1100, 1300)) < 0.002, rng.integers(1, 10**6, (1100, 1300)), 0).astype(np.int32)
    mask = rng.random(seeds.shape) < 0.9
    whole = grow(seeds, mask, 12)
    for rows, cols in ((np.s_[900:1100], np.s_[0:400]), (np.s_[990:1060], np.s_[960:1090])):
        crop = grow(seeds[rows, cols], mask[rows, cols], 12)
        np.testing.assert_array_equal(crop[12:-12, 12:-12], whole[rows, cols][12:-12, 12:-12])


def test_disc():
    assert disc(0).tolist() == [[1]]
    assert disc(1).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert [disc(2).sum(), disc(3).sum(), disc(5).sum()] == [13, 29, 81]  # Gauss's circle numbers


@given(
    maps=hnp.arrays(np.uint8, st.just((2, 6, 6))),
    thresholds=st.tuples(*[st.sampled_from([0, 0.2, 0.5, 0.55, 1.0, 77 / 255])] * 3),
)
def test_cut_maps_compares_whole_numbers(maps, thresholds):
    inner, band, total = thresholds
    post = PostProcessing(interior_threshold=inner, boundary_threshold=band, mask_threshold=total)
    inside, mask = cut_maps(maps[0], maps[1], post)
    slack = 1e-6
    expected = (maps[0] > 255 * inner + slack) & (maps[1] <= 255 * band + slack)
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(mask, expected | (maps[0].astype(int) + maps[1] > 255 * total + slack))


def test_quantise():
    bytes_ = np.arange(256, dtype=np.uint8)
    assert quantise(bytes_) is bytes_
    for kind in (np.float16, np.float32, np.float64):
        np.testing.assert_array_equal(quantise((bytes_ / 255).astype(kind)), bytes_)
    assert quantise(np.array([-0.1, 1.2])).tolist() == [0, 255]
    with pytest.raises(DataError, match="uint8"):
        quantise(np.zeros(3, np.int32))
