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
from pathloop.loop.correct import accept_region, add_regions, set_flag
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
