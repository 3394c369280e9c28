"""Opening, locking, slides, runs, classes and maps of a project."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from drawn_objects import WHOLE, add_slide, fill, run_key

from pathloop.core import ClassSpec, DataError, ProjectError, ProjectLockedError, UsageError
from pathloop.store import Project, TissueMap, UncertaintyMap, slide_stem
from pathloop.store._database import on_network_drive
from pathloop.store._schema import migrate


def test_create_and_open_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.pathloop"
    with Project.create(path) as project:
        assert project.is_writer
        assert project.slides() == []
        uuid = project.uuid
    assert not [entry for entry in path.parent.iterdir() if entry != path]
    with Project.open_or_create(path) as again:
        assert again.uuid == uuid
    with pytest.raises(ProjectError, match="exists already"):
        Project.create(path)
    (tmp_path / "empty").mkdir()
    with Project.open_or_create(tmp_path / "empty") as other:
        assert other.uuid != uuid
        assert other.object_uuid("s", "nuclei", 1) == other.object_uuid("s", "nuclei", 1)


def test_what_is_no_project_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no such project folder"):
        Project.open(tmp_path / "none", write=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("a")
    for opened in (
        lambda: Project.open(tmp_path / "photos", write=True),
        lambda: Project.open_or_create(tmp_path / "photos"),
    ):
        with pytest.raises(ProjectError, match="not a pathloop project"):
            opened()
    assert [entry.name for entry in (tmp_path / "photos").iterdir()] == ["a.txt"]
    with contextlib.closing(sqlite3.connect(tmp_path / "photos" / "project.db")) as other:
        other.execute("CREATE TABLE cats (name)")
    with pytest.raises(ProjectError, match="no pathloop database"):
        Project.open(tmp_path / "photos", write=False)


def test_a_damaged_database_is_named(project: Project) -> None:
    project.close()
    (project.path / "project.db").write_bytes(b"not a database at all" * 1000)
    for write in (False, True):
        with pytest.raises(ProjectError, match=r"project\.db: damaged"):
            Project.open(project.path, write=write)


def test_a_newer_version_is_refused(project: Project) -> None:
    project.close()
    with contextlib.closing(sqlite3.connect(project.path / "project.db")) as other:
        other.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        other.commit()
    with pytest.raises(ProjectError, match="newer pathloop"):
        Project.open(project.path, write=False)


def test_migrations_run_in_order_and_all_or_nothing() -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as old:
        old.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        old.execute("INSERT INTO meta VALUES ('schema_version', '1')")
        steps = {
            3: ("INSERT INTO a VALUES (3)",),
            2: ("CREATE TABLE a (b)", "INSERT INTO a VALUES (2)"),
            1: ("no SQL",),
        }
        assert migrate(old, 1, steps) == 3
        assert old.execute("SELECT b FROM a").fetchall() == [(2,), (3,)]
        with pytest.raises(sqlite3.OperationalError):
            migrate(old, 3, {4: ("DROP TABLE a",), 5: ("no SQL",)})
        assert old.execute("SELECT value FROM meta").fetchall() == [("3",)]
        assert old.execute("SELECT count(*) FROM a").fetchall() == [(2,)]


def test_a_killed_create_leaves_no_project(tmp_path: Path) -> None:
    path = tmp_path / "p.pathloop"
    code = f"""
