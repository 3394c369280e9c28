"""The worker process: one JSON request in, JSON lines out."""

import dataclasses
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_runs import events_until, started

from pathloop.loop import SegmentRequest
from pathloop.rasters import write_tiff_pyramid
from pathloop.store import Project
from pathloop.worker import SegmentJob, main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "noise.tif"
    image = np.random.default_rng(2).integers(90, 255, (300, 300, 3), np.uint8)
    write_tiff_pyramid(path, image, shape=(300, 300), um_per_px=0.5)
    return path


def request(slide, project, **changes):
    values = {"slides": [str(slide)], "project": str(project), "device": "cpu", "tile_px": 512}
    return json.dumps(values | {"use_tissue_mask": False, "look_first": False} | changes)


def worker(*words, text=""):
    command = [sys.executable, "-m", "pathloop.worker", *map(str, words)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_request_has_the_fields_of_the_job():
    names = {field.name for field in dataclasses.fields(SegmentRequest)}
    assert set(SegmentJob.model_fields) == names
    defaults = {field.name: field.default for field in dataclasses.fields(SegmentRequest)}
    for name, field in SegmentJob.model_fields.items():
        assert field.is_required() == (defaults[name] is dataclasses.MISSING)
        assert field.is_required() or field.default == defaults[name]


def test_segment(slide, tmp_path):
    code, events, errors = worker("segment", text=request(slide, tmp_path / "p", roi=[0, 0, 200, 100]))
    assert (code, errors) == (0, "")
    assert [events[0]["kind"], events[-1]["kind"]] == ["run_started", "finished"]
    assert events[0]["n_tiles"] == 1
    with Project.open(tmp_path / "p", write=False) as project:
        assert [(area.height, area.width) for area in project.areas("noise", "nuclei")] == [(200, 100)]


def test_a_stopped_job_goes_on(slide, tmp_path):
    (tmp_path / "request.json").write_text(request(slide, tmp_path / "p"))
    words = ("segment", "--request", tmp_path / "request.json")
    with started(*words, module="pathloop.worker") as process:
        events_until(process, lambda event: event["kind"] == "tile_done")
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert json.loads(out.splitlines()[-1]) == {
        "kind": "failed",
        "message": "stopped; the same request goes on",
        "exit_code": 130,
    }
    with started(*words, module="pathloop.worker") as process:
        events = events_until(process, lambda event: False)
    assert events[0]["n_done"] >= 1
    assert events[-1]["kind"] == "finished"


@pytest.mark.parametrize(
    ("words", "text", "code", "message"),
    [
        (["segment"], "", 2, "standard input: file: Invalid JSON"),
        (["segment"], "[1]", 2, "standard input: file: Input should be an object"),
        (["segment"], '{"slides": ["a"], "project": "p", "colour": 1}', 2, "colour: Extra inputs are not permitted"),
        (["segment"], '{"slides": ["a"], "project": "p", "tile_px": "9"}', 2, "tile_px: Input should be a valid int"),
        (["segment"], '{"slides": ["a"]}', 2, "project: Field required"),
        (["segment"], '{"slides": ["missing.svs"], "project": "p"}', 1, "missing.svs: no such file"),
        (["segment", "--request", "missing.json"], "", 1, "missing.json"),
        (["train"], '{"config": "missing.toml"}', 1, "missing.toml: no such file"),
        (["train"], '{"config": 3}', 2, "config: "),
        (["segment"], '{"slides": ["a"], "project": "p", "device": "tpu"}', 2, "unknown device 'tpu'"),
        (["dance"], "", 2, "invalid choice: 'dance'"),
        ([], "", 2, "required: job"),
    ],
)
def test_a_wrong_request_fails_in_one_json_line(words, text, code, message, tmp_path, monkeypatch, capsys):
    import io

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(words) == code
    finally:
        signal.signal(signal.SIGTERM, before)
    out, errors = capsys.readouterr()
    assert errors == ""
    (line,) = out.splitlines()
    found = json.loads(line)
    assert (found["kind"], found["exit_code"]) == ("failed", code)
    assert message in found["message"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_train(tmp_path):
    import cv2

    (tmp_path / "mine" / "images").mkdir(parents=True)
    (tmp_path / "mine" / "labels" / "nuclei").mkdir(parents=True)
    for number in range(6):
        image = np.full((128, 128, 3), 40 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "mine" / "images" / f"{number}.png"), image)
        ids = np.zeros((128, 128), np.uint16)
        ids[20:40, 20:40] = 1
        cv2.imwrite(str(tmp_path / "mine" / "labels" / "nuclei" / f"{number}.png"), ids)
    fit = "steps = 2\nbatch = 2\npatch_px = 64\nworkers = 0\nvalidate_every = 2\nvalidation_images = 1\n"
    data = '[[data]]\nkind = "folder"\npath = "mine"\num_per_px = 0.5\n'
    (tmp_path / "train.toml").write_text(f'device = "cpu"\n{data}[fit]\n{fit}')
    text = json.dumps({"config": str(tmp_path / "train.toml"), "output": str(tmp_path / "run")})
    code, events, errors = worker("train", text=text)
    assert code == 0, errors
    assert events[-1] == {"kind": "finished", "path": str(tmp_path / "run" / "model"), "summary": events[-1]["summary"]}
