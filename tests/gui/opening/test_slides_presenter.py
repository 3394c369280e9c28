"""What the panel "Slides" decides, without a window."""

import shutil

import numpy as np
import pytest
from slide_files import picture, write_svs

from pathloop.core import ProjectError
from pathloop.gui.opening import last_slide
from pathloop.gui.opening._slides_presenter import SlidesPresenter
from pathloop.gui.reader import get_project_reader
from pathloop.store import Project


class View:
    """Remembers what it was told."""

    def __init__(self):
        self.state, self.thumbnails, self.associated = None, {}, None

    def show(self, state):
        self.state = state

    def show_thumbnail(self, path, picture):
        self.thumbnails[path] = picture

    def show_associated(self, name, pictures):
        self.associated = (name, dict(pictures))


@pytest.fixture
def view():
    return View()


@pytest.fixture
def presenter(session, view):
    made = SlidesPresenter(session, view)
    yield made
    made.close()


def settle(session):
    session.background.flush()


@pytest.fixture
def unknown(tmp_path):
    """A slide without um per px."""
    return write_svs(tmp_path / "unknown.svs", picture(), mpp=False)


def test_empty_at_first(presenter, view):
    assert not view.state.has_slide
    assert not view.state.has_open
    assert view.state.project.why_not == "Open a slide first"


def test_a_slide_with_everything_known(presenter, view, session, small_slide):
    presenter.open([str(small_slide)])
    settle(session)
    state = view.state
    (row,) = state.rows
    assert (row.name, row.status, row.is_open, row.is_current) == ("drawn", "not segmented", True, True)
    assert (state.scale.text, state.scale.is_missing, state.scale.hint) == ("0.5", False, "As the file states it.")
    assert state.levels[0].size == "500 x 600"
    assert state.levels[0].magnification == "20x"
    assert state.project.text == f"None yet; goes to {small_slide.parent / 'drawn.pathloop'}"
    assert state.project.can_make
    assert max(view.thumbnails[small_slide].shape) == 64
    assert state.associated == ()


def test_a_missing_scale_is_asked_for_and_bad_ones_are_refused(presenter, view, session, unknown):
    presenter.open([unknown])
    settle(session)
    assert view.state.scale.is_missing
    assert view.state.levels[0].um_per_px == "?"
    for text, words in (("", "no number"), ("abc", "abc is no number"), ("500", "0.05 .. 20")):
        presenter.set_scale(text)
        assert words in view.state.scale.problem
    presenter.set_scale(" 0,25 ")
    assert view.state.scale.problem == ""
    assert (view.state.scale.text, view.state.scale.is_missing) == ("0.25", False)
    assert session.current.layer.scale[0] == 0.25


def test_next_and_previous(presenter, view, session, small_slide, unknown):
    presenter.step(1)
    presenter.open([small_slide, unknown])
    settle(session)
    assert [row.is_current for row in view.state.rows] == [False, True]
    presenter.step(1)
    settle(session)
    assert session.current.path == small_slide
    presenter.step(-1)
    settle(session)
    assert session.current.path == unknown
    presenter.select(small_slide)
    settle(session)
    assert session.current.path == small_slide
    presenter.close_current()
    settle(session)
    assert [row.path for row in view.state.rows] == [unknown]


def test_a_file_that_is_none_is_told(presenter, session, said, tmp_path):
    presenter.open([tmp_path / "nothing.svs"])
    assert said[-1][0] == "error"
    assert "no such file" in said[-1][1]


def test_project_here(presenter, view, session, small_slide):
    presenter.make_project()  # no slide yet: nothing happens
    presenter.open([small_slide])
    settle(session)
    presenter.make_project()
    settle(session)
    place = small_slide.parent / "drawn.pathloop"
    assert session.current.project_path == place
    assert view.state.project.text == str(place)
    assert not view.state.project.can_make
    assert session.recent.paths() == [place]
    assert session.recent.last_slide(place) == small_slide


def test_project_elsewhere_and_another(presenter, view, session, small_slide, tmp_path):
    presenter.open([small_slide])
    settle(session)
    presenter.make_project(tmp_path)
    settle(session)
    assert session.current.project_path == tmp_path / "drawn.pathloop"
    Project.create(tmp_path / "other.pathloop").close()
    presenter.choose_project(tmp_path / "other.pathloop")
    settle(session)
    assert session.current.project_path == tmp_path / "other.pathloop"


