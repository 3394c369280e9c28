"""``pathloop import`` as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command_runs import call

from pathloop.core import Rect
from pathloop.loop.correct import paint
from pathloop.store import PixelChange, Project

SHAPE = (200, 300)
WHOLE = Rect(0, 0, *SHAPE)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with a project of three nuclei, drawn by hand, and its export."""
    monkeypatch.chdir(tmp_path)
    labels = np.zeros(SHAPE, np.int32)
    for number in (1, 2, 3):
        labels[20:40, 50 * number : 50 * number + 20] = number
    with Project.create(tmp_path / "case.pathloop") as project:
        add_slide(project, "a")
        project.class_code("nuclei", "tumour", (200, 0, 0))
        paint(project, "a", [PixelChange("nuclei", WHOLE, np.zeros_like(labels), labels)], tool="brush")
    assert call("export", "case.pathloop", "--format", "geojson", "-o", "out") == 0
    return tmp_path


def add_slide(project, name):
    project.add_slide(
        project.path.parent / f"{name}.tif",
        fingerprint=name,
        shape=SHAPE,
        um_per_px_y=0.5,
        um_per_px_x=0.5,
        reader="tiff",
    )


def features(study):
    return json.loads((study / "out" / "a.geojson").read_text())["features"]


def write(study, found):
    (study / "back.geojson").write_text(json.dumps(found))


def labels(study):
    with Project.open(study / "case.pathloop", write=False) as project:
        return project.labels("a", "nuclei").read(WHOLE)


def test_an_unchanged_file_says_so(study, capsys):
    capsys.readouterr()
    assert call("import", "case.pathloop", "out/a.geojson") == 0
    out, errors = capsys.readouterr()
    assert out == "nothing to do: all 3 outlines are as they are here\n"
    assert errors == ""


def test_changes_are_told_in_one_line_and_can_be_undone(study, capsys):
    before = labels(study)
    first, second, third = features(study)
    for place in first["geometry"]["coordinates"][0]:
        place[1] += 100
    second["properties"]["classification"] = {"name": "stroma", "color": [1, 2, 3]}
    drawn = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]]},
        "properties": {"objectType": "annotation", "classification": {"name": "tumour", "color": [1, 1, 1]}},
    }
    unknown = {**drawn, "properties": {"objectType": "annotation"}}
    region = {**drawn, "properties": {"isLocked": True}}
    write(study, [first, second, third, drawn, unknown, region])
    capsys.readouterr()
    assert call("import", "case.pathloop", "back.geojson") == 0
    out, errors = capsys.readouterr()
    assert out == (
        "1 outline changed, 1 new, 1 class, 1 region, 1 unchanged;"
        " undo with Ctrl+Z in napari, or Project.undo('a') in Python\n"
    )
    assert errors == (
        "warning: 1 outline left out, its class tells no task (no class 1); give --task nuclei, for example\n"
    )
    assert labels(study)[120:140, 50:70].min() == 1
    with Project.open(study / "case.pathloop", write=True) as project:
        project.undo("a")
    np.testing.assert_array_equal(labels(study), before)


def test_missing_objects(study, capsys):
    write(study, features(study)[:2])
    assert call("import", "case.pathloop", "back.geojson", "--delete-missing", "--roi", 0, 0, *SHAPE) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 deleted, 2 unchanged; undo")
    assert labels(study).max() == 2


def test_label_images(study, capsys):
    image = np.zeros(SHAPE, np.uint16)
    image[100:110, 100:110] = 9
    tifffile.imwrite("gland.tif", image)
    assert call("import", "case.pathloop", "gland.tif", "--task", "gland") == 0
    assert call("import", "case.pathloop", "gland.tif", "--task", "gland") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "1 gland of gland.tif in slide a",
        "nothing to do: these labels are in the project already",
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere.pathloop", "out/a.geojson"], 1, "no such project folder"),
        (["case.pathloop", "nowhere.geojson"], 1, "nowhere.geojson: no such file"),
        (["case.pathloop", "out/a.geojson", "--slide", "x"], 1, "has no slide 'x'; its slides: a"),
        (["case.pathloop", "out/a.geojson", "--task", "No Task"], 2, "'No Task' is no task of objects"),
        (["case.pathloop", "small.tif"], 2, "say what its objects are, for example with --task nuclei"),
        (["case.pathloop", "small.tif", "--task", "nuclei"], 1, "is 50 x 60 px, slide 'a' is 200 x 300 px here"),
        (["case.pathloop", "small.tif", "--delete-missing"], 2, "--delete-missing is for outlines"),
        (["case.pathloop", "out/a.geojson", "--roi", "0", "0", "9", "9"], 2, "together with --delete-missing"),
        (["case.pathloop"], 2, "required: FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_said_in_one_line(study, capsys, words, code, message):
    tifffile.imwrite("small.tif", np.ones((50, 60), np.uint16))
    capsys.readouterr()
    assert call("import", *words) == code
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("pathloop: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_a_project_of_several_slides_asks_which(study, capsys):
    with Project.open(study / "case.pathloop", write=True) as project:
        add_slide(project, "b")
    (study / "drawn.json").write_text(json.dumps([{**features(study)[0], "id": None}]))
    assert call("import", "case.pathloop", "drawn.json") == 2
    assert "which slide is it? give --slide with one of a, b" in capsys.readouterr().err
    assert call("import", "case.pathloop", "out/a.geojson") == 0


def test_help_teaches(capsys):
    assert call("import", "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: pathloop import")
    assert "--delete-missing the file counts as" in text
    assert "examples:" in text


@pytest.mark.parametrize("name", ["import_pathloop", "export_pathloop"])
def test_the_page_shows_the_scripts_as_they_are(name):
    docs = Path(__file__).parents[2] / "docs" / "how-to"
    script = (docs / "qupath" / f"{name}.groovy").read_text(encoding="utf-8")
    assert f"```groovy\n{script}```" in (docs / "qupath.md").read_text(encoding="utf-8")
