"""Slides and their projects in one session: what is restored, and what must not change under a run."""

import shutil

import numpy as np
import pytest
from fake_worker import FakeClient

from pathloop.core import PathloopError
from pathloop.gui.opening._adopt_layer import layer_scale
from pathloop.gui.opening._slides_presenter import SlidesPresenter
from pathloop.gui.reader import NOTHING_TO_ADD, _read_slide
from pathloop.gui.running import Command, Conductor
from pathloop.store import Project

WHOLE = Command((None,), use_tissue_mask=True, model="fast")


def settle(session):
    session.background.flush()


@pytest.fixture
def opened(session, small_slide):
    session.open_slide(small_slide)
    settle(session)
    return session.current


class View:
    """Takes what it is shown."""

    def show(self, state):
        self.state = state

    def show_thumbnail(self, path, pixels):
        pass


def test_the_scale_that_a_project_holds_counts_more_than_the_file(session, opened, tmp_path):
    stated = opened.scale.um_per_px
    path = tmp_path / "p.pathloop"
    with Project.create(path) as project:
        project.add_slide(
            opened.path, fingerprint=opened.slide.fingerprint, shape=opened.slide.shape, um_per_px_y=stated / 2,
            um_per_px_x=stated / 2, reader="tiff",
        )  # fmt: skip
    session.open_project(path)
    settle(session)
    assert opened.scale.um_per_px == pytest.approx(stated / 2)
    assert opened.given_um_per_px == pytest.approx(stated / 2)


def test_a_layer_of_pixels_is_not_taken_for_one_in_um(session, opened):
    layer = session.viewer.add_image(np.zeros((50, 60, 3), np.uint8), rgb=True)
    settle(session)
    assert all(str(unit) == "micrometer" for unit in layer.units)  # napari draws one unit only
    assert layer_scale(layer, session.units.own(layer)) is None
    measured = session.viewer.add_image(np.zeros((50, 60, 3), np.uint8), rgb=True, scale=(0.5, 0.5), units="um")
    settle(session)
    assert layer_scale(measured, session.units.own(measured)).um_per_px == 0.5


def test_a_slide_opens_once(session, small_slide, monkeypatch):
    waiting = []
    run = session.background.run
    monkeypatch.setattr(session.background, "run", lambda *a, **k: waiting.append((a, k)))
    session.open_slide(small_slide)
    session.open_slide(small_slide)
    assert len(waiting) == 1
    monkeypatch.undo()
    for a, k in waiting:
        run(*a, **k)
    settle(session)
    session.open_slide(small_slide)
    settle(session)
    assert len(session.viewer.layers) == len(session.opened) == 1


def test_a_slide_that_could_not_be_opened_can_be_tried_again(session, small_slide, said, tmp_path):
    path = tmp_path / "late.tif"
    session.open_slide(path)
    assert said[-1][0] == "error"
    shutil.copy(small_slide, path)
    session.open_slide(path)
    settle(session)
    assert session.current.path == path


def test_napari_s_own_way_in_shows_an_open_slide(session, opened, monkeypatch):
    monkeypatch.setattr("pathloop.gui.reader._session", lambda: session)
    assert _read_slide(str(opened.path)) is NOTHING_TO_ADD


def test_a_run_keeps_scale_and_project(session, opened, said, tmp_path):
    session.conductor = Conductor(session, FakeClient)
    view = View()
    presenter = SlidesPresenter(session, view)
    session.conductor.start(WHOLE)
    assert session.conductor.works_on(opened)
    before, place = opened.scale, opened.project_path
    presenter.set_scale("0.25")
    assert "being segmented" in view.state.scale.problem
    presenter.make_project(tmp_path)
    presenter.choose_project(tmp_path / "other.pathloop")
    settle(session)
    assert (opened.scale, opened.project_path) == (before, place)
    assert [text for level, text in said if "being segmented" in text]


def test_where_runs_go_does_not_move_the_view(session, opened):
    presenter = SlidesPresenter(session, View())
    session.viewer.scene.camera.zoom = 3
    moved = []
    session.scale_changed.connect(lambda: moved.append(1))
    presenter.set_only_tissue(False)
    assert session.viewer.scene.camera.zoom == 3
    assert moved == []
    assert not opened.use_tissue_mask


def test_a_project_whose_folder_was_deleted_is_not_written_to(session, opened, small_slide):
    conductor = Conductor(session, FakeClient)
    conductor.start(WHOLE)
    place = opened.project_path
    session.projects.use(place, lambda project: project.slides())
    shutil.rmtree(place)
    errors = []
    session.projects.use(place, lambda project: project.slides(), failed=errors.append)
    assert [isinstance(error, PathloopError) for error in errors] == [True]
    assert not place.exists()