import os, signal
from pathlib import Path
import pathloop.store._folder as folder
folder.sqlite3.connect = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
folder.make_folder(Path({str(path)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert not path.exists()
    with Project.open_or_create(path) as project:
        assert project.slides() == []


HOLD = """
import sys, time
from pathlib import Path
from pathloop.store import Project
sys.argv = ["/usr/bin/pathloop", "segment", "Jane_Doe.svs"]
with Project.open(Path({path!r}), write=True) as project:
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_writer_many_readers_and_a_dead_writer_does_not_block(project: Project) -> None:
    fill(project, [(10, 10)])
    project.close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(path=str(project.path))], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(
            ProjectLockedError, match=rf"written by pathloop segment \(process {holder.pid} on "
        ) as caught:
            Project.open(project.path, write=True)
        assert "Doe" not in str(caught.value)
        with Project.open(project.path, write=False) as reader:
            assert len(reader.objects("s", "nuclei")) == 1
        holder.kill()
    with Project.open(project.path, write=True) as again:
        assert len(again.objects("s", "nuclei")) == 1
        with pytest.raises(ProjectLockedError, match=f"process {os.getpid()}"):
            Project.open(project.path, write=True)
    Project.open(project.path, write=True).close()


def test_a_reader_changes_nothing(project: Project) -> None:
    fill(project, [(10, 10)])
    project.close()
    with Project.open(project.path, write=False) as reader:
        assert not reader.is_writer
        for change in (
            lambda: add_slide(reader, Path("t.tif"), fingerprint="g"),
            lambda: reader.begin_run("s", run_key("b"), {}, tasks=["nuclei"]),
            lambda: reader.finish_run("s", run_key("a")),
            lambda: reader.replace_predicted("s", "nuclei", run_key=run_key("a"), area=WHOLE),
            lambda: reader.register_classes("nuclei", [ClassSpec(name="a", color=(0, 0, 0))]),
        ):
            with pytest.raises(ProjectError, match="for reading only"):
                change()
        with pytest.raises(ValueError, match="read-only"):
            reader.labels("s", "nuclei").levels[0][0, 0] = 1


@pytest.fixture
def ordinary_user(tmp_path: Path) -> Iterator[None]:
    """Root may write everywhere: be nobody for a while."""
    if sys.platform == "win32" or (os.geteuid() == 0 and not hasattr(os, "setresuid")):
        pytest.skip("needs POSIX permissions")
    if os.geteuid() != 0:
        yield
        return
    # however deep pytest's own folders are, nobody must get through them
    modes = {folder: folder.stat().st_mode for folder in [tmp_path, *tmp_path.parents]}
    closed = {folder: mode for folder, mode in modes.items() if mode & 0o005 != 0o005}
    for folder, mode in closed.items():
        folder.chmod(mode | 0o055)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        for folder, mode in closed.items():
            folder.chmod(mode)


@pytest.fixture
def read_only_project(project: Project) -> Iterator[Path]:
    """A project of one object in a folder without write permission."""
    fill(project, [(10, 10)])
    project.close()
    files = [project.path, *project.path.rglob("*")]
    for file in files:
        file.chmod(0o555 if file.is_dir() else 0o444)
    yield project.path
    for file in files:
        file.chmod(0o755 if file.is_dir() else 0o644)


def test_a_folder_that_we_may_not_write_can_be_read(
    read_only_project: Path, ordinary_user: None, tmp_path: Path
) -> None:
    with Project.open(read_only_project, write=False) as reader:
        assert len(reader.objects("s", "nuclei")) == 1
        assert reader.labels("s", "nuclei").read(WHOLE).max() == 1
    with pytest.raises(ProjectError, match=r"p\.pathloop: cannot be written \(Permission denied\)"):
        Project.open(read_only_project, write=True)
    with pytest.raises(ProjectError, match="cannot make a project here"):
        Project.create(read_only_project / "q.pathloop")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.svs", "a"),
        ("a.b.ndpi", "a.b"),
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("a.ome.zarr", "a"),
        ("a.tif.ome.tif", "a.tif"),
        (".tif", "tif"),
        ("what?.svs", "what_"),
        ("...", "slide"),
    ],
)
def test_slide_ids_are_stems(name: str, stem: str) -> None:
    assert slide_stem(Path(name)) == stem


def test_equal_stems_get_numbers_and_moved_files_are_found(project: Project, tmp_path: Path) -> None:
    assert add_slide(project, tmp_path / "S.svs", fingerprint="g") == "S-2"
    assert add_slide(project, tmp_path / "b" / "s.ome.tif", fingerprint="h") == "s-3"
    assert add_slide(project, tmp_path / "S.svs", fingerprint="g") == "S-2"
    assert add_slide(project, tmp_path / "moved" / "renamed.svs", fingerprint="g") == "S-2"
    assert project.slide("S-2").path == tmp_path / "moved" / "renamed.svs"
    assert [slide.slide_id for slide in project.slides()] == ["s", "S-2", "s-3"]
    with pytest.raises(ProjectError, match="has no slide 'x'; its slides: s, S-2, s-3"):
        project.slide("x")


def test_another_file_at_a_known_path_is_refused(project: Project, tmp_path: Path) -> None:
    add_slide(project, tmp_path / "t.svs", fingerprint="g")
    with pytest.raises(ProjectError, match=r"t\.svs: not the file that the project knows as slide 't'"):
        add_slide(project, tmp_path / "t.svs", fingerprint="other")
    assert project.slide("t").fingerprint == "g"


def test_the_scale_is_fixed_by_the_first_objects(project: Project) -> None:
    add_slide(project, um_per_px=0.25)
    assert project.slide("s").scale.um_per_px == pytest.approx(0.25)
    fill(project, [(10, 10)])
    with pytest.raises(ProjectError, match=r"segmented at 0\.25 um per px, not 0\.5; give 0\.25 again"):
        add_slide(project, um_per_px=0.5)
    with pytest.raises(UsageError, match="um per px"):
        add_slide(project, Path("t.tif"), fingerprint="g", um_per_px=352.8)
    assert [slide.slide_id for slide in project.slides()] == ["s"]


def test_runs_resume_finish_and_are_replaced(project: Project) -> None:
    key = run_key("a")
    first = project.begin_run("s", key, {"tile": 1024}, tasks=["nuclei", "gland"])
    assert first.state == "running"
    assert first.first_ids == {"nuclei": 1, "gland": 1}
    assert first.folder.name == "s-aaaaaaaaaaaa"
    assert first.folder.is_dir()
    assert project.begin_run("s", key, {"tile": 1024}, tasks=["nuclei", "gland"]) == first
    fill(project, [(10, 10)])
    done = project.finish_run("s", key, remove_folder=True)
    assert (done.state, done.parameters, done.areas) == ("finished", {"tile": 1024}, {"nuclei": WHOLE})
    assert not done.folder.exists()
    fill(project, [(20, 20)], key="b")
    assert [run.state for run in project.runs("s")] == ["replaced", "finished"]
    anew = project.begin_run("s", key, {"tile": 1024}, tasks=["nuclei"])
    assert (anew.state, anew.first_ids, anew.areas) == ("running", {"nuclei": 3, "gland": 1}, {})
    assert project.areas("s", "nuclei") == [WHOLE, WHOLE]
    assert fill(project, [(30, 30)]).ids.tolist() == [3]
    assert [run.state for run in project.runs("s")] == ["finished", "replaced"]
    with pytest.raises(ProjectError, match="no run cccccccccccc"):
        project.run("s", run_key("c"))
    with pytest.raises(UsageError, match="run key"):
        project.begin_run("s", "../..", {}, tasks=["nuclei"])
    with pytest.raises(UsageError, match="task's name"):
        project.begin_run("s", run_key("d"), {}, tasks=["../nuclei"])
    assert len(project.runs("s")) == 2


def test_class_codes_mean_the_same_for_every_model(project: Project) -> None:
    a, b, c = (ClassSpec(name=name, color=(1, 2, 3)) for name in ("a", "b", "c"))
    assert project.register_classes("nuclei", [a, b]).tolist() == [0, 1, 2]
    assert project.register_classes("nuclei", [c, b]).tolist() == [0, 3, 2]
    assert project.register_classes("gland", [c]).tolist() == [0, 1]
    assert project.classes("nuclei") == (a, b, c)


def test_nothing_segmented_yet(project: Project) -> None:
    assert len(project.objects("s", "nuclei")) == project.counts("s", "nuclei").total == 0
    assert len(project.object_states("s", "nuclei").ids) == 0
    assert project.tasks("s") == project.areas("s", "nuclei") == project.pending("s") == []
    assert project.tissue("s") is project.uncertainty("s") is None
    with pytest.raises(ProjectError, match="has no 'nuclei' yet"):
        project.labels("s", "nuclei")


def test_maps_come_back_as_they_went_in(project: Project, rng: np.random.Generator) -> None:
    codes = rng.integers(0, 3, (7, 9), dtype=np.uint8)
    for turn in range(2):
        tissue = TissueMap(
            codes, ("tumour", "stroma"), ((1, 2, 3), (4, 5, 6)), (253.3, 254.0), (0.0, 0.0), run_key(str(turn))
        )
        project.write_tissue("s", tissue)
        loaded = project.tissue("s")
        assert loaded is not None
        np.testing.assert_array_equal(loaded.codes, codes)
        assert (loaded.class_names, loaded.class_colors) == (tissue.class_names, tissue.class_colors)
        assert (loaded.cell_px, loaded.origin_px, loaded.run_key) == (tissue.cell_px, tissue.origin_px, tissue.run_key)
    project.write_uncertainty("s", UncertaintyMap(codes, "entropy", (64.5, 64.5), (0.0, 0.0), run_key("a")))
    uncertainty = project.uncertainty("s")
    assert uncertainty is not None
    np.testing.assert_array_equal(uncertainty.values, codes)
    assert uncertainty.measure == "entropy"
    with pytest.raises(UsageError, match=r"0 \.\. 1"):
        project.write_tissue("s", TissueMap(codes, ("tumour",), ((1, 2, 3),), (1.0, 1.0), (0.0, 0.0), ""))
    (project.path / "slides" / "s" / "tissue.zarr" / "zarr.json").write_text("{")
    with pytest.raises(DataError, match="damaged map"):
        project.tissue("s")


def test_local_drives_are_told_from_shared_ones(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = namedtuple("drive", "mountpoint fstype opts")
    drives = [drive("/", "ext4", "rw"), drive(str(tmp_path / "share"), "nfs4", "rw")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: drives)
    assert on_network_drive(tmp_path / "share" / "p.pathloop")
    assert not on_network_drive(tmp_path / "p.pathloop")
    project.close()
    with Project.create(tmp_path / "share" / "p.pathloop") as shared:
        add_slide(shared)
        assert len(fill(shared, [(10, 10)])) == 1
        with Project.open(shared.path, write=False) as reader:
            assert len(reader.objects("s", "nuclei")) == 1
            fill(shared, [(20, 10), (30, 50)], key="b")
            assert len(reader.objects("s", "nuclei")) == 2
        with contextlib.closing(sqlite3.connect(shared.path / "project.db")) as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
