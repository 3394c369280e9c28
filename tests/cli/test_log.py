"""``pathloop log``: who did what, when, with which tool, to which model's prediction."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_runs import call
from small_projects import add_slide, fill

from pathloop.core import ClassSpec, Rect
from pathloop.loop.correct import add_regions, delete_objects, paint, set_cells, set_flag, set_objects, undo
from pathloop.store import PixelChange, Project, Region

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """A project in which Ada and Bo have worked."""
    path = tmp_path_factory.mktemp("log") / "p.pathloop"
    with Project.create(path) as project:
        add_slide(project, "s")
        add_slide(project, "other")
        project.register_classes("nuclei", [ClassSpec(name="tumour", color=(1, 2, 3))])
        fill(project)
        patch = PixelChange("nuclei", Rect(30, 10, 5, 20), np.zeros((5, 20), np.int32), np.ones((5, 20), np.int32))
        paint(project, "s", [patch], tool="brush", who="Ada")
        set_objects(project, "s", "nuclei", [1], state="accepted", who="Bo")
        set_flag(project, "s", "nuclei", 1, "mitosis?", who="Bo")
        delete_objects(project, "s", "nuclei", [1], who="Ada")
        undo(project, "s", who="Ada")
        add_regions(project, "other", [Region(0, "other", Rect(0, 0, 50, 50), states={"nuclei": "todo"})], who="Bo")
        project.set_tissue_grid("other", (100.0, 100.0), (0.0, 0.0))
        set_cells(project, "other", {(0, 1): "stroma"}, who="Bo")
    return path


def lines_of(capsys, *words):
    assert call("log", *words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_table_says_who_when_what_and_whose_prediction_it_was(worked, capsys):
    assert call("log", worked, "--slide", "s") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0].strip() == "no"
    tools = [re.split(r"  +", row.strip())[4] for row in rows]
    assert tools[1:] == ["brush", "accept", "flag", "delete", "delete"]
    brush = re.split(r"  +", rows[1].strip())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", brush[1])
    assert brush[2:4] == ["Ada", "s"]
    assert brush[-1] == "drawn-1"
    assert "undo of 5: nucleus 1 deleted" in rows[5]


def test_json_lines_hold_what_the_journal_holds(worked, capsys):
    found = lines_of(capsys, worked, "--json")
    with Project.open(worked, write=False) as project:
        entries = list(project.journal())
    assert len(found) == len(entries) == 8
    for line, entry in zip(found, entries, strict=True):
        assert line.pop("models") == list(entry.models)
        assert line == {name: getattr(entry, name) for name in line}
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    section = page.split("## `pathloop log --json`")[1].split("\n## ")[0]
    assert all(f"`{key}`" in section for key in lines_of(capsys, worked, "--json", "--objects")[0])


def test_objects_are_listed_on_request(worked, capsys):
    found = lines_of(capsys, worked, "--json", "--objects")
    by_number = {line["number"]: line for line in found}
    [painted] = by_number[2]["objects"]
    assert painted["before"] == {
        "rect": [10, 10, 20, 20],
        "area_px": 400,
        "class": "tumour",
        "state": "predicted",
        "locked": False,
    }
    assert (painted["after"]["area_px"], painted["after"]["state"]) == (500, "edited")
    with Project.open(worked, write=False) as project:
        assert painted["uuid"] == str(project.object_uuid("s", "nuclei", 1))
    assert by_number[4]["flags"] == [{"task": "nuclei", "id": 1, "before": None, "after": "mitosis?"}]
    assert by_number[5]["objects"][0]["after"] is None
    assert by_number[6]["objects"][0]["before"] is None
    assert by_number[7]["regions"] == [1]
    assert by_number[8]["cells"] == [
        {"row": 0, "col": 1, "before": None, "after": {"class_name": "stroma", "state": "edited"}}
    ]
    assert call("log", worked, "--objects") == 0
    text = capsys.readouterr().out
    for line in (
        "nucleus 1: 400 -> 500 px, predicted -> edited",
        "nucleus 1: edited -> accepted",
        "nucleus 1: asked: mitosis?",
        "nucleus 1: deleted, 500 px",
        "nucleus 1: added, 500 px",
        "region 1: added",
        "tissue cell in row 0, column 1: as predicted -> stroma",
    ):
        assert line in text


def test_lines_can_be_chosen(worked, capsys):
    assert [line["number"] for line in lines_of(capsys, worked, "--json", "--last", 2)] == [7, 8]
    assert [line["number"] for line in lines_of(capsys, worked, "--json", "--who", "bo")] == [3, 4, 7, 8]
    assert [line["number"] for line in lines_of(capsys, worked, "--json", "--who", "Bo", "--slide", "s")] == [3, 4]
    assert [line["number"] for line in lines_of(capsys, worked, "--json", "--who", "Ada", "--last", 1)] == [6]
    assert lines_of(capsys, worked, "--json", "--who", "nobody") == []
    assert call("log", worked, "--who", "nobody") == 0
    assert capsys.readouterr().out == "the journal has no such line\n"


def test_it_is_read_while_another_program_writes(worked, tmp_path, capsys):
    path = Path(shutil.copytree(worked, tmp_path / "open.pathloop"))
    with Project.open(path, write=True) as project:
        set_objects(project, "s", "nuclei", [1], state="edited", who="Cy")
        assert [line["who"] for line in lines_of(capsys, path, "--json", "--last", 1)] == ["Cy"]


def test_an_empty_journal_says_so(tmp_path, capsys):
    Project.create(tmp_path / "e.pathloop").close()
    assert call("log", tmp_path / "e.pathloop") == 0
    assert capsys.readouterr().out == "the journal is empty\n"
    assert lines_of(capsys, tmp_path / "e.pathloop", "--json") == []


def test_bad_input_is_one_line(worked, tmp_path, capsys):
    for words, code, text in (
        ((tmp_path / "none.pathloop",), 1, "no such project folder"),
        ((worked, "--slide", "x"), 1, "has no slide 'x'"),
        ((worked, "--last", "0"), 2, "at least 1"),
        ((worked, "--last", "many"), 2, "invalid int value"),
    ):
        assert call("log", *words) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("pathloop: ")
        assert text in err
        assert err.count("\n") == 1
