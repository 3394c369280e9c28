"""Operations of correcting: what they change, what they never change, and who says so by other means."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_polygons import inside_polygon
from scipy import ndimage

from pathloop.core import Rect, UsageError
from pathloop.objects import editing
from pathloop.objects.editing import LabelPatch, Maps


def blobs(seed, shape=(120, 140), n=14):
    """Discs that may touch and cover each other, some in pieces."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    grid_y, grid_x = np.mgrid[: shape[0], : shape[1]]
    for number in range(1, n + 1):
        y, x, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(2, 16)
        labels[(grid_y - y) ** 2 + (grid_x - x) ** 2 < r * r] = number
    return labels


def after(labels, patch):
    out = labels.copy()
    if patch is not None:
        editing.apply(out, patch)
    return out


SEEDS = st.integers(0, 2**31)


@given(seed=SEEDS)
def test_changed_rects_cover_all_that_differs_and_little_else(seed):
    before = blobs(seed)
    now = blobs(seed + 1) if seed % 3 else before.copy()
    rects = editing.changed_rects(before, now, tile=32)
    covered = np.zeros(before.shape, bool)
    for rect in rects:
        covered[rect.slices] = True
        differs = before[rect.slices] != now[rect.slices]
        assert differs[0].any()
        assert differs[-1].any()
        assert differs[:, 0].any()
        assert differs[:, -1].any()
    assert not ((before != now) & ~covered).any()


@given(seed=SEEDS, near=st.booleans())
def test_boxes(seed, near):
    labels = blobs(seed)
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        if place is None:
            with pytest.raises(UsageError, match=f"no object {number}"):
                editing.object_box(labels, number)
            continue
        point = tuple(float(v) for v in np.argwhere(labels == number)[0]) if near else None
        box = editing.object_box(labels, number, point)
        assert box.slices == place


@given(seed=SEEDS)
def test_only_the_object_meant_changes(seed):
    labels = blobs(seed)
    ids = [int(number) for number in np.unique(labels) if number]
    number = ids[seed % len(ids)]
    others = (labels != number) & (labels != 0)
    for operation in (
        lambda: editing.delete(labels, [number]),
        lambda: editing.smooth(labels, number, 3),
        lambda: editing.fill_holes(labels, number),
        lambda: editing.keep_largest(labels, number),
        lambda: editing.split_by_shape(labels, number, count(100)),
    ):
        kept = labels.copy()
        now = after(labels, operation())
        assert np.array_equal(labels, kept)
        assert np.array_equal(now[others], labels[others])


@given(seed=SEEDS)
def test_holes_and_pieces(seed):
    labels = blobs(seed)
    for number in np.unique(labels[labels > 0]):
        mask = labels == number
        now = after(labels, editing.fill_holes(labels, int(number)))
        expected = (ndimage.binary_fill_holes(mask) & (labels == 0)) | mask
        assert np.array_equal(now == number, expected)
        now = after(labels, editing.keep_largest(labels, int(number)))
        pieces, n = ndimage.label(mask, np.ones((3, 3)))
        assert (now == number).sum() == ndimage.sum_labels(mask, pieces, np.arange(1, n + 1)).max()


@given(seed=SEEDS)
def test_a_line_cuts_and_no_pixel_is_lost(seed):
    rng = np.random.default_rng(seed)
    labels = blobs(seed)
    line = rng.uniform(-10, 150, (int(rng.integers(2, 6)), 2))
    patch = editing.split_by_line(labels, None, line, count(1000))
    now = after(labels, patch)
    assert np.array_equal(now > 0, labels > 0)
    for number in np.unique(labels[labels > 0]):
        parts = np.unique(now[labels == number])
        assert number in parts
        if len(parts) > 1:
            sizes = [int((now == part).sum()) for part in parts]
            # pixels under the cut go to the nearest part, which may reorder parts of nearly the same size
            assert int((now == number).sum()) + len(line) * 200 >= max(sizes)
    new = np.unique(now[now >= 1000])
    assert np.array_equal(new, np.arange(1000, 1000 + len(new)))
    blocked = np.unique(labels[labels > 0]).tolist()
    assert editing.split_by_line(labels, None, line, count(1000), blocked=blocked) is None


