"""``--srgb``: the colour profile is named, and applied on request."""

import json

import numpy as np
import pytest
from command_runs import SMALL, call
from PIL import Image, ImageCms

from pathloop.core import Rect
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A drawn slide in a file that embeds a profile."""
    folder = tmp_path_factory.mktemp("srgb")
    write_slide(folder / "drawn.tif", (300, 300), seed=5)
    with open_slide(folder / "drawn.tif") as drawn:
        pixels = drawn.read(Rect(0, 0, *drawn.shape))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.ascontiguousarray(pixels)).save(folder / "a.png", icc_profile=profile)
    return folder / "a.png"


def test_info_names_the_profile(slide, capsys):
    assert call("info", slide) == 0
    assert "colours       sRGB built-in (not applied; --srgb does)" in capsys.readouterr().out
    assert call("info", slide, "--srgb", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["color_profile"], facts["srgb"]) == ("sRGB built-in", True)


def test_a_converted_run_is_one_of_its_own(slide, tmp_path, capsys):
    words = ("segment", slide, "-o", tmp_path / "p.pathloop", "--um-per-px", "0.5", "--tasks", "nuclei", *SMALL)
    assert call(*words) == 0
    assert call(*words, "--srgb") == 0
    assert "already segmented" not in capsys.readouterr().err
    assert call(*words, "--srgb") == 0
    assert "already segmented" in capsys.readouterr().err
    with Project.open(tmp_path / "p.pathloop", write=False) as project:
        assert [run.parameters["srgb"] for run in project.runs("a")] == [False, True]
