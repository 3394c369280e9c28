"""DICOM series: frame by frame, by OpenSlide without the extra, and what is refused."""

import contextlib
import logging
import shutil
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest

pytest.importorskip("pydicom", reason="pydicom (extra dicom) is not installed")

from dicom_files import PATIENT, TILE, edit_dicom, write_dicom
from slide_files import halves, picture
from slide_reader_tests import SlideReaderTests

from pathloop.core import Rect, SlideError
from pathloop.slides import Slide, is_slide_folder, open_slide

MISSING = ("ImageOrientationSlide", "FrameOfReferenceUID", "DimensionOrganizationSequence", "OpticalPathSequence")


def whole(slide: Slide, level: int = 0) -> np.ndarray:
    return slide.read_level(level, Rect(0, 0, *slide.levels[level].shape))


def reader(slide: Slide) -> str:
    return type(slide).__name__


def without_uids(folder: Path, **options) -> Path:
    """A file of one level that lacks what the standard asks for."""
    return edit_dicom(write_dicom(folder, picture(), levels=0, **options), *MISSING, "ImageType", "SeriesInstanceUID")


@contextlib.contextmanager
def no_pydicom():
    """As where the extra is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "pydicom"]:
            patch.delitem(sys.modules, name)
        patch.delitem(sys.modules, "pathloop.slides._dicom_file", raising=False)
        patch.setitem(sys.modules, "pydicom", None)
        yield


class TestConformantWithoutTheExtra(SlideReaderTests):
    """A series of several levels, by its folder, read by OpenSlide."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_dicom(tmp_path_factory.mktemp("dicom") / "series", picture()).parent

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def without_the_extra(cls, slide_path: Path):
        with no_pydicom():
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def slide(cls, slide_path: Path, without_the_extra: None):
        with open_slide(slide_path) as slide:
            yield slide

    def test_facts(self, slide: Slide) -> None:
        assert (reader(slide), slide.format) == ("OpenSlideSlide", "dicom")
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
        assert slide.scale.um_per_px == pytest.approx(0.5)
        assert slide.objective_power == 20
        assert slide.associated == ("label",)
        assert slide.icc_profile is not None
        for index, expected in enumerate(halves(picture(), 2)):
            np.testing.assert_array_equal(whole(slide, index), expected)
        np.testing.assert_array_equal(slide.read_associated("label"), picture()[:TILE, :TILE])


class TestConformant(SlideReaderTests):
    """The same series frame by frame."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_dicom(tmp_path_factory.mktemp("dicom") / "series", picture()).parent

    def test_facts(self, slide: Slide) -> None:
        assert (reader(slide), slide.format) == ("DicomSlide", "dicom")
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
        assert slide.scale.um_per_px == pytest.approx(0.5)
        assert slide.objective_power == 20
        assert slide.associated == ("label",)
        assert slide.icc_profile is not None
        for index, expected in enumerate(halves(picture(), 2)):
            np.testing.assert_array_equal(whole(slide, index), expected)
        np.testing.assert_array_equal(slide.read_associated("label"), picture()[:TILE, :TILE])


class TestAttributesMissing(SlideReaderTests):
    """One sparse file without most of what the standard asks for."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return without_uids(tmp_path_factory.mktemp("dicom"), sparse=True)

    def test_facts(self, slide: Slide) -> None:
        assert reader(slide) == "DicomSlide"
        assert slide.shape == picture().shape[:2]
        assert slide.objective_power is None
        expected = picture()
        expected[:TILE, :TILE] = 255
        np.testing.assert_array_equal(whole(slide), expected)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["uncompressed", "jpeg", "jpeg2000", "jpegls", "rle"])
def test_compressions_and_sparse_tiles(tmp_path: Path, kind: str, sparse: bool) -> None:
    expected = picture()
    if sparse:
        expected[:TILE, :TILE] = 255
    path = write_dicom(tmp_path / "a", picture(), kind=kind, sparse=sparse, levels=0)
    lacking = without_uids(tmp_path / "b", kind=kind, sparse=sparse)
    for file in (path, lacking):
        with open_slide(file) as slide:
            assert reader(slide) == "DicomSlide"
            difference = np.abs(whole(slide).astype(int) - expected)
        assert difference.mean() < (2.5 if kind == "jpeg" else 1e-9)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg2000", "uncompressed"])