def test_a_straight_cut_through_a_square():
    labels = np.zeros((40, 40), np.int32)
    labels[10:30, 5:35] = 7
    now = after(labels, editing.split_by_line(labels, 7, np.array([(0.0, 14.0), (39.0, 14.0)]), count(8)))
    assert set(np.unique(now)) == {0, 7, 8}
    assert (now[10:30, 20:35] == 7).all()
    assert (now[10:30, 5:13] == 8).all()
    # a line that ends inside cuts nothing
    assert editing.split_by_line(labels, 7, np.array([(0.0, 14.0), (20.0, 14.0)]), count(8)) is None


def test_two_discs_divide_at_their_waist_and_one_does_not():
    labels = np.zeros((60, 90), np.int32)
    y, x = np.mgrid[:60, :90]
    labels[((y - 30) ** 2 + (x - 30) ** 2 < 15**2) | ((y - 30) ** 2 + (x - 54) ** 2 < 15**2)] = 3
    now = after(labels, editing.split_by_shape(labels, 3, count(4)))
    assert set(np.unique(now)) == {0, 3, 4}
    assert now[30, 25] != now[30, 60]
    assert abs(int((now == 3).sum()) - int((now == 4).sum())) < 40
    one = np.where((y - 30) ** 2 + (x - 40) ** 2 < 20**2, 5, 0).astype(np.int32)
    assert editing.split_by_shape(one, 5, count(6)) is None


def test_merging_bridges_a_gap_but_no_other_object():
    labels = np.zeros((40, 80), np.int32)
    labels[10:30, 5:30], labels[10:30, 34:60] = 1, 2
    now = after(labels, editing.merge(labels, [1, 2], bridge_px=8))
    assert set(np.unique(now)) == {0, 1}
    assert ndimage.label(now)[1] == 1
    labels[:, 31:33] = 9
    now = after(labels, editing.merge(labels, [1, 2], bridge_px=8))
    assert (now[:, 31:33] == 9).all()
    with pytest.raises(UsageError, match="two objects"):
        editing.merge(labels, [1, 44])


@given(seed=SEEDS, mode=st.sampled_from(["add", "subtract", "replace"]), over=st.sampled_from(["background", "all"]))
def test_polygons_paint_pixels_whose_centre_lies_inside(seed, mode, over):
    rng = np.random.default_rng(seed)
    labels = blobs(seed)
    polygon = rng.uniform(-20, 160, (int(rng.integers(3, 9)), 2))
    inside = inside_polygon(polygon, labels.shape)
    blocked = [2, 3]
    now = after(labels, editing.fill_polygon(labels, polygon, 5, mode=mode, over=over, blocked=blocked))
    own = labels == 5
    if mode == "subtract":
        expected = np.where(own & inside, 0, labels)
    else:
        free = (labels == 0) | own
        if over == "all":
            free |= ~np.isin(labels, blocked)
        base = np.where(own, 0, labels) if mode == "replace" else labels
        expected = np.where(inside & free, 5, base)
    assert np.array_equal(now, expected)


def test_a_gap_is_filled_with_what_is_round_it():
    labels = np.zeros((300, 300), np.int32)
    y, x = np.mgrid[:300, :300]
    radius = np.hypot(y - 150, x - 150)
    labels[(radius < 120) & (radius > 90)] = 4
    now = after(labels, editing.fill_gap(labels, (150.0, 150.0)))
    assert np.array_equal(now == 4, radius < 120)
    assert editing.fill_gap(labels, (5.0, 5.0)) is None


