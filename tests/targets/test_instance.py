"""Labels to targets and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pathloop.core import DataError, PostProcessing
from pathloop.rasters import close_each, label_parts
from pathloop.targets import BACKGROUND, BOUNDARY, INTERIOR, clip_labels, decode_instances, encode_instances

EIGHT = np.ones((3, 3), bool)
SHAPE = (72, 80)


def ellipse_kernel(side):
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) > 0


def draw(labels, id_, kind, rng):
    """Paint one shape over what is there."""
    y, x = (int(rng.integers(0, size)) for size in labels.shape)
    canvas = np.zeros(labels.shape, np.uint8)
    if kind == "ellipse":
        axes = tuple(int(v) for v in rng.integers(1, 16, 2))
        cv2.ellipse(canvas, (x, y), axes, float(rng.integers(0, 180)), 0, 360, 1, -1)
    elif kind == "ring":
        radius = int(rng.integers(4, 18))
        cv2.circle(canvas, (x, y), radius, 1, int(rng.integers(1, 8)))
    elif kind == "line":
        end = tuple(int(v) for v in rng.integers(0, 80, 2))
        cv2.line(canvas, (x, y), end, 1, int(rng.integers(1, 5)))
    elif kind == "dumbbell":
        cv2.circle(canvas, (x, y), 9, 1, -1)
        cv2.circle(canvas, (x + 24, y), 9, 1, -1)
        cv2.line(canvas, (x, y), (x + 24, y), 1, int(rng.integers(1, 5)))
    else:  # dot
        canvas[y : y + 2, x : x + int(rng.integers(1, 3))] = 1
    labels[canvas > 0] = id_


@st.composite
def drawings(draw_):
    """Overlapping and touching shapes of every awkward kind; ids may be in several pieces."""
    n, seed = draw_(st.integers(0, 16)), draw_(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.int32)
    for id_ in range(1, n + 1):
        draw(labels, 3 * id_, rng.choice(["ellipse", "ring", "line", "dumbbell", "dot"]), rng)
    return labels


def apart(labels):
    """The same objects with a gap between any two."""
    parts, _ = label_parts(labels)
    return np.where(cv2.dilate(parts.astype(float), np.ones((3, 3))) == np.where(parts, parts, -1), parts, 0)


def one_hot(targets):
    return (targets == INTERIOR).astype(np.float32), (targets == BOUNDARY).astype(np.float32)


kernels = st.sampled_from([3, 5, 11])


@given(labels=drawings(), kernel_px=kernels)
@settings(max_examples=80)
def test_targets_are_erosion_and_band_of_each_object(labels, kernel_px):
    targets = encode_instances(labels, kernel_px)
    parts, n = label_parts(labels)
    kernel = ellipse_kernel(kernel_px)
    dilated = ndimage.binary_dilation(parts > 0, kernel)
    np.testing.assert_array_equal(targets > 0, dilated)
    for id_ in range(1, n + 1):
        own = parts == id_
        eroded = ndimage.binary_erosion(own, kernel, border_value=1)  # beyond the image: more of the same
        interior = own & (targets == INTERIOR)
        if ndimage.label(eroded)[1] == 1:  # nothing to repair
            np.testing.assert_array_equal(interior, eroded)
        elif not eroded.any():
            assert interior.sum() <= own.sum()


@given(labels=drawings(), kernel_px=kernels)
@settings(max_examples=80)
def test_every_object_keeps_at_most_one_interior_and_none_touch(labels, kernel_px):
    targets = encode_instances(labels, kernel_px)
    parts, n = label_parts(labels)
    pieces, n_pieces = ndimage.label(targets == INTERIOR)
    assert n_pieces <= n
    for piece in range(1, n_pieces + 1):
        assert len(np.unique(parts[pieces == piece])) == 1
    owners = [int(parts[pieces == piece][0]) for piece in range(1, n_pieces + 1)]
    assert len(set(owners)) == len(owners)
    for id_ in range(1, n + 1):  # only an object without interior of its own may be left out
        if id_ not in owners:
            assert not ndimage.binary_erosion(parts == id_, ellipse_kernel(kernel_px), border_value=1).any()


@given(labels=drawings(), kernel_px=kernels)
@settings(max_examples=80)
def test_separate_objects_come_back_one_to_one(labels, kernel_px):
    labels = apart(labels)
    parts, n = label_parts(labels)
    targets = encode_instances(labels, kernel_px)
    post = PostProcessing(grow_px=kernel_px // 2, fill_holes=False)
    decoded = decode_instances(*one_hot(targets), post)
    assert decoded.max() == n
    seen = {int(np.unique(decoded[(parts == id_) & (targets == INTERIOR)]).item()) for id_ in range(1, n + 1)}
    assert len(seen) == n


@given(labels=drawings(), kernel_px=st.sampled_from([3, 11]))
@settings(max_examples=80)
def test_round_trip_gives_the_opening_of_what_needs_no_repair(labels, kernel_px):
    """Kernel 3: exactly. Kernel 11: the ellipse is a little wider than the disc of 5 px; IoU >= 0.9."""
    kernel = ellipse_kernel(kernel_px)
    parts, n = label_parts(labels)
    for id_ in range(1, n + 1):
        eroded = ndimage.binary_erosion(parts == id_, kernel, border_value=1)
        if ndimage.label(eroded)[1] != 1:
            parts[parts == id_] = 0
    # An erased neighbour leaves room: the others stay as they are or grow, none splits.
    parts, n = label_parts(parts)
    post = PostProcessing(grow_px=kernel_px // 2, fill_holes=False)
    decoded = decode_instances(*one_hot(encode_instances(parts, kernel_px)), post)
    assert decoded.max() == n
    for id_ in range(1, n + 1):
        eroded = ndimage.binary_erosion(parts == id_, kernel, border_value=1)
        opened = ndimage.binary_dilation(eroded, kernel)
        found = decoded == decoded[eroded][0]
        if kernel_px == 3:
            np.testing.assert_array_equal(found, opened)
        else:
            assert (found & opened).sum() >= 0.9 * (found | opened).sum()


@pytest.mark.parametrize(("kernel_px", "smallest", "bound"), [(3, 20, 0.9), (11, 400, 0.9)])
def test_round_trip_of_ellipses(kernel_px, smallest, bound, rng):
    """Filled ellipses of nuclear (kernel 3) and glandular (kernel 11) proportions, many touching."""
    for _ in range(10):
        labels = np.zeros((256, 256), np.int32)
        for id_ in range(1, 60):
            canvas = np.zeros(labels.shape, np.uint8)
            least = 3 if kernel_px == 3 else 12
            axes = tuple(int(v) for v in rng.integers(least, 2 * least, 2))
            centre = tuple(int(v) for v in rng.integers(0, 256, 2))
            cv2.ellipse(canvas, centre, axes, float(rng.integers(0, 180)), 0, 360, 1, -1)
            if not labels[canvas > 0].any():
                labels[canvas > 0] = id_
        decoded = decode_instances(
            *one_hot(encode_instances(labels, kernel_px)), PostProcessing(grow_px=kernel_px // 2)
        )
        ids = np.unique(labels[labels > 0])
        assert decoded.max() == len(ids)
        for id_ in ids:
            own = labels == id_
            found = decoded == np.bincount(decoded[own])[1:].argmax() + 1
            if own.sum() >= smallest:
                assert (own & found).sum() / (own | found).sum() >= bound


def test_a_dumbbell_stays_one_and_its_path_is_thin():
    labels = np.zeros((40, 90), np.int32)
    cv2.circle(labels, (20, 20), 14, 1, -1)
    cv2.circle(labels, (68, 20), 14, 1, -1)
    labels[19:22, 20:68] = 1
    targets = encode_instances(labels, 11)
    bare = ndimage.binary_erosion(labels > 0, ellipse_kernel(11))
    assert ndimage.label(bare)[1] == 2
    assert ndimage.label(targets == INTERIOR)[1] == 1
    path = (targets == INTERIOR) & ~bare
    assert set(path[:, 34:55].sum(axis=0)) == {1}
    assert path[20, 34:55].all()  # the middle of the neck


def test_an_emptied_object_keeps_its_ridge():
    labels = np.zeros((20, 40), np.int32)
    labels[8:11, 5:35] = 7
    targets = encode_instances(labels, 11)
    rows, cols = np.nonzero(targets == INTERIOR)
    assert set(rows) == {9}
    assert cols.tolist() == list(range(6, 34))


def test_crops_draw_no_band_along_their_edge():
    labels = np.full((30, 30), 5, np.uint16)
    assert (encode_instances(labels, 11) == INTERIOR).all()
    labels[:, 15:] = 0
    targets = encode_instances(labels, 3)
    assert (targets[:, :14] == INTERIOR).all()
    assert (targets[:, 14:16] == BOUNDARY).all()
    assert (targets[:, 16:] == BACKGROUND).all()


def test_pieces_of_one_id_are_objects_of_their_own():
    labels = np.zeros((20, 40), np.int32)
    labels[5:15, 5:15] = labels[5:15, 20:30] = 9
    decoded = decode_instances(*one_hot(encode_instances(labels, 3)), PostProcessing())
    assert decoded.max() == 2


def test_an_even_kernel_counts_as_the_next_odd_one(rng):
    labels = np.zeros((40, 40), np.int32)
    labels[5:30, 5:30] = 1
    np.testing.assert_array_equal(encode_instances(labels, 4), encode_instances(labels, 5))


def test_each_object_is_closed_by_itself():
    """Two bars with a gap that a global closing bridges; a notch in one that closing must fill."""
    labels = np.zeros((24, 30), np.int32)
    labels[4:20, 4:12] = 1
    labels[4:20, 14:24] = 2
    labels[11:13, 4:7] = 0
    disc = ndimage.generate_binary_structure(2, 1)
    wide = ndimage.iterate_structure(disc, 3)
    assert ndimage.label(ndimage.binary_closing(labels > 0, wide))[1] == 1
    closed = close_each(labels, 3, allowed=np.ones(labels.shape, bool))
    assert not closed[:, 12:14].any()
    assert (closed[11:13, 5:7] == 1).all()  # the disc rounds the mouth of the notch
    maps = (closed * 0 + (labels > 0)).astype(float)
    decoded = decode_instances(maps, maps * 0, PostProcessing(grow_px=0, closing_px=3, fill_holes=False))
    np.testing.assert_array_equal(decoded, closed)


def test_thresholds_compare_whole_numbers():
    """0.5 cuts between 127 and 128 of 255; floats and bytes agree."""
    bytes_ = np.array([[126, 127, 0, 128, 129]], np.uint8)
    zeros = np.zeros_like(bytes_)
    post = PostProcessing(grow_px=0)
    expected = [[0, 0, 0, 1, 1]]
    np.testing.assert_array_equal(decode_instances(bytes_, zeros, post), expected)
    for kind in (np.float16, np.float32, np.float64):
        maps = (bytes_ / 255).astype(kind)
        np.testing.assert_array_equal(decode_instances(maps, zeros, post), expected)
    exact = PostProcessing(grow_px=0, interior_threshold=127 / 255)
    np.testing.assert_array_equal(decode_instances(bytes_, zeros, exact), expected)


def test_equally_near_interiors_share_by_raster_order():
    picture = np.array([[255, 0, 0, 0, 255]], np.uint8)
    band = 255 - picture
    decoded = decode_instances(picture, band, PostProcessing(grow_px=2))
    assert decoded.tolist() == [[1, 1, 1, 2, 2]]
    assert decode_instances(picture.T, band.T, PostProcessing(grow_px=2)).T.tolist() == [[1, 1, 1, 2, 2]]


@given(labels=drawings(), seed=st.integers(0, 1000))
def test_clipping_keeps_ids_and_ranks_them(labels, seed):
    mask = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 3) > 0
    clipped = clip_labels(labels, mask)
    left = [id_ for id_ in np.unique(labels) if id_ and (mask & (labels == id_)).any()]
    left.sort(key=lambda id_: np.flatnonzero((mask & (labels == id_)).ravel())[0])
    expected = np.zeros(SHAPE, int)
    for rank, id_ in enumerate(left, 1):
        expected[mask & (labels == id_)] = rank
    np.testing.assert_array_equal(clipped, expected)
    np.testing.assert_array_equal(clip_labels(labels.astype(np.int64) * 10**9, mask), expected)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (1, 1), (1, 9)])
def test_empty_and_thin_images(shape):
    for fill in (0, 1):
        labels = np.full(shape, fill, np.int32)
        targets = encode_instances(labels, 11)
        assert targets.shape == shape
        np.testing.assert_array_equal(decode_instances(*one_hot(targets), PostProcessing(closing_px=2)), labels)
        np.testing.assert_array_equal(clip_labels(labels, labels), labels)


def test_what_makes_no_sense_is_refused():
    labels = np.zeros((8, 8), np.int32)
    with pytest.raises(DataError, match="at least 3"):
        encode_instances(labels, 2)
    with pytest.raises(DataError, match="integer"):
        encode_instances(labels.astype(float), 3)
    with pytest.raises(DataError, match="2-D"):
        encode_instances(labels[None], 3)
    with pytest.raises(DataError, match="differ in shape"):
        decode_instances(np.zeros((4, 4)), np.zeros((4, 5)), PostProcessing())
    with pytest.raises(DataError, match="differ in shape"):
        decode_instances(np.zeros((4, 4)), np.zeros((4, 4)), PostProcessing(), valid=np.ones((4, 5), bool))
    with pytest.raises(DataError, match="differ in shape"):
        clip_labels(labels, labels[:4])
    with pytest.raises(DataError, match="uint8"):
        decode_instances(labels, labels, PostProcessing())
