"""Makes the helpers beside these tests importable, whatever pytest's import mode."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import reading_copies


@pytest.fixture
def copies(tmp_path):
    """Two copies of a project with objects, before either reader began."""
    return reading_copies.make_copies(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that examples of a property may share; each makes its own in it."""
    return tmp_path_factory.mktemp("readers")
