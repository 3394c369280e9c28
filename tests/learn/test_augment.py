"""Augmentation: image and labels stay together, colours alone change, and everything follows from the generator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from training_sets import STILL, drawn

from pathloop.learn import AugmentConfig
from pathloop.learn._augment import affine_to_source, change_colors, warp_image, warp_labels

NO_COLORS = AugmentConfig(blur=0, color=0, stain=0)


COLORS = np.random.default_rng(0).integers(0, 256, (1000, 3), np.uint8)
"""A colour for each id."""


def matrix(seed: int, config: AugmentConfig, *, side_px: int = 64, zoom: float = 1.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return affine_to_source(rng, config, side_px=side_px, zoom=zoom, centre=(39.5, 39.5))


@given(seed=st.integers(0, 10_000), zoom=st.sampled_from([0.8, 1.0, 1.7]))
def test_labels_stay_with_the_image(seed: int, zoom: float) -> None:
    _, labels, _ = drawn(seed % 5)
    source = labels["nuclei"]
    place = matrix(seed, NO_COLORS, zoom=zoom)
    image = warp_image(COLORS[source], place, 64)
    moved = warp_labels(source, place, 64)
    assert image.shape == (64, 64, 3)
    assert moved.dtype == np.uint16
    # away from edges, where colours mix, the image shows the colour of the moved id
    inner = np.ones((62, 62), bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            inner &= moved[1:-1, 1:-1] == moved[1 + dy : 63 + dy, 1 + dx : 63 + dx]
    expected = COLORS[moved[1:-1, 1:-1]]
    wrong = (np.abs(image[1:-1, 1:-1].astype(int) - expected).max(axis=2) > 2) & inner
    assert inner.mean() > 0.4
    assert wrong.mean() < 0.01


def test_quarter_turns_and_flips_move_pixels_exactly() -> None:
    image, _, _ = drawn(0, side=65)
    found = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        place = affine_to_source(rng, STILL, side_px=65, zoom=1.0, centre=(32.0, 32.0))
        patch = warp_image(image, place, 65)
        same = [
            (turns, flip)
            for turns in range(4)
            for flip in (False, True)
            if np.array_equal(patch, np.rot90(image[:, ::-1] if flip else image, turns))
        ]
        assert len(same) == 1
        found.add(same[0])
    # all eight symmetries of the square occur
    assert len(found) == 8


def test_zoom_and_centre() -> None:
    place = affine_to_source(np.random.default_rng(0), STILL, side_px=64, zoom=2.0, centre=(10.0, 20.0))
    np.testing.assert_allclose(place @ [31.5, 31.5, 1], [20.0, 10.0])
    assert abs(np.linalg.det(place[:, :2])) == pytest.approx(1 / 4)


def test_ranges_of_the_affine_map() -> None:
    config = AugmentConfig(scale=(0.9, 1.1), shear_degrees=5)
    areas = [abs(np.linalg.det(matrix(seed, config)[:, :2])) for seed in range(300)]
    assert 1 / 1.1**2 <= min(areas) < 0.9
    assert 1.1 < max(areas) <= 1 / 0.9**2
    signs = {np.sign(np.linalg.det(matrix(seed, config)[:, :2])) for seed in range(20)}
    assert signs == {-1.0, 1.0}


def test_outside_is_mirrored_or_marked() -> None:
    labels = np.arange(1, 101).reshape(10, 10)
    shift = np.array([[1.0, 0, -3], [0, 1.0, 0]])
    assert warp_labels(labels, shift, 10)[0, :5].tolist() == [4, 3, 2, 1, 2]
    assert warp_labels(labels, shift, 10, outside=255)[0, :5].tolist() == [255, 255, 255, 1, 2]


@given(seed=st.integers(0, 10_000))
def test_colors_change_nothing_else(seed: int) -> None:
    image, _, _ = drawn(seed % 5)
    before = image.copy()
    changed = change_colors(image, np.random.default_rng(seed), AugmentConfig())
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    np.testing.assert_array_equal(image, before)
    again = change_colors(image, np.random.default_rng(seed), AugmentConfig())
    np.testing.assert_array_equal(changed, again)


@pytest.mark.parametrize("share", ["blur", "sharpen", "color", "stain"])
def test_each_change_happens(share: str) -> None:
    config = NO_COLORS.model_copy(update={share: 1.0})
    image, _, _ = drawn(1)
    results = [change_colors(image, np.random.default_rng(seed), config) for seed in range(12)]
    assert sum(np.array_equal(image, one) for one in results) < 3
    assert len({one.tobytes() for one in results}) > 6


@pytest.mark.parametrize("level", [0, 255])
def test_noise_and_colors_never_leave_eight_bits(level: int) -> None:
    """Black stays dark and white stays light: nothing wraps around."""
    flat = np.full((32, 32, 3), level, np.uint8)
    config = AugmentConfig(blur=1, sharpen=1, color=1, stain=1)
    for seed in range(40):
        changed = change_colors(flat, np.random.default_rng(seed), config).astype(int)
        assert np.abs(changed - level).max() < 160


def test_sharpening_widens_edges_and_leaves_flat_areas() -> None:
    image = np.full((40, 40, 3), 100, np.uint8)
    image[:, 20:] = 150
    config = NO_COLORS.model_copy(update={"sharpen": 1.0})
    for seed in range(20):
        sharp = change_colors(image, np.random.default_rng(seed), config).astype(int)
        assert np.abs(sharp[:, :6] - 100).max() <= 1
        assert np.abs(sharp[:, -6:] - 150).max() <= 1
        assert sharp[:, 19].max() < 100
        assert sharp[:, 20].min() > 150


def test_no_change_is_identity() -> None:
    image, _, _ = drawn(2)
    np.testing.assert_array_equal(change_colors(image, np.random.default_rng(0), NO_COLORS), image)


def test_stain_jitter_of_zero_width_is_identity_within_a_grey_level(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    config = AugmentConfig(blur=0, color=0, stain=1, stain_scale=0, stain_shift=0)
    changed = change_colors(image, rng, config)
    assert int(np.abs(changed.astype(int) - image).max()) <= 1


def test_stain_jitter_moves_the_stains() -> None:
    """Stronger stains darken, and the order of brightness survives."""
    image, _, _ = drawn(3)
    config = AugmentConfig(blur=0, color=0, stain=1, stain_scale=0.3, stain_shift=0.0)
    means = [change_colors(image, np.random.default_rng(seed), config).mean() for seed in range(30)]
    assert min(means) < image.mean() - 5
    assert max(means) > image.mean() + 5


def test_color_widths_of_zero_are_identity() -> None:
    image, _, _ = drawn(4)
    config = AugmentConfig(blur=0, stain=0, color=1, hue=0, saturation=0, brightness=0, contrast=0)
    changed = change_colors(image, np.random.default_rng(0), config)
    # RGB to HSV and back rounds
    assert int(np.abs(changed.astype(int) - image).max()) <= 4


@pytest.mark.parametrize("wrong", [{"scale": (1.1, 0.9)}, {"scale": (0.0, 1.0)}, {"hue": -1}, {"contrast": 2}])
def test_wrong_ranges_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AugmentConfig.model_validate(wrong)
