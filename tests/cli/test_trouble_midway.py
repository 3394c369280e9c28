"""A full disk, a slide that vanishes, a folder that becomes read-only: one clear line, and the same command goes on."""

import shutil

import pytest
from command_runs import SMALL, call, files_of

from pathloop.predict._tile_folder import TileFolder
from pathloop.slides import Slide

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(slide, empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    project = shutil.copytree(empty, folder / "p")
    assert call("segment", slide, "-o", project, *SMALL) == 0
    return exported(project, folder)


def exported(project, folder):
    for name in ("labels-tiff", "csv"):
        assert call("export", project, "--format", name, "-o", folder / name) == 0
    return files_of(folder / "labels-tiff") | files_of(folder / "csv")


def fails(capfd, *words):
    code = call(*words)
    (line,) = (one for one in capfd.readouterr().err.splitlines() if one.startswith("pathloop: "))
    assert code == 1
    assert "Traceback" not in line
    return line


def third_call(monkeypatch, owner, name, error):
    """Replace a method: the third call fails, and every later one."""
    whole, calls = getattr(owner, name), []

    def broken(*arguments, **options):
        calls.append(name)
        if len(calls) >= 3:
            raise error
        return whole(*arguments, **options)

    monkeypatch.setattr(owner, name, broken)


def goes_on(slide, project, folder, monkeypatch):
    before = {path.name for path in project.glob("runs/*/tile_*.npz")}
    assert len(before) == 2
    monkeypatch.undo()
    assert call("segment", slide, "-o", project, *SMALL) == 0
    return exported(project, folder)


def test_a_full_disk(slide, empty, undisturbed, tmp_path, monkeypatch, capfd):
    project = shutil.copytree(empty, tmp_path / "p")
    third_call(monkeypatch, TileFolder, "save", OSError(28, "No space left on device", str(project)))
    line = fails(capfd, "segment", slide, "-o", project, *SMALL)
    assert line == f"pathloop: no space left at {project}; free some, then run the same command again"
    assert goes_on(slide, project, tmp_path, monkeypatch) == undisturbed


def test_a_slide_that_cannot_be_read_any_more(slide, empty, undisturbed, tmp_path, monkeypatch, capfd):
    """A network drive that goes away in the middle of a run."""
    project = shutil.copytree(empty, tmp_path / "p")
    calls = []
    whole = Slide._tile

    def gone(self, level, row, column):
        calls.append((level, row, column))
        if len(list(project.glob("runs/*/tile_*.npz"))) >= 2:
            raise OSError(5, "Input/output error", str(slide))
        return whole(self, level, row, column)

    monkeypatch.setattr(Slide, "_tile", gone)
    line = fails(capfd, "segment", slide, "-o", project, *SMALL)
    assert "Input/output error" in line
    assert str(slide) in line
    monkeypatch.undo()
    assert call("segment", slide, "-o", project, *SMALL) == 0
    assert exported(project, tmp_path) == undisturbed


def test_a_slide_file_that_is_gone_when_the_run_goes_on(slide, empty, undisturbed, tmp_path, monkeypatch, capfd):
    project = shutil.copytree(empty, tmp_path / "p")
    third_call(monkeypatch, TileFolder, "save", OSError(28, "No space left on device"))
    fails(capfd, "segment", slide, "-o", project, *SMALL)
    away = slide.rename(tmp_path / "away.tif")
    try:
        assert "no such file" in fails(capfd, "segment", slide, "-o", project, *SMALL)
    finally:
        away.rename(slide)
    assert goes_on(slide, project, tmp_path, monkeypatch) == undisturbed


def test_a_folder_that_becomes_read_only(slide, empty, undisturbed, tmp_path, monkeypatch, capfd):
    project = shutil.copytree(empty, tmp_path / "p")
    third_call(monkeypatch, TileFolder, "save", PermissionError(30, "Read-only file system", str(project)))
    assert "Read-only file system" in fails(capfd, "segment", slide, "-o", project, *SMALL)
    assert goes_on(slide, project, tmp_path, monkeypatch) == undisturbed