def test_frame_wise_pixels_equal_openslide(tmp_path: Path, kind: str) -> None:
    path = write_dicom(tmp_path / "a", picture(), kind=kind, levels=0)
    lacking = without_uids(tmp_path / "b", kind=kind)
    with openslide.OpenSlide(path) as reference, open_slide(lacking) as slide:
        expected = np.asarray(reference.read_region((0, 0), 0, reference.dimensions).convert("RGB"))
        # decoders differ by rounding and in how they spread subsampled colour
        assert np.abs(whole(slide).astype(int) - expected).max() <= (3 if kind == "jpeg" else 0)


def test_a_jpeg_that_states_its_colours_is_believed(tmp_path: Path) -> None:
    """Files are known whose attributes say RGB over a JFIF picture, which is YCbCr."""
    for said in ("RGB", "YBR_FULL_422"):
        path = edit_dicom(without_uids(tmp_path / said, kind="jpeg"), PhotometricInterpretation=said)
        with open_slide(path) as slide:
            assert np.abs(whole(slide).astype(int) - picture()).mean() < 2.5


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-rgb"])
def test_a_jpeg_that_states_none_goes_by_the_attributes(tmp_path: Path, kind: str) -> None:
    path = without_uids(tmp_path, kind=kind)
    path.write_bytes(path.read_bytes().replace(b"JFIF\0", b"None\0").replace(b"Adobe", b"Other"))
    with open_slide(path) as slide:
        assert reader(slide) == "DicomSlide"
        assert np.abs(whole(slide).astype(int) - picture()).mean() < 2.5


