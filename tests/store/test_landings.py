"""A run's landing is one entry of the journal: taken back and done again whole, whatever is killed on the way."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from drawn_objects import WHOLE, assert_consistent, fill, measure, run_key, squares

from pathloop.core import Rect
from pathloop.loop.correct import delete_objects, redo, set_objects, undo
from pathloop.store import Project


def seen(project: Project, tasks: tuple[str, ...] = ("nuclei", "gland")) -> dict[str, object]:
    """Labels, rows and runs, as plain values."""
    found: dict[str, object] = {}
    for task in tasks:
        labels = project.read_labels("s", task, WHOLE)
        numbers = np.unique(labels[labels > 0]).tolist()
        found[task] = (labels.tobytes(), project.object_rows("s", task, numbers))
        assert sorted(project.objects("s", task).ids.tolist()) == numbers
        found[f"areas of {task}"] = project.areas("s", task)
        if project.has_labels("s", task):
            assert_consistent(project, task)
    found["runs"] = [(run.run_key, run.state, run.areas, run.finished) for run in project.runs("s")]
    return found


def land(project: Project, key: str, area: Rect = WHOLE, **corners: list[tuple[int, int]]) -> None:
    """A run of several tasks, as `pathloop.loop.land` puts it in."""
    parameters = {"model": "drawn", "model_version": "3"}
    project.begin_run("s", run_key(key), parameters, tasks=list(corners))
    for task, found in corners.items():
        with project.replace_predicted("s", task, run_key=run_key(key), area=area) as replacement:
            labels = squares(found, first_id=replacement.first_id)
            replacement.write(area, labels[area.slices])
            replacement.commit(measure(labels))
    project.finish_run("s", run_key(key), remove_folder=True)


def copies(project: Project) -> set[str]:
    journal = project.path / "slides" / "s" / "journal"
    return {one.relative_to(journal).as_posix() for one in journal.glob("*/*")}


def test_all_tasks_of_a_run_are_one_entry_that_can_be_undone(project: Project) -> None:
    empty = seen(project)
    land(project, "a", nuclei=[(10, 10), (700, 700)], gland=[(500, 500)])
    [entry] = project.journal("s")
    assert (entry.kind, entry.tool, entry.summary) == ("run", "segment", "drawn 3: 2 nuclei, 1 gland")
    assert entry.models == ("drawn",)
    assert sorted(project.journal_areas(entry.number)) == [("gland", WHOLE), ("nuclei", WHOLE)]
    assert project.journal_change(entry.number).is_empty
    after = seen(project)
    done = undo(project, "s")
    assert done is not None
    assert (done.entry.kind, done.entry.target, done.change.is_empty) == ("undo", entry.number, True)
    assert sorted(project.journal_areas(done.entry.number)) == [("gland", WHOLE), ("nuclei", WHOLE)]
    assert project.tasks("s") == []
    assert {**seen(project), "runs": []} == empty
    assert [(run.state, run.areas, run.finished) for run in project.runs("s")] == [("replaced", {}, None)]
    assert undo(project, "s") is None
    assert redo(project, "s") is not None
    assert seen(project) == after
    assert redo(project, "s") is None


def test_the_first_landing_keeps_next_to_nothing(project: Project) -> None:
    land(project, "a", nuclei=[(100 * y, 100 * x) for y in range(14) for x in range(12)])
    assert [one for one in (project.path / "slides" / "s" / "journal").rglob("*") if one.is_file()] == []


@pytest.mark.slow
def test_undoing_a_later_run_gives_back_rows_states_and_flags_of_runs(project: Project) -> None:
    land(project, "a", nuclei=[(10, 10), (700, 700), (900, 900)], gland=[(500, 500)])
    set_objects(project, "s", "nuclei", [2], state="accepted", who="me")
    first = seen(project)
    land(project, "b", Rect(0, 0, 800, 800), nuclei=[(15, 15), (400, 400)])
    second = seen(project)
    assert [run.state for run in project.runs("s")] == ["replaced", "finished"]
    land(project, "c", nuclei=[(100, 100)], gland=[])
    third = seen(project)
    assert [run.state for run in project.runs("s")] == ["replaced", "replaced", "finished"]
    undo(project, "s")
    assert {**seen(project), "runs": second["runs"]} == second
    assert [run.state for run in project.runs("s")] == ["replaced", "finished", "replaced"]
    undo(project, "s")
    assert {**seen(project), "runs": first["runs"]} == first
    assert [run.state for run in project.runs("s")] == ["finished", "replaced", "replaced"]
    redo(project, "s")
    redo(project, "s")
    assert seen(project) == third


def test_a_run_that_was_undone_can_be_run_again(project: Project) -> None:
    land(project, "a", nuclei=[(10, 10)], gland=[(500, 500)])
    undo(project, "s")
    record = project.begin_run("s", run_key("a"), {"model": "drawn"}, tasks=["nuclei", "gland"])
    assert (record.state, record.areas, record.first_ids) == ("running", {}, {"nuclei": 2, "gland": 2})
    land(project, "a", nuclei=[(10, 10)], gland=[(500, 500)])
    assert [(run.state, set(run.areas)) for run in project.runs("s")] == [("finished", {"nuclei", "gland"})]
    assert project.objects("s", "nuclei").ids.tolist() == [2]
    assert [entry.kind for entry in project.journal("s")] == ["run", "undo", "run"]
    # what was undone is given up, with its chunks
    assert redo(project, "s") is None
    assert sorted(one.partition("/")[2] for one in copies(project)) == ["before", "before"]
    seen(project)


def test_an_edit_gives_up_what_was_undone(project: Project) -> None:
    land(project, "a", nuclei=[(10, 10)])
    land(project, "b", nuclei=[(20, 20)])
    assert copies(project) == {"nuclei-1/before", "nuclei-2/before"}
    undo(project, "s")
    assert copies(project) == {"nuclei-1/before", "nuclei-2/after"}
    set_objects(project, "s", "nuclei", [1], locked=True)
    assert copies(project) == {"nuclei-1/before"}
    assert redo(project, "s") is None
    undo(project, "s")
    undo(project, "s")
    assert project.tasks("s") == []


def test_what_was_done_between_two_tasks_parts_a_run(project: Project) -> None:
    fill(project, [(10, 10)])
    parameters = {"model": "drawn"}
    project.begin_run("s", run_key("b"), parameters, tasks=["nuclei", "gland"])
    fill(project, [(20, 20)], key="b")
    set_objects(project, "s", "nuclei", [2], state="accepted")
    fill(project, [(20, 20)], key="b", task="gland")
    assert [entry.summary for entry in project.journal("s")] == [
        "a: 1 nucleus",
        "drawn: 1 nucleus",
        "nucleus 2 accepted",
        "drawn: 1 gland",
    ]
    for _ in range(4):
        assert undo(project, "s") is not None
        seen(project)
    assert project.tasks("s") == []


def test_copies_that_are_gone_are_told(project: Project) -> None:
    land(project, "a", nuclei=[(10, 10)])
    land(project, "b", nuclei=[(20, 20)])
    before = seen(project)
    for one in sorted((project.path / "slides" / "s" / "journal" / "nuclei-2").rglob("*"), reverse=True):
        one.rmdir() if one.is_dir() else one.unlink()
    with pytest.raises(Exception, match=r"what is needed to undo 'drawn 3: 1 nucleus' is gone"):
        undo(project, "s")
    assert seen(project) == before


def test_undo_finds_the_objects_as_they_landed(project: Project) -> None:
    land(project, "a", nuclei=[(10, 10), (700, 700)])
    land(project, "b", nuclei=[(20, 20), (710, 710)])
    before = seen(project)
    set_objects(project, "s", "nuclei", [3], state="accepted")
    delete_objects(project, "s", "nuclei", [4])
    for _ in range(2):
        undo(project, "s")
    assert seen(project) == before
    for _ in range(2):
        redo(project, "s")
    assert project.object_states("s", "nuclei").states.tolist() == [2]


STEPPED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    import pathloop.store._landings as module
    from pathloop.store import Project

    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    def then_die(function, times=1):
        count = [0]
        def call(*args, **kwargs):
            found = function(*args, **kwargs)
            count[0] += 1
            return die() if count[0] == times else found
        return call

    project = Project.open(Path({path!r}), write=True)
    moment = {moment!r}
    if moment == "never":
        pass
    elif moment == "committed":
        module.shutil.rmtree = die
    else:
        name, times = moment.split()
        setattr(module, name, then_die(getattr(module, name), int(times)))
    getattr(project, {step!r})("s")
    die()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(
    ("step", "moment", "is_done"),
    [
        ("undo", "save_chunks 1", False),
        ("undo", "save_chunks 2", False),
        ("undo", "mark_pending 1", False),
        ("undo", "restore_chunks 1", False),
        ("undo", "_swap_rows 1", False),
        ("undo", "add_entry 1", False),
        ("undo", "committed", True),
        ("redo", "restore_chunks 2", False),
        ("redo", "add_entry 1", False),
        ("redo", "never", True),
    ],
)
def test_after_a_kill_a_step_is_done_or_not(project: Project, step: str, moment: str, is_done: bool) -> None:
    land(project, "a", nuclei=[(10, 10), (700, 700)], gland=[(500, 500)])
    with_one = seen(project)
    land(project, "b", nuclei=[(20, 20)], gland=[(500, 520), (1200, 100)])
    with_two = seen(project)
    if step == "redo":
        undo(project, "s")
    old, new = (with_two, with_one) if step == "undo" else (with_one, with_two)
    project.close()
    root = str(Path(__file__).parent)
    code = textwrap.dedent(STEPPED).format(root=root, path=str(project.path), moment=moment, step=step)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with Project.open(project.path, write=True) as again:
        wanted = new if is_done else old
        assert {**seen(again), "runs": 0} == {**wanted, "runs": 0}
        side = "before" if (step == "undo") != is_done else "after"
        assert copies(again) == {"nuclei-1/before", "gland-1/before", f"nuclei-2/{side}", f"gland-2/{side}"}
        # and it goes on
        if not is_done:
            getattr(again, step)("s")
        assert {**seen(again), "runs": 0} == {**new, "runs": 0}
        (undo if step == "redo" else redo)(again, "s")
        assert {**seen(again), "runs": 0} == {**old, "runs": 0}
