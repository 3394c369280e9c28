"""A drawn slide and an empty project; makes the helpers beside these tests, and those of networks, importable."""

import sys
from pathlib import Path

import pytest

from pathloop.store import Project
from pathloop.synth import write_slide

sys.path.insert(0, str(Path(__file__).parents[1] / "networks"))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A drawn slide of six small tiles."""
    path = tmp_path_factory.mktemp("slide") / "colon.tif"
    write_slide(path, (400, 600), seed=3)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An empty project; its copies share the uuid that names their objects."""
    path = tmp_path_factory.mktemp("empty") / "p"
    Project.create(path).close()
    return path