def drawn_maps(step, seed=0):
    """Two touching discs and a lone one, as a network would see them, at a coarser scale than the window."""
    y, x = np.mgrid[:100, :100]
    first, second = np.hypot(y - 40, x - 35), np.hypot(y - 40, x - 59)
    third = np.hypot(y - 80, x - 20)
    distance = np.minimum(np.minimum(first, second), third)
    whole = distance < 12.5
    ridge = np.abs(first - second) < 3
    boundary = whole & ((distance > 9.5) | (ridge & (np.minimum(first, second) < 13)))
    interior = whole & ~boundary
    noise = np.random.default_rng(seed).integers(0, 20, (100, 100))
    return Maps(
        np.clip(interior * 230 + noise, 0, 255).astype(np.uint8),
        np.clip(boundary * 200 + noise // 4, 0, 255).astype(np.uint8),
        (step / 2 - 0.5, step / 2 - 0.5),
        (step, step),
    )


@pytest.mark.parametrize("step", [1.0, 2.0, 1.7])
def test_a_click_gives_the_outline_that_the_maps_support(step):
    maps = drawn_maps(step)
    side = round(100 * step)
    labels = np.zeros((side, side), np.int32)
    point = (40.5 * step, 33.0 * step)
    found = editing.propose(labels, maps, point, editing.best_threshold(maps, point), 9)
    mask = after(labels, found.patch) == 9
    y, x = (np.mgrid[:side, :side] + 0.5) / step - 0.5
    true = (np.hypot(y - 40, x - 35) < 12.5) & (x < 47)
    overlap = (mask & true).sum() / (mask | true).sum()
    assert overlap > 0.9
    assert ndimage.label(mask)[1] == 1
    assert found.area_px == mask.sum()
    # the neighbour that touches it is not part of it
    assert not mask[round(40 * step), round(62 * step)]
    # what is there already stays
    labels[:, : round(30 * step)] = 4
    found = editing.propose(labels, maps, point, 0.5, 9)
    assert (after(labels, found.patch)[:, : round(30 * step)] == 4).all()


def test_thresholds_and_places_without_objects():
    maps = drawn_maps(1.0)
    labels = np.zeros((100, 100), np.int32)
    areas = [editing.propose(labels, maps, (80.0, 20.0), t, 9).area_px for t in (0.3, 0.5, 0.7)]
    assert areas == sorted(areas, reverse=True)
    assert editing.propose(labels, maps, (5.0, 90.0), 0.5, 9) is None
    assert editing.propose(labels, maps, (80.0, 20.0), 0.5, 9, max_area_px=50) is None


def test_snapping_moves_an_outline_to_the_edge_of_the_map():
    maps = drawn_maps(1.0)
    y, x = np.mgrid[:100, :100]
    labels = np.where(np.hypot(y - 82, x - 22) < 10, 6, 0).astype(np.int32)
    true = np.hypot(y - 80, x - 20) < 12.5
    before = ((labels == 6) & true).sum() / ((labels == 6) | true).sum()
    now = after(labels, editing.snap_to_maps(labels, 6, maps, reach_px=8)) == 6
    assert (now & true).sum() / (now | true).sum() > max(0.93, before)


def test_hints_and_their_fixes():
    labels = {task: np.zeros((200, 200), np.int32) for task in ("nuclei", "gland", "lumen")}
    labels["gland"][20:100, 20:100] = 1
    labels["lumen"][40:60, 80:120] = 1  # half outside
    labels["lumen"][150:160, 150:160] = 2  # wholly outside
    labels["lumen"][30:36, 30:36] = 3
    labels["nuclei"][10:30, 150:170] = 4
    labels["nuclei"][15:20, 155:160] = 0  # a hole
    labels["nuclei"][100:110, 20:30] = labels["nuclei"][120:125, 20:25] = 5  # pieces
    labels["nuclei"][180, 180] = 6  # a crumb
    hints = editing.find_hints(labels, min_areas_px={"nuclei": 4})
    assert {(one.task, one.object_id, one.kind) for one in hints} == {
        ("lumen", 1, "lumen_outside_gland"),
        ("lumen", 2, "lumen_outside_gland"),
        ("nuclei", 4, "hole"),
        ("nuclei", 5, "pieces"),
        ("nuclei", 6, "crumb"),
    }
    for hint in hints:
        task, patch = editing.fix_hint(labels, hint)
        editing.apply(labels[task], patch)
    assert editing.find_hints(labels, min_areas_px={"nuclei": 4}) == []
    assert (labels["lumen"][40:60, 80:100] == 1).all()
    assert not (labels["lumen"] == 2).any()
    assert (labels["nuclei"][10:30, 150:170] == 4).all()


def test_a_patch_is_applied_in_place():
    labels = np.zeros((10, 10), np.int32)
    editing.apply(labels, LabelPatch(Rect(2, 3, 2, 2), np.full((2, 2), 5, np.int32)))
    assert labels[2:4, 3:5].tolist() == [[5, 5], [5, 5]]
    assert labels.sum() == 20
