"""Tissue on drawn slides with everything that is not tissue around it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from slide_files import write_image, write_ome

from pathloop.core import Rect, UsageError
from pathloop.slides import TissueMask, open_slide, tissue_mask

SIDE = 1200
UM_PER_PX = 4.0
GLASS = (243, 242, 244)
INKS = {
    "blue": (40, 60, 170),
    "green": (30, 120, 60),
    "black": (35, 35, 40),
    "red": (200, 35, 50),
    "light blue": (90, 130, 215),
}


def piece_of_tissue() -> NDArray[np.bool_]:
    """An ellipse about 3 x 2.4 mm with a lumen in it."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (560, 660), (380, 300), 20, 0, 360, 1, -1)
    cv2.ellipse(mask, (520, 620), (70, 45), 0, 0, 360, 0, -1)
    return mask > 0


def outer(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the lumen."""
    filled = tissue.copy()
    filled[575:666, 450:591] = True
    return filled


def draw(
    *, colour: tuple[int, int, int] = (205, 140, 190), nuclei: bool = True, glass: tuple[int, int, int] = GLASS
) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    slide = np.full((SIDE, SIDE, 3), glass, np.float32)
    tissue = piece_of_tissue()
    slide[tissue] = colour
    if nuclei:
        for y, x in rng.integers(0, SIDE, (9_000, 2)):
            if tissue[y, x]:
                cv2.circle(slide, (int(x), int(y)), 2, (110, 70, 150), -1)
    return slide


def mask_of(slide: NDArray[np.float32], folder: Path, um_per_px: float | None = UM_PER_PX) -> TissueMask:
    """As a camera and JPEG would leave it."""
    blurred = cv2.GaussianBlur(slide, (0, 0), 1.2) + np.random.default_rng(1).normal(0, 2, slide.shape)
    path = write_image(folder / "a.jpg", np.clip(blurred, 0, 255).astype(np.uint8), cv2.IMWRITE_JPEG_QUALITY, 85)
    with open_slide(path, um_per_px=um_per_px) as opened:
        return tissue_mask(opened)


def reduced(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_AREA) > 0


def overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("colour", [(205, 140, 190), (150, 90, 160), (240, 200, 225), (232, 222, 234)])
def test_tissue_dark_and_pale(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    found = mask_of(draw(colour=colour, nuclei=False), tmp_path)
    truth = outer(piece_of_tissue())
    assert overlap(found.mask, reduced(truth, found.mask.shape)) > 0.95
    assert found.area_mm2 == pytest.approx(truth.sum() * UM_PER_PX**2 * 1e-6, rel=0.05)


@pytest.mark.parametrize("glass", [(255, 255, 255), (235, 228, 236), (215, 220, 238), (238, 238, 220)])
def test_any_white_balance(tmp_path: Path, glass: tuple[int, int, int]) -> None:
    found = mask_of(draw(glass=glass), tmp_path)
    assert overlap(found.mask, reduced(outer(piece_of_tissue()), found.mask.shape)) > 0.95


@pytest.mark.parametrize("ink", INKS)
def test_pen_marks_are_left_out(tmp_path: Path, ink: str) -> None:
    slide = draw()
    stroke = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(
        stroke, [np.array([[60, 100], [500, 160], [900, 120], [1100, 500], [1050, 1000], [900, 1100]])], False, 1, 40
    )
    slide[stroke > 0] = INKS[ink]
    found = mask_of(slide, tmp_path).mask
    inked = reduced(stroke > 0, found.shape)
    assert found[inked].mean() < 0.02
    assert overlap(found, reduced(outer(piece_of_tissue()), found.shape)) > 0.94


def test_a_pen_stroke_on_tissue_is_cut_out(tmp_path: Path) -> None:
    slide = draw()
    cv2.line(slide, (300, 780), (860, 780), INKS["blue"], 36)
    found = mask_of(slide, tmp_path).mask
    assert not found[385:395, 170:410].any()
    assert found[340:375, 250:350].all()


def test_borders_gaps_and_grey_dirt_are_left_out(tmp_path: Path) -> None:
    slide = draw()
    slide[:130] = 0
    slide[:, :60] = 2
    slide[-150:] = 255
    slide[140:250, 700:1000] = 200
    cv2.circle(slide, (1050, 1000), 50, (150, 150, 150), -1)
    found = mask_of(slide, tmp_path).mask
    assert overlap(found, reduced(outer(piece_of_tissue()), found.shape)) > 0.94


def test_specks_are_dropped_and_lumina_belong_to_the_tissue(tmp_path: Path) -> None:
    slide = draw()
    for x in range(100, 1100, 100):
        cv2.circle(slide, (x, 60), 5, (205, 140, 190), -1)
    found = mask_of(slide, tmp_path).mask
    assert not found[:50].any()
    assert found[290:330, 235:285].all()


def test_blank_glass_has_no_tissue(tmp_path: Path) -> None:
    assert not mask_of(np.full((SIDE, SIDE, 3), GLASS, np.float32), tmp_path).mask.any()
    assert not mask_of(np.zeros((SIDE, SIDE, 3), np.float32), tmp_path).mask.any()


@pytest.mark.parametrize("um_per_px", [None, 0.5, 0.25])
@pytest.mark.parametrize("colour", [(205, 140, 190), (235, 200, 222), (120, 90, 165)])
def test_a_crop_that_is_all_tissue(tmp_path: Path, um_per_px: float | None, colour: tuple[int, int, int]) -> None:
    """Otsu's threshold would cut it in two."""
    rng = np.random.default_rng(5)
    crop = np.full((520, 770, 3), colour, np.float32)
    for y, x in rng.integers(0, 770, (900, 2)):
        cv2.circle(crop, (int(x), int(y)), 5, (90, 60, 140), -1)
    for y, x in ((100, 100), (300, 500), (420, 200)):
        cv2.ellipse(crop, (x, y), (60, 30), 30, 0, 360, (243, 240, 243), -1)
    assert mask_of(crop, tmp_path, um_per_px).mask.mean() > 0.97


def test_unknown_scale_works_in_pixels(tmp_path: Path) -> None:
    found = mask_of(draw(), tmp_path, None)
    assert found.um_per_px is None
    assert found.area_mm2 is None
    assert overlap(found.mask, reduced(outer(piece_of_tissue()), found.mask.shape)) > 0.93
    assert found.fraction_in(Rect(700, 400, 100, 100)) == pytest.approx(1.0)
    assert found.fraction_in(Rect(0, 0, 100, 100)) == 0.0
    with pytest.raises(UsageError, match="level-0"):
        found.fraction_in(Rect(0, 0, 10, 10), 0.5)


MASK = TissueMask(np.random.default_rng(2).random((13, 17)) < 0.5, (16.0, 16.0), 8.0)


@given(rect=st.builds(Rect, st.integers(-60, 260), st.integers(-60, 330), st.integers(1, 120), st.integers(1, 120)))
def test_fraction_is_the_mean_over_the_pixels(rect: Rect) -> None:
    fine = np.zeros((13 * 16 + 600, 17 * 16 + 600), bool)
    fine[300 : 300 + 13 * 16, 300 : 300 + 17 * 16] = MASK.mask.repeat(16, axis=0).repeat(16, axis=1)
    expected = fine[rect.shift(300, 300).slices].mean()
    assert MASK.fraction_in(rect, 0.5) == pytest.approx(expected)
    assert MASK.fraction_in(rect) == pytest.approx(expected)


def test_fraction_of_nothing_is_zero() -> None:
    assert MASK.fraction_in(Rect(0, 0, 0, 5), 0.5) == 0.0
    assert MASK.fraction_in(Rect(9_000, 0, 5, 5), 0.5) == 0.0


def test_pyramids_and_non_square_pixels(tmp_path: Path) -> None:
    """The mask lies on the slide's own axes: pixels of 2 x 4 um."""
    slide = np.clip(draw()[:, ::2], 0, 255).astype(np.uint8)
    with open_slide(write_ome(tmp_path / "a.ome.tif", slide, um=(4.0, 8.0))) as opened:
        found = tissue_mask(opened, um_per_px=16.0)
    assert found.downsample == pytest.approx((4.0, 2.0))
    assert overlap(found.mask, reduced(outer(piece_of_tissue()), found.mask.shape)) > 0.94
