"""Which project a slide belongs to, and where a new one goes."""

import json
import zipfile
from pathlib import Path

import pytest

from pathloop.core import config_folder
from pathloop.loop import RecentProjects, find_project, propose_project
from pathloop.store import Project

FINGERPRINT = "ab" * 32


@pytest.fixture
def slide(tmp_path, monkeypatch):
    """A slide's place, and an empty working directory."""
    for name in ("slides", "work", "else"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "slides" / "a.ome.tif"


def project(path, *, fingerprint=FINGERPRINT, slide=Path("/x/a.tif")):
    with Project.create(path) as made:
        if fingerprint:
            made.add_slide(
                slide, fingerprint=fingerprint, shape=(10, 10), um_per_px_y=0.5, um_per_px_x=0.5, reader="tiff"
            )
    return path


def test_nothing_there(slide):
    assert find_project(slide, FINGERPRINT) is None


@pytest.mark.parametrize("place", ["slides/a.pathloop", "slides/cohort.pathloop", "work/w.pathloop", "else/r.pathloop"])
def test_found_by_fingerprint(slide, tmp_path, place):
    made = project(tmp_path / place)
    found = find_project(slide, FINGERPRINT, [tmp_path / "gone.pathloop", tmp_path / "else" / "r.pathloop"])
    assert found is not None
    assert found.resolve() == made
    assert find_project(slide, "cd" * 32, [made]) is None


def test_projects_of_older_formats_are_found(slide):
    with zipfile.ZipFile(Path(__file__).parents[1] / "store" / "version2.zip") as packed:
        packed.extractall(slide.parent / "old.pathloop")
    assert find_project(slide, "f") == slide.parent / "old.pathloop"
    assert find_project(slide, FINGERPRINT) is None


def test_own_name_first_then_beside_then_working_directory(slide, tmp_path):
    last = project(tmp_path / "work" / "a.pathloop")
    assert find_project(slide, FINGERPRINT).resolve() == last
    beside = project(slide.parent / "z.pathloop")
    assert find_project(slide, FINGERPRINT) == beside
    own = project(slide.parent / "a.pathloop")
    assert find_project(slide, FINGERPRINT) == own


def test_an_empty_project_of_its_name_is_its_own(slide, tmp_path):
    own = project(slide.parent / "a.pathloop", fingerprint="")
    project(slide.parent / "b.pathloop", fingerprint="")
    assert find_project(slide, FINGERPRINT) == own
    assert find_project(slide.with_name("c.tif"), FINGERPRINT) is None


def test_damaged_and_newer_ones_are_passed_over(slide, tmp_path):
    damaged = slide.parent / "a.pathloop"
    damaged.mkdir()
    (damaged / "project.db").write_bytes(b"no database at all")
    newer = project(slide.parent / "b.pathloop")
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(newer / "project.db")) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        connection.commit()
    (slide.parent / "c.pathloop").write_text("a file")
    whole = project(slide.parent / "d.pathloop")
    assert find_project(slide, FINGERPRINT) == whole


def test_proposed_beside_the_slide(slide):
    proposed = propose_project(slide)
    assert (proposed.path, proposed.reason) == (slide.parent / "a.pathloop", "")
    proposed.path.mkdir()
    assert propose_project(slide).path == proposed.path
    (proposed.path / "something").write_text("")
    assert propose_project(slide).path == slide.parent / "a-2.pathloop"


def test_proposed_elsewhere_where_the_folder_cannot_be_written(slide, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "else")
    folder = tmp_path / "read-only"
    folder.write_text("a file: nobody, not even root, can make a folder in it")
    proposed = propose_project(folder / "a.tif")
    assert proposed.path == tmp_path / "else" / "pathloop" / "a.pathloop"
    assert "cannot be written" in proposed.reason


def test_network_drives_are_named(slide, monkeypatch):
    monkeypatch.setattr("pathloop.loop._find_project.on_network_drive", lambda path: True)
    proposed = propose_project(slide)
    assert proposed.path.parent == slide.parent
    assert "network drive" in proposed.reason


def test_recent_projects(tmp_path):
    recent = RecentProjects(tmp_path / "config")
    assert recent.paths() == []
    first, second = project(tmp_path / "1.pathloop"), project(tmp_path / "2.pathloop")
    recent.add(first, tmp_path / "a.svs")
    recent.add(second)
    recent.add(first)
    assert recent.paths() == [first, second]
    assert recent.last_slide(first) == tmp_path / "a.svs"
    assert recent.last_slide(second) is None
    (second / "project.db").unlink()
    import shutil

    shutil.rmtree(second)
    assert recent.paths() == [first]


@pytest.mark.parametrize("text", ["", "{", "[1, {}]", '{"a": 1}', '[{"project": 3}]'])
def test_a_damaged_list_counts_as_empty(tmp_path, text):
    (tmp_path / "recent.json").write_text(text)
    recent = RecentProjects(tmp_path)
    assert recent.paths() == []
    recent.add(project(tmp_path / "1.pathloop"))
    assert json.loads((tmp_path / "recent.json").read_text())[0]["project"] == str(tmp_path / "1.pathloop")


def test_a_list_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    RecentProjects(tmp_path / "file").add(project(tmp_path / "1.pathloop"))


def test_config_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path))
    assert config_folder() == tmp_path
    monkeypatch.delenv("PATHLOOP_CONFIG")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_folder() == tmp_path / "xdg" / "pathloop"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    assert config_folder() == tmp_path / "roaming" / "pathloop"
    monkeypatch.setattr("sys.platform", "darwin")
    assert config_folder().parts[-3:] == ("Library", "Application Support", "pathloop")
