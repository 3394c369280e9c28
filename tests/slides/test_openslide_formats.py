"""Formats that OpenSlide reads, each against the conformance class and the picture that was written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from openslide_files import write_bif, write_mirax, write_ndpi, write_svslide, write_vms, write_vmu
from slide_files import Picture, halves, picture
from slide_reader_tests import SlideReaderTests

from pathloop.core import Rect, SlideError
from pathloop.slides import Slide, open_slide


def smooth(height: int, width: int, seed: int = 7) -> Picture:
    """A picture that JPEG and its reduced colours keep, also in levels of 1 : 32."""
    return cv2.resize(picture(height // 8, width // 8, seed), (width, height), interpolation=cv2.INTER_CUBIC)


IMAGE = smooth(320, 512)


def whole(slide: Slide, level: int = 0) -> Picture:
    return slide.read_level(level, Rect(0, 0, *slide.levels[level].shape))


def check_facts(slide: Slide, vendor: str, *, levels: int, associated: tuple[str, ...], mean: float = 3) -> None:
    """Facts that all files of these tests share; the pixels of written levels differ by at most ``mean`` on average."""
    assert (slide.format, slide.shape, slide.associated) == (vendor, IMAGE.shape[:2], associated)
    assert slide.scale is not None
    assert (slide.scale.y, slide.scale.x) == pytest.approx((0.5, 0.5))
    assert slide.objective_power == 20
    assert len(slide.levels) == levels
    reduced = {level.shape[:2]: level for level in halves(IMAGE, 2)}
    for index, level in enumerate(slide.levels):
        if level.shape in reduced:
            assert np.abs(whole(slide, index).astype(int) - reduced[level.shape]).mean() <= mean


class TestNdpi(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_ndpi(tmp_path_factory.mktemp("ndpi") / "slide.ndpi", IMAGE)

    def test_facts(self, slide: Slide) -> None:
        # below the file's own three, OpenSlide halves the last JPEG while it is decoded
        check_facts(slide, "hamamatsu", levels=6, associated=("macro",))


class TestSvslide(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_svslide(tmp_path_factory.mktemp("svslide") / "slide.svslide", IMAGE)

    def test_facts(self, slide: Slide) -> None:
        check_facts(slide, "sakura", levels=3, associated=("label", "macro", "thumbnail"))


class TestBif(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_bif(tmp_path_factory.mktemp("bif") / "slide.bif", smooth(320, 530))

    def test_facts(self, slide: Slide) -> None:
        assert (slide.format, slide.shape, slide.associated) == ("ventana", (320, 512), ("macro",))
        assert (slide.scale.y, slide.scale.x) == (0.5, 0.5)
        assert slide.objective_power == 20
        for index, expected in enumerate(halves(smooth(320, 530)[:, :512], 2)):
            assert np.abs(whole(slide, index).astype(int) - expected).mean() < 3


class ManyFilesTests(SlideReaderTests):
    """Slides of several files: the slide is the one whose name is given."""

    def renamed(self, slide_path: Path, folder: Path) -> Path:
        shutil.copytree(slide_path.parent, folder / "other")
        return folder / "other" / slide_path.name


class TestVms(ManyFilesTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_vms(tmp_path_factory.mktemp("vms") / "slide.vms", IMAGE)

    def test_facts(self, slide: Slide) -> None:
        check_facts(slide, "hamamatsu", levels=6, associated=("macro",))


class TestVmu(ManyFilesTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_vmu(tmp_path_factory.mktemp("vmu") / "slide.vmu", IMAGE)

    def test_facts(self, slide: Slide) -> None:
        check_facts(slide, "hamamatsu", levels=2, associated=("macro",), mean=0)


class TestMirax(ManyFilesTests):
    """A scanned rectangle in a larger, empty slide."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_mirax(tmp_path_factory.mktemp("mirax") / "slide.mrxs", IMAGE)

    def test_bounds_are_the_slide(self, slide: Slide) -> None:
        assert (slide.format, slide.shape) == ("mirax", (320, 512))
        assert (slide.scale.y, slide.scale.x) == (0.5, 0.5)
        assert slide.objective_power == 20
        for index, expected in enumerate(halves(IMAGE, 2)):
            assert np.abs(whole(slide, index).astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("name", "write"), [("a.vms", write_vms), ("a.vmu", write_vmu), ("a.mrxs", write_mirax)])
def test_equal_index_files_are_told_apart(tmp_path: Path, name: str, write: Callable[[Path, Picture], Path]) -> None:
    """What the file that is opened says may be the same for two slides; their pixels lie elsewhere."""
    found = {}
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        path = write(tmp_path / str(seed) / name, smooth(320, 512, seed))
        with open_slide(path) as slide:
            found[slide.fingerprint] = path.read_bytes()
    assert len(found) == 2
    assert len(set(found.values())) == 1


@pytest.mark.parametrize("line", ["BitsPerPixel=36", "PixelOrder=RGB"])
@pytest.mark.parametrize("instead", ["", "[Other]\nBitsPerPixel=36\nPixelOrder=RGB", "BitsPerPixel=24\nPixelOrder=BGR"])
def test_vmu_of_another_kind(tmp_path: Path, line: str, instead: str) -> None:
    """OpenSlide 4.0.1 dies of them, so that it must not be asked."""
    path = write_vmu(tmp_path / "a.vmu", IMAGE)
    path.write_text(path.read_text().replace(line, instead))
    with pytest.raises(SlideError, match=r"a\.vmu: .*36 bits RGB"):
        open_slide(path)


def test_mirax_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "slide.mrxs"
    path.write_bytes(b"")
    with pytest.raises(SlideError, match="empty"):
        open_slide(path)
