"""``pathloop rank`` as a user meets it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_runs import call

sys.path.insert(0, str(Path(__file__).parents[1] / "loop" / "queue"))

import planted

from pathloop.loop.queue import region_from_values
from pathloop.store import Project


@pytest.fixture
def project_path(tmp_path):
    objects = [("gland", planted.box(2, 4, 5 + 30 * n, 5, 20, 20), 0.6, np.nan) for n in range(2)]
    return planted.make(tmp_path / "p.pathloop", objects=objects)


def test_help_teaches(capsys):
    assert call("rank", "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: pathloop rank")
    for word in ("difficulty", "thorough", "entropy", "random", "held out", "examples:", "--dry-run", "JSON (--json)"):
        assert word in text
    assert call("--help") == 0
    assert re.search(r"^    rank ", capsys.readouterr().out, re.MULTILINE)


def test_the_table_says_where_and_why(project_path, capsys):
    assert call("rank", project_path, "--count", 12) == 0
    out, err = capsys.readouterr()
    head, *rows, last = out.splitlines()
    assert head.split() == ["rank", "slide", "y", "x", "height", "width", "score", "origin", "why"]
    assert last == f"12 regions wait, 3 of them held out; in {project_path}"
    stored = planted.regions(project_path)
    assert len(rows) == len(stored) == 12
    for row, region in zip(rows, stored, strict=True):
        rect = region.rect
        numbers = [region.rank, region.slide_id, rect.y, rect.x, rect.height, rect.width, f"{region.score:.2f}"]
        assert row.split()[:7] == [str(one) for one in numbers]
        assert ("random, held out" in row) == region.holdout
        assert row.endswith("; ".join(one.words for one in region.reasons) or "nothing stands out")
    hardest = next(region for region in stored if region.rect == planted.place(*planted.HARDEST))
    if not hardest.holdout:
        assert "2 glands are faint (inside probability below 0.7)" in rows[hardest.rank - 1]
        assert "the model is unsure of 59 % of the tissue" in rows[hardest.rank - 1]
    assert "not calibrated" in err


def test_json_is_what_is_stored(project_path, capsys):
    assert call("rank", project_path, "--count", 8, "--strategy", "random", "--tasks", "gland, lumen", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert list(values) == ["schema", "version", "project", "strategy", "stored", "reason", "regions"]
    assert (values["schema"], values["version"], values["stored"]) == ("pathloop-queue", 1, True)
    assert values["strategy"] == "random"
    assert [region_from_values(one) for one in values["regions"]] == planted.regions(project_path)
    assert list(values["regions"][0]) == [
        "id", "slide_id", "rect", "origin", "rank", "score", "reasons", "holdout", "states", "assigned", "flag",
    ]  # fmt: skip
    assert values["regions"][0]["states"] == {"gland": "todo", "lumen": "todo"}


def test_a_dry_run_stores_nothing_and_says_so(project_path, capsys):
    assert call("rank", project_path, "--dry-run") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "34 regions wait, 8 of them held out; shown only, nothing is stored"
    assert "warning" not in err
    assert planted.regions(project_path) == []


def test_where_a_window_has_the_project_it_prints_and_says_so(project_path, capsys):
    with planted.held(project_path):
        assert call("rank", project_path) == 0
    out, err = capsys.readouterr()
    assert "shown only, nothing is stored" in out
    assert re.search(r"warning: .*is being written by .*; the queue is shown, not stored", err)
    assert planted.regions(project_path) == []


def test_what_people_did_is_in_the_table(project_path, capsys):
    call("rank", project_path)
    stored = planted.regions(project_path)
    planted.change(project_path, stored[0], assigned="eva")
    planted.change(project_path, stored[1], flag="mitosis?", states={"gland": "done", "lumen": "todo"})
    capsys.readouterr()
    assert call("rank", project_path) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert re.search(r"ranked +for eva(;|$)", rows[0])
    assert "doing; question: mitosis?" in rows[1]


def test_only_some_slides(project_path, capsys):
    with Project.open(project_path, write=True) as project:
        for name in ("b", "c"):
            planted.add(project, name)
    assert call("rank", project_path, "--slide", "b", "--slide", "c", "--count", 60, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert {one["slide_id"] for one in values["regions"]} == {"b", "c"}
    assert planted.regions(project_path, "a") == []


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--strategy", "hunch"], 2, "unknown strategy 'hunch'; known: difficulty, thorough, entropy, random"),
        (["--count", "0"], 2, "a queue has at least one region"),
        (["--count", "many"], 2, "invalid int value"),
        (["--tasks", "vessel"], 2, "has no task vessel"),
        (["--tasks", " , "], 2, "at least one slide and one task"),
        (["--slide", "z"], 1, "has no slide 'z'"),
        (["--strategy", "thorough", "--device", "cpu"], 1, "is not here; name its folder with --model"),
        (["--strategy", "thorough", "--device", "cpu", "--top", "0"], 2, "at least one region must go"),
        (["--model", "nowhere"], 1, "no model 'nowhere'"),
    ],
)
def test_wrong_words_give_one_line_and_change_nothing(project_path, capsys, words, code, text):
    assert call("rank", project_path, *words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err.splitlines()[-1]
    assert planted.regions(project_path) == []


def test_no_project(tmp_path, capsys):
    assert call("rank", tmp_path / "none") == 1
    assert capsys.readouterr().err == f"pathloop: {tmp_path / 'none'}: no such project folder\n"
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_neither_torch_nor_openvino_is_loaded(project_path):
    code = (
        f"import sys; from pathloop.cli import main; assert main(['rank', {str(project_path)!r}]) == 0;"
        " assert not {'torch', 'openvino'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