def add_slides(project, *paths, fingerprint=None):
    from pathloop.slides import open_slide

    for path in paths:
        with open_slide(path) as slide:
            project.add_slide(
                path,
                fingerprint=slide.fingerprint,
                shape=slide.shape,
                um_per_px_y=0.5,
                um_per_px_x=0.5,
                reader=slide.format,
            )


def test_slides_of_a_project_and_one_that_moved(presenter, view, session, small_slide, unknown, said, tmp_path):
    place = tmp_path / "cohort.pathloop"
    with Project.create(place) as project:
        add_slides(project, small_slide, unknown)
        project.begin_run("drawn", "abcdefabcdef", {"n_tiles": 8}, tasks=["nuclei"])
        (project.run("drawn", "abcdefabcdef").folder / "tile_0_0.npz").write_bytes(b"")
    moved = tmp_path / "moved.svs"
    shutil.move(unknown, moved)
    assert last_slide(place) == small_slide
    presenter.open([place])
    settle(session)
    assert [row.status for row in view.state.rows] == ["unfinished run, 12 % done", "file missing"]
    assert [row.is_missing for row in view.state.rows] == [False, True]
    presenter.select(unknown)
    assert len(session.opened) == 1
    presenter.locate(unknown, small_slide)
    assert "content differs" in said[-1][1]
    presenter.locate(unknown, moved)
    settle(session)
    assert session.current.path == moved
    assert session.current.project_path == place


def test_projects_without_slides_say_what_to_do(tmp_path, small_slide):
    with Project.create(tmp_path / "p.pathloop") as project:
        with pytest.raises(ProjectError, match="holds no slide"):
            last_slide(tmp_path / "p.pathloop")
        copied = shutil.copy(small_slide, tmp_path / "gone.tif")
        add_slides(project, copied)
    reader = get_project_reader(str(tmp_path / "p.pathloop"))
    ((_, options, _),) = reader(str(tmp_path / "p.pathloop"))
    options["metadata"]["pathloop"]["slide"].close()
    copied.unlink()
    with pytest.raises(ProjectError, match="not where they were"):
        last_slide(tmp_path / "p.pathloop")


def test_tissue_outline_comes_and_goes(presenter, view, session, sample):
    presenter.show_outline(True)
    presenter.open([sample])
    settle(session)
    presenter.show_outline(True)
    settle(session)
    assert view.state.outline_shown
    layer = session.viewer.layers["colon_sample - tissue outline"]
    shape = session.current.slide.shape
    for line in layer.data:
        assert np.all(line >= -0.5)
        assert np.all(line <= np.array(shape) + 16)
    assert session.viewer.layers.selection.active is session.current.layer
    presenter.show_outline(False)
    settle(session)
    assert not view.state.outline_shown


def test_only_tissue_belongs_to_the_slide(presenter, view, session, small_slide):
    presenter.open([small_slide])
    settle(session)
    presenter.set_only_tissue(False)
    settle(session)
    assert not session.current.use_tissue_mask
    assert not view.state.only_tissue


def test_label_and_macro_only_when_asked_and_never_as_layers(presenter, view, session, unknown, monkeypatch):
    asked = []
    from pathloop.slides._tiff import TiffSlide

    read = TiffSlide.read_associated
    monkeypatch.setattr(TiffSlide, "read_associated", lambda self, name: asked.append(name) or read(self, name))
    presenter.open([unknown])
    settle(session)
    assert view.state.associated == ("label", "macro")
    assert asked == []
    presenter.show_associated()
    name, pictures = view.associated
    assert name == "unknown"
    assert set(pictures) == set(asked) == {"label", "macro"}
    assert [layer.name for layer in session.viewer.layers] == ["unknown"]


def test_a_plain_layer_becomes_a_slide(presenter, view, session, tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    image = picture(100, 120)
    session.viewer.add_image(image, rgb=True, name="mine", scale=(0.5, 0.5), units=("um", "um"))
    settle(session)
    assert view.state.adoptable == "mine"
    presenter.adopt_active()
    settle(session)
    assert session.current.path == tmp_path / "pathloop" / "mine.tif"
    assert session.current.scale.um_per_px == pytest.approx(0.5)
    assert view.state.adoptable == ""
    session.viewer.layers.selection.active = session.viewer.add_image(np.zeros((3, 30, 30)), name="stack")
    settle(session)
    assert view.state.adoptable == ""
    presenter.adopt_active()


def test_a_closed_presenter_is_silent(session, view, small_slide):
    presenter = SlidesPresenter(session, view)
    presenter.close()
    view.state = None
    session.open_slide(small_slide)
    settle(session)
    assert view.state is None
