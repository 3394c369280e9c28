"""``--srgb``: the colour profile is named, and applied on request."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_runs import SMALL, call, files_of
from PIL import Image

from pathloop.core import Rect
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

sys.path.insert(0, str(Path(__file__).parents[1] / "slides"))
from icc_files import wide_profile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A drawn slide in a file that embeds a profile of wide primaries."""
    folder = tmp_path_factory.mktemp("srgb")
    write_slide(folder / "drawn.tif", (300, 300), seed=5)
    with open_slide(folder / "drawn.tif") as drawn:
        pixels = drawn.read(Rect(0, 0, *drawn.shape))
    Image.fromarray(np.ascontiguousarray(pixels)).save(folder / "a.png", icc_profile=wide_profile())
    return folder / "a.png"


def test_info_names_the_profile(slide, capsys):
    assert call("info", slide) == 0
    assert "colours       wide test colours (not applied; --srgb does)" in capsys.readouterr().out
    assert call("info", slide, "--srgb", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["color_profile"], facts["srgb"]) == ("wide test colours", True)


def test_a_converted_run_is_one_of_its_own(slide, tmp_path, capsys):
    words = ("segment", slide, "-o", tmp_path / "p.pathloop", "--um-per-px", "0.5", "--tasks", "nuclei", *SMALL)
    assert call(*words) == 0
    assert call(*words, "--srgb") == 0
    assert "already segmented" not in capsys.readouterr().err
    assert call(*words, "--srgb") == 0
    assert "already segmented" in capsys.readouterr().err
    with Project.open(tmp_path / "p.pathloop", write=False) as project:
        assert [run.parameters["srgb"] for run in project.runs("a")] == [False, True]


def test_the_network_sees_converted_colours_on_request_only(slide, tmp_path):
    """As if the file had held these very colours."""
    stored, converted = tmp_path / "stored" / "a.png", tmp_path / "converted" / "a.png"
    for path, to_srgb in ((stored, False), (converted, True)):
        with open_slide(slide, to_srgb=to_srgb) as opened:
            pixels = opened.read(Rect(0, 0, *opened.shape))
        path.parent.mkdir()
        Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    found = []
    for number, (path, *words) in enumerate([(slide,), (stored,), (slide, "--srgb"), (converted,)]):
        project, out = tmp_path / f"{number}.pathloop", tmp_path / str(number)
        assert call("segment", path, "-o", project, "--um-per-px", "0.5", "--tasks", "nuclei", *words, *SMALL) == 0
        assert call("export", project, "--format", "labels-tiff", "-o", out) == 0
        found.append(files_of(out))
    as_stored, of_stored, on_request, of_converted = found
    assert as_stored == of_stored
    assert on_request == of_converted
    assert as_stored != on_request
