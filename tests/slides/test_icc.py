"""Embedded colour profiles, found in every kind of file and turned into sRGB on request only."""

import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from icc_files import GAMMA, WIDE, wide_profile
from PIL import Image, ImageCms
from slide_files import picture, write_ome, write_pyramid, write_svs, write_tiff

from pathloop.core import Rect, SlideError
from pathloop.slides import open_slide, profile_name

# sRGB: red, green and blue as columns of XYZ adapted to D50 (Lindbloom)
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def in_srgb(pixels: np.ndarray) -> np.ndarray:
    """The conversion worked out with numpy alone: to light, to XYZ, to sRGB light, to values."""
    light = (pixels / 255.0) ** GAMMA @ (np.linalg.inv(SRGB) @ WIDE).T
    light = np.clip(light, 0, 1)
    values = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * values)


def write_picture(path: Path, profile: bytes, **options: object) -> Path:
    Image.fromarray(picture()).save(path, icc_profile=profile, **options)
    return path


WRITERS = {
    "a.svs": lambda path, icc: write_svs(path, picture(), iccprofile=icc),
    "openslide.svs": lambda path, icc: write_svs(path, picture(), compression="APERIO_JP2000_YCBC", iccprofile=icc),
    "a.tif": lambda path, icc: write_pyramid(path, picture(), iccprofile=icc),
    "plain.tif": lambda path, icc: write_tiff(path, picture(), photometric="rgb", iccprofile=icc),
    "a.png": write_picture,
    "a.webp": lambda path, icc: write_picture(path, icc, lossless=True),
    "a.jpg": lambda path, icc: write_picture(path, icc, quality=95),
}


def whole(path: Path, **options: bool) -> np.ndarray:
    with open_slide(path, **options) as slide:
        return slide.read(Rect(0, 0, *slide.shape))


@pytest.mark.parametrize("name", WRITERS)
def test_colours_change_on_request_only(tmp_path: Path, name: str) -> None:
    profile = wide_profile()
    path = WRITERS[name](tmp_path / name, profile)
    with open_slide(path) as slide:
        assert slide.icc_profile == profile
        assert profile_name(slide.icc_profile) == "wide test colours"
        assert not slide.is_srgb
    stored, shown = whole(path), whole(path, to_srgb=True)
    assert np.abs(stored.astype(int) - in_srgb(stored)).max() > 15
    assert np.abs(shown - in_srgb(stored)).max() <= 2


@pytest.mark.parametrize("name", ["a.svs", "a.png"])
def test_the_conversion_is_that_of_littlecms(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / name, wide_profile())
    with open_slide(path) as slide:
        expected = ImageCms.profileToProfile(
            Image.fromarray(slide.read(Rect(0, 0, *slide.shape))),
            ImageCms.ImageCmsProfile(BytesIO(slide.icc_profile)),
            ImageCms.createProfile("sRGB"),
        )
    np.testing.assert_array_equal(whole(path, to_srgb=True), np.asarray(expected))


def test_every_way_of_reading_is_converted(tmp_path: Path) -> None:
    path = WRITERS["a.tif"](tmp_path / "a.tif", wide_profile())
    with open_slide(path, to_srgb=True) as slide, open_slide(path) as stored:
        for index, level in enumerate(slide.levels):
            pixels = slide.read_level(index, Rect(0, 0, *level.shape))
            np.testing.assert_array_equal(level.dask.compute(scheduler="sync"), pixels)
            assert level.zarr is None
            assert (pixels != stored.read_level(index, Rect(0, 0, *level.shape))).any()
        assert slide.fingerprint == stored.fingerprint
        assert slide.levels[0].dask.name != stored.levels[0].dask.name
        with pickle.loads(pickle.dumps(slide)) as again:
            np.testing.assert_array_equal(again.read(Rect(3, 5, 40, 50)), slide.read(Rect(3, 5, 40, 50)))
            assert again.is_srgb
        np.testing.assert_array_equal(slide.read(Rect(-20, 0, 10, 10)), 255)


def test_without_a_profile_nothing_changes(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", picture())
    np.testing.assert_array_equal(whole(path, to_srgb=True), picture())
    with open_slide(path) as slide:
        assert slide.icc_profile is None


@pytest.mark.parametrize("profile", [b"no profile at all", wide_profile(b"GRAY"), wide_profile()[:150]])
def test_a_profile_that_cannot_be_used_says_so(tmp_path: Path, profile: bytes) -> None:
    path = WRITERS["plain.tif"](tmp_path / "a.tif", profile)
    np.testing.assert_array_equal(whole(path), picture())
    with pytest.raises(SlideError, match=r"colour profile .*open it without --srgb"):
        open_slide(path, to_srgb=True)
