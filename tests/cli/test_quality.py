"""`pathloop quality`, and what `info` and `segment` say of a slide's quality."""

import json

import cv2
import numpy as np
import pytest
import tifffile
from command_runs import SMALL, call
from PIL import Image

from pathloop.synth import draw_colon


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    image = draw_colon((512, 512), um_per_px=0.5, seed=4, outline=False).image
    Image.fromarray(image).save(folder / "good.png")
    Image.fromarray(cv2.GaussianBlur(image, (0, 0), 5)).save(folder / "blurred.png")
    return folder


def test_sentences_masks_and_pictures(blurred, tmp_path, capsys):
    words = ("--um-per-px", "0.5", "-o", tmp_path)
    assert call("quality", blurred / "good.png", blurred / "blurred.png", *words) == 0
    good, bad, last = capsys.readouterr().out.splitlines()
    assert good == f"{blurred / 'good.png'}: nothing found against it"
    assert bad.startswith(f"{blurred / 'blurred.png'}: 100% of the tissue is out of focus")
    assert last == f"masks and pictures in {tmp_path}"
    codes = tifffile.imread(tmp_path / "blurred_quality.tif")
    facts = json.loads((tmp_path / "blurred_quality.json").read_text())
    assert codes.shape == (32, 32)
    assert facts["codes"][str(codes[16, 16])] == "out of focus"
    assert facts["step_px_level0"] == [16, 16]
    picture = cv2.imread(str(tmp_path / "blurred_quality.png"))
    assert picture.shape == (512, 512, 3)
    assert np.abs(picture.astype(int) - cv2.imread(str(blurred / "blurred.png")).astype(int)).mean() > 20
    assert np.array_equal(cv2.imread(str(tmp_path / "good_quality.png")), cv2.imread(str(blurred / "good.png")))


def test_as_json_and_of_a_region(blurred, tmp_path, capsys):
    roi = ("--roi", "0", "0", "100", "200", "--um-per-px", "0.5")
    assert call("quality", blurred / "blurred.png", *roi, "--json", "-o", tmp_path) == 0
    found = json.loads(capsys.readouterr().out)
    (slide,) = found["slides"]
    assert slide["shares"]["out of focus"] == 1
    assert len(slide["sentences"]) == 1
    assert tifffile.imread(tmp_path / "blurred_quality.tif").shape == (7, 13)


def test_info_says_it(blurred, capsys):
    assert call("info", blurred / "blurred.png", "--um-per-px", "0.5") == 0
    assert "  quality       100% of the tissue is out of focus" in capsys.readouterr().out
    assert call("info", blurred / "good.png", "--um-per-px", "0.5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["quality"] == {
        "shares": {"fine": 1.0, "out of focus": 0.0, "pen": 0.0, "fold": 0.0, "stain unlike H&E": 0.0},
        "sentences": [],
    }


@pytest.mark.slow
def test_segment_warns_before_and_repeats_it_at_the_end(blurred, tmp_path, capsys):
    words = ("segment", blurred / "blurred.png", "--um-per-px", "0.5", *SMALL, "--tasks", "gland")
    assert call(*words, "-o", tmp_path / "p", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["kind"] for event in events]
    warning = next(event for event in events if event["kind"] == "message")
    assert warning["text"].startswith("blurred.png: 100% of the tissue is out of focus")
    assert kinds.index("message") < kinds.index("run_started")
    assert events[-1]["summary"]["quality"] == [warning["text"]]
    assert call(*words, "-o", tmp_path / "q") == 0
    *_, note, last = capsys.readouterr().out.splitlines()
    assert note == f"note: {warning['text']}"
    assert last.endswith(f"in {tmp_path / 'q'}")


def test_equal_names_are_numbered_and_a_bad_slide_stops_no_other(blurred, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(np.full((64, 64, 3), 240, np.uint8)).save(other / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    slides = (blurred / "good.png", tmp_path / "bad.png", other / "good.png")
    assert call("quality", *slides, "--um-per-px", "0.5", "-o", tmp_path / "out") == 1
    found = capsys.readouterr()
    assert found.err.count("\n") == 1
    assert "bad.png" in found.err
    assert len(found.out.splitlines()) == 3
    assert {path.name for path in (tmp_path / "out").glob("*.json")} == {"good_quality.json", "good-2_quality.json"}
