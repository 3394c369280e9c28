"""Sessions without Qt, and sessions in real windows."""

import shutil
import sys
from pathlib import Path

import pytest
from napari.components import ViewerModel

from pathloop.gui._background import InlineBackground
from pathloop.gui._session import Session
from pathloop.loop import RecentProjects
from pathloop.synth import sample_slide_path, write_slide

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _own_config(tmp_path_factory, monkeypatch):
    # the user's list of recent projects and napari's settings stay out of it
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def said():
    """What the user was told."""
    return []


@pytest.fixture
def session(said):
    """A session on a viewer model, everything done at once."""
    made = Session(
        ViewerModel(),
        say=lambda text, level: said.append((level, text)),
        background=lambda report: InlineBackground(),
        recent=RecentProjects(),
    )
    yield made
    made.close()


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory):
    # drawing takes longer than most tests that look at it
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "slides").mkdir()
    write_slide(folder / "slides" / "drawn.tif", (600, 500), seed=3, truth_dir=folder / "truth")
    return folder


@pytest.fixture
def small_slide(_drawn, tmp_path):
    """A drawn slide of 600 x 500 px in a folder of its own."""
    shutil.copytree(_drawn, tmp_path, dirs_exist_ok=True)
    return tmp_path / "slides" / "drawn.tif"


@pytest.fixture
def sample(tmp_path):
    """A copy of the bundled sample, so that its project lies in a folder of its own."""
    folder = tmp_path / "sample"
    folder.mkdir()
    return shutil.copy(sample_slide_path(), folder / "colon_sample.tif")
