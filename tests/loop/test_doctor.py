import json
import shutil

import pytest

from pathloop.cli import main
from pathloop.loop import check_up
from pathloop.networks import find_model, read_card, write_card


def checks(**options):
    return {check.name: check for check in check_up(**options)}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return checks(device="cpu", folder=tmp_path_factory.mktemp("projects"))


def test_nothing_fails_on_a_sound_installation(healthy):
    assert [check.name for check in healthy.values() if check.state == "failed"] == []
    assert "Python 3." in healthy["pathloop"].text
    assert "torch " in healthy["libraries"].text
    assert healthy["device"].text.startswith("openvino cpu")
    assert "fast " in healthy["models"].text


def test_the_self_test_knows_the_truth(healthy):
    assert healthy["self-test"].state == "ok"
    dice = float(healthy["self-test"].text.partition("Dice ")[2].partition(";")[0])
    assert 0.9 < dice <= 1
    assert "s per mm2 of tissue (openvino cpu" in healthy["self-test"].text


def _refuse(**_):
    raise OSError(30, "Read-only file system")


def test_a_folder_that_will_be_made_is_fine(tmp_path):
    assert checks(device="cpu", folder=tmp_path / "new" / "projects")["disk"].state == "ok"


def test_one_broken_thing_hides_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr("pathloop.loop._doctor.LIBRARIES", ("torch", "no-such-library"))
    monkeypatch.setattr("pathloop.loop._doctor.LITTLE_MEMORY", 2**60)
    monkeypatch.setattr("pathloop.loop._doctor.LITTLE_DISK", 2**60)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr("pathloop.loop._doctor.tempfile.NamedTemporaryFile", _refuse)
    found = checks(device="mps", model="no-such-model", folder=tmp_path / "file")
    assert {name for name, check in found.items() if check.state == "failed"} >= {"libraries", "disk", "self-test"}
    assert "no-such-library" in found["libraries"].text
    assert "cannot be written" in found["disk"].text
    assert "no model 'no-such-model'" in found["self-test"].text
    assert "close other programs" in found["memory"].text
    assert "cannot be written (Read-only file system)" in found["temporary files"].text
    assert found["models"].state == "ok"


def test_a_model_that_draws_nonsense_is_noticed(tmp_path):
    strict = tmp_path / "strict"
    shutil.copytree(find_model("fast"), strict)
    card = read_card(strict)
    tasks = [
        task.model_copy(update={"post": task.post.model_copy(update={"min_size_px": 10**6})}) if task.post else task
        for task in card.labels.tasks
    ]
    write_card(strict, card.model_copy(update={"labels": card.labels.model_copy(update={"tasks": tuple(tasks)})}))
    found = checks(device="cpu", model=str(strict), folder=tmp_path)
    assert found["self-test"].state == "warning"
    assert "less than 0.8" in found["self-test"].text


def test_a_damaged_added_model_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path))
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{")
    found = checks(device="cpu", folder=tmp_path)["models"]
    assert (found.state, "mine" in found.text) == ("failed", True)


def test_the_command_prints_and_exits(tmp_path, capsys):
    assert main(["doctor", "--device", "cpu", "-o", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok       pathloop: ")
    assert lines[-1].startswith("ok       self-test: ")
    assert main(["doctor", "--device", "cpu", "-o", str(tmp_path / "new"), "--model", "none", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == 1
    assert {"name": "models", "state": "ok"}.items() <= next(
        one for one in found["checks"] if one["name"] == "models"
    ).items()
