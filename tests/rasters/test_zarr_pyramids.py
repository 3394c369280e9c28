"""Label pyramids and small maps on disk."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from pathloop.core import DataError, Rect, Scale, UsageError
from pathloop.rasters import (
    LabelPyramid,
    create_label_pyramid,
    open_label_pyramid,
    read_map,
    restore_chunks,
    save_chunks,
    write_map,
)

SCALE = Scale(0.25, 0.26)


def make(path: Path, shape: tuple[int, int]) -> LabelPyramid:
    return create_label_pyramid(path, shape, scale=SCALE, attributes={"task": "nuclei"})


def assert_levels_are_samples(pyramid: LabelPyramid, truth: np.ndarray) -> None:
    for level, factor in zip(pyramid.levels, pyramid.factors, strict=True):
        np.testing.assert_array_equal(level[:], truth[::factor, ::factor])


@pytest.mark.parametrize(
    ("shape", "factors"),
    [
        ((1, 1), (1,)),
        ((1, 2), (1, 2)),
        ((64, 50), (1, 2)),
        ((512, 512), (1, 8)),
        ((513, 10), (1, 2, 16)),
        ((10240, 10240), (1, 2, 4, 8, 16, 32, 256)),
    ],
)
def test_levels_end_below_512_and_a_tiny_one_follows(
    tmp_path: Path, shape: tuple[int, int], factors: tuple[int, ...]
) -> None:
    pyramid = make(tmp_path / "labels.zarr" / "nuclei", shape)
    assert pyramid.shape == shape
    assert pyramid.factors == factors
    sizes = [level.shape for level in pyramid.levels]
    assert max(sizes[-1]) <= 64
    assert max(sizes[-2 if len(sizes) > 1 else -1]) <= 512
    assert sizes == [(-(-shape[0] // factor), -(-shape[1] // factor)) for factor in factors]


rects = st.tuples(st.integers(-50, 1200), st.integers(-50, 900), st.integers(0, 700), st.integers(0, 700))


@settings(max_examples=10)
@given(writes=st.lists(st.tuples(rects, st.integers(0, 2**31 - 1)), min_size=1, max_size=4))
def test_any_rectangle_may_be_written(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[tuple[int, int, int, int], int]]
) -> None:
    pyramid = make(tmp_path_factory.mktemp("z") / "nuclei", (1100, 900))
    truth = np.zeros((1100, 900), np.int64)
    for bounds, value in writes:
        rect = Rect(*bounds)
        pyramid.write(rect, np.full(rect.shape, value, np.int64))
        pyramid.build_levels(rect)
        inside = rect.intersect(pyramid.bounds)
        if inside.area:
            truth[inside.slices] = value
        padded = np.zeros((2000, 2000), np.int64)
        padded[100:1200, 100:1000] = truth
        np.testing.assert_array_equal(pyramid.read(rect), padded[rect.shift(100, 100).slices])
    assert_levels_are_samples(pyramid, truth)


def test_background_takes_no_files(tmp_path: Path) -> None:
    pyramid = make(tmp_path / "nuclei", (2000, 2000))
    block = Rect(512, 512, 512, 512)
    for value, files in ((0, 0), (7, 4), (0, 0)):
        pyramid.write(block, np.full(block.shape, value, np.uint16))
        pyramid.build_levels(block)
        assert len([file for file in (tmp_path / "nuclei").rglob("c/*/*") if file.is_file()]) == files


def test_wrong_labels_are_refused(tmp_path: Path) -> None:
    pyramid = make(tmp_path / "nuclei", (100, 100))
    rect = Rect(0, 0, 10, 10)
    for wrong in (np.zeros((9, 10), int), np.zeros((10, 10)), np.full((10, 10), -1), np.full((10, 10), 2**31)):
        with pytest.raises(UsageError):
            pyramid.write(rect, wrong)
    with pytest.raises(UsageError, match="exists already"):
        make(tmp_path / "nuclei", (100, 100))
    with pytest.raises(UsageError, match="at least one pixel"):
        make(tmp_path / "gland", (0, 100))


def test_other_programs_find_what_ome_ngff_promises(tmp_path: Path) -> None:
    make(tmp_path / "labels.zarr" / "nuclei", (1000, 600))
    make(tmp_path / "labels.zarr" / "gland", (1000, 600))
    root = zarr.open_group(tmp_path / "labels.zarr", mode="r")
    assert root.attrs["ome"] == {"version": "0.5", "labels": ["gland", "nuclei"]}
    attributes = dict(root["nuclei"].attrs)
    [multiscale] = attributes["ome"]["multiscales"]
    scales = [entry["coordinateTransformations"][0]["scale"] for entry in multiscale["datasets"]]
    assert scales == [[0.25, 0.26], [0.5, 0.52], [4.0, 4.16]]
    assert attributes["pathloop"]["um_per_px"] == scales
    assert attributes["pathloop"]["task"] == "nuclei"
    assert root["nuclei"]["0"].chunks == (512, 512)
    assert root["nuclei"]["0"].metadata.zarr_format == 3


def test_missing_damaged_and_newer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label pyramid"):
        open_label_pyramid(tmp_path / "none")
    pyramid = make(tmp_path / "nuclei", (100, 100))
    description = pyramid.path / "zarr.json"
    text = description.read_text()
    description.write_text(text.replace('"version": 1', '"version": 99'))
    with pytest.raises(DataError, match="newer pathloop"):
        open_label_pyramid(pyramid.path)
    description.write_text(text[:50])
    with pytest.raises(DataError, match="damaged"):
        open_label_pyramid(pyramid.path)


def test_saving_and_restoring_chunks_are_inverse(tmp_path: Path, rng: np.random.Generator) -> None:
    pyramid = make(tmp_path / "nuclei", (1500, 1500))
    truth = np.zeros((1500, 1500), np.int32)
    truth[:700, :900] = rng.integers(0, 99, (700, 900))
    pyramid.write(pyramid.bounds, truth)
    pyramid.build_levels(pyramid.bounds)
    area = Rect(300, 300, 1000, 900)
    save_chunks(pyramid, area, tmp_path / "before")
    for _ in range(2):
        pyramid.write(area, rng.integers(0, 2, area.shape))
        pyramid.build_levels(area)
        restore_chunks(pyramid, area, tmp_path / "before")
        assert_levels_are_samples(pyramid, truth)


def test_a_map_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "map.zarr"
    assert read_map(path) is None
    for side in (3, 700):
        write_map(path, np.full((side, side + 1), side % 256, np.uint8), {"name": "x"})
        found = read_map(path)
        assert found is not None
        assert found[0].shape == (side, side + 1)
        assert (found[0] == side % 256).all()
        assert found[1]["name"] == "x"
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.zarr"]
    path.rename(tmp_path / ".map.zarr.old")  # as a kill between the two renames leaves it
    found = read_map(path)
    assert found is not None
    assert found[0].shape == (700, 701)
    write_map(path, np.ones((2, 2), np.uint8), {})
    found = read_map(path)
    assert found is not None
    assert found[0].shape == (2, 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.zarr"]
