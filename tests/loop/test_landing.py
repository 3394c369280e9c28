"""Assembled in one process, landed in another: what the project then holds is what ``segment`` puts there."""

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from drawn_slides import DrawnEngine, drawn_model, drawn_request, run, write_blobs
from project_views import (
    OBJECT_TASKS,
    all_labels,
    assert_same,
    assert_same_objects,
    assert_table,
    opened,
    snapshot,
)
from recorded_runs import begun, planned

from pathloop.core import DataError, Message, Rect, Scale, StageProgress
from pathloop.loop import (
    ExportRequest,
    Preview,
    PreviewWriter,
    assemble,
    export,
    is_segmented,
    land,
    run_parameters,
    unfinished_runs,
)
from pathloop.loop.correct import redo, set_objects, undo
from pathloop.predict import TileFolder
from pathloop.store import Project

pytestmark = pytest.mark.slow

ROI = Rect(40, 30, 230, 310)


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """An empty project; its copies share the uuid that names their objects."""
    path = tmp_path_factory.mktemp("empty") / "p"
    Project.create(path).close()
    return path


def assembled(path, slide, model, **options):
    """Key of an assembled run, and its result folder."""
    with begun(path, slide, model, **options) as (job, tiles):
        for _ in assemble(job, tiles, tiles.folder):
            pass
        return job.run_key, tiles.folder / "result"


def landed(path, key, result, slide_id="blobs"):
    with opened(path, write=True) as project:
        return list(land(project, slide_id, key, result))


def exports(path, folder):
    found = {}
    for name in ("labels-tiff", "geojson", "csv"):
        for _ in export(ExportRequest(path, name, folder / name, with_tissue=name == "geojson")):
            pass
        found |= {file.name: file.read_bytes() for file in (folder / name).iterdir()}
    return found


def files_of(folder):
    return {one: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.mark.parametrize(
    ("shape", "scale", "roi", "tasks"),
    [
        ((330, 410), Scale(0.5, 0.5), None, None),
        ((330, 410), Scale(0.5, 0.5), ROI, None),
        ((700, 640), Scale(0.263, 0.31), Rect(111, 90, 501, 433), None),
        ((330, 410), Scale(0.5, 0.5), ROI, ("lumen",)),
        ((330, 410), Scale(0.5, 0.5), None, ("tissue",)),
    ],
    ids=str,
)
def test_exports_are_those_of_the_command_line(tmp_path, empty, model, shape, scale, roi, tasks):
    slide = write_blobs(tmp_path / "blobs.tif", shape, um_per_px=scale)
    one, other = shutil.copytree(empty, tmp_path / "one"), shutil.copytree(empty, tmp_path / "other")
    run(drawn_request(slide, one, model, roi=roi, tasks=tasks))
    landed(other, *assembled(other, slide, model, roi=roi, tasks=tasks))
    assert_same(snapshot(other), {**snapshot(one), ("blobs", "runs"): runs_of(other)})
    if tasks != ("tissue",):
        assert exports(one, tmp_path / "a") == exports(other, tmp_path / "b")
    assert not list((other / "runs").iterdir())
    # and the command line sees that nothing is left to do
    events = run(drawn_request(slide, other, model, roi=roi, tasks=tasks))
    assert isinstance(events[0], Message)
    assert "already segmented" in events[0].text


def runs_of(path):
    return snapshot(path)["blobs", "runs"]


def test_a_typed_model_and_objects_from_before(tmp_path, empty, slide, model, typed_model):
    one, other = shutil.copytree(empty, tmp_path / "one"), shutil.copytree(empty, tmp_path / "other")
    for path in (one, other):
        run(drawn_request(slide, path, model, roi=Rect(0, 0, 200, 200)))
    run(drawn_request(slide, one, typed_model, roi=ROI))
    landed(other, *assembled(other, slide, typed_model, roi=ROI))
    assert_same_objects(other, one)
    assert exports(one, tmp_path / "a") == exports(other, tmp_path / "b")
    with opened(other) as project:
        assert [record.name for record in project.classes("nuclei")] == ["nuclei", "epithelial", "other"]


def test_assembling_writes_into_the_run_folder_only(tmp_path, slide, model):
    path = tmp_path / "p"
    Project.create(path).close()
    with begun(path, slide, model) as (job, tiles):
        before = files_of(tmp_path)
        stages = list(assemble(job, tiles, tiles.folder))
        after = files_of(tmp_path)
        result = tiles.folder / "result"
        assert {name: after[name] for name in before} == before
        assert {name for name in after if result not in name.parents} == set(before)
        assert all(isinstance(stage, StageProgress) for stage in stages)
        assert [stage.stage for stage in stages if stage.stage.startswith("joining")] == [
            f"joining {task}" for task in OBJECT_TASKS
        ]
        # a whole result stays
        assert list(assemble(job, tiles, tiles.folder)) == []
        assert files_of(tmp_path) == after
        with opened(path) as project:
            assert project.tasks("blobs") == []


def test_landing_needs_no_slide(tmp_path, segmented, slide, model):
    own = shutil.copy(slide, tmp_path / "blobs.tif")
    path = tmp_path / "p"
    Project.create(path).close()
    key, result = assembled(path, own, model)
    own.unlink()
    shutil.rmtree(path / "models", ignore_errors=True)
    stages = landed(path, key, result)
    assert {stage.stage for stage in stages} == {f"writing {task}" for task in OBJECT_TASKS}
    assert_same_objects(path, segmented[0])


def test_assembling_goes_on_after_a_stop_anywhere(tmp_path, segmented, slide, model):
    path = tmp_path / "p"
    Project.create(path).close()
    with begun(path, slide, model) as (job, tiles):
        total = 6
        for stop in range(1, total + 1):
            events = assemble(job, tiles, tiles.folder)
            for _ in range(stop):
                next(events, None)
            events.close()
        for _ in assemble(job, tiles, tiles.folder):
            pass
    landed(path, job.run_key, tiles.folder / "result")
    assert_same_objects(path, segmented[0])


def test_landing_goes_on_after_a_stop_anywhere(tmp_path, segmented, slide, model):
    path = tmp_path / "p"
    Project.create(path).close()
    key, result = assembled(path, slide, model)
    for stop in range(1, 20):
        with opened(path, write=True) as project:
            events = land(project, "blobs", key, result)
            found = [next(events, None) for _ in range(stop)]
            events.close()
        if found[-1] is None:
            break
    assert_same_objects(path, segmented[0])
    # once more changes nothing
    before = snapshot(path)
    assert landed(path, key, result) == []
    assert_same(snapshot(path), before)


LANDING = """
import os, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "openvino", "qtpy", "napari"):
            raise AssertionError(name + " is imported")
sys.meta_path.insert(0, Refuse())

from pathloop.loop import land
from pathloop.store import Project

path, key, result, stop = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
if stop == "maps":
    Project.write_uncertainty = lambda *_: os._exit(9)
if stop == "marked":
    unlink = Path.unlink
    Path.unlink = lambda path, **words: os._exit(9) if path.name == "result.json" else unlink(path, **words)
if stop == "removing":
    remove = Project.finish_run
    Project.finish_run = lambda *words, **options: os._exit(9) if options else remove(*words)
with Project.open(path, write=True) as project:
    for number, _ in enumerate(land(project, "blobs", key, result)):
        if str(number) == stop:
            os._exit(9)
"""


@pytest.mark.parametrize("stop", ["0", "1", "2", "maps", "marked", "removing", "never"])
def test_landing_goes_on_after_a_kill(tmp_path, segmented, slide, model, stop):
    path = tmp_path / "p"
    Project.create(path).close()
    key, result = assembled(path, slide, model)
    words = [sys.executable, "-W", "error", "-c", LANDING, str(path), key, str(result), stop]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0 if stop == "never" else 9, "")
    landed(path, key, result)
    assert_same_objects(path, segmented[0])
    with opened(path) as project:
        assert [one.state for one in project.runs("blobs")] == ["finished"]
    assert not list((path / "runs").iterdir())


