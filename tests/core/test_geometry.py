"""Rectangles, scales, tile grids, schemas, files, registry."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import (
    ClassSpec,
    DataError,
    Instances,
    LabelSchema,
    PostProcessing,
    Rect,
    Registry,
    Scale,
    StrictConfig,
    TaskSpec,
    TileGrid,
    UsageError,
    atomic_path,
)

rects = st.builds(Rect, st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 60), st.integers(0, 60))


@given(rects, rects)
def test_intersection_holds_exactly_the_common_pixels(a: Rect, b: Rect) -> None:
    common = {(y, x) for y in range(a.y, a.bottom) for x in range(a.x, a.right)} & {
        (y, x) for y in range(b.y, b.bottom) for x in range(b.x, b.right)
    }
    found = a.intersect(b)
    assert found.area == len(common)
    assert {(y, x) for y in range(found.y, found.bottom) for x in range(found.x, found.right)} == common


@given(rects, rects)
def test_what_is_left_without_another_holds_each_pixel_once(a: Rect, b: Rect) -> None:
    count = np.zeros((120, 120), int)
    for piece in a.minus(b):
        assert piece.area
        count[piece.shift(50, 50).slices] += 1
    expected = np.zeros_like(count)
    expected[a.shift(50, 50).slices] = 1
    expected[b.shift(50, 50).slices] = 0
    assert np.array_equal(count, expected)


@given(rects, st.integers(1, 40), st.integers(0, 10))
def test_tile_cores_cover_the_area_once(area: Rect, core: int, margin: int) -> None:
    grid = TileGrid(area, core, margin)
    count = np.zeros((120, 120), int)
    for tile in grid:
        count[tile.core.shift(55, 55).slices] += 1
        assert tile.padded == tile.core.expand(margin)
    expected = np.zeros_like(count)
    expected[area.shift(55, 55).slices] = 1
    assert np.array_equal(count, expected)
    assert len(list(grid)) == len(grid)


@given(rects, rects, st.integers(1, 40))
def test_two_areas_share_the_grid(a: Rect, b: Rect, core: int) -> None:
    ours = {(tile.row, tile.col): tile.core for tile in TileGrid(a, core)}
    for tile in TileGrid(b, core):
        if (tile.row, tile.col) in ours:
            cell = Rect(tile.row * core, tile.col * core, core, core)
            assert tile.core == cell.intersect(b)


@pytest.mark.parametrize("value", [0.0, 0.01, 25.0, float("nan"), float("inf"), -1.0])
def test_scales_outside_the_plausible_range_are_refused(value: float) -> None:
    with pytest.raises(UsageError):
        Scale(0.5, value)


def test_negative_size_is_refused() -> None:
    with pytest.raises(UsageError):
        Rect(0, 0, -1, 3)


def test_constants_scale_with_resolution() -> None:
    post = PostProcessing(kernel_px=11, grow_px=5, closing_px=2, min_interior_px=10, min_size_px=1000)
    half = post.scaled(0.5)
    assert (half.kernel_px, half.grow_px, half.min_size_px) == (6, 2, 250)
    assert post.scaled(1.0) == post


def test_schema_refuses_contradictions() -> None:
    one = (ClassSpec(name="x", color=(1, 2, 3)),)
    gland = TaskSpec(name="gland", output="instance", classes=one)
    with pytest.raises(ValueError, match="must differ"):
        LabelSchema(tasks=(gland, gland))
    with pytest.raises(ValueError, match="no instance task"):
        LabelSchema(
            tasks=(TaskSpec(name="lumen", output="instance", classes=one, post=PostProcessing(clip_to="gland")),)
        )
    with pytest.raises(ValueError, match="must name an instance task"):
        LabelSchema(tasks=(TaskSpec(name="kind", output="type", classes=one, of="nuclei"),))
    assert LabelSchema(tasks=(gland,))["gland"].n_channels == 3


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_configuration_names_every_wrong_key(tmp_path: Path) -> None:
    class Some(StrictConfig):
        steps: int

    path = tmp_path / "some.toml"
    path.write_text("steps = 'many'\nspeed = 3\n")
    with pytest.raises(DataError) as caught:
        Some.from_toml(path)
    assert "steps" in str(caught.value)
    assert "speed" in str(caught.value)
    assert "\n" not in str(caught.value)
    path.write_text("steps = \n")
    with pytest.raises(DataError, match="not readable as TOML"):
        Some.from_toml(path)
    with pytest.raises(DataError, match="no such file"):
        Some.from_toml(tmp_path / "missing.toml")


def test_registry_imports_on_use_and_names_what_it_knows() -> None:
    registry = Registry("engine", {"sqrt": "math:sqrt"})
    assert registry.resolve("sqrt")(9) == 3
    with pytest.raises(UsageError, match="unknown engine 'cube'; known: sqrt"):
        registry.resolve("cube")


def test_instances_check_their_shapes_and_select_rows() -> None:
    empty = Instances.empty()
    assert len(Instances.concatenate([empty, empty])) == 0
    with pytest.raises(UsageError, match="boxes"):
        Instances(
            ids=np.array([1]),
            boxes=np.zeros((2, 4), np.int64),
            centroids=np.zeros((1, 2)),
            areas_px=np.array([1]),
            confidences=np.zeros(1, np.float32),
            class_codes=np.zeros(1, np.int16),
            class_probabilities=np.zeros(1, np.float32),
        )
