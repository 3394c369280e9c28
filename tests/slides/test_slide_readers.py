"""Every reader against the conformance class and against the picture that was written."""

from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest
import tifffile
from slide_files import picture, write_image, write_ome, write_pyramid, write_scn, write_svs, write_tiff
from slide_reader_tests import SlideReaderTests

from pathloop.core import Rect, SlideError
from pathloop.slides import open_slide


def whole(path: Path) -> np.ndarray:
    with open_slide(path) as slide:
        return slide.read(Rect(0, 0, *slide.shape))


class TestAperio(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_svs(tmp_path_factory.mktemp("svs") / "slide.svs", picture())

    def test_facts(self, slide) -> None:
        assert slide.format == "aperio"
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
        assert slide.associated == ("label", "macro", "thumbnail")
        assert slide.objective_power == 20
        assert (slide.scale.y, slide.scale.x) == (0.499, 0.499)

    @pytest.mark.parametrize("compression", ["jpeg", "deflate"])
    def test_pixels_equal_openslide(self, tmp_path: Path, compression: str) -> None:
        path = write_svs(tmp_path / "slide.svs", picture(), compression=compression)
        with openslide.OpenSlide(path) as reference, open_slide(path) as slide:
            assert len(slide.levels) == reference.level_count
            for index, size in enumerate(reference.level_dimensions):
                expected = np.asarray(reference.read_region((0, 0), index, size).convert("RGB"))
                np.testing.assert_array_equal(slide.read_level(index, Rect(0, 0, *expected.shape[:2])), expected)


class TestOme(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_ome(tmp_path_factory.mktemp("ome") / "slide.ome.tif", picture())

    def test_facts(self, slide) -> None:
        assert slide.format == "ome-tiff"
        assert len(slide.levels) == 3
        assert slide.levels[2].zarr is not None
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture())


class TestPyramidWithoutSubIfds(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_pyramid(tmp_path_factory.mktemp("tif") / "slide.tif", picture(), compression="jpeg")

    def test_facts(self, slide) -> None:
        assert slide.format == "tiff"
        assert slide.scale.um_per_px == pytest.approx(0.5)
        assert [level.shape for level in slide.levels] == [(300, 420), (150, 210), (75, 105)]


class TestStrips(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("strips") / "slide.tif"
        return write_tiff(path, picture(1100, 150), rowsperstrip=7, photometric="rgb", compression="zlib")

    def test_strips_are_grouped(self, slide) -> None:
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture(1100, 150))
        assert slide.levels[0].dask.numblocks == (3, 1, 1)


class TestPng(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_image(tmp_path_factory.mktemp("png") / "slide.png", picture())

    def test_facts(self, slide) -> None:
        assert slide.format == "png"
        assert slide.scale is None
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture())


class TestLeica(SlideReaderTests):
    """OpenSlide's reader; a scanned rectangle in a larger, empty slide."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("scn") / "slide.scn"
        return write_scn(path, picture(), corners=[(100, 200)], collection=(900, 1000))

    def test_bounds_are_the_slide(self, slide) -> None:
        assert slide.format == "leica"
        assert slide.scale.um_per_px == pytest.approx(0.5)
        assert slide.objective_power == 20
        assert slide.associated == ("macro",)
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture())


def test_regions_never_scanned_are_white(tmp_path: Path) -> None:
    path = write_scn(tmp_path / "two.scn", picture(), corners=[(100, 64), (500, 480)], collection=(900, 1000))
    with open_slide(path) as slide:
        assert slide.shape == (700, 836)
        pixels = slide.read(Rect(0, 0, *slide.shape))
    np.testing.assert_array_equal(pixels[:300, :420], picture())
    np.testing.assert_array_equal(pixels[400:, 416:], picture())
    assert (pixels[310:390] == 255).all()
    assert (pixels[400:, :410] == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".jpeg"])
def test_plain_images(tmp_path: Path, suffix: str) -> None:
    path = write_image(tmp_path / f"a{suffix}", picture(), cv2.IMWRITE_WEBP_QUALITY, 101)
    difference = np.abs(whole(path).astype(int) - picture())
    assert difference.mean() < (3 if "jp" in suffix else 0.01)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", picture())
    np.testing.assert_array_equal(whole(path.rename(tmp_path / "a.tif")), picture())


def test_grey_is_repeated(tmp_path: Path) -> None:
    grey = picture()[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(write_image(tmp_path / "a.png", grey)), expected)
    np.testing.assert_array_equal(whole(write_tiff(tmp_path / "a.tif", grey, photometric="minisblack")), expected)
    np.testing.assert_array_equal(whole(write_tiff(tmp_path / "b.tif", grey, photometric="miniswhite")), 255 - expected)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_transparent_pixels_lie_on_white(tmp_path: Path, name: str) -> None:
    alpha = np.full((300, 420, 1), 255, np.uint8)
    alpha[:100], alpha[100:200] = 0, 128
    rgba = np.concatenate([picture(), alpha], axis=2)
    path = tmp_path / name
    pixels = whole(
        write_image(path, rgba)
        if name == "a.png"
        else write_tiff(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
    )
    assert (pixels[:100] == 255).all()
    np.testing.assert_array_equal(pixels[200:], picture()[200:])
    blend = 255 + (picture()[100:200].astype(float) - 255) * 128 / 255
    assert np.abs(pixels[100:200] - blend).max() <= 0.51


@pytest.mark.parametrize("bits", [16, 12])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_keep_their_brightness(tmp_path: Path, bits: int, name: str) -> None:
    """A camera's 12 bits in 16 come out as bright as 8 bits would."""
    deep = np.rint(picture().astype(float) / 255 * (2**bits - 1)).astype(np.uint16)
    path = tmp_path / name
    pixels = whole(
        write_image(path, deep) if name == "a.png" else write_tiff(path, deep, photometric="rgb", tile=(64, 64))
    )
    assert np.abs(pixels.astype(int) - picture()).max() <= 1


def test_planes_stored_apart(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(picture().transpose(2, 0, 1))
    separate = write_tiff(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", tile=(64, 64))
    np.testing.assert_array_equal(whole(separate), picture())
    strips = write_tiff(tmp_path / "b.tif", planes, photometric="rgb", planarconfig="separate", rowsperstrip=11)
    np.testing.assert_array_equal(whole(strips), picture())
    channels = tmp_path / "c.ome.tif"
    tifffile.imwrite(channels, planes, photometric="minisblack", metadata={"axes": "CYX"}, tile=(64, 64))
    np.testing.assert_array_equal(whole(channels), picture())


def test_palette(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint16)
    index = picture()[..., 0]
    path = write_tiff(tmp_path / "a.tif", index, photometric="palette", colormap=colours.T * 257)
    np.testing.assert_array_equal(whole(path), colours.astype(np.uint8)[index])


def test_jpeg_2000(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", picture(), tile=(64, 64), photometric="rgb", compression="jpeg2000")
    np.testing.assert_array_equal(whole(path), picture())


def test_jpeg_in_ycbcr_has_the_right_colours(tmp_path: Path) -> None:
    for space, photometric in (("rgb", 2), ("ycbcr", 6)):
        path = write_tiff(
            tmp_path / f"{space}.tif",
            picture(),
            tile=(64, 64),
            photometric="rgb",
            compression="jpeg",
            compressionargs={"level": 95, "outcolorspace": space},
        )
        with tifffile.TiffFile(path) as tiff:
            assert tiff.pages.first.photometric == photometric
        assert np.abs(whole(path).astype(int) - picture()).mean() < 6


def test_tiles_that_are_not_stored_are_white(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", picture(), tile=(64, 64), photometric="rgb", compression="deflate")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        page = tiff.pages.first
        for name in ("TileOffsets", "TileByteCounts"):
            values = list(page.tags[name].value)
            values[1] = 0
            page.tags[name].overwrite(values)
    pixels = whole(path)
    assert (pixels[:64, 64:128] == 255).all()
    np.testing.assert_array_equal(pixels[:, :64], picture()[:, :64])
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.levels[0].zarr[:], pixels)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "CYX"])
def test_stacks_are_refused_in_words(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((5, 80, 90), np.uint8), photometric="minisblack", metadata={"axes": axes})
    with pytest.raises(SlideError, match=r"stack of 5 .*export one RGB plane"):
        open_slide(path)


def test_floats_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="not an RGB-like image"):
        open_slide(write_tiff(tmp_path / "a.tif", np.zeros((80, 90, 3), np.float32), photometric="rgb"))


def test_aperio_jpeg_2000_in_ycbcr(tmp_path: Path) -> None:
    """Aperio's compression 33003 stores YCbCr and does not say so."""
    ycrcb = cv2.cvtColor(picture(), cv2.COLOR_RGB2YCrCb)
    path = write_svs(
        tmp_path / "a.svs", np.ascontiguousarray(ycrcb[..., [0, 2, 1]]), levels=1, compression="APERIO_JP2000_YCBC"
    )
    with open_slide(path) as slide:
        assert slide.format == "aperio"
        assert slide.scale is not None
        assert slide.scale.um_per_px == pytest.approx(0.499)
        assert len(slide.levels) == 2
        assert np.abs(slide.read(Rect(0, 0, *slide.shape)).astype(int) - picture()).mean() < 3
