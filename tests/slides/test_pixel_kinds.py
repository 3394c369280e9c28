"""Grey, RGBA and 16 bits come out alike, whatever kind of file holds them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from slide_files import picture, write_image, write_ome_zarr, write_tiff

from pathloop.core import Rect
from pathloop.slides import open_slide

Write = Callable[[Path, np.ndarray], Path]


def photometric(image: np.ndarray) -> dict[str, object]:
    if image.ndim == 2:
        return {"photometric": "minisblack"}
    return {"photometric": "rgb"} | ({"extrasamples": ["unassalpha"]} if image.shape[2] == 4 else {})


def write_ome_tiff(path: Path, image: np.ndarray) -> Path:
    axes = "YX" if image.ndim == 2 else "YXS"
    tifffile.imwrite(path, image, ome=True, metadata={"axes": axes}, tile=(64, 64), **photometric(image))
    return path


def write_aperio(path: Path, image: np.ndarray) -> Path:
    description = "Aperio Image Library v11\n420x300 (64x64)|AppMag = 20|MPP = 0.5"
    return write_tiff(path, image, tile=(64, 64), description=description, **photometric(image))


READERS: dict[str, Write] = {
    "a.png": lambda path, image: write_image(path, image),
    "a.tif": lambda path, image: write_tiff(path, image, tile=(64, 64), **photometric(image)),
    "strips.tif": lambda path, image: write_tiff(path, image, rowsperstrip=16, **photometric(image)),
    "a.ome.tif": write_ome_tiff,
    "a.svs": write_aperio,
    "four.zarr": lambda path, image: write_ome_zarr(
        path, image, version="0.4", axes="tczyx" if image.ndim == 3 else "tzyx"
    ),
    "five.zarr": lambda path, image: write_ome_zarr(path, image, axes="yxc" if image.ndim == 3 else "yx"),
}


def with_alpha(image: np.ndarray) -> np.ndarray:
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    alpha[:100], alpha[100:200] = 0, 128
    return np.concatenate([image, alpha], axis=2)


def over_white(rgba: np.ndarray) -> np.ndarray:
    cover = rgba[..., 3:].astype(float) / 255
    return rgba[..., :3] * cover + 255 * (1 - cover)


KINDS = {
    "grey": lambda: (picture()[..., 0], np.repeat(picture()[..., :1], 3, axis=2)),
    "rgba": lambda: (with_alpha(picture()), over_white(with_alpha(picture()))),
    "grey, 16 bits": lambda: (picture()[..., 0] * np.uint16(257), np.repeat(picture()[..., :1], 3, axis=2)),
    "rgb, 16 bits": lambda: (picture() * np.uint16(257), picture()),
    "rgba, 16 bits": lambda: (with_alpha(picture()) * np.uint16(257), over_white(with_alpha(picture()))),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_alike(tmp_path: Path, name: str, kind: str) -> None:
    stored, expected = KINDS[kind]()
    with open_slide(READERS[name](tmp_path / name, stored)) as slide:
        pixels = slide.read(Rect(0, 0, *slide.shape))
    assert np.abs(pixels - expected).max() <= 1
