"""The journal: nothing half done, nothing lost, whatever ends the process or fills the drive."""

import contextlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_objects import SHAPE, WHOLE, add_slide, assert_consistent, fill, measure, run_key
from journal_replay import replay

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.loop.correct import (
    accept_region,
    add_regions,
    delete_objects,
    paint,
    redo,
    review_regions,
    set_cells,
    set_flag,
    undo,
    verify_regions,
)
from pathloop.store import (
    CellChange,
    Change,
    Flag,
    FlagChange,
    ObjectChange,
    ObjectRow,
    PixelChange,
    Project,
    Region,
    RegionChange,
    TissueCell,
)

BOX = Rect(100, 100, 30, 40)


def square(project: Project, rect: Rect, number: int, task: str = "nuclei") -> PixelChange:
    before = project.read_labels("s", task, rect)
    return PixelChange(task, rect, before, np.full_like(before, number))


def draw(project: Project, rect: Rect = BOX, number: int = 1, task: str = "nuclei") -> None:
    assert paint(project, "s", [square(project, rect, number, task)], tool="brush", who="me") is not None


def row_of(rect: Rect) -> ObjectRow:
    middle = (rect.y + (rect.height - 1) / 2, rect.x + (rect.width - 1) / 2)
    return ObjectRow((rect.y, rect.x, rect.bottom, rect.right), middle, rect.area, state="edited")


def test_an_entry_tells_who_did_what_with_what_and_to_whose_predictions(project: Project) -> None:
    fill(project, [(110, 110)])
    draw(project, number=2)
    run, entry = project.journal("s")
    assert (entry.number, entry.slide_id, entry.kind, entry.tool) == (run.number + 1, "s", "edit", "brush")
    assert (entry.who, entry.models, entry.summary) == ("me", ("a",), "nucleus 2 drawn, nucleus 1 deleted")
    assert entry.at.endswith("+00:00")
    assert list(project.journal("s")) == list(project.journal())
    change = project.journal_change(entry.number)
    assert [(one.id, one.after is None) for one in change.objects] == [(1, True), (2, False)]
    assert project.journal_areas(entry.number) == [("nuclei", BOX)]
    undo(project, "s", who="you")
    last = list(project.journal("s"))[-1]
    assert (last.kind, last.target, last.who, last.summary) == ("undo", entry.number, "you", entry.summary)
    back = project.journal_change(last.number)
    assert [(one.id, one.before is None) for one in back.objects] == [(2, False), (1, True)]
    np.testing.assert_array_equal(back.pixels[0].after, change.pixels[0].before)
    assert project.undoable("s") == run
    assert project.redoable("s") == entry


def test_the_name_in_the_journal_can_be_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHLOOP_USER", " Dr. A ")
    paint(project, "s", [square(project, BOX, 1)], tool="brush")
    assert [entry.who for entry in project.journal()] == ["Dr. A"]


def test_slides_are_undone_each_by_itself(project: Project) -> None:
    other = add_slide(project, Path("t.tif"), fingerprint="g")
    draw(project)
    before = project.read_labels(other, "nuclei", BOX)
    paint(project, other, [PixelChange("nuclei", BOX, before, np.full_like(before, 1))], tool="brush")
    assert undo(project, "s") is not None
    assert undo(project, "s") is None
    assert project.read_labels(other, "nuclei", BOX).all()


def test_undo_goes_on_after_reopening(project: Project) -> None:
    for number in (1, 2, 3):
        draw(project, BOX.shift(0, 60 * number), number)
    undo(project, "s")
    project.close()
    with Project.open(project.path, write=True) as again:
        assert redo(again, "s") is not None
        for left in (2, 1, 0):
            undo(again, "s")
            assert len(again.objects("s", "nuclei")) == left
            assert_consistent(again)


def stale(project: Project) -> Change:
    patch = square(project, BOX, 1)
    draw(project, number=2)
    return Change(pixels=(patch,), objects=(ObjectChange("nuclei", 1, None, row_of(BOX)),))


def stale_row(project: Project) -> Change:
    draw(project)
    return Change(objects=(ObjectChange("nuclei", 1, replace(row_of(BOX), class_code=7), row_of(BOX)),))


def stale_flag(project: Project) -> Change:
    draw(project)
    set_flag(project, "s", "nuclei", 1, "now?")
    return Change(flags=(FlagChange("nuclei", 1, Flag("nuclei", 1, "then?"), None),))


def stale_cell(project: Project) -> Change:
    project.set_tissue_grid("s", (100.0, 100.0), (0.0, 0.0))
    return Change(cells=(CellChange(0, 0, TissueCell("tumour"), None),))