def execute(path, sql):
    """What another program does to the rows."""
    with contextlib.closing(sqlite3.connect(path / "project.db")) as database, database:
        database.execute(sql)


@pytest.mark.parametrize("change", [{"state": "edited"}, {"state": "accepted"}, {"locked": True}], ids=str)
def test_reviewed_objects_stay_when_another_run_lands(tmp_path, segmented, slide, model, change):
    path = shutil.copytree(segmented[0], tmp_path / "p")
    key, result = assembled(path, slide, drawn_model(tmp_path / "other", um_per_px=0.7))
    with opened(path, write=True) as project:
        set_objects(project, "blobs", "gland", [2], **change)
        row = project.object_row("blobs", "gland", 2)
    before = all_labels(path)
    landed(path, key, result)
    after = all_labels(path)
    assert ((after["gland"] == 2) == (before["gland"] == 2)).all()
    with opened(path) as project:
        assert project.object_row("blobs", "gland", 2) == row
        ids = {task: project.objects("blobs", task).ids for task in OBJECT_TASKS}
        assert ids["gland"][:2].tolist() == [2, len(np.unique(before["gland"]))]
        for task in OBJECT_TASKS:
            assert_table(project.objects("blobs", task), after[task])
        assert [one.state for one in project.runs("blobs")] == ["replaced", "finished"]


