"""um per px from every place where a file may state it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from slide_files import picture, write_image, write_ome, write_pyramid, write_svs, write_tiff

from pathloop.core import Rect, UnknownScaleError, UsageError
from pathloop.slides import open_slide


def scale_of(path: Path) -> tuple[float, float] | None:
    with open_slide(path) as slide:
        return None if slide.scale is None else (slide.scale.y, slide.scale.x)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("µm", 1.0), ("μm", 1.0), ("um", 1.0), ("nm", 1000.0), ("mm", 0.001), ("cm", 1e-4), ("inch", 1 / 25400)],
)
def test_ome_units(tmp_path: Path, unit: str, factor: float) -> None:
    path = write_ome(tmp_path / "a.ome.tif", picture(80, 90), levels=0, um=(0.25 * factor, 0.5 * factor), unit=unit)
    assert scale_of(path) == pytest.approx((0.25, 0.5))


def test_ome_pixels_are_out_of_range(tmp_path: Path) -> None:
    assert scale_of(write_ome(tmp_path / "a.ome.tif", picture(80, 90), levels=0, unit="mm")) is None


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20_000, 40_000), "centimeter", (0.25, 0.5)),
        ((50_800, 25_400), "inch", (1.0, 0.5)),
        ((72, 72), "inch", None),
        ((96, 96), "inch", None),
        ((20_000, 20_000), "none", None),
        ((0, 0), "centimeter", None),
    ],
)
def test_resolution_tags(tmp_path: Path, resolution, unit: str, expected) -> None:
    """TIFF gives (x, y) pixels per unit."""
    path = write_tiff(
        tmp_path / "a.tif", picture(80, 90), photometric="rgb", resolution=resolution, resolutionunit=unit
    )
    assert scale_of(path) == (expected and pytest.approx(expected))


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, picture(80, 90), imagej=True, photometric="rgb", resolution=(4.0, 4.0), metadata={"unit": unit}
    )
    assert scale_of(path) == pytest.approx((0.25, 0.25))


def test_aperio(tmp_path: Path) -> None:
    assert scale_of(write_svs(tmp_path / "a.svs", picture())) == (0.499, 0.499)
    assert scale_of(write_svs(tmp_path / "b.svs", picture(), mpp=False)) is None


def test_png_phys_and_jpeg_density(tmp_path: Path) -> None:
    data = write_image(tmp_path / "a.png", picture(80, 90)).read_bytes()
    body = b"pHYs" + struct.pack(">IIB", 2_000_000, 4_000_000, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "b.png").write_bytes(data[:33] + chunk + data[33:])
    assert scale_of(tmp_path / "b.png") == pytest.approx((0.25, 0.5))
    data = bytearray(write_image(tmp_path / "a.jpg", picture(80, 90)).read_bytes())
    assert scale_of(tmp_path / "a.jpg") is None
    data[13:18] = struct.pack(">BHH", 2, 20_000, 20_000)
    (tmp_path / "b.jpg").write_bytes(data)
    assert scale_of(tmp_path / "b.jpg") == pytest.approx((0.5, 0.5))


def test_unknown_scale_names_the_option(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", picture(80, 90))
    with open_slide(path) as slide:
        assert slide.read(Rect(0, 0, 8, 8)).shape == (8, 8, 3)
        for ask in (lambda: slide.read(Rect(0, 0, 8, 8), 0.5), lambda: slide.shape_at(0.5)):
            with pytest.raises(UnknownScaleError, match="--um-per-px"):
                ask()
    with open_slide(path, um_per_px=0.25) as slide:
        assert slide.shape_at(0.5) == (40, 45)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.01, 352.8, float("nan")])
def test_given_scales_are_checked(tmp_path: Path, value: float) -> None:
    with pytest.raises(UsageError, match="um per px"):
        open_slide(write_image(tmp_path / "a.png", picture(80, 90)), um_per_px=value)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf")])
def test_asked_scales_are_checked(tmp_path: Path, value: float) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", picture())) as slide, pytest.raises(UsageError):
        slide.read(Rect(0, 0, 8, 8), value)


def test_non_square_pixels_come_out_square(tmp_path: Path) -> None:
    """A disc on pixels of 0.25 x 0.5 um is round at 0.5 um per px."""
    y, x = np.mgrid[:400, :200]
    disc = ((y - 199.5) / 2) ** 2 + (x - 99.5) ** 2 < 60**2
    image = np.where(disc[..., None], 40, 250).astype(np.uint8).repeat(3, axis=2)
    path = write_ome(tmp_path / "a.ome.tif", image, levels=0, um=(0.25, 0.5))
    with open_slide(path) as slide:
        assert slide.shape_at(0.5) == (200, 200)
        dark = slide.read(Rect(0, 0, 200, 200), 0.5)[..., 0] < 128
    assert dark.any(axis=1).sum() == pytest.approx(dark.any(axis=0).sum(), abs=1)
