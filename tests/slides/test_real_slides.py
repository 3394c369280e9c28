"""Real slides, where they are at hand."""

from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest
from slide_reader_tests import SlideReaderTests

from pathloop.core import Rect, UnknownScaleError
from pathloop.slides import open_slide, tissue_mask


@pytest.mark.parametrize(
    "name", ["open/whole_slide/cmu_small_region.svs", "restricted/whole_slide/tcga-cr-7395-01a-01-ts1.svs"]
)
def test_every_level_equals_openslide(data_dir: Path, name: str) -> None:
    with openslide.OpenSlide(data_dir / name) as reference, open_slide(data_dir / name) as slide:
        assert len(slide.levels) == reference.level_count
        for index, size in enumerate(reference.level_dimensions):
            width, height = (min(1_500, each) for each in size)
            expected = np.asarray(reference.read_region((0, 0), index, (width, height)).convert("RGB"))
            np.testing.assert_array_equal(slide.read_level(index, Rect(0, 0, height, width)), expected)
        assert set(slide.associated) == set(reference.associated_images)
        for image in slide.associated:
            expected = np.asarray(reference.associated_images[image].convert("RGB"))
            np.testing.assert_array_equal(slide.read_associated(image), expected)


class TestAperioFile(SlideReaderTests):
    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, data_dir: Path) -> Path:
        return data_dir / "open" / "whole_slide" / "cmu_small_region.svs"

    def test_facts(self, slide) -> None:
        assert slide.shape == (2967, 2220)
        assert (slide.scale.y, slide.scale.x) == (0.499, 0.499)
        assert slide.objective_power == 20
        assert slide.associated == ("label", "macro", "thumbnail")

    def test_tissue(self, slide) -> None:
        found = tissue_mask(slide)
        assert 0.37 < found.mask.mean() < 0.47
        assert found.mask[150, 60]  # dense epithelium
        assert not found.mask[:60, :40].any()


def test_ome(data_dir: Path) -> None:
    with open_slide(data_dir / "open" / "whole_slide" / "OS-1-detail.ome.tif") as slide:
        assert slide.format == "ome-tiff"
        assert slide.scale.um_per_px == pytest.approx(0.2271, abs=1e-4)
        assert slide.shape == (1101, 1101)
        assert slide.shape_at(0.5) == (500, 500)
        assert tissue_mask(slide).mask.mean() > 0.99


def test_jpeg_2000_without_scale(data_dir: Path) -> None:
    with open_slide(data_dir / "restricted" / "whole_slide" / "tcga-cr-7395-01a-01-ts1.svs") as slide:
        assert slide.scale is None
        assert slide.shape == (3567, 4443)
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0)]
        with pytest.raises(UnknownScaleError, match="--um-per-px"):
            slide.read(Rect(0, 0, 8, 8), 0.5)
        assert 0.6 < tissue_mask(slide).mask.mean() < 0.72


class TestDicomFile(SlideReaderTests):
    """Attributes that the standard asks for are missing: OpenSlide refuses it, the frames are read one by one."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, data_dir: Path) -> Path:
        pytest.importorskip("pydicom", reason="pydicom (extra dicom) is not installed")
        return data_dir / "restricted" / "whole_slide" / "pathml_small_dicom.dcm"

    def test_facts(self, slide) -> None:
        assert (slide.format, slide.shape, len(slide.levels)) == ("dicom", (2638, 3236), 1)
        assert (slide.scale.y, slide.scale.x) == pytest.approx((4.635, 4.635), abs=1e-3)
        assert slide.associated == ()

    def test_frames_equal_opencv(self, slide_path: Path, slide) -> None:
        pydicom = pytest.importorskip("pydicom")
        frames = pydicom.encaps.generate_frames(pydicom.dcmread(slide_path).PixelData, number_of_frames=42)
        for index, data in enumerate(frames):
            expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            y, x = 500 * (index % 6), 500 * (index // 6)  # in columns; nothing in the file says so
            height, width = min(500, slide.shape[0] - y), min(500, slide.shape[1] - x)
            read = slide.read(Rect(y, x, height, width)).astype(int)
            # decoders differ in how they spread subsampled colour
            assert np.abs(read - expected[:height, :width]).mean() < 1

    def test_the_picture_goes_on_over_the_edges_of_frames(self, slide) -> None:
        pixels = slide.read(Rect(0, 0, *slide.shape)).astype(int)
        for axis in (0, 1):
            steps = np.abs(np.diff(pixels, axis=axis)).mean(axis=(1 - axis, 2))
            at_frames = np.arange(499, len(steps), 500)
            assert steps[at_frames].mean() < 2 * np.delete(steps, at_frames).mean()


def test_outlined_glands_are_tissue(data_dir: Path) -> None:
    """Outlined glands lie on the mask (but for a wide lumen cut by an image's edge, which looks like glass)."""
    shares = []
    for path in sorted((data_dir / "restricted" / "glas" / "images").iterdir())[::6]:
        labels = cv2.imread(str(path.parents[1] / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED) > 0
        with open_slide(path, um_per_px=0.62) as slide:
            found = tissue_mask(slide).mask
        glands = cv2.resize(labels.astype(np.uint8), found.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        shares.append(found[glands].mean())
    assert len(shares) > 10
    assert np.mean(shares) > 0.98
    assert sorted(shares)[1] > 0.99
