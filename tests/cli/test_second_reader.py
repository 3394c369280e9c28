"""``pathloop merge`` and ``pathloop agreement``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_runs import SMALL, call
from small_projects import add_slide, fill

from pathloop.core import ClassSpec, Rect
from pathloop.loop.correct import add_regions, change_region, delete_objects, paint, set_objects
from pathloop.store import PixelChange, Project, Region


def draw(project, rect, number, *, task="nuclei", slide_id="s"):
    rect = Rect(*rect)
    before = project.read_labels(slide_id, task, rect)
    paint(project, slide_id, [PixelChange(task, rect, before, np.full(rect.shape, number, np.int32))], tool="brush")


@pytest.fixture
def copies(tmp_path):
    """Two copies of a project with one nucleus of 20 x 20 px."""
    mine = tmp_path / "mine.pathloop"
    with Project.create(mine) as project:
        add_slide(project, "s")
        project.register_classes("nuclei", [ClassSpec(name="tumour", color=(1, 2, 3))])
        fill(project)
    return mine, shutil.copytree(mine, tmp_path / "bo.pathloop")


def test_a_copy_is_merged_and_told(copies, capsys):
    mine, theirs = copies
    with Project.open(theirs, write=True) as project:
        draw(project, (30, 10, 5, 20), 1)
        draw(project, (100, 100, 12, 12), 7)
    assert call("merge", *copies, "--dry-run") == 0
    assert "1 nucleus added, 1 nucleus changed" in (out := capsys.readouterr().out)
    assert "would come in" in out
    assert out.endswith("tried only, nothing is stored\n")
    assert call("merge", *copies) == 0
    assert capsys.readouterr().out.endswith(f"merged into {mine}\n")
    with Project.open(mine, write=False) as project:
        assert project.objects("s", "nuclei").areas_px.tolist() == [500, 144]
        assert [one.kind for one in project.journal()] == ["run", "merge"]
    assert call("log", mine, "--last", 1) == 0
    assert "merged bo.pathloop" in capsys.readouterr().out


def test_conflicts_are_queued_or_settled(copies, capsys):
    mine, theirs = copies
    with Project.open(mine, write=True) as project:
        set_objects(project, "s", "nuclei", [1], state="accepted")
    with Project.open(theirs, write=True) as project:
        draw(project, (30, 10, 5, 20), 1)
    assert call("merge", *copies, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["schema"], values["version"], values["prefer"], values["written"]) == (
        "pathloop-merge",
        1,
        "ask",
        True,
    )
    [slide] = values["slides"]
    assert slide["conflicts"] == [
        {"slide_id": "s", "task": "nuclei", "difference": "outline", "rect": [10, 10, 25, 20], "n": 1}
    ]
    with Project.open(mine, write=False) as project:
        assert [one.id for one in project.regions()] == slide["regions"]
        assert project.objects("s", "nuclei").areas_px.tolist() == [400]
    assert call("merge", *copies, "--prefer", "theirs") == 0
    assert "settled for theirs" in capsys.readouterr().out
    with Project.open(mine, write=False) as project:
        assert project.objects("s", "nuclei").areas_px.tolist() == [500]


def test_agreement_is_told_and_stored_as_a_queue(copies, capsys):
    mine, theirs = copies
    with Project.open(theirs, write=True) as project:
        delete_objects(project, "s", "nuclei", [1])
    assert call("agreement", *copies) == 0
    out = capsys.readouterr().out
    assert "nuclei: 1 only in yours" in out
    assert "note: s, nuclei: no region is done in both copies" in out
    with Project.open(mine, write=False) as project:
        assert project.regions() == []
    assert call("agreement", *copies, "--queue") == 0
    assert capsys.readouterr().out.endswith(f"1 new region in the queue of {mine}\n")
    with Project.open(mine, write=False) as project:
        assert [one.origin for one in project.regions()] == ["disagreement"]
    assert call("agreement", *copies, "--json", "--tasks", "nuclei", "--slide", "s") == 0
    values = json.loads(capsys.readouterr().out)
    assert [(one["task"], one["n_first"], one["n_second"]) for one in values["objects"]] == [("nuclei", 1, 0)]
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    for key in (*values, *values["objects"][0], *values["objects"][0]["class_kappa"], *values["disagreements"][0]):
        assert f"`{key}`" in page, key


def test_both_are_only_read_while_others_write(copies, capsys):
    with Project.open(copies[0], write=True), Project.open(copies[1], write=True) as project:
        draw(project, (100, 100, 12, 12), 7)
        assert call("agreement", *copies) == 0
        assert call("merge", *copies, "--dry-run") == 0
        assert call("merge", *copies) == 1
        assert "pathloop: " in capsys.readouterr().err


def test_bad_input_is_one_line(copies, tmp_path, capsys):
    mine, theirs = copies
    Project.create(tmp_path / "empty.pathloop").close()
    for words, code, text in (
        (("merge", mine, mine), 2, "not twice the same"),
        (("agreement", mine, mine), 2, "not twice the same"),
        (("merge", mine, tmp_path / "none.pathloop"), 1, "no such project folder"),
        (("agreement", mine, tmp_path / "empty.pathloop"), 2, "holds none of these slides"),
        (("agreement", mine, theirs, "--slide", "x"), 1, "has no slide 'x'"),
        (("merge", mine, theirs, "--prefer", "ours"), 2, "invalid choice"),
        (("merge", mine), 2, "required"),
    ):
        assert call(*words) == code, words
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
        assert err.count("\n") == 1
    with Project.open(mine, write=False) as project:
        assert [one.kind for one in project.journal()] == ["run"]


@pytest.mark.slow
def test_two_readers_of_a_real_slide(data_dir, tmp_path, capsys):
    """Segment, copy, correct both copies, merge: what one of them did is there, and they agree afterwards."""
    slide = data_dir / "open" / "whole_slide" / "cmu_small_region.svs"
    if not slide.exists():
        pytest.skip(f"{slide} is missing")
    mine = tmp_path / "mine.pathloop"
    assert call("segment", slide, "-o", mine, "--roi", 600, 600, 1000, 1000, *SMALL) == 0
    theirs = shutil.copytree(mine, tmp_path / "bo.pathloop")
    area = Rect(700, 700, 700, 700)
    with Project.open(mine, write=False) as project:
        [record] = project.slides()
        name = record.slide_id
        ids = project.objects(name, "nuclei", area=area).ids.tolist()
    assert len(ids) > 20
    for path, deleted, n in ((mine, ids[:3], 0), (theirs, ids[3:8], 1)):
        with Project.open(path, write=True) as project:
            _, [region] = add_regions(project, name, [Region(0, name, area, states={"nuclei": "todo"})])
            delete_objects(project, name, "nuclei", deleted)
            set_objects(project, name, "nuclei", ids[10 + 5 * n : 15 + 5 * n], state="accepted")
            change_region(project, Region(region.id, name, area, states={"nuclei": "done"}))
    capsys.readouterr()
    assert call("agreement", mine, theirs, "--json", "--tasks", "nuclei") == 0
    [row] = json.loads(capsys.readouterr().out)["objects"]
    assert row["compared_on"] == "regions"
    assert 0.5 < row["pq"] < 1
    assert row["sq"] == 1
    assert row["n_first_only"] + row["n_second_only"] <= 8
    # each left what the other deleted in a region that both finished: conflicts, and theirs on request
    assert call("merge", mine, theirs, "--prefer", "theirs") == 0
    assert call("agreement", mine, theirs, "--json", "--tasks", "nuclei") == 0
    [row] = json.loads(capsys.readouterr().out.split("merged into")[1].split("\n", 1)[1])["objects"]
    assert row["pq"] == 1
