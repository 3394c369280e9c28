"""The TIFF pyramid writer."""

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import Scale, UsageError
from pathloop.rasters import write_tiff_pyramid


def picture(shape, rng):
    ramp = np.indices(shape).sum(axis=0) % 200
    return np.stack([ramp, ramp // 2 + 50, 255 - ramp], axis=-1).astype(np.uint8)


def test_image_opens_in_tifffile_and_openslide(tmp_path, rng):
    image = picture((1300, 2100), rng)
    path = tmp_path / "image.tif"
    write_tiff_pyramid(path, image, shape=(1300, 2100), um_per_px=Scale(0.25, 0.5), downsample=2)
    with tifffile.TiffFile(path) as tiff:
        levels = [level.shape for level in tiff.series[0].levels]
        assert levels == [(1300, 2100, 3), (650, 1050, 3), (325, 525, 3), (163, 263, 3)]
        assert tiff.pages[0].tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        assert tiff.pages[0].tags["XResolution"].value == (20000, 1)
        assert tiff.pages[0].tags["YResolution"].value == (40000, 1)
        assert tiff.pages[1].tags["XResolution"].value == (10000, 1)
        full, half = (tiff.series[0].levels[n].asarray().astype(int) for n in (0, 1))
    assert np.abs(full - image).mean() < 4
    assert np.abs(half - image.reshape(650, 2, 1050, 2, 3).mean(axis=(1, 3))).mean() < 4
    with openslide.OpenSlide(path) as slide:
        assert slide.level_dimensions == ((2100, 1300), (1050, 650), (525, 325), (263, 163))
        assert float(slide.properties["openslide.mpp-x"]) == 0.5
        assert float(slide.properties["openslide.mpp-y"]) == 0.25
        region = np.asarray(slide.read_region((400, 700), 0, (300, 200)))[..., :3].astype(int)
    assert np.abs(region - image[700:900, 400:700]).mean() < 4


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    dtype=st.sampled_from(["uint8", "uint32", "int32", "uint16"]),
    strip=st.integers(1, 100),
    downsample=st.sampled_from([2, 4]),
)
def test_labels_survive_from_any_source(tmp_path_factory, height, width, dtype, strip, downsample):
    labels = np.random.default_rng(height * 97 + width).integers(0, np.iinfo(dtype).max, (height, width), dtype)
    folder = tmp_path_factory.mktemp("labels")
    options = {"shape": (height, width), "um_per_px": 0.5, "tile": 32, "levels": 3, "downsample": downsample}
    sources = (labels, lambda rect: labels[rect.slices], (labels[y : y + strip] for y in range(0, height, strip)))
    files = []
    for number, source in enumerate(sources):
        write_tiff_pyramid(folder / f"{number}.tif", source, **options)
        files.append((folder / f"{number}.tif").read_bytes())
    assert files[0] == files[1] == files[2]
    with tifffile.TiffFile(folder / "0.tif") as tiff:
        assert len(tiff.pages) == 3
        assert np.array_equal(tiff.pages[0].asarray(), labels)
        assert tiff.pages[0].asarray().dtype == labels.dtype
        # nearest neighbour: a reduced level holds no id that the full one lacks
        assert np.isin(tiff.pages[2].asarray(), labels).all()


def test_labels_have_one_level_unless_asked(tmp_path):
    write_tiff_pyramid(tmp_path / "a.tif", np.zeros((900, 900), np.uint32), shape=(900, 900), um_per_px=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) == 1
        assert tiff.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert tiff.pages[0].tags["ResolutionUnit"].value == tifffile.RESUNIT.NONE


@pytest.mark.slow
def test_large_files_are_bigtiff(tmp_path):
    """A 70,000 px square of blank labels: 4.9 GB uncompressed, a few hundred kB on disk, read by rows of tiles."""
    blank = np.zeros((4096, 4096), np.uint8)
    rows = []

    def read(rect):
        rows.append(rect.y)
        return blank[: rect.height, : rect.width]

    path = tmp_path / "big.tif"
    write_tiff_pyramid(path, read, shape=(70_000, 70_000), um_per_px=0.5, tile=4096)
    assert rows == sorted(rows)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert tiff.pages[0].shape == (70_000, 70_000)


def test_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(b"old")

    def read(rect):
        if rect.y:
            raise RuntimeError("the source broke")
        return np.zeros((*rect.shape, 3), np.uint8)

    with pytest.raises(RuntimeError, match="the source broke"):
        write_tiff_pyramid(path, read, shape=(2000, 700), um_per_px=0.5)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros((9, 9), np.float32), {}, "integers"),
        (np.zeros((9, 9), np.uint8), {"compression": "jpeg"}, "ids of a label image"),
        (np.zeros((9, 8), np.uint8), {}, r"\(9, 8\) pixels where the TIFF needs \(9, 9\)"),
        ([np.zeros((4, 9), np.uint8)], {}, "4 rows in all"),
        ([np.zeros((6, 9), np.uint8)] * 2, {}, "12 rows in all"),
        ([], {}, "0 rows in all"),
        (np.zeros((9, 9), np.uint8), {"tile": 100}, "multiple of 16"),
        (np.zeros((9, 9), np.uint8), {"downsample": 3}, "divides the tile"),
    ],
)
def test_wrong_input_is_named_and_leaves_nothing(tmp_path, source, options, message):
    with pytest.raises(UsageError, match=message):
        write_tiff_pyramid(tmp_path / "x.tif", source, shape=(9, 9), um_per_px=0.5, **options)
    assert list(tmp_path.iterdir()) == []
