"""The commands as a user meets them, from a slide to scores."""

import importlib.util
import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from command_runs import SMALL, call

from pathloop import __version__
from pathloop.cli import main
from pathloop.networks import bundled_models, read_card
from pathloop.rasters import write_tiff_pyramid
from pathloop.store import Project, counted
from pathloop.synth import write_slide

pytestmark = pytest.mark.slow

COMMANDS = ("info", "segment", "export", "evaluate", "train", "models", "pyramids", "demo")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with a slide, its truth, and the project that the command without -o has made."""
    folder = tmp_path_factory.mktemp("study")
    write_slide(folder / "colon.tif", (400, 500), seed=5, truth_dir=folder / "truth")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call("segment", "colon.tif", *SMALL) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    assert call(command, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: pathloop {command}")
    assert len(text.splitlines()) > 10
    assert command in ("demo", "export", "train") or "example" in text
    assert command != "export" or "labels-tiff" in text


def test_help_and_version(capsys):
    assert call("--help") == 0
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command} ", text, re.MULTILINE) for command in COMMANDS)
    assert "pathloop demo" in text
    assert call("--version") == 0
    assert capsys.readouterr().out == f"pathloop {__version__}\n"


def test_info_in_text(study, capsys):
    assert call("info", study / "colon.tif") == 0
    text = capsys.readouterr().out
    assert "500 x 400 px (width x height)" in text
    assert "0.5000   (0.25 x 0.20 mm)" in text
    assert re.search(r"tissue +0\.\d\d mm2, \d+% of the slide", text)
    assert "missing" not in text


def test_info_as_json(study, tmp_path, capsys):
    assert call("info", study / "colon.tif", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == [
        "version", "path", "format", "shape", "um_per_px", "objective_power", "levels", "color_profile", "srgb",
        "associated", "tissue_mm2", "tissue_share", "missing",
    ]  # fmt: skip
    assert (facts["version"], facts["shape"], facts["um_per_px"]) == (1, [400, 500], [0.5, 0.5])
    assert facts["levels"] == [{"shape": [400, 500], "downsample": [1.0, 1.0]}]
    assert 0 < facts["tissue_share"] <= 1
    assert facts["tissue_mm2"] == pytest.approx(facts["tissue_share"] * 0.05, rel=0.1)
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((30, 40, 3), 128, np.uint8))
    assert call("info", tmp_path / "photo.png", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["um_per_px"], facts["tissue_mm2"]) == (None, None)
    assert "--um-per-px" in facts["missing"][0]
    assert call("info", tmp_path / "photo.png", "--um-per-px", "0.62", "--json") == 0
    assert json.loads(capsys.readouterr().out)["um_per_px"] == [0.62, 0.62]


def test_models(capsys):
    assert call("models") == 0
    assert re.search(r"^fast +\S", capsys.readouterr().out, re.MULTILINE)
    assert call("models", "fast") == 0
    text = capsys.readouterr().out
    for word in ("um per px", "task      nuclei: ", "licence   ", "limit     ", "use       "):
        assert word in text
    assert call("models", "fast", "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "fast"


def test_models_are_added_and_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path / "config"))
    bundled = bundled_models()["fast"]
    assert call("models", "add", bundled) == 1
    assert "--name" in capsys.readouterr().err
    assert call("models", "add", bundled, "--name", "mine") == 0
    assert "--model mine" in capsys.readouterr().out
    assert call("models") == 0
    assert re.search(r"^mine +\S", capsys.readouterr().out, re.MULTILINE)
    assert call("models", "export", "mine", tmp_path / "stick") == 0
    assert read_card(tmp_path / "stick").name == "mine"
    capsys.readouterr()
    assert call("models", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [(row["name"], row["origin"]) for row in rows] == [("fast", "bundled"), ("mine", "added")]
    (tmp_path / "config" / "models" / "mine" / "weights.safetensors").write_bytes(b"")
    assert call("models") == 0
    assert re.search(r"^mine +damaged", capsys.readouterr().out, re.MULTILINE)
    for words in (("add",), ("export", "fast"), ("fast", "mine"), ("fast", "--name", "x"), ("add", bundled, "--json")):
        assert call("models", *words) == 2


def test_segment_says_where_things_are(study, capsys, monkeypatch):
    monkeypatch.chdir(study)
    assert (study / "colon.pathloop" / "project.db").is_file()
    assert call("segment", "colon.tif", *SMALL) == 0
    out, errors = capsys.readouterr()
    with Project.open(study / "colon.pathloop", write=False) as project:
        counts = [counted(task, project.counts("colon", task).total) for task in ("nuclei", "gland", "lumen")]
    assert out.splitlines()[-1] == f"{', '.join(counts)} in colon.pathloop"
    assert errors == "colon.tif: already segmented with these settings; nothing to do\n"


def test_several_slides_go_into_a_cohort(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "b.ome.tif"):
        write_tiff_pyramid(
            tmp_path / name,
            np.random.default_rng(len(name)).integers(0, 255, (40, 40, 3), np.uint8),
            shape=(40, 40),
            um_per_px=0.5,
        )
    assert call("segment", "a.tif", "b.ome.tif", *SMALL, "--no-tissue-mask") == 0
    with Project.open(tmp_path / "cohort.pathloop", write=False) as project:
        assert [record.slide_id for record in project.slides()] == ["a", "b"]
    assert capsys.readouterr().out.endswith(" in cohort.pathloop\n")


def test_torch_takes_over_without_openvino(tmp_path, monkeypatch, capsys):
    write_slide(tmp_path / "small.tif", (64, 64), seed=1)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "openvino" else real(name))
    words = ("segment", tmp_path / "small.tif", "-o", tmp_path / "p", *SMALL, "--no-tissue-mask", "--json")
    assert call(*words) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert re.fullmatch(r"torch cpu (bf16|fp32)", events[0]["engine"])
    assert events[0]["reason"] == "OpenVINO is not installed"
    assert events[-1]["kind"] == "finished"
    with Project.open(tmp_path / "p", write=False) as project:
        assert project.tissue("small").codes.shape == (1, 1)


def test_exports_are_evaluated_against_the_truth(study, tmp_path, capsys):
    assert call("export", study / "colon.pathloop", "--format", "labels-tiff", "-o", tmp_path / "labels") == 0
    names = capsys.readouterr().out.split()
    assert names == [
        str(tmp_path / "labels" / name)
        for name in ("colon_nuclei.tif", "colon_gland.tif", "colon_lumen.tif", "colon_tissue.tif", "colon_tissue.json")
    ]
    for task, kind in (("nuclei", "objects"), ("gland", "objects"), ("lumen", "objects"), ("tissue", "classes")):
        words = ("evaluate", "--pred", tmp_path / "labels", "--truth", study / "truth", "--task", task, "--json")
        assert call(*words) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["kind"], found["task"]) == (kind, task)
        assert len(found["images"]) == 1
    # the truth against itself, through the same files
    words = ("evaluate", "--pred", study / "truth", "--truth", study / "truth", "--task", "nuclei", "--json")
    assert call(*words) == 0
    assert json.loads(capsys.readouterr().out)["images"][0]["pq"] == 1


def test_a_closed_pipe_is_no_error():
    code = "from pathloop.cli import main; import sys; sys.exit(main(['models', 'fast', '--json']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (0, b"")


@pytest.mark.slow
def test_demo_makes_pictures(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path), "--device", "cpu", "--no-window"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"[\d,]+ nuclei, \d+ glands, \d+ lumina found on the synthetic sample slide", text)
    pictures = re.findall(r"look at  (.*)", text)
    assert [name.rsplit("_", 1)[1] for name in pictures] == ["overview.png", "tissue.png", "detail.png"]
    for name in pictures:
        image = cv2.imread(name)
        assert min(image.shape[:2]) > 300
        assert image.std() > 10
    # and again, at once
    assert main(["demo", "-o", str(tmp_path), "--device", "cpu", "--no-window"]) == 0
    assert "already segmented" in capsys.readouterr().err


@pytest.mark.slow
def test_train_makes_a_model_that_segments(tmp_path, capsys):
    from pathloop.synth import draw_colon

    for name in ("images", *(f"labels/{task}" for task in ("nuclei", "gland", "lumen"))):
        (tmp_path / "mine" / name).mkdir(parents=True)
    for seed in range(6):
        drawn = draw_colon((128, 128), seed=seed, outline=False)
        cv2.imwrite(str(tmp_path / "mine" / "images" / f"{seed}.png"), drawn.image[..., ::-1])
        for task, ids in drawn.labels.items():
            cv2.imwrite(str(tmp_path / "mine" / "labels" / task / f"{seed}.png"), ids.astype(np.uint16))
    (tmp_path / "train.toml").write_text(
        """
name = "mine"
[[data]]
kind = "folder"
path = "mine"
um_per_px = 0.5
[fit]
steps = 2
batch = 3
patch_px = 64
workers = 0
validate_every = 2
validation_images = 1
"""
    )
    words = ("train", tmp_path / "train.toml", "-o", tmp_path / "run", "--device", "cpu", "--json")
    assert call(*words) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["kind"] == "finished"
    model = tmp_path / "run" / "model"
    assert events[-1]["path"] == str(model)
    assert call("models", model) == 0
    write_slide(tmp_path / "small.tif", (64, 64))
    assert call("segment", tmp_path / "small.tif", "-o", tmp_path / "p", "--model", model, *SMALL) == 0
