"""``pathloop pyramids``: build, list, remove."""

import json

import numpy as np
import pytest
import tifffile
from command_runs import call


@pytest.fixture
def slide(tmp_path, monkeypatch):
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(1).integers(0, 255, (300, 9000, 3)).astype(np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(256, 256))
    return path


def test_from_info_to_removal(slide, capsys):
    assert call("info", slide) == 0
    assert "pathloop pyramids build" in capsys.readouterr().out
    assert call("pyramids") == 0
    assert capsys.readouterr().out.startswith("none;")
    assert call("pyramids", "build", slide) == 0
    assert "a.tif: 4 levels" in capsys.readouterr().out
    assert call("info", slide, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert [level["shape"][1] for level in facts["levels"]] == [9000, 4500, 2250, 1125, 563]
    assert not any("pyramids" in text for text in facts["missing"])
    assert call("pyramids", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["pyramids"]
    assert row["slide"] == str(slide)
    assert call("pyramids") == 0
    listed = capsys.readouterr().out
    assert row["id"] in listed
    assert str(slide) in listed
    assert call("pyramids", "remove", row["id"]) == 0
    assert capsys.readouterr().out.startswith("1 removed")
    assert call("pyramids", "build", slide, "--json") == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert (kinds[0], kinds[-1]) == ("stage", "finished")
    assert call("pyramids", "remove", "--all") == 0
    assert call("pyramids", "remove", "--all") == 0
    assert capsys.readouterr().out.endswith("0 removed, 0.0 MB freed\n")


@pytest.mark.parametrize("words", [["build"], ["remove"], ["nonsense"], ["--all"], ["remove", "x.tif"]])
def test_wrong_usage(slide, words, capsys):
    assert call("pyramids", *words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_removed_by_a_slide_that_was_moved(slide, tmp_path, capsys):
    assert call("pyramids", "build", slide) == 0
    moved = slide.rename(tmp_path / "moved.tif")
    capsys.readouterr()
    assert call("pyramids", "remove", moved) == 0
    assert capsys.readouterr().out.startswith("1 removed")