@pytest.mark.parametrize("how", ["through the project", "by another program"])
def test_an_object_reviewed_while_its_task_lands_is_kept(tmp_path, segmented, slide, model, how):
    path = shutil.copytree(segmented[0], tmp_path / "p")
    key, result = assembled(path, slide, drawn_model(tmp_path / "other", um_per_px=0.7))
    before = all_labels(path)
    with opened(path, write=True) as project:
        events = land(project, "blobs", key, result)
        assert next(events).stage == "writing nuclei"
        if how == "by another program":
            execute(path, "UPDATE objects SET state = 'accepted' WHERE id = 3")
        else:
            set_objects(project, "blobs", "nuclei", [3], state="accepted")
        assert {one.stage for one in events} == {f"writing {task}" for task in OBJECT_TASKS}
        assert project.object_row("blobs", "nuclei", 3).state == "accepted"
    after = all_labels(path)
    assert ((after["nuclei"] == 3) == (before["nuclei"] == 3)).all()
    assert (after["nuclei"] != before["nuclei"]).any()


def test_a_landing_is_one_entry_that_can_be_undone_and_run_again(tmp_path, empty, segmented, slide, model):
    path = shutil.copytree(empty, tmp_path / "p")
    key, result = assembled(path, slide, model)
    landed(path, key, result)
    with opened(path, write=True) as project, planned(slide, model, tmp_path) as (job, _, _):
        [entry] = project.journal("blobs")
        n = {task: project.counts("blobs", task).total for task in OBJECT_TASKS}
        words = f"{job.card.name} {job.card.version}: {n['nuclei']} nuclei, {n['gland']} glands, {n['lumen']} lumina"
        assert (entry.kind, entry.tool, entry.summary) == ("run", "segment", words)
        assert is_segmented(project, "blobs", key, run_parameters(job))
        undo(project, "blobs")
        assert project.tasks("blobs") == []
        assert not is_segmented(project, "blobs", key, run_parameters(job))
        assert unfinished_runs(project, "blobs") == []
        redo(project, "blobs")
        assert is_segmented(project, "blobs", key, run_parameters(job))
        undo(project, "blobs")
    run(drawn_request(slide, path, model))
    with opened(path) as project:
        assert {task: project.counts("blobs", task).total for task in OBJECT_TASKS} == n
        assert [entry.kind for entry in project.journal("blobs")] == ["run", "undo", "redo", "undo", "run"]
    for task, ids in all_labels(path).items():
        assert ((ids > 0) == (all_labels(segmented[0])[task] > 0)).all()


def test_the_preview_of_another_run_stays(tmp_path, segmented, slide, model):
    path = tmp_path / "p"
    Project.create(path).close()
    other = drawn_model(tmp_path / "other", um_per_px=0.7)
    with begun(path, slide, other) as (job, tiles):
        PreviewWriter(tiles.folder, job, tiles)
        unfinished = tiles.folder
        before = files_of(unfinished)
    with begun(path, slide, model, roi=ROI) as (job, tiles):
        assert PreviewWriter(tiles.folder, job, tiles).preview.slot == 1
        for _ in assemble(job, tiles, tiles.folder):
            pass
    landed(path, job.run_key, tiles.folder / "result")
    assert Preview.open(tiles.folder) is None
    assert files_of(unfinished) == before
    preview = Preview.open(unfinished)
    assert preview.slot == 0
    assert preview.done() == TileFolder(unfinished).done()
    assert preview.pyramid("nuclei").read(ROI).any()
    # and that run finishes in turn
    n = DrawnEngine.tiles_run
    with begun(path, slide, other) as (job, tiles):
        assert n == DrawnEngine.tiles_run
        for _ in assemble(job, tiles, tiles.folder):
            pass
    landed(path, job.run_key, tiles.folder / "result")
    with opened(path) as project:
        assert [one.state for one in project.runs("blobs")] == ["finished", "replaced"]


def test_what_cannot_land_says_so(tmp_path, slide, model):
    path = tmp_path / "p"
    Project.create(path).close()
    key, result = assembled(path, slide, model, roi=ROI)
    with begun(path, slide, model) as (job, tiles):
        with pytest.raises(DataError, match=r"result\.json: no such file"):
            landed(path, job.run_key, tiles.folder / "result")
        with pytest.raises(DataError, match="the result of another run"):
            landed(path, job.run_key, result)
    mark = result / "result.json"
    whole = mark.read_text()
    for text, message in (
        ("{}", "damaged result"),
        ("x", "not readable"),
        (whole.replace('"version": 1', '"version": 9'), "newer pathloop"),
    ):
        mark.write_text(text)
        with pytest.raises(DataError, match=message):
            landed(path, key, result)
    mark.write_text(whole)
    table = (result / "gland.npz").read_bytes()
    (result / "gland.npz").write_bytes(table[:100])
    with pytest.raises(DataError, match=r"gland\.npz: damaged"):
        landed(path, key, result)
    with opened(path) as project:
        assert not project.pending("blobs")
        assert not all_labels(path).get("gland", 0)


def test_a_finished_run_is_told(tmp_path, segmented, slide, model):
    with planned(slide, model, tmp_path) as (job, _, _), opened(segmented[0]) as project:
        assert is_segmented(project, "blobs", job.run_key, run_parameters(job))
    with planned(slide, model, tmp_path, roi=ROI) as (job, _, _), opened(segmented[0]) as project:
        assert not is_segmented(project, "blobs", job.run_key, run_parameters(job))
