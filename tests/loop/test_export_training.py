"""Reviewed regions out of a project: as training sets of every flavour, and as OME-Zarr."""

import csv
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import zarr

sys.path.insert(0, str(Path(__file__).parents[1] / "gui" / "correcting"))

from correcting_kit import TASKS, fill_project, read_truth

from pathloop.core import ProjectError, Rect, UsageError
from pathloop.interchange.training import TRAINING_FLAVOURS
from pathloop.loop import ExportRequest, export
from pathloop.loop.correct import accept_region, add_regions, delete_objects, set_flag, verify_regions
from pathloop.slides import open_slide
from pathloop.store import Project, Region
from pathloop.synth import write_slide

PLACE, HELD = Rect(20, 30, 300, 280), Rect(330, 0, 250, 250)


def finished(request):
    *_, last = export(request)
    return last.summary["files"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    write_slide(folder / "drawn.tif", (600, 500), seed=3, truth_dir=folder / "truth")
    return folder


@pytest.fixture
def reviewed(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    slide = tmp_path / "drawn.tif"
    path = tmp_path / "p.pathloop"
    labels = {task: read_truth(tmp_path / "truth", "drawn", task) for task in TASKS}
    slide_id = fill_project(path, slide, labels)
    return path, slide_id, labels, slide


def review(path, slide_id):
    with Project.open(path, write=True) as project:
        _, (region, held) = add_regions(
            project,
            slide_id,
            [
                Region(0, slide_id, PLACE, states=dict.fromkeys(TASKS, "todo")),
                Region(0, slide_id, HELD, holdout=True, states=dict.fromkeys(TASKS, "todo")),
            ],
        )
        accept_region(project, region.id, ["nuclei", "gland"])
        accept_region(project, held.id)
    return region.id


def test_nothing_that_is_done_is_said(reviewed, tmp_path):
    path, *_ = reviewed
    with pytest.raises(ProjectError, match="no region is done"):
        finished(ExportRequest(path, "training", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_native_set_holds_done_tasks_of_regions_that_train(reviewed, tmp_path):
    path, slide_id, labels, slide = reviewed
    number = review(path, slide_id)
    doubtful = int(labels["nuclei"][PLACE.slices].max())
    with Project.open(path, write=True) as project:
        set_flag(project, slide_id, "nuclei", doubtful, "apoptotic?")
    out = tmp_path / "out"
    finished(ExportRequest(path, "training", out))
    name = f"{slide_id}_region{number}"
    assert [one.name for one in (out / "images").iterdir()] == [f"{name}.png"]
    with open_slide(slide) as opened:
        assert np.array_equal(cv2.imread(str(out / "images" / f"{name}.png"))[..., ::-1], opened.read(PLACE))
    assert not (out / "lumen").exists()
    written = cv2.imread(str(out / "nuclei" / "instances" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    truth = labels["nuclei"][PLACE.slices]
    with (out / "nuclei" / "objects" / f"{name}.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(np.unique(truth)) - 1
    # the same pixels, ids renumbered one to one
    pairs = np.unique(np.stack([written.ravel(), truth.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(truth)) == len(np.unique(written))
    use = cv2.imread(str(out / "nuclei" / "review" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(use == 0, truth == doubtful)
    manifest = json.loads((out / "manifest.json").read_text())
    [region] = manifest["regions"]
    assert region["provenance"]["rect"] == [PLACE.y, PLACE.x, PLACE.height, PLACE.width]
    assert region["provenance"]["models"] == ["drawn"]
    assert region["provenance"]["who"]


@pytest.mark.parametrize("flavour", TRAINING_FLAVOURS)
def test_every_flavour_is_written_and_names_the_patient(reviewed, tmp_path, flavour):
    path, slide_id, *_ = reviewed
    review(path, slide_id)
    patients = tmp_path / "patients.csv"
    patients.write_text(f"slide,patient\n{slide_id},P7\n")
    out = tmp_path / flavour
    files = finished(ExportRequest(path, "training", out, flavour=flavour, patients=patients))
    assert {"manifest.json", "splits.csv", "README.md"} <= set(files)
    assert all((out / name).is_file() for name in files)
    with (out / "splits.csv").open() as stream:
        assert {row["group"] for row in csv.DictReader(stream)} == {"P7"}


def test_a_wrong_table_of_patients_is_refused(reviewed, tmp_path):
    path, slide_id, *_ = reviewed
    review(path, slide_id)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="slide and patient"):
        finished(ExportRequest(path, "training", tmp_path / "out", patients=wrong))


def test_labels_as_ome_zarr(reviewed, tmp_path):
    path, slide_id, labels, _ = reviewed
    roi = Rect(100, 50, 300, 200)
    finished(ExportRequest(path, "labels-zarr", tmp_path / "out", roi=roi))
    found = zarr.open_group(tmp_path / "out" / f"{slide_id}.ome.zarr", mode="r")
    for task in TASKS:
        assert np.array_equal(found[f"labels/{task}/0"][:], labels[task][roi.slices])
        assert found[f"labels/{task}"].attrs["ome"]["version"] == "0.5"


def test_the_final_set_is_everything_once_it_is_verified(reviewed, tmp_path):
    path, slide_id, *_ = reviewed
    out, number = tmp_path / "final", review(path, slide_id)
    request = ExportRequest(path, "training", out, final=True)
    with pytest.raises(ProjectError, match=rf"region {number} of slide '{slide_id}' is not ready: lumen to do"):
        finished(request)
    with Project.open(path, write=True) as project:
        accept_region(project, number)
    with pytest.raises(ProjectError, match="nobody has verified regions 1, 2"):
        finished(request)
    with Project.open(path, write=True) as project:
        verify_regions(project, slide_id, by="Dr. Beck", who="me")
        last = next(reversed(list(project.journal()))).number
    finished(request)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["about"]["verified_by"] == ["Dr. Beck"]
    assert (manifest["about"]["journal"], manifest["about"]["final"]) == (last, True)
    assert "me" in manifest["about"]["people"]
    rows = {row["provenance"]["region"]: row for row in manifest["regions"]}
    assert [rows[number]["provenance"]["held_out"] for number in (1, 2)] == [False, True]
    assert all(
        row["provenance"]["verified_by"] == "Dr. Beck" and row["provenance"]["verified_at"] for row in rows.values()
    )
    before = (out / "manifest.json").read_bytes()
    finished(request)
    assert (out / "manifest.json").read_bytes() == before
    with Project.open(path, write=True) as project:
        delete_objects(project, slide_id, "nuclei", [int(project.objects(slide_id, "nuclei", area=PLACE).ids[0])])
    with pytest.raises(ProjectError, match="nobody has verified region 1 as it is now"):
        finished(request)
    assert (out / "manifest.json").read_bytes() == before
    with pytest.raises(UsageError, match="--final is for --format training and the whole project"):
        finished(ExportRequest(path, "training", out, final=True, slide_id=slide_id))


def test_patients_that_only_measured_are_the_final_test_set(drawn, tmp_path):
    slides = [tmp_path / f"{name}.tif" for name in "abc"]
    path = tmp_path / "p.pathloop"
    for number, slide in enumerate(slides):
        shutil.copy(drawn / "drawn.tif", slide)
        with slide.open("ab") as stream:
            stream.write(bytes(number + 1))
        labels = {task: read_truth(drawn / "truth", "drawn", task) for task in TASKS}
        slide_id = fill_project(path, slide, labels)
        with Project.open(path, write=True) as project:
            states = dict.fromkeys(TASKS, "todo")
            regions = [Region(0, slide_id, PLACE, states=states, holdout=number > 0)]
            regions += [Region(0, slide_id, HELD, states=states, holdout=number == 1)]
            for region in add_regions(project, slide_id, regions)[1]:
                accept_region(project, region.id)
            if number:
                verify_regions(project, slide_id)
    with pytest.raises(ProjectError, match="nobody has verified regions 1, 2"):
        finished(ExportRequest(path, "training", tmp_path / "final", final=True))
    with Project.open(path, write=True) as project:
        verify_regions(project, "a")
    finished(ExportRequest(path, "training", tmp_path / "final", final=True))
    with (tmp_path / "final" / "splits.csv").open() as stream:
        splits = {row["group"]: row["split"] for row in csv.DictReader(stream)}
    # b measured only; a never did, c did in one of its regions: both are dealt
    assert splits == {"a": "train", "b": "test", "c": "train"}