def stale_region(project: Project) -> Change:
    _, (region,) = add_regions(project, "s", [Region(0, "s", BOX)])
    return Change(regions=(RegionChange(region.id, replace(region, assigned="me"), None),))


@pytest.mark.parametrize("what", [stale, stale_row, stale_flag, stale_cell, stale_region])
def test_what_was_changed_meanwhile_is_refused(project: Project, what: object) -> None:
    change = what(project)  # type: ignore[operator]
    before = list(project.journal())
    with pytest.raises(ProjectError, match=r"changed (by something else )?meanwhile"):
        project.commit("s", change, tool="brush", summary="late")
    assert list(project.journal()) == before
    if project.tasks("s"):
        assert_consistent(project)


def rowless(project: Project) -> Change:
    return Change(pixels=(square(project, BOX, 5),))


def row_left_behind(project: Project) -> Change:
    draw(project)
    return Change(pixels=(square(project, BOX, 0),))


def outside(project: Project) -> Change:
    patch = PixelChange("nuclei", Rect(SHAPE[0] - 1, 0, 2, 2), np.zeros((2, 2), np.int32), np.ones((2, 2), np.int32))
    return Change(pixels=(patch,))


def twice(project: Project) -> Change:
    return Change(pixels=(square(project, BOX, 5), square(project, BOX.shift(10, 10), 6)))


def provisional(project: Project) -> Change:
    return Change(pixels=(square(project, BOX, 2**30),), objects=(ObjectChange("nuclei", 2**30, None, row_of(BOX)),))


def other_slide(project: Project) -> Change:
    return Change(regions=(RegionChange(1, None, Region(1, "t", BOX)),))


def another_holdout(project: Project) -> Change:
    _, (region,) = add_regions(project, "s", [Region(0, "s", BOX)])
    return Change(regions=(RegionChange(region.id, region, replace(region, holdout=True)),))


def no_grid(project: Project) -> Change:
    return Change(cells=(CellChange(0, 0, None, TissueCell("tumour")),))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (rowless, "pixels of nucleus 5 change, but not its row"),
        (row_left_behind, "pixels of nucleus 1 change, but not its row"),
        (outside, "reaches beyond slide 's'"),
        (twice, "two patches of nuclei"),
        (provisional, "ids of edited objects must lie in"),
        (other_slide, "lies on slide 't'"),
        (another_holdout, "never changes"),
        (no_grid, "no grid"),
        (lambda project: Change(), "nothing to write down"),
        (lambda project: Change(pixels=(square(project, BOX, 0),)), "nothing to write down"),
    ],
)
def test_what_does_not_fit_is_refused(project: Project, what: object, message: str) -> None:
    change = what(project)  # type: ignore[operator]
    before = list(project.journal())
    with pytest.raises(UsageError, match=message):
        project.commit("s", change, tool="brush", summary="wrong")
    assert list(project.journal()) == before
    with pytest.raises(UsageError, match="no kind of entry: 'run'"):
        project.commit("s", change, tool="brush", summary="wrong", kind="run")


def test_readers_see_what_is_committed_and_change_nothing(project: Project) -> None:
    fill(project, [(500, 500)])
    draw(project, number=2)
    with Project.open(project.path, write=False) as reader:
        assert list(reader.journal()) == list(project.journal())
        assert reader.read_labels("s", "nuclei", BOX).all()
        project.applies_at_once = False
        draw(project, BOX.shift(100, 0), 3)
        assert reader.read_labels("s", "nuclei", BOX.shift(100, 0)).all()
        assert not reader.open_labels("s", "nuclei").read(BOX.shift(100, 0)).any()
        assert reader.undoable("s") == project.undoable("s")
        for change in (
            lambda: draw(reader, BOX.shift(200, 0), 4),
            lambda: undo(reader, "s"),
            lambda: redo(reader, "s"),
            lambda: reader.apply_journal(),
            lambda: reader.set_tissue_grid("s", (1.0, 1.0), (0.0, 0.0)),
            lambda: reader.class_code("nuclei", "new"),
        ):
            with pytest.raises(ProjectError, match="for reading only"):
                change()


def test_labels_drawn_where_no_run_was_are_a_layer_like_any_other(project: Project) -> None:
    assert not project.has_labels("s", "gland")
    draw(project, task="gland")
    assert project.tasks("s") == ["gland"]
    assert project.areas("s", "gland") == []
    assert_consistent(project, "gland")
    with pytest.raises(ProjectError, match=r"give 0\.5 again"):
        add_slide(project, um_per_px=0.25)


# ends of the process

KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    import numpy as np
    import pathloop.store._pixels as pixels
    import pathloop.store._corrections as corrections
    from pathloop.core import Rect
    from pathloop.loop.correct import paint, undo
    from pathloop.store import PixelChange, Project

    def die(*args):
        os.kill(os.getpid(), signal.SIGKILL)

    def then_die(function, times):
        count = [0]
        def call(*args, **kwargs):
            found = function(*args, **kwargs)
            count[0] += 1
            return die() if count[0] == times else found
        return call

    project = Project.open(Path({path!r}), write=True)
    project.applies_at_once = {at_once!r}
    if {times!r}:
        pixels._write_level = then_die(pixels._write_level, {times!r})
    rect = Rect(500, 480, 60, 60)
    before = project.read_labels("s", "nuclei", rect)
    paint(project, "s", [PixelChange("nuclei", rect, before, np.full_like(before, 9))], tool="brush")
    die()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(("at_once", "times"), [(False, 0), (True, 1), (True, 2), (True, 0)])
@pytest.mark.slow
def test_a_kill_between_journal_and_pyramid_is_made_good(project: Project, at_once: bool, times: int) -> None:
    fill(project, [(495, 495), (900, 900)])
    project.close()
    root = str(Path(__file__).parent)
    code = textwrap.dedent(KILLED).format(root=root, path=str(project.path), at_once=at_once, times=times)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    shutil.copytree(project.path, project.path.with_name("other"))
    for write, path in ((True, project.path), (False, project.path.with_name("other"))):
        with Project.open(path, write=write) as again:
            assert again.objects("s", "nuclei").ids.tolist() == [1, 2, 9]
            assert again.open_labels("s", "nuclei").read(Rect(500, 480, 60, 60)).min() == 9
            assert_consistent(again)


