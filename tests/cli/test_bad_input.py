"""What is wrong is said in one line, and nothing is written."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
from command_runs import SMALL, call

from pathloop.networks import find_model
from pathloop.rasters import write_tiff_pyramid
from pathloop.store import Project

pytestmark = pytest.mark.slow

IMAGE = np.full((96, 96, 3), (200, 120, 170), np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), np.uint8)
    for name, image, scale in (("good", IMAGE, 0.5), ("whole", noise, 0.5), ("coarse", IMAGE, 2.5)):
        write_tiff_pyramid(folder / f"{name}.tif", image, shape=image.shape[:2], um_per_px=scale)
    content = (folder / "whole.tif").read_bytes()
    (folder / "cut.tif").write_bytes(content[: len(content) // 2])
    (folder / "empty.svs").write_bytes(b"")
    (folder / "text.svs").write_text("not a slide at all\n" * 50)
    (folder / "folder.svs").mkdir()
    (folder / "file.pathloop").write_text("not a project")
    cv2.imwrite(str(folder / "photo.png"), IMAGE)
    model = shutil.copytree(find_model("fast"), folder / "model")
    with (model / "weights.safetensors").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\1\2\3")
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure(capfd, *words):
    """Exit code and the one line on standard error."""
    code = call(*words)
    out, errors = capfd.readouterr()
    assert out == ""
    assert errors.startswith("pathloop: ")
    assert errors.count("\n") == 1
    assert errors.endswith("\n")
    return code, errors.strip()


@pytest.mark.parametrize(
    ("slide", "message"),
    [
        ("missing.svs", "no such file"),
        ("empty.svs", "the file is empty"),
        ("cut.tif", "cut off"),
        ("text.svs", "not a slide or image that can be read"),
        ("folder.svs", "a folder, not a slide file"),
        ("photo.png", "give it with --um-per-px"),
        ("coarse.tif", "2.5 um per px is 5.0 times coarser than model 'fast' (0.5); check --um-per-px, or add --force"),
    ],
)
def test_a_wrong_slide(files, here, capfd, slide, message):
    code, line = failure(capfd, "segment", files / slide, *SMALL)
    assert code == 1
    assert str(files / slide) in line
    assert message in line
    # and one wrong slide among good ones
    again = failure(capfd, "segment", files / "good.tif", files / slide, *SMALL)
    assert again == (1, line)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--roi", "200", "0", "10", "10"], 2, "good.tif: the region of interest lies outside the slide (96 x 96 px)"),
        (["--roi", "0", "0", "-10", "10"], 2, "a height and width of at least 0"),
        (["--roi", "0", "0", "0", "10"], 2, "outside the slide"),
        (["--roi", "0", "0", "10"], 2, "--roi: expected 4 arguments"),
        (["--tasks", "nuclei,spleen"], 2, "has no task spleen; it has nuclei, gland, lumen, tissue"),
        (["--tasks", ""], 2, "no task named"),
        (["--model", "best"], 1, "no model 'best': neither a model known by name (fast) nor a folder"),
        (["--model", "."], 1, "not a model folder (it needs model.json and weights.safetensors)"),
        (["--model", "{files}/model"], 1, "weights.safetensors: does not match the checksum in its card"),
        (["--device", "tpu"], 2, "argument --device: invalid choice: 'tpu'"),
        (["--um-per-px", "none"], 2, "'none' is not a number above 0"),
        (["--um-per-px", "50"], 2, "um per px must lie in 0.05 .. 20"),
        (["--tile-px", "256"], 2, "use at least 384"),
        (["--tile-px", "1000000"], 2, "use at most 8192"),
        (["--colour"], 2, "unrecognized arguments: --colour; see pathloop"),
        (["-o", "{files}/file.pathloop"], 1, "file.pathloop"),
        (["-o", "{files}/file.pathloop/deeper"], 1, "cannot make a project here ("),
        (["-o", "{files}/folder.svs/../model"], 1, "not a pathloop project"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_option(files, here, capfd, words, code, message):
    before = sorted(files.rglob("*"))
    words = [word.format(files=files) for word in words]
    found = failure(capfd, "segment", files / "good.tif", "--device", "cpu", *words)
    assert found[0] == code
    assert message in found[1]
    assert not list(here.iterdir())
    assert sorted(files.rglob("*")) == before


def test_no_command_and_no_slide(here, capfd):
    assert failure(capfd)[0] == 2
    assert failure(capfd, "segment")[0] == 2
    assert failure(capfd, "segmnt", "a.svs")[0] == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(files, here, capfd):
    here.chmod(0o555)
    try:
        code, line = failure(capfd, "segment", files / "good.tif", *SMALL)
    finally:
        here.chmod(0o755)
    assert code == 1
    assert "choose another place (-o on" in line


def test_a_device_that_is_not_there(files, here, capfd):
    code, line = failure(capfd, "segment", files / "good.tif", "--device", "mps")
    assert code == 2
    assert "'mps' is not available here; use --device cpu or auto" in line
    assert not list(here.iterdir())


def test_a_coarse_slide_warns(files, here, capfd):
    assert call("segment", files / "good.tif", "--um-per-px", "0.8", *SMALL, "--json") == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (events[0]["kind"], events[0]["level"]) == ("message", "warning")
    assert "1.6 times coarser than the model expects (0.5)" in events[0]["text"]


def test_a_far_too_coarse_slide_can_be_forced(files, here, capfd):
    assert call("segment", files / "coarse.tif", "--force", *SMALL, "--roi", 0, 0, 30, 30) == 0
    assert (here / "coarse.pathloop").is_dir()
    assert "5.0 times coarser" in capfd.readouterr().err


def test_a_slide_at_another_scale_than_before(files, here, capfd):
    words = ("segment", files / "good.tif", *SMALL, "--roi", 0, 0, 30, 30)
    assert call(*words) == 0
    capfd.readouterr()
    code, line = failure(capfd, *words, "--um-per-px", "0.4")
    assert code == 1
    assert "was segmented at 0.5 um per px, not 0.4" in line


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["info", "{files}/text.svs"], 1, "not a slide"),
        (["info", "{files}/missing.svs"], 1, "no such file"),
        (["models", "best"], 1, "no model 'best'"),
        (["export", "{files}/missing", "--format", "csv", "-o", "out"], 1, "no such project folder"),
        (["export", "{files}", "--format", "csv", "-o", "out"], 1, "not a pathloop project"),
        (["export", "empty", "--format", "csv", "-o", "out"], 1, "nothing was segmented yet"),
        (["export", "empty", "--format", "pdf", "-o", "out"], 2, "invalid choice: 'pdf'"),
        (["export", "empty", "--format", "csv", "-o", "out", "--slide", "x"], 1, "has no slide 'x'"),
        (["evaluate", "--pred", "nowhere", "--truth", "nowhere", "--task", "gland"], 1, "no such file or folder"),
        (["train", "nowhere.toml"], 1, "nowhere.toml: no such file"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None,
)
def test_other_commands(files, here, capfd, words, code, message):
    Project.create(here / "empty").close()
    found = failure(capfd, *(word.format(files=files) for word in words))
    assert found[0] == code
    assert message in found[1]
    assert [path.name for path in here.iterdir()] == ["empty"]


def test_debug_shows_the_traceback(here):
    from pathloop.core import SlideNotFoundError

    with pytest.raises(SlideNotFoundError):
        call("--debug", "info", "missing.svs")
