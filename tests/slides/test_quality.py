"""What the quality note finds of faults that were drawn, and what it does not find on good slides."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pathloop.core import Rect, StageProgress
from pathloop.slides import QUALITY_NAMES, open_slide, quality_note, quality_steps
from pathloop.synth import draw_colon

SIDE = 2048
HEMATOXYLIN, BROWN = np.array([(0.65, 0.70, 0.29), (0.27, 0.57, 0.78)])
BLURRED, PEN, FOLD, UNLIKE = (QUALITY_NAMES.index(name) for name in ("out of focus", "pen", "fold", "stain unlike H&E"))


@pytest.fixture(scope="module")
def colon():
    return draw_colon((SIDE, SIDE), um_per_px=0.5, seed=4, outline=False).image


def noted(rgb, folder, *, um_per_px=0.5, roi=None):
    path = folder / "slide.png"
    Image.fromarray(rgb).save(path)
    with open_slide(path, um_per_px=um_per_px) as slide:
        return quality_note(slide, roi=roi)


def test_a_good_slide_has_nothing_against_it(colon, tmp_path):
    note = noted(colon, tmp_path)
    assert note.sentences == ()
    assert note.shares["fine"] == 1
    assert note.codes.shape == (SIDE // 16, SIDE // 16)
    assert note.downsample == (16, 16)


def test_a_blurred_half_is_found_there_and_named(colon, tmp_path):
    image = colon.copy()
    image[:, : SIDE // 2] = cv2.GaussianBlur(colon, (0, 0), 4)[:, : SIDE // 2]
    note = noted(image, tmp_path)
    half, cell = note.codes.shape[1] // 2, 32
    # to a cell of 256 um
    assert (note.codes[:, : half - cell] == BLURRED).mean() > 0.9
    assert (note.codes[:, half + cell :] == BLURRED).mean() < 0.05
    (sentence,) = note.sentences
    assert "of the tissue is out of focus, mostly in the left part: nuclei there will be missed" in sentence
    assert note.shares["out of focus"] == pytest.approx(0.5, abs=0.26)


def test_pen_on_tissue_and_beside_it(colon, tmp_path):
    image = colon.copy()
    cv2.line(image, (200, 600), (1800, 700), (20, 60, 160), 90)
    note = noted(image, tmp_path)
    assert note.codes[650 // 16, 1000 // 16] == PEN
    assert 0.02 < note.shares["pen"] < 0.15
    assert "lies under pen" in note.sentences[0]

    wide = np.full((SIDE, 3 * SIDE, 3), 245, np.uint8)
    wide[:, :SIDE] = colon
    cv2.line(wide, (5000, 300), (5600, 1700), (20, 60, 160), 90)
    note = noted(wide, tmp_path)
    assert note.sentences == ("There is pen beside the tissue; it is left out and does no harm.",)
    assert note.shares["pen"] == 0


def test_a_fold_is_denser_in_both_stains(colon, tmp_path):
    strip = np.zeros((SIDE, SIDE), np.float32)
    cv2.line(strip, (300, 200), (1700, 1800), 1.0, 70)
    density = -np.log10((colon.astype(np.float32) + 1) / 256)
    image = np.clip(256 * 10 ** (-density * (1 + 2.2 * cv2.GaussianBlur(strip, (0, 0), 4)[..., None])) - 1, 0, 255)
    note = noted(image.astype(np.uint8), tmp_path)
    assert note.codes[1000 // 16, 1000 // 16] == FOLD
    far = cv2.dilate(strip, np.ones((150, 150)))[::16, ::16] == 0
    assert not (note.codes[far] == FOLD).any()
    assert any("lies in folds or is very dense" in sentence for sentence in note.sentences)


@pytest.mark.parametrize("kind", ["brown", "grey", "inverted"])
def test_other_stains_cannot_be_trusted(colon, tmp_path, kind):
    amount = -np.log10((colon.astype(float).mean(axis=2) + 1) / 256)
    nuclei = np.clip(amount - 0.2, 0, None)
    images = {
        "brown": 256 * 10 ** -(0.3 * amount[..., None] * HEMATOXYLIN + 2 * nuclei[..., None] * BROWN) - 1,
        "grey": np.repeat(colon.mean(axis=2, keepdims=True), 3, axis=2),
        "inverted": 255.0 - colon,
    }
    note = noted(np.clip(images[kind], 0, 255).astype(np.uint8), tmp_path)
    assert note.shares["stain unlike H&E"] > 0.5
    assert note.sentences[0].startswith("The stain is unlike H&E")
    assert note.sentences[0].endswith("results cannot be trusted.")
    assert kind != "brown" or "immunohistochemistry" in note.sentences[0]


@pytest.mark.parametrize("strength", [0.5, 1.5])
def test_faded_and_dark_stains_are_still_h_and_e(colon, tmp_path, strength):
    density = -np.log10((colon.astype(np.float32) + 1) / 256)
    image = np.clip(256 * 10 ** (-density * strength) - 1, 0, 255).astype(np.uint8)
    assert noted(image, tmp_path).shares["stain unlike H&E"] == 0


@pytest.mark.parametrize("roi", [Rect(0, 0, 900, 700), Rect(700, 300, 1100, 1500), Rect(1, 1, 5, 5)])
def test_the_note_of_a_region_is_that_part_of_the_whole(colon, tmp_path, roi):
    image = colon.copy()
    image[:, : SIDE // 2] = cv2.GaussianBlur(colon, (0, 0), 4)[:, : SIDE // 2]
    whole, part = noted(image, tmp_path).in_rect(roi), noted(image, tmp_path, roi=roi)
    np.testing.assert_array_equal(part.codes, whole.codes)
    assert (part.origin, part.downsample, part.sentences) == (whole.origin, whole.downsample, whole.sentences)


def test_of_unknown_scale_strong_blur_is_found(colon, tmp_path):
    assert noted(colon, tmp_path, um_per_px=None).sentences == ()
    note = noted(cv2.GaussianBlur(colon, (0, 0), 10), tmp_path, um_per_px=None)
    assert note.shares["out of focus"] > 0.8


def test_glass_alone_and_the_tiniest_image(tmp_path):
    for shape in ((300, 400), (1, 1), (64, 3)):
        note = noted(np.full((*shape, 3), 243, np.uint8), tmp_path)
        assert note.sentences == ()
        assert set(np.unique(note.codes)) == {0}


def test_progress_can_be_cancelled(colon, tmp_path):
    path = tmp_path / "slide.png"
    Image.fromarray(colon).save(path)
    with open_slide(path, um_per_px=0.5) as slide:
        steps = quality_steps(slide)
        first = next(steps)
        assert isinstance(first, StageProgress)
        assert first.total > 0
        steps.close()
        assert quality_note(slide).sentences == ()
