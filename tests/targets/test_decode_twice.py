"""Decoding written a second time, slowly and plainly (one loop an object, one search a pixel), and compared."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pathloop.core import PostProcessing
from pathloop.targets import decode_instances

FOUR = ndimage.generate_binary_structure(2, 1)
EIGHT = ndimage.generate_binary_structure(2, 2)


def first(mask):
    return int(np.flatnonzero(mask.ravel())[0])


def objects_by_first(labels):
    ids = [i for i in np.unique(labels) if i]
    return sorted(ids, key=lambda i: first(labels == i))


def decode(interior, boundary, post, valid=None):
    qi, qb = (np.rint(np.asarray(m, float) * 255).astype(int) for m in (interior, boundary))
    valid = np.ones(qi.shape, bool) if valid is None else valid
    inside = (qi > 255 * post.interior_threshold) & (qb <= 255 * post.boundary_threshold) & valid
    mask = (inside | (qi + qb > 255 * post.mask_threshold)) & valid
    raw, n = ndimage.label(inside, FOUR)
    kept = [raw == i for i in range(1, n + 1) if (raw == i).sum() >= post.min_interior_px]
    kept = [part for part in kept if qi[part].mean() > int(255 * post.min_confidence + 1e-9) or not post.min_confidence]
    kept.sort(key=first)
    seeds = np.zeros(qi.shape, int)
    for i, part in enumerate(kept, 1):
        seeds[part] = i
    grown = _grow(seeds, mask, post.grow_px)
    closed = _close(grown, len(kept), post.closing_px, valid)
    if post.fill_holes:
        closed = _fill(closed, valid)
    for i in range(1, len(kept) + 1):
        if (closed == i).sum() < post.min_size_px:
            closed[closed == i] = 0
    out = np.zeros(qi.shape, np.int32)
    for rank, i in enumerate(objects_by_first(closed), 1):
        out[closed == i] = rank
    return out


def _grow(seeds, mask, radius):
    grown = seeds.copy()
    places = np.argwhere(seeds)  # raster order: argmin takes the smallest (y, x) of equals
    for y, x in np.argwhere(mask & (seeds == 0)):
        if len(places):
            d2 = ((places - (y, x)) ** 2).sum(axis=1)
            if d2.min() <= radius**2:
                grown[y, x] = seeds[tuple(places[d2.argmin()])]
    return grown


def _close(labels, n, radius, valid):
    if radius == 0:
        return labels
    steps = np.arange(-radius, radius + 1)
    disc = steps[:, None] ** 2 + steps[None] ** 2 <= radius**2
    out = labels.copy()
    for i in range(n, 0, -1):  # the lowest writes last
        wide = np.pad(labels == i, 2 * radius + 1)
        closed = ndimage.binary_erosion(ndimage.binary_dilation(wide, disc), disc)
        inner = closed[2 * radius + 1 : -2 * radius - 1, 2 * radius + 1 : -2 * radius - 1]
        out[inner & (labels == 0) & valid] = i
    return out


def _fill(labels, valid):
    out = labels.copy()
    outside = np.pad(~valid, 1, constant_values=True)
    regions, n = ndimage.label((labels == 0) & valid, EIGHT)
    for i in range(1, n + 1):
        region = regions == i
        if (ndimage.binary_dilation(np.pad(region, 1), EIGHT) & outside).any():
            continue
        touched = set(np.unique(labels[ndimage.binary_dilation(region, FOUR)])) - {0}
        if len(touched) == 1:
            out[region] = touched.pop()
    return out


def maps(seed, shape, smooth):
    """Random interior and boundary maps that sum to at most 1; smooth = scale of their structures, pixels."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, smooth, smooth), mode="wrap")
    noise /= noise.std() + 1e-12
    grown = np.exp(2.5 * noise)
    return tuple((grown / grown.sum(axis=0))[:2])


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
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    smooth=st.sampled_from([0.4, 1.0, 2.0, 4.0]),
    post=constants,
    punched=st.booleans(),
)
@settings(max_examples=60)
def test_decoding_equals_a_plain_second_implementation(seed, shape, smooth, post, punched):
    interior, boundary = maps(seed, shape, smooth)
    valid = None
    if punched:
        valid = np.random.default_rng(seed).random(shape) < 0.97
    np.testing.assert_array_equal(
        decode_instances(interior, boundary, post, valid=valid), decode(interior, boundary, post, valid)
    )
