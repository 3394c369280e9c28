"""Optical density and back."""

import numpy as np

from pathloop.rasters import STAIN_OD, density_to_rgb, rgb_to_density


def test_every_grey_level_comes_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(density_to_rgb(rgb_to_density(levels)), levels)


def test_white_has_no_density_and_black_the_most() -> None:
    density = rgb_to_density(np.array([[[255, 255, 255], [0, 0, 0]]], np.uint8))
    assert density[0, 0].max() == 0
    assert np.allclose(density[0, 1], np.log10(256))


def test_stains_are_unit_vectors_and_independent() -> None:
    assert np.allclose(np.linalg.norm(STAIN_OD, axis=1), 1, atol=0.01)
    assert abs(np.linalg.det(STAIN_OD)) > 0.1


def test_more_stain_is_darker() -> None:
    thin, thick = (density_to_rgb(STAIN_OD[:1] * np.float32(amount)) for amount in (0.2, 0.8))
    assert (thick < thin).all()
