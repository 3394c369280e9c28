"""The tissue brush: strokes become entries, undo and runs respect what people said, exports show it."""

import json

import numpy as np
import pytest
import tifffile

from pathloop.gui.tissue import TissueBrush
from pathloop.loop import ExportRequest, export
from pathloop.slides import open_slide
from pathloop.store import Project, TissueMap


class View:
    def __init__(self):
        self.tissue = self.cells = None

    def show_tissue(self, **values):
        self.tissue = values

    def show_cells(self, text):
        self.cells = text


def add_slide(project, path):
    with open_slide(path) as slide:
        return project.add_slide(
            path.resolve(),
            fingerprint=slide.fingerprint,
            shape=slide.shape,
            um_per_px_y=slide.scale.y,
            um_per_px_x=slide.scale.x,
            reader=slide.format,
        ).slide_id


MAP = TissueMap(
    np.array([[1, 1, 2, 2], [1, 2, 2, 2], [1, 1, 1, 2], [1, 1, 1, 1], [0, 0, 1, 1]], np.uint8),
    ("stroma", "mucosa"),
    ((213, 94, 0), (0, 114, 178)),
    (128.0, 128.0),
    (0.0, 0.0),
    "run",
)


@pytest.fixture
def painted(session, small_slide):
    path = small_slide.with_suffix(".pathloop")
    with Project.create(path) as project:
        slide_id = add_slide(project, small_slide)
        project.write_tissue(slide_id, MAP)
    session.open_slide(small_slide)
    session.background.flush()
    view = View()
    brush = TissueBrush(session, view)
    brush.turn_on()
    return session, brush, view, path, slide_id


def stored(path, slide_id):
    with Project.open(path, write=False) as project:
        return project.tissue(slide_id)


def paint(brush, places, code):
    with brush.layer.block_history():
        for place in places:
            brush.layer.paint(place, code)


def test_a_stroke_is_one_entry_that_can_be_undone(painted):
    session, brush, view, path, slide_id = painted
    assert [spec.name for spec in view.tissue["classes"]] == ["stroma", "mucosa"]
    assert np.array_equal(brush.layer.data, MAP.codes)
    paint(brush, [(0, 0), (1, 0), (2, 0)], 2)
    assert stored(path, slide_id).codes[:3, 0].tolist() == [2, 2, 2]
    assert stored(path, slide_id).states[:4, 0].tolist() == [1, 1, 1, 0]
    assert view.cells == "3 cells edited, 0 accepted"
    with Project.open(path, write=False) as project:
        [entry] = list(project.journal(slide_id))
        assert (entry.tool, entry.summary) == ("tissue", "3 cells mucosa")
    session.journal.undo(session.current)
    assert np.array_equal(stored(path, slide_id).codes, MAP.codes)
    assert np.array_equal(brush.layer.data, MAP.codes)
    session.journal.redo(session.current)
    assert brush.layer.data[:3, 0].tolist() == [2, 2, 2]


def test_erasing_goes_back_to_the_model(painted):
    _, brush, _, path, slide_id = painted
    paint(brush, [(0, 0), (1, 0)], 2)
    paint(brush, [(0, 0)], 0)
    assert stored(path, slide_id).codes[:2, 0].tolist() == [1, 2]
    assert brush.layer.data[:2, 0].tolist() == [1, 2]


def test_new_classes_acceptance_and_a_later_run(painted, monkeypatch):
    session, brush, view, path, slide_id = painted
    brush.new_class("tumour")
    assert view.tissue["current"] == "tumour"
    paint(brush, [(4, 0)], brush.grid.code("tumour"))
    found = stored(path, slide_id)
    assert found.class_names[found.codes[4, 0] - 1] == "tumour"
    monkeypatch.setattr(session, "view_rect", lambda: brush._opened.slide.shape and _whole(brush))
    brush.accept_view()
    assert (stored(path, slide_id).states[MAP.codes > 0] == 2).all()

    def rerun(project):
        # a model with other cells and other classes
        codes = np.full((10, 8), 1, np.uint8)
        project.write_tissue(slide_id, TissueMap(codes, ("fat",), ((9, 9, 9),), (64.0, 64.0), (0.0, 0.0), "later"))

    session.projects.use(path, rerun)
    found = stored(path, slide_id)
    names = np.array(["", *found.class_names])[found.codes]
    assert names[4, 0] == "tumour"
    assert names[0, 0] == "stroma"
    assert set(names[found.states == 0]) == {"fat"}


def _whole(brush):
    from pathloop.core import Rect

    return Rect(0, 0, *brush._opened.slide.shape)


def test_exports_hold_what_people_said(painted, tmp_path):
    _, brush, _, path, slide_id = painted
    paint(brush, [(0, 0)], 2)
    for format_ in ("labels-tiff", "geojson"):
        for _ in export(ExportRequest(path, format_, tmp_path / "out", with_tissue=True)):
            pass
    image = tifffile.imread(tmp_path / "out" / f"{slide_id}_tissue.tif")
    assert (image[:128, :128] == 2).all()
    assert image[200, 10] == 1
    regions = json.loads((tmp_path / "out" / f"{slide_id}_tissue.geojson").read_text())["features"]
    assert {one["properties"]["classification"]["name"] for one in regions} == {"stroma", "mucosa"}


def test_a_slide_without_a_map_gets_a_grid(session, small_slide):
    session.open_slide(small_slide)
    session.background.flush()
    view = View()
    brush = TissueBrush(session, view)
    brush.turn_on()
    assert brush.layer.data.shape == (5, 4)
    assert not brush.layer.data.any()
    brush.new_class("necrosis")
    paint(brush, [(2, 2)], 1)
    assert view.cells == "1 cell edited, 0 accepted"
    path = small_slide.with_suffix(".pathloop")
    assert stored(path, session.current.slide_id).codes[2, 2] == 1
    brush.turn_off()
    assert brush.layer is None
    brush.turn_on()
    assert brush.layer.data[2, 2] == 1
