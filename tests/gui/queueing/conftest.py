"""A session with a drawn slide, its project, and the queue's presenter with a view that remembers."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "slides"))

from queue_kit import SHAPE, UM_PER_PX, View, make_project

from pathloop.gui.queueing import QueueActions, QueuePresenter
from pathloop.store import Project
from pathloop.synth import write_slide


@pytest.fixture(autouse=True)
def _me(monkeypatch):
    monkeypatch.setenv("PATHLOOP_USER", "me")


@pytest.fixture(scope="session")
def drawn_slide(tmp_path_factory):
    """A drawn slide, and a project that holds what a run left of it; both are copied, never changed."""
    folder = tmp_path_factory.mktemp("drawn")
    write_slide(folder / "drawn.tif", SHAPE, seed=2)
    with pytest.MonkeyPatch.context() as patch:
        # which regions are held out follows from the project's id
        patch.setattr("pathloop.store._folder.uuid.uuid4", lambda: UUID(int=5))
        make_project(folder / "drawn.pathloop", folder / "drawn.tif")
    return folder


@pytest.fixture
def folder(drawn_slide, tmp_path):
    """A copy of slide and project."""
    shutil.copytree(drawn_slide, tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture
def desk(session, folder):
    """The presenter, its view, and the actions; nothing is open. ``open()`` opens the slide with its project."""
    view = View()
    presenter = QueuePresenter(session, view)
    own = SimpleNamespace(
        session=session,
        view=view,
        presenter=presenter,
        actions=QueueActions(presenter),
        project=folder / "drawn.pathloop",
        slide=folder / "drawn.tif",
        wanted=[],
    )
    session.region_wanted.connect(own.wanted.append)

    def open_slide():
        session.open_slide(own.slide, um_per_px=UM_PER_PX)
        session.background.flush()
        return session.current

    def stored():
        found = []
        session.projects.use(own.project, lambda project: project.regions(), found.extend)
        return found

    own.open, own.stored = open_slide, stored
    return own


@pytest.fixture
def ranked(desk):
    """The same, opened and ranked: 12 regions, every fourth one held out."""
    desk.open()
    desk.actions.rank("difficulty", 12)
    desk.session.background.flush()
    assert len(desk.presenter.content.regions) == 12
    return desk


@pytest.fixture
def reading():
    """Open a project for reading."""
    return lambda path: Project.open(path, write=False)