@pytest.mark.parametrize("down", [False, True])
def test_frames_in_no_stated_order_go_by_their_edges(tmp_path: Path, down: bool) -> None:
    """Files are known that store columns, and say nothing of it."""
    pydicom = pytest.importorskip("pydicom")
    image = cv2.GaussianBlur(picture(), (0, 0), 3)
    path = edit_dicom(write_dicom(tmp_path, image, levels=0, kind="uncompressed"), "DimensionOrganizationType")
    if down:
        dataset = pydicom.dcmread(path)
        frames = np.frombuffer(dataset.PixelData, np.uint8).reshape(-(-300 // TILE), -(-420 // TILE), -1)
        edit_dicom(path, PixelData=np.ascontiguousarray(frames.transpose(1, 0, 2)).tobytes())
    with open_slide(path) as slide:
        assert reader(slide) == "DicomSlide"
        np.testing.assert_array_equal(whole(slide), image)


def test_any_file_of_a_series_is_the_slide(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "series", picture()).parent
    found = set()
    for extra in (contextlib.nullcontext, no_pydicom):
        for path in (folder, *folder.iterdir()):
            with extra(), open_slide(path) as slide:
                found.add((slide.fingerprint, slide.shape, len(slide.levels)))
    assert len(found) == 1


@pytest.mark.parametrize("extra", [contextlib.nullcontext, no_pydicom])
def test_two_series_in_a_folder(tmp_path: Path, extra) -> None:
    write_dicom(tmp_path / "s", picture(), levels=1)
    other = write_dicom(tmp_path / "s", picture(200, 260, seed=3), levels=1, series="2")
    with (
        extra(),
        pytest.raises(SlideError, match=r"holds 2 DICOM series; give one file of the slide \(1-0\.dcm, 2-0\.dcm"),
    ):
        open_slide(tmp_path / "s")
    with extra(), open_slide(other) as slide:
        assert (slide.shape, len(slide.levels)) == ((200, 260), 2)
        np.testing.assert_array_equal(whole(slide), picture(200, 260, seed=3))


def test_scale_from_the_imaged_area(tmp_path: Path) -> None:
    """Where no spacing of pixels is stated; a square area of an oblong image says how long its longer side is."""
    path = edit_dicom(without_uids(tmp_path), "SharedFunctionalGroupsSequence")
    for height, expected in ((0.15, (0.5, 0.5)), (0.21, (0.5, 0.5)), (0.153, (0.51, 0.5))):
        with open_slide(edit_dicom(path, ImagedVolumeHeight=height, ImagedVolumeWidth=0.21)) as slide:
            assert (slide.scale.y, slide.scale.x) == pytest.approx(expected)
    with open_slide(edit_dicom(path, "ImagedVolumeHeight")) as slide:
        assert slide.scale is None


def test_oblong_pixels_and_frames_without_offset_table(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, picture(), kind="jpegls", levels=0, um_per_px=(0.4, 0.5), offsets=False)
    with open_slide(path) as slide:
        assert (slide.scale.y, slide.scale.x) == pytest.approx((0.4, 0.5))
        np.testing.assert_array_equal(whole(slide), picture())


def test_folders(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "s", picture(), levels=0).parent
    assert is_slide_folder(folder)
    assert not is_slide_folder(tmp_path)
    assert not is_slide_folder(folder / "1-0.dcm")
    ct = tmp_path / "ct"
    shutil.copytree(folder, ct)
    for path in ct.iterdir():
        path.write_bytes(path.read_bytes().replace(b"5.1.4.1.1.77.1.6", b"5.1.4.1.1.2.1.99"))
    assert not is_slide_folder(ct)
    with pytest.raises(SlideError, match="not of a microscope image"):
        open_slide(ct)


@pytest.mark.parametrize(
    ("without", "values", "message"),
    [
        (("Rows",), {}, "how large its frames are"),
        (("TotalPixelMatrixRows", "TotalPixelMatrixColumns"), {}, "how large the slide is"),
        ((), {"NumberOfOpticalPaths": 3}, "several optical paths"),
        ((), {"PhotometricInterpretation": "PALETTE COLOR"}, "not an RGB-like image"),
        ((), {"NumberOfFrames": 3}, "3 frames of 35"),
        ((), {"Rows": 60_000, "Columns": 60_000}, "damaged"),
        ((), {"TotalPixelMatrixRows": 2**31, "TotalPixelMatrixColumns": 2**31}, "damaged"),
    ],
)
def test_what_is_refused(tmp_path: Path, without: tuple[str, ...], values: dict[str, object], message: str) -> None:
    path = edit_dicom(without_uids(tmp_path), *without, **values)
    with pytest.raises(SlideError, match=message) as error:
        open_slide(path)
    assert "\n" not in str(error.value)


def test_cut_off(tmp_path: Path) -> None:
    for kind in ("uncompressed", "jpeg"):
        path = without_uids(tmp_path / kind, kind=kind)
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
        with pytest.raises(SlideError, match=r"cut off|copy it again"):
            open_slide(path)


def test_only_a_label(tmp_path: Path) -> None:
    folder = write_dicom(tmp_path / "s", picture(), kind="jpegls", levels=0).parent
    (folder / "1-0.dcm").unlink()
    with pytest.raises(SlideError, match="no slide, only its label"):
        open_slide(folder)


@pytest.mark.parametrize("kind", ["jpeg2000", "jpegls"])
def test_without_the_extra(tmp_path: Path, kind: str) -> None:
    folder = write_dicom(tmp_path / "s", picture(), kind=kind, levels=0).parent
    with open_slide(folder) as slide:
        identity = slide.fingerprint
    if kind == "jpeg2000":
        with no_pydicom(), open_slide(folder / "1-0.dcm") as slide:
            assert (reader(slide), slide.fingerprint) == ("OpenSlideSlide", identity)
            np.testing.assert_array_equal(whole(slide), picture())
    else:
        with no_pydicom(), pytest.raises(SlideError, match=r"pip install 'pathloop\[dicom\]'") as error:
            open_slide(folder)
        assert "\n" not in str(error.value)


def test_the_patient_is_never_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not by the slide, and not by pydicom's warnings of values that break the standard."""
    path = without_uids(tmp_path)
    text = path.read_bytes().replace(b"MRN-4711", b"MRN\\4711").replace(b"20260101", b"x0260101")
    path.write_bytes(text)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with open_slide(path) as slide:
            whole(slide)
            shown = f"{slide!r} {vars(slide)}"
        path.write_bytes(text[: len(text) // 4])
        with pytest.raises(SlideError) as error:
            open_slide(path)
    out = "".join((*capfd.readouterr(), caplog.text, shown, str(error.value), *(str(each.message) for each in caught)))
    assert PATIENT not in out
    assert "4711" not in out


def test_a_level_in_several_files_is_refused_and_not_half_white(tmp_path: Path) -> None:
    path = edit_dicom(write_dicom(tmp_path, picture(), levels=0), ConcatenationUID="1.2.3.4", InConcatenationNumber=1)
    with pytest.raises(SlideError, match=r"split over several files \(a concatenation\).*export it unsplit"):
        open_slide(path)