SESSION = """
    import sys, zlib
    from pathlib import Path
    sys.path.insert(0, {root!r})
    import numpy as np
    from drawn_objects import WHOLE, fill
    from pathloop.core import Rect
    from pathloop.loop.correct import delete_objects, paint, redo, set_objects, undo
    from pathloop.store import PixelChange, Project

    random = np.random.default_rng({seed})
    with Project.open(Path({path!r}), write=True) as project:
        print("ready", flush=True)
        for n in range(10_000):
            project.applies_at_once = bool(random.random() < 0.5)
            ids = project.objects("s", "nuclei").ids.tolist()
            what = random.choice(["paint", "paint", "paint", "delete", "accept", "undo", "redo", "apply", "run"])
            if what == "paint":
                rect = Rect(*random.integers(0, 1000, 2).tolist(), *random.integers(1, 200, 2).tolist())
                number = int(random.choice([0, project.next_free_id("s", "nuclei"), *ids[:3]]))
                before = project.read_labels("s", "nuclei", rect)
                paint(project, "s", [PixelChange("nuclei", rect, before, np.full_like(before, number))], tool="brush")
            elif what == "delete":
                delete_objects(project, "s", "nuclei", ids[:2])
            elif what == "accept":
                set_objects(project, "s", "nuclei", ids[-2:], state="accepted")
            elif what in ("undo", "redo"):
                {{"undo": undo, "redo": redo}}[what](project, "s")
            elif what == "apply":
                project.apply_journal()
            elif {has_runs} and random.random() < 0.3:
                corners = random.integers(0, 1200, (5, 2)).tolist()
                fill(project, [(100 * (y // 100), 100 * (x // 100)) for y, x in corners], key=str(n).rjust(3, "k"))
            labels = project.read_labels("s", "nuclei", WHOLE)
            last = max((entry.number for entry in project.journal("s")), default=0)
            print(last, zlib.crc32(labels.tobytes()), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(("seed", "has_runs"), [(1, False), (2, True), (3, True)])
def test_a_session_that_is_killed_at_any_moment_loses_nothing(project: Project, seed: int, has_runs: bool) -> None:
    project.close()
    root, random = str(Path(__file__).parent), np.random.default_rng(seed)
    code = textwrap.dedent(SESSION).format(root=root, path=str(project.path), seed=seed, has_runs=has_runs)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "ready\n"
        time.sleep(float(random.uniform(1.5, 4)))
        session.send_signal(signal.SIGKILL)
        told = dict(line.split() for line in session.stdout.read().splitlines() if line.count(" ") == 1)
    with Project.open(project.path, write=True) as again:
        numbers = [entry.number for entry in again.journal("s")]
        assert told
        # only the step in progress may be there without having been told
        assert 0 <= len([number for number in numbers if number > max(map(int, told))]) <= 1
        if again.has_labels("s", "nuclei"):
            assert_consistent(again)
        labels = again.read_labels("s", "nuclei", WHOLE)
        if str(numbers[-1]) in told:
            assert zlib_crc(labels) == int(told[str(numbers[-1])])
        if not has_runs:
            np.testing.assert_array_equal(labels, replay(project.path, "s", "nuclei", SHAPE))
        while undo(again, "s"):
            pass
        assert len(again.objects("s", "nuclei")) == 0
        assert_consistent(again)


def zlib_crc(labels: np.ndarray) -> int:  # type: ignore[type-arg]
    import zlib

    return zlib.crc32(labels.tobytes())


@pytest.mark.parametrize("write", [True, False])
def test_pixels_that_a_power_cut_took_are_written_again(project: Project, write: bool) -> None:
    """The system had not written the chunk files yet: they are as they were before the edits."""
    fill(project, [(500, 500), (900, 900)])
    labels = project.path / "slides" / "s" / "labels.zarr"
    shutil.copytree(labels, project.path.with_name("labels"))
    draw(project, BOX, 3)
    delete_objects(project, "s", "nuclei", [1])
    undo(project, "s")
    draw(project, BOX.shift(10, 10), 4)
    assert_consistent(project)
    project.close()
    shutil.rmtree(labels)
    shutil.copytree(project.path.with_name("labels"), labels)
    with contextlib.closing(sqlite3.connect(project.path / "project.db")) as database, database:
        database.execute("UPDATE meta SET value = '1.0' WHERE key = 'booted'")
    with Project.open(project.path, write=write) as again:
        assert again.objects("s", "nuclei").ids.tolist() == [1, 2, 3, 4]
        assert_consistent(again)


def test_edits_from_before_a_run_are_not_written_over_it(project: Project) -> None:
    draw(project, BOX, 1)
    delete_objects(project, "s", "nuclei", [1])
    fill(project, [(100, 100)])
    undo(project, "s")
    undo(project, "s")
    assert_consistent(project)
    for step in (redo, redo):
        step(project, "s")
        project.close()
        with contextlib.closing(sqlite3.connect(project.path / "project.db")) as database, database:
            database.execute("UPDATE meta SET value = '1.0' WHERE key = 'booted'")
        project = Project.open(project.path, write=True)
        assert_consistent(project)
    project.close()


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be moved")
def test_a_folder_that_vanished_is_told_and_nothing_is_lost(project: Project) -> None:
    fill(project, [(500, 500)])
    patch = square(project, BOX, 2)
    project.path.rename(project.path.with_name("elsewhere"))
    with pytest.raises(ProjectError, match="no such project folder any more; put it back"):
        paint(project, "s", [patch], tool="brush")
    assert not project.path.exists()
    project.path.with_name("elsewhere").rename(project.path)
    assert paint(project, "s", [patch], tool="brush") is not None
    assert_consistent(project)


# full drives


@contextlib.contextmanager
def small_files(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond some bytes: what a full drive does to whoever writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
def test_a_full_drive_refuses_an_edit_and_takes_it_later(project: Project) -> None:
    fill(project, [(500, 500)])
    before = list(project.journal())
    patch = square(project, BOX, 2)
    with small_files(1000), pytest.raises(ProjectError, match="check that the drive is there, writable and not full"):
        paint(project, "s", [patch], tool="brush")
    assert list(project.journal()) == before
    assert_consistent(project)
    assert paint(project, "s", [patch], tool="brush") is not None
    with small_files(1000), pytest.raises(ProjectError, match="not full"):
        undo(project, "s")
    assert project.object_row("s", "nuclei", 2) is not None
    assert undo(project, "s") is not None
    assert_consistent(project)


@pytest.fixture
def noisy(project: Project) -> Project:
    """A project whose chunks are larger files than what an edit adds to the database."""
    noise = np.random.default_rng(0).integers(1, 60_000, (512, 512), dtype=np.int32)
    labels = np.zeros(SHAPE, np.int32)
    labels[:512, :512] = noise
    project.begin_run("s", run_key("a"), {"model": "noise"}, tasks=["nuclei"])
    with project.replace_predicted("s", "nuclei", run_key=run_key("a"), area=WHOLE) as replacement:
        replacement.write(WHOLE, labels)
        replacement.commit(measure(labels))
    project.finish_run("s", run_key("a"))
    project.close()
    with contextlib.closing(sqlite3.connect(project.path / "project.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Project.open(project.path, write=True)


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
@pytest.mark.slow
def test_pixels_that_do_not_fit_the_drive_follow_later(noisy: Project) -> None:
    rect = Rect(600, 100, 30, 40)
    draw(noisy, Rect(540, 600, 4, 4), 100_000)
    number = int(noisy.read_labels("s", "nuclei", Rect(5, 5, 1, 1))[0, 0])
    row = noisy.object_row("s", "nuclei", number)
    assert row is not None
    with small_files(400_000):
        # in the journal, so it counts
        assert delete_objects(noisy, "s", "nuclei", [number]) is not None
        assert not (noisy.read_labels("s", "nuclei", Rect(0, 0, 512, 512)) == number).any()
        with pytest.raises(ProjectError, match=r"nuclei: cannot be written \(File too large\); check that the drive"):
            noisy.labels("s", "nuclei")
        # and so does what comes after it
        draw(noisy, rect, 100_001)
    assert (noisy.open_labels("s", "nuclei").read(Rect(0, 0, 512, 512)) == number).any()
    assert_consistent(noisy)
    assert not (noisy.open_labels("s", "nuclei").read(Rect(0, 0, 512, 512)) == number).any()
    noisy.close()


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
@pytest.mark.slow
def test_a_run_that_does_not_fit_the_drive_is_neither_landed_nor_undone_by_half(noisy: Project) -> None:
    before = noisy.objects("s", "nuclei").ids
    noisy.begin_run("s", run_key("b"), {}, tasks=["nuclei"])
    with (
        small_files(400_000),
        pytest.raises(ProjectError, match=r"cannot be written \(File too large\)"),
        noisy.replace_predicted("s", "nuclei", run_key=run_key("b"), area=WHOLE),
    ):
        pass
    with small_files(400_000), pytest.raises(ProjectError, match=r"cannot be written \(File too large\)"):
        undo(noisy, "s")
    np.testing.assert_array_equal(noisy.objects("s", "nuclei").ids, before)
    assert noisy.pending("s") == []
    assert_consistent(noisy)
    assert undo(noisy, "s") is not None
    assert noisy.tasks("s") == []
    assert redo(noisy, "s") is not None
    assert_consistent(noisy)
    noisy.close()


# older projects


def test_a_project_of_format_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """It was killed while its second run came in; the first run's objects are to be there."""
    path = tmp_path / "old.pathloop"
    with zipfile.ZipFile(Path(__file__).with_name("version1.zip")) as packed:
        packed.extractall(path)
    with pytest.raises(ProjectError, match="older format 1; open it once for writing"):
        Project.open(path, write=False)
    with Project.open(path, write=True) as project:
        assert project.objects("s", "nuclei").ids.tolist() == [1, 2, 3]
        assert project.objects("s", "gland").ids.tolist() == [1, 2]
        assert [spec.name for spec in project.classes("nuclei")] == ["epithelial", "other"]
        assert project.pending("s") == []
        assert_consistent(project)
        assert_consistent(project, "gland")
        assert not (path / "slides" / "s" / "before" / "nuclei").exists()
        assert project.undoable("s") is None
        # and everything new works on it
        draw(project, BOX, 4)
        set_flag(project, "s", "nuclei", 2, "what?")
        set_cells(project, "s", {(1, 1): "stroma"})
        _, (region,) = add_regions(project, "s", [Region(0, "s", WHOLE, states={"nuclei": "todo", "tissue": "todo"})])
        accept_region(project, region.id)
        fill(project, [(40, 40)], key="c")
        assert [entry.kind for entry in project.journal()] == ["edit"] * 5 + ["run"]
        while undo(project, "s"):
            assert_consistent(project)
        assert project.objects("s", "nuclei").ids.tolist() == [1, 2, 3]
    with Project.open(path, write=False) as reader:
        assert len(list(reader.journal())) == 12


def test_a_project_of_format_2_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its last step was an undo; regions of it were written before anybody could vouch for them."""
    path = tmp_path / "two.pathloop"
    with zipfile.ZipFile(Path(__file__).with_name("version2.zip")) as packed:
        packed.extractall(path)
    with pytest.raises(ProjectError, match="older format 2; open it once for writing"):
        Project.open(path, write=False)
    with Project.open(path, write=True) as project:
        assert [region.verified_by for region in project.regions()] == ["", ""]
        assert [region.state for region in project.regions()] == ["done", "todo"]
        assert_consistent(project)
        assert redo(project, "s") is not None
        assert [region.state for region in project.regions()] == ["done", "done"]
        set_flag(project, "s", "nuclei", 2, None)
        verify_regions(project, "s", by="me")
        assert [one.verified_by for one in review_regions(project)] == ["me", "me"]
        while undo(project, "s"):
            assert_consistent(project)
        assert project.regions() == []
