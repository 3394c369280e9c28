"""``pathloop verify``: what is open, who vouches, and what the final export says of it."""

import json

import pytest
from command_runs import call
from small_projects import add_slide, fill

from pathloop.core import Rect
from pathloop.loop.correct import accept_region, add_regions
from pathloop.store import Project, Region


@pytest.fixture
def path(tmp_path):
    """A project with a region that is to be done."""
    with Project.create(tmp_path / "p.pathloop") as project:
        add_slide(project, "s")
        fill(project)
        add_regions(project, "s", [Region(0, "s", Rect(0, 0, 100, 100), states={"nuclei": "todo"})])
    return tmp_path / "p.pathloop"


def test_verify_lists_refuses_and_writes_down(path, capsys):
    assert call("verify", path, "--list") == 1
    assert "nuclei to do" in capsys.readouterr().out
    assert call("verify", path, "--by", "Dr. Beck") == 1
    assert "region 1 of slide 's' is not ready: nuclei to do" in capsys.readouterr().err
    with Project.open(path, write=True) as project:
        accept_region(project, 1)
    assert call("verify", path, "--list") == 1
    assert "reviewed, to be verified" in capsys.readouterr().out
    assert call("verify", path, "--by", "Dr. Beck") == 0
    assert "1 of 1 regions verified" in capsys.readouterr().out
    assert call("verify", path, "--list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["version"]) == ("pathloop-verification", 1)
    [row] = found["regions"]
    assert (row["verified_by"], row["open"], row["changed_since"]) == ("Dr. Beck", [], None)


def test_a_project_without_regions_says_what_to_do(tmp_path, capsys):
    with Project.create(tmp_path / "p.pathloop") as project:
        add_slide(project, "s")
    assert call("verify", tmp_path / "p.pathloop") == 1
    assert "no region to verify; add regions in the panel Queue" in capsys.readouterr().err
