"""A session with a drawn slide whose project has done regions, and the presenter of "Train" with a view."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "correcting"))
sys.path.insert(0, str(Path(__file__).parents[2] / "loop"))
sys.path.insert(0, str(Path(__file__).parents[2] / "loop" / "tuning"))

from correcting_kit import TASKS, fill_project, read_truth
from fake_worker import FakeClient
from train_kit import HELD, TRAIN, View

from pathloop.gui.running import Conductor
from pathloop.gui.training import TrainPresenter
from pathloop.loop.correct import accept_region, add_regions
from pathloop.loop.tuning._current import ModelEntry, write_history
from pathloop.networks import find_model, read_card
from pathloop.store import Project, Region
from pathloop.synth import write_slide


@pytest.fixture(scope="session")
def reviewed_slide(tmp_path_factory):
    """A drawn slide, and a project with its true objects, two done regions and a held-out one; only copied."""
    folder = tmp_path_factory.mktemp("reviewed")
    write_slide(folder / "drawn.tif", (400, 400), seed=3, truth_dir=folder / "truth")
    labels = {task: read_truth(folder / "truth", "drawn", task) for task in TASKS}
    path = folder / "drawn.pathloop"
    slide_id = fill_project(path, folder / "drawn.tif", labels)
    with Project.open(path, write=True) as project:
        states = dict.fromkeys(TASKS, "todo")
        asked = [Region(0, slide_id, rect, states=states) for rect in TRAIN]
        asked += [Region(0, slide_id, rect, holdout=True, states=states) for rect in HELD]
        for region in add_regions(project, slide_id, asked)[1]:
            accept_region(project, region.id)
    fast = read_card(find_model("fast"))
    write_history(path, (ModelEntry(kind="start", model="fast", checksum=fast.checksum),))
    return folder


@pytest.fixture
def desk(session, reviewed_slide, tmp_path):
    """The presenter, its view and what it started; ``open()`` opens the slide with its project."""
    shutil.copytree(reviewed_slide, tmp_path / "study")
    view, started = View(), []
    session.conductor = Conductor(session, FakeClient)
    presenter = TrainPresenter(session, view, started.append)
    own = SimpleNamespace(
        session=session, view=view, presenter=presenter, started=started, project=tmp_path / "study" / "drawn.pathloop"
    )

    def open_slide():
        # what poll timers wait for is called once, or they would go on for ever
        session.open_slide(tmp_path / "study" / "drawn.tif", project=own.project)
        for _ in range(3):
            session.background.flush_once()
        return session.current

    own.open = open_slide
    yield own
    presenter.close()
