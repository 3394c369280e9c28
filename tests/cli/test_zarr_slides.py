"""An OME-Zarr folder goes through the commands as a file with the same pixels does."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_runs import SMALL, call, files_of

from pathloop.core import Rect
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

sys.path.insert(0, str(Path(__file__).parents[1] / "slides"))
from slide_files import write_ome_zarr

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The same pixels as a TIFF and as OME-Zarr of both versions."""
    folder = tmp_path_factory.mktemp("zarr_study")
    write_slide(folder / "tiff.tif", (400, 500), seed=5)
    with open_slide(folder / "tiff.tif") as slide:
        pixels = slide.read(Rect(0, 0, *slide.shape))
    write_ome_zarr(folder / "four.ome.zarr", pixels, version="0.4", axes="tczyx", levels=0, um=(0.5, 0.5))
    write_ome_zarr(folder / "five.zarr", pixels, version="0.5", axes="yxc", levels=0, um=(0.5, 0.5), shards=True)
    return folder


def test_info(study, capsys):
    for name in ("four.ome.zarr", "five.zarr"):
        assert call("info", study / name, "--json") == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["format"], facts["shape"], facts["um_per_px"]) == ("ome-zarr", [400, 500], [0.5, 0.5])
        assert facts["missing"] == []


def test_objects_are_those_of_the_tiff(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = {}
    for name in ("tiff.tif", "four.ome.zarr", "five.zarr"):
        assert call("segment", study / name, *SMALL, "--tasks", "nuclei") == 0
        stem = name.partition(".")[0]
        with Project.open(tmp_path / f"{stem}.pathloop", write=False) as project:
            (record,) = project.slides()
            assert (record.slide_id, record.path) == (stem, study / name)
        assert call("export", f"{stem}.pathloop", "--format", "labels-tiff", "-o", stem) == 0
        found[stem] = next(iter(files_of(tmp_path / stem).values()))
    assert found["tiff"] == found["four"] == found["five"]
    assert len(np.unique(np.frombuffer(found["tiff"], np.uint8))) > 10


def test_a_moved_folder_is_the_same_slide(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = (*SMALL, "--tasks", "nuclei", "-o", "p.pathloop")
    assert call("segment", study / "five.zarr", *words) == 0
    moved = (study / "five.zarr").rename(study / "moved.zarr")
    try:
        assert call("segment", moved, *words) == 0
        assert "already segmented" in capsys.readouterr().err
        with Project.open(tmp_path / "p.pathloop", write=False) as project:
            (record,) = project.slides()
            assert (record.slide_id, record.path) == ("five", moved)
    finally:
        moved.rename(study / "five.zarr")
