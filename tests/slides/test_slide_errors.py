"""Wrong files: one clear line, nothing left open, nothing on stderr."""

import logging
import os
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from slide_files import picture, write_image, write_ome, write_pyramid, write_svs, write_tiff

from pathloop.core import Rect, SlideError, SlideNotFoundError
from pathloop.slides import SLIDE_SUFFIXES, open_slide


def one_line(error: pytest.ExceptionInfo[SlideError], path: Path) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert path.name in message
    return message


def open_files(path: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path == str(path)]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFoundError, match="no such file") as error:
        open_slide(tmp_path / "none.svs")
    one_line(error, tmp_path / "none.svs")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"folder.*\.mrxs"):
        open_slide(tmp_path)


@pytest.mark.parametrize("suffix", SLIDE_SUFFIXES)
def test_empty_and_nonsense(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    with pytest.raises(SlideError, match="empty"):
        open_slide(path)
    path.write_bytes(b"just some text, no image at all\n" * 100)
    with pytest.raises(SlideError) as error:
        open_slide(path)
    one_line(error, path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_no_permission(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png", picture(80, 90))
    path.chmod(0)
    with pytest.raises(SlideError, match="permission"):
        open_slide(path)


WRITERS = {
    "a.svs": lambda path: write_svs(path, picture(), compression="jpeg"),
    "a.ome.tif": lambda path: write_ome(path, picture()),
    "a.tif": lambda path: write_pyramid(path, picture()),
    "strips.tif": lambda path: write_tiff(path, picture(), photometric="rgb", rowsperstrip=16),
    "a.png": lambda path: write_image(path, picture()),
    "a.jpg": lambda path: write_image(path, picture()),
    "a.webp": lambda path: write_image(path, picture()),
    "a.bmp": lambda path: write_image(path, picture()),
}


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("name", WRITERS)
def test_cut_off(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Found on opening, wherever the cut; no noise from the decoders."""
    path = WRITERS[name](tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SlideError) as error:
        open_slide(path)
    one_line(error, path)
    assert not open_files(path)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize("compression", ["jpeg", "deflate", "jpeg2000", "zstd"])
def test_damaged_pixels_are_found_on_reading(
    tmp_path: Path, compression: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tiff(tmp_path / "a.tif", picture(), tile=(64, 64), photometric="rgb", compression=compression)
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages.first.dataoffsets[0], tiff.pages.first.databytecounts[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(count))
    with open_slide(path) as slide:
        with pytest.raises(SlideError) as error:
            slide.read(Rect(0, 0, 10, 10))
        one_line(error, path)
        assert slide.read(Rect(100, 100, 10, 10)).shape == (10, 10, 3)
        with pytest.raises(SlideError):
            slide.read(Rect(0, 0, 10, 10))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_unknown_compression(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", picture(), photometric="rgb", tile=(64, 64), compression="deflate")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages.first.tags["Compression"].overwrite(34_676)
    with pytest.raises(SlideError, match="compression 34676 is not supported"):
        open_slide(path)
    assert not open_files(path)


def test_closing_releases_the_file(tmp_path: Path) -> None:
    path = write_svs(tmp_path / "a.svs", picture())
    slide = open_slide(path)
    assert open_files(path)
    slide.close()
    assert not open_files(path)
    with pytest.raises(SlideError):
        open_slide(write_tiff(tmp_path / "b.tif", np.zeros((80, 90, 3), np.float32), photometric="rgb"))
    assert not open_files(tmp_path / "b.tif")


def test_other_code_keeps_its_tifffile_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("tifffile").warning("mine")
    assert [record.getMessage() for record in caplog.records] == ["mine"]


def test_opening_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, write in WRITERS.items():
            with open_slide(write(tmp_path / name)) as slide:
                assert slide.levels


@pytest.mark.parametrize("tag", ["TileWidth", "TileLength"])
def test_tiles_without_pixels(tmp_path: Path, tag: str) -> None:
    path = write_tiff(tmp_path / "a.tif", picture(), photometric="rgb", tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(0)
    with pytest.raises(SlideError, match="damaged") as error:
        open_slide(path)
    one_line(error, path)


def test_missing_pages(tmp_path: Path) -> None:
    """Cut off behind the pixels of level 0: the other levels would be missing without a word."""
    path = write_svs(tmp_path / "a.svs", picture())
    with tifffile.TiffFile(path) as file:
        end = file.pages[1].offset
        assert max(file.pages[0].dataoffsets) < end
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(SlideError, match="cut off") as error:
        open_slide(path)
    one_line(error, path)
