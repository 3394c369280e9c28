"""The composition of an area, against counting pixel by pixel and object by object."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import ClassSpec, Instances, Rect, Scale
from pathloop.loop import NO_CLASS, ObjectFrame, composition, write_composition_csv
from pathloop.store import TissueMap

CLASSES = (ClassSpec(name="a", color=(1, 2, 3)), ClassSpec(name="b", color=(4, 5, 6)))
SHAPE = (60, 50)


def make_frame(n, seed, *, classes=CLASSES, scale=0.5):
    rng = np.random.default_rng(seed)
    instances = Instances(
        ids=np.arange(1, n + 1),
        boxes=np.zeros((n, 4), np.int64),
        centroids=np.stack([rng.integers(0, SHAPE[0], n), rng.integers(0, SHAPE[1], n)], axis=1).astype(float),
        areas_px=rng.integers(1, 99, n),
        confidences=np.ones(n, np.float32),
        class_codes=rng.integers(0, len(classes) + 1, n).astype(np.int16),
        class_probabilities=np.full(n, np.nan, np.float32),
    )
    given_scale = None if scale is None else Scale.isotropic(scale)
    return ObjectFrame("nuclei", instances, np.zeros(n, np.uint8), np.zeros(n, bool), classes, given_scale)


def make_tissue(seed, cell=7.5, origin=(-2.0, 1.0)):
    rng = np.random.default_rng(seed)
    names, colors = ("background", "gland", "stroma"), ((0, 0, 0), (9, 9, 9), (5, 5, 5))
    return TissueMap(rng.integers(0, 4, (8, 6)).astype(np.uint8), names, colors, (cell, cell), origin, "key")


def brute_tissue(tissue, rect, step=4):
    """Pixels of each code inside a rectangle, from (step x step) samples a pixel."""
    counts = np.zeros(4)
    offsets = (np.arange(step) + 0.5) / step
    for y in range(rect.y, rect.bottom):
        for x in range(rect.x, rect.right):
            for dy in offsets:
                for dx in offsets:
                    row = int(np.floor((y + dy - tissue.origin_px[0]) / tissue.cell_px[0]))
                    col = int(np.floor((x + dx - tissue.origin_px[1]) / tissue.cell_px[1]))
                    inside = 0 <= row < tissue.codes.shape[0] and 0 <= col < tissue.codes.shape[1]
                    counts[tissue.codes[row, col] if inside else 0] += 1 / step**2
    return counts


rects = st.builds(Rect, st.integers(-5, 50), st.integers(-5, 40), st.integers(0, 30), st.integers(0, 30))


@given(n=st.integers(0, 40), seed=st.integers(0, 99), rect=st.none() | rects)
def test_objects_are_counted_where_their_centre_lies(n, seed, rect):
    frame = make_frame(n, seed)
    found = composition([frame], rect, None, Scale.isotropic(0.5), shape=SHAPE)
    area = Rect(0, 0, *SHAPE) if rect is None else rect.intersect(Rect(0, 0, *SHAPE))
    assert found.area == area
    rows = [
        row
        for row, (y, x) in enumerate(frame.instances.centroids.astype(int).tolist())
        if area.y <= y < area.bottom and area.x <= x < area.right
    ]
    whole, *shares = found.objects
    assert (whole.class_name, whole.count) == ("all", len(rows))
    mm2 = area.area * 0.25e-6
    for share in shares:
        code = {"a": 1, "b": 2, NO_CLASS: 0}[share.class_name]
        sizes = [int(frame.instances.areas_px[row]) for row in rows if frame.instances.class_codes[row] == code]
        assert share.count == len(sizes)
        assert share.per_mm2 == (pytest.approx(len(sizes) / mm2) if mm2 else None)
        assert share.area_share == (pytest.approx(sum(sizes) / area.area) if area.area else None)
        assert share.mean_area == (pytest.approx(np.mean(sizes) * 0.25) if sizes else None)
        assert share.median_area == (pytest.approx(np.median(sizes) * 0.25) if sizes else None)
    assert sum(share.count for share in shares) == whole.count


@given(seed=st.integers(0, 99), rect=rects.filter(lambda rect: rect.area > 0))
def test_tissue_is_what_counting_pixels_gives(seed, rect):
    # cells end on quarters of a pixel, so that sixteen samples a pixel are exact
    tissue = make_tissue(seed)
    found = composition([], rect, tissue, Scale.isotropic(0.5))
    wanted = brute_tissue(tissue, rect)
    by_name = {share.class_name: share for share in found.tissue}
    for code, name in enumerate(tissue.class_names, start=1):
        assert by_name[name].area_px == pytest.approx(wanted[code])
        assert by_name[name].share == pytest.approx(wanted[code] / rect.area)
        assert by_name[name].area_mm2 == pytest.approx(wanted[code] * 0.25e-6)
    rest = by_name.get("not analysed")
    assert (rest.area_px if rest else 0) == pytest.approx(wanted[0], abs=1e-6)
    assert sum(share.share for share in found.tissue) == pytest.approx(1)
    assert found.tissue_mm2 == pytest.approx((wanted[2] + wanted[3]) * 0.25e-6)


def test_areas_side_by_side_add_up():
    frame, tissue = make_frame(200, 1), make_tissue(1)
    parts = [composition([frame], Rect(y, x, 20, 25), tissue, None) for y in (0, 20, 40) for x in (0, 25)]
    assert sum(part.objects[0].count for part in parts) == 200
    whole = composition([frame], Rect(0, 0, *SHAPE), tissue, None)
    for index, share in enumerate(whole.tissue[:3]):
        assert sum(part.tissue[index].area_px for part in parts) == pytest.approx(share.area_px)


def test_without_a_scale_there_is_nothing_in_micrometres():
    frame = make_frame(30, 2, scale=None)
    found = composition([frame], None, make_tissue(2), None, shape=SHAPE)
    assert (found.area_mm2, found.tissue_mm2, found.has_scale) == (None, None, False)
    assert found.objects[0].per_mm2 is None
    assert found.objects[0].mean_area == pytest.approx(frame.instances.areas_px.mean())


def test_one_class_needs_no_sum_and_no_classes_are_one_row():
    one = make_frame(9, 3, classes=CLASSES[:1])
    one.instances.class_codes[:] = 1
    assert [share.class_name for share in composition([one], None, None, None).objects] == ["a"]
    none = make_frame(9, 3, classes=())
    assert [(share.class_name, share.count) for share in composition([none], None, None, None).objects] == [
        (NO_CLASS, 9)
    ]


def test_rows_of_the_file(tmp_path):
    found = composition([make_frame(30, 4)], Rect(0, 0, 30, 30), make_tissue(4), Scale.isotropic(0.5), shape=SHAPE)
    path = write_composition_csv(tmp_path / "c.csv", found, slide="s", area_name="view")
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found.objects) + len(found.tissue)
    assert {(row["slide"], row["area"], row["bottom_px"]) for row in rows} == {("s", "view", "30")}
    assert [row["class"] for row in rows[:3]] == ["all", "a", "b"]
    assert float(rows[0]["mean_area_um2"]) == pytest.approx(found.objects[0].mean_area, abs=1e-5)
    assert rows[0]["mean_area_px"] == ""
    tissue = [row for row in rows if row["kind"] == "tissue"]
    assert sum(float(row["area_share"]) for row in tissue) == pytest.approx(1, abs=1e-5)
    assert all(row["count"] == "" for row in tissue)
